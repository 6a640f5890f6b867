// Lists page by page, and what is recorded of devices: service-api A.4, A.8, A.10.
#include "api/service/service_test.h"

#include "domain/registration.h"

// ---- lists
// ---------------------------------------------------------------------------------------------------

static void make_many(const char *prefix, int count)
{
    for (int i = 0; i < count; i++) {
        char path[64], body[160];
        (void)snprintf(path, sizeof path, "/enrollments/%s%03d", prefix, i);
        (void)snprintf(body, sizeof body, "{\"registrationId\":\"%s%03d\"," SYMMETRIC "}", prefix, i);
        assert_int_equal(number_of("PUT", path, "", body), 0);
    }
}

// Goes through all pages; returns how many items there were, each page but the last being full.
static size_t list_all(const char *query, unsigned page, size_t *pages)
{
    char more[1024], body[512];
    char *token = NULL;
    size_t total = 0;
    *pages = 0;
    (void)snprintf(body, sizeof body, "{\"query\":\"%s\"}", query);
    do {
        struct reply reply;
        int len = snprintf(more, sizeof more, "x-ms-max-item-count: %u\r\n", page);
        if (token != NULL)
            (void)snprintf(more + len, sizeof more - (size_t)len, "x-ms-continuation: %s\r\n", token);
        free(token);
        assert_int_equal(call("POST", "/enrollments/query", more, body, &reply), 200);
        token = reply_header(&reply, "x-ms-continuation");
        size_t count = json_count(json_root(&reply.json));
        if (token != NULL)
            assert_int_equal(count, page);
        total += count;
        (*pages)++;
        reply_release(&reply);
    } while (token != NULL);
    return total;
}

static void a_list_comes_in_pages_of_the_size_asked_for(void **state)
{
    (void)state;
    size_t pages = 0;
    make_many("list-", 150);
    const char *query =
        "SELECT * FROM enrollments WHERE registrationId >= 'list-' AND registrationId < 'list.'";
    assert_int_equal(list_all(query, 50, &pages), 150);
    assert_int_equal(pages, 3);
    assert_int_equal(list_all(query, 1000, &pages), 150);
    assert_int_equal(pages, 1);
    assert_int_equal(list_all(query, 149, &pages), 150);
    assert_int_equal(pages, 2);
    assert_int_equal(list_all(query, 7, &pages), 150);
    assert_int_equal(pages, 22);
}

// A page is cut short rather than growing without bound; nothing is lost at the cut.
static void a_page_of_large_records_ends_early_and_goes_on(void **state)
{
    (void)state;
    enum { COUNT = 40, TEXT = 90 * 1024 };
    static char body[TEXT + 512], text[TEXT + 1];
    size_t total = 0;
    size_t pages = 0;
    char more[1024] = "x-ms-max-item-count: 1000\r\n";
    memset(text, 'x', TEXT);
    for (int i = 0; i < COUNT; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "/enrollmentGroups/large-%02d", i);
        (void)snprintf(body, sizeof body,
                       "{\"enrollmentGroupId\":\"large-%02d\"," SYMMETRIC
                       ",\"initialTwin\":{\"tags\":{\"t\":\"%s\"}}}",
                       i, text);
        assert_int_equal(number_of("PUT", path, "", body), 0);
    }
    for (char *token = NULL; pages == 0 || token != NULL; pages++) {
        struct reply reply;
        if (token != NULL)
            (void)snprintf(more, sizeof more, "x-ms-max-item-count: 1000\r\nx-ms-continuation: %s\r\n",
                           token);
        free(token);
        assert_int_equal(call("POST", "/enrollmentGroups/query", more,
                              "{\"query\":\"SELECT * WHERE enrollmentGroupId < 'large.'\"}", &reply),
                         200);
        token = reply_header(&reply, "x-ms-continuation");
        for (size_t i = 0; i < json_count(json_root(&reply.json)); i++) {
            char id[64];
            (void)snprintf(id, sizeof id, "large-%02zu", total++);
            assert_slice(json_as_string(json_get(json_at(json_root(&reply.json), i), "enrollmentGroupId")),
                         id);
        }
        reply_release(&reply);
    }
    assert_int_equal(total, COUNT);
    assert_int_equal(pages, 2);
}

static void lists_say_what_they_hold_and_show_neither_keys_nor_states(void **state)
{
    (void)state;
    static const struct {
        const char *path, *type;
    } rows[] = {{"/enrollments/query", "Enrollment"},
                {"/enrollmentGroups/query", "EnrollmentGroup"},
                {"/registrations/none/query", "DeviceRegistration"}};
    assert_int_equal(
        number_of("PUT", "/enrollmentGroups/typed", "", "{\"enrollmentGroupId\":\"typed\"," SYMMETRIC "}"),
        0);
    for (size_t i = 0; i < 3; i++) {
        struct reply reply;
        assert_int_equal(
            call("POST", rows[i].path, "x-ms-max-item-count: 1000\r\n", "{\"query\":\"*\"}", &reply), 200);
        char *type = reply_header(&reply, "x-ms-item-type");
        assert_non_null(type);
        assert_string_equal(type, rows[i].type);
        assert_null(reply_header(&reply, "x-ms-continuation"));
        assert_null(strstr(reply.body, "primaryKey"));
        assert_null(strstr(reply.body, "registrationState"));
        assert_int_equal(json_count(json_root(&reply.json)) > 0, i < 2);
        free(type);
        reply_release(&reply);
    }
}

static void page_sizes_and_queries_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const sizes[] = {"0", "1001", "-1", "x", "1.5", "", "+5", "99999999999999999999"};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char more[64];
        (void)snprintf(more, sizeof more, "x-ms-max-item-count: %s\r\n", sizes[i]);
        assert_int_equal(number_of("POST", "/enrollments/query", more, "{\"query\":\"*\"}"), 400004);
    }
    static const char *const queries[] = {"SELECT * FROM enrollments WHERE", "SELECT * WHERE unheardOf = 1",
                                          "SELECT * WHERE attestation.symmetricKey.primaryKey = 'x'",
                                          "SELECT * WHERE registrationId = 'x'; DROP TABLE enrollment"};
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        char body[256];
        (void)snprintf(body, sizeof body, "{\"query\":\"%s\"}", queries[i]);
        assert_int_equal(number_of("POST", "/enrollments/query", "", body), 400004);
    }
    assert_int_equal(number_of("POST", "/enrollments/query", "", "{\"query\":7}"), 400004);
    assert_int_equal(number_of("POST", "/enrollments/query", "", "{\"query\":\"*\""), 400004);
}

static void only_a_continuation_that_was_given_for_this_list_is_taken(void **state)
{
    (void)state;
    struct reply reply;
    char more[1024];
    make_many("token-", 3);
    assert_int_equal(call("POST", "/enrollments/query", "x-ms-max-item-count: 1\r\n", NULL, &reply), 200);
    char *token = reply_header(&reply, "x-ms-continuation");
    assert_non_null(token);
    reply_release(&reply);
    (void)snprintf(more, sizeof more, "x-ms-continuation: %s\r\n", token);
    assert_int_equal(number_of("POST", "/enrollments/query", more, NULL), 0);
    assert_int_equal(number_of("POST", "/enrollmentGroups/query", more, NULL), 400004);
    assert_int_equal(number_of("POST", "/registrations/g/query", more, NULL), 400004);
    assert_int_equal(bench_call(&bench, "two", "POST", "/enrollments/query" VERSION, more, NULL, NULL), 400);
    for (size_t at = 0; token[at] != '\0'; at++) {
        char kept = token[at];
        token[at] = kept == 'A' ? 'B' : 'A';
        (void)snprintf(more, sizeof more, "x-ms-continuation: %s\r\n", token);
        assert_int_equal(number_of("POST", "/enrollments/query", more, NULL), 400004);
        token[at] = kept;
    }
    free(token);
    static const char *const forged[] = {
        "x", "0", "AAAA", "' OR '1'='1", "../../x", "KioqKioqKioqKioqKioqKioqKioqKioqKioqKioqKiph"};
    for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
        (void)snprintf(more, sizeof more, "x-ms-continuation: %s\r\n", forged[i]);
        assert_int_equal(number_of("POST", "/enrollments/query", more, NULL), 400004);
    }
}

// ---- registrations
// -------------------------------------------------------------------------------------------

static void put_registration(const char *scope, const char *id, enum enrollment_kind kind,
                             const char *enrollment, uint64_t etag)
{
    struct registration r = {.id = slice_text(id),
                             .status = STATUS_ASSIGNED,
                             .substatus = SUBSTATUS_INITIAL_ASSIGNMENT,
                             .enrollment_kind = kind,
                             .enrollment_id = slice_text(enrollment),
                             .assigned_hub = SLICE("hub.test"),
                             .device_id = slice_text(id),
                             .created_us = bench.now_us,
                             .updated_us = bench.now_us,
                             .etag = etag};
    bench_put(&bench, STORE_REGISTRATION, scope, id, &r);
}

static void registrations_are_listed_by_group_read_and_deleted(void **state)
{
    (void)state;
    struct reply reply;
    put_registration("0neAAAAAAAA", "r1", ENROLLMENT_GROUP, "fleet", 11);
    put_registration("0neAAAAAAAA", "r2", ENROLLMENT_GROUP, "fleet", 12);
    put_registration("0neAAAAAAAA", "r3", ENROLLMENT_GROUP, "others", 13);
    put_registration("0neAAAAAAAA", "r4", ENROLLMENT_INDIVIDUAL, "fleet", 14);
    put_registration("0neBBBBBBBB", "r5", ENROLLMENT_GROUP, "fleet", 15);
    assert_int_equal(call("POST", "/registrations/Fleet/query", "", NULL, &reply), 200);
    assert_int_equal(json_count(json_root(&reply.json)), 2);
    reply_release(&reply);
    assert_int_equal(call("POST", "/registrations/fleet/query", "",
                          "{\"query\":\"SELECT * FROM deviceRegistrations WHERE registrationId = 'r3' OR "
                          "registrationId = 'r2'\"}",
                          &reply),
                     200);
    assert_int_equal(json_count(json_root(&reply.json)), 1);
    assert_slice(json_as_string(json_get(json_at(json_root(&reply.json), 0), "registrationId")), "r2");
    reply_release(&reply);
    assert_int_equal(call("GET", "/registrations/R1", "", NULL, &reply), 200);
    assert_string_equal(reply_text(&reply, "status"), "assigned");
    assert_string_equal(reply_text(&reply, "assignedHub"), "hub.test");
    char exactly[160];
    (void)snprintf(exactly, sizeof exactly, "If-Match: %s\r\n", reply_text(&reply, "etag"));
    reply_release(&reply);
    assert_int_equal(number_of("DELETE", "/registrations/r1", "If-Match: IjAtMCI=\r\n", NULL), 412201);
    assert_int_equal(number_of("DELETE", "/registrations/r1", exactly, NULL), 0);
    assert_int_equal(number_of("GET", "/registrations/r1", "", NULL), 404201);
    assert_int_equal(number_of("DELETE", "/registrations/r1", "", NULL), 404201);
    assert_int_equal(number_of("GET", "/registrations/r5", "", NULL), 404201);
    assert_int_equal(number_of("PUT", "/enrollments/r4", "", "{\"registrationId\":\"r4\"," SYMMETRIC "}"), 0);
    assert_int_equal(call("GET", "/enrollments/r4", "", NULL, &reply), 200);
    assert_slice(at2(&reply, "registrationState", "assignedHub", NULL), "hub.test");
    reply_release(&reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_comes_in_pages_of_the_size_asked_for),
        cmocka_unit_test(lists_say_what_they_hold_and_show_neither_keys_nor_states),
        cmocka_unit_test(a_page_of_large_records_ends_early_and_goes_on),
        cmocka_unit_test(page_sizes_and_queries_that_are_none_are_refused),
        cmocka_unit_test(only_a_continuation_that_was_given_for_this_list_is_taken),
        cmocka_unit_test(registrations_are_listed_by_group_read_and_deleted),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

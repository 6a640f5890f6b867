// What an operator sees of enrollments, groups and registrations: service-api A.4 to A.10.
#include "api/service/service.h"

#include <stdio.h>

#include "api/fake_front.h"
#include "base/text.h"
#include "domain/registration.h"
#include "json/json.h"

#define VERSION   "?api-version=2021-10-01"
#define SYMMETRIC "\"attestation\":{\"type\":\"symmetricKey\"}"

static struct bench bench;
static struct service_api *api;

static int start(void **state)
{
    (void)state;
    bench_start(&bench);
    bench_put_service(&bench, "one", "0neAAAAAAAA", NULL, 0);
    bench_put_service(&bench, "two", "0neBBBBBBBB", NULL, 0);
    bench_reload(&bench);
    struct service_api_settings settings = {.store = bench.client,
                                            .directory = bench.directory,
                                            .clock = &bench.clock,
                                            .random = &bench.random,
                                            .log = &bench.log,
                                            .continuation_key = bench_key("continuation", "key", false)};
    assert_false(failed(service_api_new(&settings, &api)));
    bench.area = service_http_area(api);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    service_api_free(api);
    bench_stop(&bench);
    return 0;
}

static unsigned call(const char *method, const char *path, const char *more, const char *body,
                     struct reply *reply)
{
    char target[512];
    (void)snprintf(target, sizeof target, "%s" VERSION, path);
    return bench_call(&bench, "one", method, target, more, body, reply);
}

// The number of the error, 0 for an answer that is none.
static int64_t number_of(const char *method, const char *path, const char *more, const char *body)
{
    struct reply reply;
    unsigned status = call(method, path, more, body, &reply);
    int64_t number = status < 300 ? 0 : reply_number(&reply, "errorCode");
    if (status >= 300)
        assert_int_equal(number / 1000, status);
    reply_release(&reply);
    return number;
}

static struct slice at2(const struct reply *reply, const char *first, const char *second, const char *third)
{
    const struct json *value = json_get(json_get(json_root(&reply->json), first), second);
    return json_as_string(third != NULL ? json_get(value, third) : value);
}

// ---- one record
// ----------------------------------------------------------------------------------------------

static void creating_makes_keys_and_only_the_answer_to_put_and_attestationmechanism_show_them(void **state)
{
    (void)state;
    static const struct {
        const char *collection, *id;
    } kinds[] = {{"enrollments", "registrationId"}, {"enrollmentGroups", "enrollmentGroupId"}};
    for (size_t i = 0; i < 2; i++) {
        char path[64], mechanism[96], body[128];
        struct reply made, shown, keys;
        uint8_t key[64];
        size_t len = 0;
        (void)snprintf(path, sizeof path, "/%s/Made-1", kinds[i].collection);
        (void)snprintf(mechanism, sizeof mechanism, "/%s/made-1/attestationmechanism", kinds[i].collection);
        (void)snprintf(body, sizeof body, "{\"%s\":\"Made-1\"," SYMMETRIC "}", kinds[i].id);
        assert_int_equal(call("PUT", path, "", body, &made), 200);
        struct slice primary = at2(&made, "attestation", "symmetricKey", "primaryKey");
        struct slice secondary = at2(&made, "attestation", "symmetricKey", "secondaryKey");
        assert_true(b64_decode(primary, key, sizeof key, &len));
        assert_int_equal(len, 64);
        assert_false(slice_equal(primary, secondary));
        assert_string_equal(reply_text(&made, "createdDateTimeUtc"),
                            reply_text(&made, "lastUpdatedDateTimeUtc"));
        assert_string_equal(reply_text(&made, kinds[i].id), "Made-1");
        assert_int_equal(call("GET", path, "", NULL, &shown), 200);
        assert_null(strstr(shown.body, "primaryKey"));
        assert_null(strstr(shown.body, "secondaryKey"));
        assert_string_equal(reply_text(&shown, "etag"), reply_text(&made, "etag"));
        bool individual = i == 0;
        assert_int_equal(strstr(shown.body, "registrationState") != NULL, individual);
        assert_null(strstr(made.body, "registrationState"));
        if (individual)
            assert_slice(at2(&shown, "registrationState", "status", NULL), "unassigned");
        assert_int_equal(call("POST", mechanism, "", NULL, &keys), 200);
        assert_true(slice_equal(
            json_as_string(json_get(json_get(json_root(&keys.json), "symmetricKey"), "primaryKey")),
            primary));
        reply_release(&made);
        reply_release(&shown);
        reply_release(&keys);
    }
}

static void put_and_delete_follow_if_match(void **state)
{
    (void)state;
    static const char *const collections[] = {"enrollments", "enrollmentGroups"};
    static const char *const names[] = {"registrationId", "enrollmentGroupId"};
    static const int64_t exists[] = {409201, 409202}, absent[] = {404201, 404204};
    for (size_t i = 0; i < 2; i++) {
        char path[64], body[128], exactly[160], quoted[160], weak[160];
        struct reply made;
        (void)snprintf(path, sizeof path, "/%s/etags", collections[i]);
        (void)snprintf(body, sizeof body, "{\"%s\":\"etags\"," SYMMETRIC "}", names[i]);
        assert_int_equal(number_of("GET", path, "", NULL), absent[i]);
        assert_int_equal(number_of("DELETE", path, "", NULL), absent[i]);
        assert_int_equal(number_of("DELETE", path, "If-Match: *\r\n", NULL), absent[i]);
        assert_int_equal(number_of("PUT", path, "If-Match: *\r\n", body), absent[i]);
        assert_int_equal(number_of("PUT", path, "If-Match: IjAtMCI=\r\n", body), absent[i]);
        assert_int_equal(call("PUT", path, "", body, &made), 200);
        assert_int_equal(number_of("PUT", path, "", body), exists[i]);
        assert_int_equal(number_of("PUT", path, "If-Match: IjAtMCI=\r\n", body), 412201);
        assert_int_equal(number_of("PUT", path, "If-Match: \"half\r\n", body), 400004);
        (void)snprintf(exactly, sizeof exactly, "If-Match: %s\r\n", reply_text(&made, "etag"));
        assert_int_equal(number_of("PUT", path, exactly, body), 0);
        assert_int_equal(number_of("PUT", path, exactly, body), 412201);
        assert_int_equal(number_of("DELETE", path, exactly, NULL), 412201);
        reply_release(&made);
        assert_int_equal(call("PUT", path, "If-Match: *\r\n", body, &made), 200);
        (void)snprintf(quoted, sizeof quoted, "If-Match: \"%s\"\r\n", reply_text(&made, "etag"));
        reply_release(&made);
        assert_int_equal(call("PUT", path, quoted, body, &made), 200);
        (void)snprintf(weak, sizeof weak, "If-Match: W/\"%s\"\r\n", reply_text(&made, "etag"));
        reply_release(&made);
        assert_int_equal(call("DELETE", path, weak, NULL, &made), 204);
        assert_string_equal(made.body, "");
        reply_release(&made);
        assert_int_equal(number_of("GET", path, "", NULL), absent[i]);
    }
}

static void an_update_keeps_the_keys_and_the_time_of_creation(void **state)
{
    (void)state;
    struct reply made, changed;
    assert_int_equal(
        call("PUT", "/enrollments/kept", "", "{\"registrationId\":\"kept\"," SYMMETRIC "}", &made), 200);
    bench.now_us += 5000000;
    assert_int_equal(call("PUT", "/enrollments/KEPT", "If-Match: *\r\n",
                          "{\"registrationId\":\"Kept\",\"deviceId\":\"other\",\"attestation\":{\"type\":"
                          "\"symmetricKey\",\"symmetricKey\":{\"primaryKey\":\"\",\"secondaryKey\":null}}}",
                          &changed),
                     200);
    assert_string_equal(reply_text(&changed, "deviceId"), "other");
    assert_string_equal(reply_text(&changed, "createdDateTimeUtc"), reply_text(&made, "createdDateTimeUtc"));
    assert_string_not_equal(reply_text(&changed, "lastUpdatedDateTimeUtc"),
                            reply_text(&made, "lastUpdatedDateTimeUtc"));
    assert_string_not_equal(reply_text(&changed, "etag"), reply_text(&made, "etag"));
    assert_true(slice_equal(at2(&made, "attestation", "symmetricKey", "primaryKey"),
                            at2(&changed, "attestation", "symmetricKey", "primaryKey")));
    assert_true(slice_equal(at2(&made, "attestation", "symmetricKey", "secondaryKey"),
                            at2(&changed, "attestation", "symmetricKey", "secondaryKey")));
    reply_release(&made);
    reply_release(&changed);
}

// D10: both read the same state; one must lose, or with `*` both must be applied one after the other.
static void of_two_simultaneous_updates_none_is_lost(void **state)
{
    (void)state;
    const char *body = "{\"registrationId\":\"race\"," SYMMETRIC "}";
    struct reply made, first, second;
    assert_int_equal(call("PUT", "/enrollments/race", "", body, &made), 200);
    char *token = bench_token(&bench, "one", "owner", "one.test", 3600);
    char head[1024];
    (void)snprintf(head, sizeof head,
                   "PUT /enrollments/race" VERSION
                   " HTTP/1.1\r\nHost: one.test\r\nAuthorization: %s\r\nIf-Match: %s\r\n",
                   token, reply_text(&made, "etag"));
    bench_send(&bench, false, head, body, &first);
    bench_send(&bench, false, head, body, &second);
    bench_run_until(&bench, &first.done);
    bench_run_until(&bench, &second.done);
    assert_int_equal(first.status + second.status, 200 + 412);
    reply_release(&first);
    reply_release(&second);
    (void)snprintf(head, sizeof head,
                   "PUT /enrollments/race" VERSION
                   " HTTP/1.1\r\nHost: one.test\r\nAuthorization: %s\r\nIf-Match: *\r\n",
                   token);
    size_t before = bench_count_lines(&bench, "enrollment.updated");
    bench_send(&bench, false, head, body, &first);
    bench_send(&bench, false, head, body, &second);
    bench_run_until(&bench, &first.done);
    bench_run_until(&bench, &second.done);
    assert_int_equal(first.status, 200);
    assert_int_equal(second.status, 200);
    assert_string_not_equal(reply_text(&first, "etag"), reply_text(&second, "etag"));
    assert_int_equal(bench_count_lines(&bench, "enrollment.updated"), before + 2);
    reply_release(&first);
    reply_release(&second);
    reply_release(&made);
    free(token);
}

static void what_is_not_valid_is_refused_with_400004_and_not_written(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"registrationId\":\"other\"," SYMMETRIC "}",
        "{\"registrationId\":\"bad\"}",
        "{\"registrationId\":\"bad\"," SYMMETRIC
        ",\"allocationPolicy\":\"static\",\"iotHubs\":[\"unlinked.test\"]}",
        "{\"registrationId\":\"bad\"," SYMMETRIC ",\"iotHubs\":[\"hub.test\"]}",
        "{\"registrationId\":\"bad\",\"registrationId\":\"bad\"," SYMMETRIC "}",
        "[]",
        "",
        "null",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(number_of("PUT", "/enrollments/bad", "", bad[i]), 400004);
    assert_int_equal(number_of("PUT", "/enrollments/a%20b", "", "{\"registrationId\":\"a b\"," SYMMETRIC "}"),
                     400004);
    assert_int_equal(number_of("PUT", "/enrollments/-a", "", "{\"registrationId\":\"-a\"," SYMMETRIC "}"),
                     400004);
    assert_int_equal(number_of("GET", "/enrollments/bad", "", NULL), 404201);
    assert_int_equal(number_of("PUT", "/enrollments/good", "",
                               "{\"registrationId\":\"good\"," SYMMETRIC
                               ",\"allocationPolicy\":\"static\",\"iotHubs\":[\"HUB.test\"]}"),
                     0);
}

static void bodies_need_a_length_a_type_and_a_size(void **state)
{
    (void)state;
    const char *body = "{\"registrationId\":\"body\"," SYMMETRIC "}";
    static char large[100 * 1024];
    assert_int_equal(number_of("PUT", "/enrollments/body", "", NULL), 411001);
    assert_int_equal(number_of("POST", "/enrollments", "", NULL), 411001);
    assert_int_equal(number_of("PUT", "/enrollments/body", "Content-Type: text/xml\r\n", body), 415001);
    assert_int_equal(number_of("PUT", "/enrollments/body", "Content-Encoding: gzip\r\n", body), 415001);
    memset(large, ' ', sizeof large - 1);
    memcpy(large, body, strlen(body));
    assert_int_equal(number_of("PUT", "/enrollments/body", "", large), 413001);
    large[96 * 1024] = '\0';
    assert_int_equal(
        number_of("PUT", "/enrollments/body", "Content-Type: application/json; charset=utf-8\r\n", large), 0);
    // where a body is optional, neither it nor a length is missed
    assert_int_equal(number_of("POST", "/enrollments/query", "", NULL), 0);
    assert_int_equal(number_of("POST", "/enrollments/query", "", ""), 0);
    assert_int_equal(number_of("POST", "/enrollments/query", "", "{}"), 0);
    assert_int_equal(number_of("POST", "/enrollments/query", "", "{\"query\":null}"), 0);
    assert_int_equal(number_of("POST", "/registrations/any/query", "", NULL), 0);
    assert_int_equal(number_of("POST", "/enrollments/body/attestationmechanism", "", NULL), 0);
    assert_int_equal(number_of("POST", "/enrollments/body/attestationmechanism", "", "{}"), 0);
}

static void paths_are_taken_as_the_clients_write_them(void **state)
{
    (void)state;
    assert_int_equal(
        number_of("PUT", "/Enrollments/query", "", "{\"registrationId\":\"query\"," SYMMETRIC "}"), 0);
    assert_int_equal(number_of("GET", "/enrollments/query/", "", NULL), 0);
    assert_int_equal(number_of("POST", "/enrollments/query/attestationmechanism", "", NULL), 0);
    assert_int_equal(number_of("PUT", "/enrollments/a%3Ab", "", "{\"registrationId\":\"A:b\"," SYMMETRIC "}"),
                     0);
    assert_int_equal(number_of("GET", "/enrollments/a:B", "", NULL), 0);
    assert_int_equal(number_of("DELETE", "/enrollments/query", "", NULL), 0);
    assert_int_equal(number_of("PUT", "/enrollments/registrations", "",
                               "{\"registrationId\":\"registrations\"," SYMMETRIC "}"),
                     0);
    assert_int_equal(number_of("POST", "/enrollments/registrations/attestationmechanism", "", NULL), 0);
    assert_int_equal(number_of("POST", "/enrollments/", "", "{\"enrollments\":[],\"mode\":\"create\"}"), 0);
    assert_int_equal(number_of("PUT", "/enrollments", "", "{}"), 405001);
    assert_int_equal(number_of("GET", "/registrations", "", NULL), 405001);
}

// ---- bulk
// ----------------------------------------------------------------------------------------------------

static void bulk(const char *path, const char *body, const char *expected)
{
    struct reply reply;
    assert_int_equal(call("POST", path, "", body, &reply), 200);
    assert_string_equal(reply.body, expected);
    reply_release(&reply);
}

#define ITEM(id, more) "{\"registrationId\":\"" id "\"," SYMMETRIC more "}"
#define MADE           "{\"errors\":[],\"isSuccessful\":true}"
#define REFUSED(id, number, text)                                                                            \
    "{\"errors\":[{\"registrationId\":\"" id "\",\"errorCode\":" number ",\"errorStatus\":\"" text           \
    "\"}],\"isSuccessful\":false}"

static void bulk_tells_per_item_what_failed(void **state)
{
    (void)state;
    bulk("/enrollments", "{\"mode\":\"create\",\"enrollments\":[" ITEM("b1", "") "," ITEM("b2", "") "]}",
         MADE);
    bulk("/enrollments", "{\"mode\":\"CREATE\",\"enrollments\":[" ITEM("B1", "") "," ITEM("b3", "") "]}",
         REFUSED("B1", "409201", "Enrollment already exists."));
    assert_int_equal(number_of("GET", "/enrollments/b3", "", NULL), 0);
    bulk("/enrollments", "{\"mode\":\"update\",\"enrollments\":[" ITEM("b1", "") "]}",
         REFUSED("b1", "409201", "Enrollment already exists."));
    bulk("/enrollments", "{\"mode\":\"update\",\"enrollments\":[" ITEM("b1", ",\"etag\":\"*\"") "]}", MADE);
    bulk("/enrollments",
         "{\"mode\":\"updateIfMatchEtag\",\"enrollments\":[" ITEM("b1", ",\"etag\":\"IjAtMCI=\"") "]}",
         REFUSED("b1", "412201", "The ETag does not match; read the record again."));
    bulk("/enrollments", "{\"mode\":\"update\",\"enrollments\":[" ITEM("none", ",\"etag\":\"*\"") "]}",
         REFUSED("none", "404201", "Enrollment not found."));
    // twice in one call: the second finds the first
    bulk("/enrollments", "{\"mode\":\"create\",\"enrollments\":[" ITEM("b4", "") "," ITEM("b4", "") "]}",
         REFUSED("b4", "409201", "Enrollment already exists."));
    bulk("/enrollments",
         "{\"mode\":\"delete\",\"enrollments\":[{\"registrationId\":\"b2\"}," ITEM("b1", "") "]}", MADE);
    bulk("/enrollments",
         "{\"mode\":\"delete\",\"enrollments\":[{\"registrationId\":\"b2\"}," ITEM("b3", "") "]}",
         REFUSED("b2", "404201", "Enrollment not found."));
    assert_int_equal(number_of("GET", "/enrollments/b3", "", NULL), 404201);
    bulk("/enrollmentGroups",
         "{\"mode\":\"create\",\"enrollmentGroups\":[{\"enrollmentGroupId\":\"bg\"," SYMMETRIC "}]}", MADE);
    bulk("/enrollmentGroups",
         "{\"mode\":\"create\",\"enrollmentGroups\":[{\"enrollmentGroupId\":\"bg\"," SYMMETRIC "}]}",
         "{\"errors\":[{\"enrollmentGroupId\":\"bg\",\"errorCode\":409202,\"errorStatus\":\"Enrollment group "
         "already "
         "exists.\"}],\"isSuccessful\":false}");
}

static void a_bulk_item_that_is_not_valid_does_not_stop_the_others(void **state)
{
    (void)state;
    struct reply reply;
    const char *body = "{\"mode\":\"create\",\"enrollments\":[{\"registrationId\":\"v1\"},{},"
                       "{\"registrationId\":\"v 2\"," SYMMETRIC "}," ITEM("v3", "") "]}";
    assert_int_equal(call("POST", "/enrollments", "", body, &reply), 200);
    const struct json *errors = json_get(json_root(&reply.json), "errors");
    assert_int_equal(json_count(errors), 3);
    for (size_t i = 0; i < 3; i++) {
        int64_t number = 0;
        assert_true(json_as_int(json_get(json_at(errors, i), "errorCode"), &number));
        assert_int_equal(number, 400004);
    }
    assert_slice(json_as_string(json_get(json_at(errors, 2), "registrationId")), "v 2");
    reply_release(&reply);
    assert_int_equal(number_of("GET", "/enrollments/v3", "", NULL), 0);
}

static void a_bulk_call_that_is_not_valid_writes_nothing(void **state)
{
    (void)state;
    char eleven[2048] = "{\"mode\":\"create\",\"enrollments\":[";
    size_t len = strlen(eleven);
    for (int i = 0; i < 11; i++)
        len += (size_t)snprintf(eleven + len, sizeof eleven - len,
                                "%s{\"registrationId\":\"e%d\"," SYMMETRIC "}", i > 0 ? "," : "", i);
    (void)snprintf(eleven + len, sizeof eleven - len, "]}");
    assert_int_equal(number_of("POST", "/enrollments", "", eleven), 400004);
    assert_int_equal(number_of("GET", "/enrollments/e0", "", NULL), 404201);
    static const char *const bad[] = {"{\"mode\":\"replace\",\"enrollments\":[" ITEM("n1", "") "]}",
                                      "{\"enrollments\":[" ITEM("n1", "") "]}",
                                      "{\"mode\":\"create\"}",
                                      "{\"mode\":\"create\",\"enrollmentGroups\":[]}",
                                      "{\"mode\":\"create\",\"enrollments\":[" ITEM("n1", "") ",7]}",
                                      "{}",
                                      ""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(number_of("POST", "/enrollments", "", bad[i]), 400004);
    assert_int_equal(number_of("GET", "/enrollments/n1", "", NULL), 404201);
}

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

// ---- logs
// ----------------------------------------------------------------------------------------------------

static void every_applied_change_is_one_line_and_nothing_sent_breaks_a_line(void **state)
{
    (void)state;
    const char *body = "{\"enrollmentGroupId\":\"logged\"," SYMMETRIC "}";
    static const char *const events[] = {"\"group.created\"", "\"group.updated\"", "\"group.deleted\""};
    size_t before[3];
    for (size_t i = 0; i < 3; i++)
        before[i] = bench_count_lines(&bench, events[i]);
    size_t lines = bench_count_lines(&bench, "");
    assert_int_equal(number_of("PUT", "/enrollmentGroups/logged", "", body), 0);
    assert_int_equal(number_of("PUT", "/enrollmentGroups/logged", "If-Match: *\r\n", body), 0);
    assert_int_equal(number_of("DELETE", "/enrollmentGroups/logged", "", NULL), 0);
    assert_int_equal(bench_count_lines(&bench, ""), lines + 3);
    assert_int_equal(bench_count_lines(&bench, "\"group\":\"logged\",\"policy\":\"owner\""), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(bench_count_lines(&bench, events[i]), before[i] + 1);
    lines = bench_count_lines(&bench, "");
    assert_int_equal(number_of("DELETE", "/enrollments/a%0d%0a%1b%5b31m%e2%80%aeb", "", NULL), 404201);
    assert_int_equal(bench_count_lines(&bench, ""), lines + 1);
    struct slice rest = buf_slice(&bench.lines);
    struct slice line;
    while (slice_cut(&rest, '\n', &line)) {
        struct json_doc doc = {0};
        assert_false(failed(json_read(line, JSON_LIMITS_DEFAULT, &doc, NULL)));
        json_doc_release(&doc);
        for (size_t i = 0; i < line.len; i++)
            assert_true(line.at[i] >= ' ' && line.at[i] < 0x7F);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(creating_makes_keys_and_only_the_answer_to_put_and_attestationmechanism_show_them),
        cmocka_unit_test(put_and_delete_follow_if_match),
        cmocka_unit_test(an_update_keeps_the_keys_and_the_time_of_creation),
        cmocka_unit_test(of_two_simultaneous_updates_none_is_lost),
        cmocka_unit_test(what_is_not_valid_is_refused_with_400004_and_not_written),
        cmocka_unit_test(bodies_need_a_length_a_type_and_a_size),
        cmocka_unit_test(paths_are_taken_as_the_clients_write_them),
        cmocka_unit_test(bulk_tells_per_item_what_failed),
        cmocka_unit_test(a_bulk_item_that_is_not_valid_does_not_stop_the_others),
        cmocka_unit_test(a_bulk_call_that_is_not_valid_writes_nothing),
        cmocka_unit_test(a_list_comes_in_pages_of_the_size_asked_for),
        cmocka_unit_test(lists_say_what_they_hold_and_show_neither_keys_nor_states),
        cmocka_unit_test(page_sizes_and_queries_that_are_none_are_refused),
        cmocka_unit_test(only_a_continuation_that_was_given_for_this_list_is_taken),
        cmocka_unit_test(registrations_are_listed_by_group_read_and_deleted),
        cmocka_unit_test(every_applied_change_is_one_line_and_nothing_sent_breaks_a_line),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

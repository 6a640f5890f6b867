// What an operator sees of enrollments and groups, alone and in bulk: service-api A.4 to A.7.
#include "api/service/service_test.h"

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
        cmocka_unit_test(every_applied_change_is_one_line_and_nothing_sent_breaks_a_line),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

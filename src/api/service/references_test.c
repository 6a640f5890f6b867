// Enrollments that name CA certificates of their service: only such as are there.
#include "api/service/service_test.h"

#define GROUP(id, references)                                                                                \
    "{\"enrollmentGroupId\":\"" id                                                                           \
    "\",\"attestation\":{\"type\":\"x509\",\"x509\":{\"caReferences\":{" references "}}}}"

static void put_ca(const char *scope, const char *key, const char *name)
{
    struct ca_certificate record = {.name = slice_text(name), .certificate = SLICE("DER"), .etag = 4};
    bench_put(&bench, STORE_CERTIFICATE, scope, key, &record);
}

static void delete_done(struct store_request *request)
{
    assert_false(failed(request->result));
    *(bool *)request->context = true;
}

static void delete_ca(const char *scope, const char *key)
{
    bool done = false;
    struct arena arena = arena_capped(1 << 16);
    struct store_request request = {.verb = STORE_DELETE,
                                    .table = STORE_CERTIFICATE,
                                    .partition = slice_text(scope),
                                    .key = slice_text(key),
                                    .arena = &arena,
                                    .done = delete_done,
                                    .context = &done};
    store_submit(bench.client, &request);
    bench_run_until(&bench, &done);
    arena_release(&arena);
}

static void refused_for(const char *path, const char *more, const char *body, const char *name)
{
    struct reply reply;
    char text[200];
    (void)snprintf(text, sizeof text, "no CA certificate \"%s\"", name);
    assert_int_equal(call("PUT", path, more, body, &reply), 400);
    assert_int_equal(reply_number(&reply, "errorCode"), 400004);
    if (strstr(reply_text(&reply, "message"), text) == NULL)
        fail_msg("'%s' does not name %s", reply_text(&reply, "message"), name);
    reply_release(&reply);
}

static void a_group_may_name_only_certificates_of_its_service(void **state)
{
    (void)state;
    put_ca("0neAAAAAAAA", "root-1", "Root-1");
    put_ca("0neAAAAAAAA", "root-2", "Root-2");
    put_ca("0neBBBBBBBB", "foreign", "foreign");
    const char *path = "/enrollmentGroups/refers";
    refused_for(path, "", GROUP("refers", "\"primary\":\"absent\""), "absent");
    refused_for(path, "", GROUP("refers", "\"primary\":\"root-1\",\"secondary\":\"Absent\""), "Absent");
    refused_for(path, "", GROUP("refers", "\"primary\":\"absent\",\"secondary\":\"root-1\""), "absent");
    refused_for(path, "", GROUP("refers", "\"primary\":\"foreign\""), "foreign");
    assert_int_equal(number_of("GET", path, "", NULL), 404204);
    assert_int_equal(
        number_of("PUT", path, "", GROUP("refers", "\"primary\":\"ROOT-1\",\"secondary\":\"root-2\"")), 0);
    assert_int_equal(number_of("PUT", "/enrollmentGroups/twice", "",
                               GROUP("twice", "\"primary\":\"root-1\",\"secondary\":\"root-1\"")),
                     0);
    assert_int_equal(number_of("PUT", "/enrollments/single", "",
                               "{\"registrationId\":\"single\",\"attestation\":{\"type\":\"x509\",\"x509\":{"
                               "\"caReferences\":{\"primary\":\"root-1\"}}}}"),
                     0);
}

// The CA was broken into and deleted: its group can still be disabled, and moved to another CA.
static void a_group_whose_certificate_is_gone_can_still_be_changed(void **state)
{
    (void)state;
    struct reply reply;
    const char *path = "/enrollmentGroups/breached";
    put_ca("0neAAAAAAAA", "broken", "broken");
    put_ca("0neAAAAAAAA", "fresh", "fresh");
    assert_int_equal(number_of("PUT", path, "", GROUP("breached", "\"primary\":\"broken\"")), 0);
    delete_ca("0neAAAAAAAA", "broken");
    assert_int_equal(call("PUT", path, "If-Match: *\r\n",
                          "{\"enrollmentGroupId\":\"breached\",\"provisioningStatus\":\"disabled\","
                          "\"attestation\":{\"type\":\"x509\",\"x509\":{\"caReferences\":{"
                          "\"primary\":\"Broken\"}}}}",
                          &reply),
                     200);
    assert_string_equal(reply_text(&reply, "provisioningStatus"), "disabled");
    reply_release(&reply);
    refused_for(path, "If-Match: *\r\n", GROUP("breached", "\"primary\":\"broken\",\"secondary\":\"absent\""),
                "absent");
    assert_int_equal(number_of("PUT", path, "If-Match: *\r\n",
                               GROUP("breached", "\"primary\":\"fresh\",\"secondary\":\"broken\"")),
                     0);
    assert_int_equal(number_of("PUT", path, "If-Match: *\r\n", GROUP("breached", "\"primary\":\"fresh\"")),
                     0);
    refused_for(path, "If-Match: *\r\n", GROUP("breached", "\"primary\":\"broken\""), "broken");
}

static void in_bulk_each_item_is_judged_by_its_own_references(void **state)
{
    (void)state;
    struct reply reply;
    put_ca("0neAAAAAAAA", "bulk-ca", "bulk-ca");
    put_ca("0neAAAAAAAA", "bulk-cb", "bulk-cb");
    const char *body = "{\"mode\":\"create\",\"enrollmentGroups\":[" GROUP(
        "b1",
        "\"primary\":\"bulk-ca\",\"secondary\":"
        "\"bulk-cb\"") "," GROUP("b2", "\"primary\":\"nothing\"") "," GROUP("b3",
                                                                            "\"primary\":\"bulk-ca\"") "]}";
    assert_int_equal(call("POST", "/enrollmentGroups", "", body, &reply), 200);
    const struct json *errors = json_get(json_root(&reply.json), "errors");
    assert_int_equal(json_count(errors), 1);
    assert_slice(json_as_string(json_get(json_at(errors, 0), "enrollmentGroupId")), "b2");
    reply_release(&reply);
    assert_int_equal(number_of("GET", "/enrollmentGroups/b1", "", NULL), 0);
    assert_int_equal(number_of("GET", "/enrollmentGroups/b2", "", NULL), 404204);
    assert_int_equal(number_of("GET", "/enrollmentGroups/b3", "", NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_may_name_only_certificates_of_its_service),
        cmocka_unit_test(a_group_whose_certificate_is_gone_can_still_be_changed),
        cmocka_unit_test(in_bulk_each_item_is_judged_by_its_own_references),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

// What an operator sees of services, linked hubs and access policies: service-api B.2 to B.4.
#include "api/control/control_test.h"

#include "base/list.h"
#include "base/text.h"
#include "domain/enrollment.h"

static struct hub_health *health;

static void status(void *context, struct json_writer *w)
{
    (void)context;
    json_array_open(w);
    json_object_open(w);
    json_field_text(w, "protocol", SLICE("https"));
    json_field_number(w, "port", 443);
    json_object_close(w);
    json_array_close(w);
}

static void hub_counts(void *context, struct slice host, int64_t *telemetry, int64_t *connected)
{
    (void)context;
    assert_slice(host, "bench.test");
    *telemetry = 40;
    *connected = 2;
}

static struct err hub_policies(void *context, struct slice document, struct json_writer *w, struct why *why)
{
    (void)context;
    (void)why;
    assert_slice(document, "the document");
    json_array_open(w);
    json_text(w, SLICE("a policy"));
    json_array_close(w);
    return OK;
}

static int start(void **state)
{
    (void)state;
    bench_start(&bench);
    put_services();
    struct hub_record hub = {.host = SLICE("bench.test"), .document = SLICE("the document"), .etag = 5};
    bench_put(&bench, STORE_HUB, "", "bench.test", &hub);
    struct device device = {.id = SLICE("d1"), .status = DEVICE_ENABLED, .etag = 6};
    bench_put(&bench, STORE_DEVICE, "bench.test", "d1", &device);
    bench_put(&bench, STORE_DEVICE, "bench.test", "d2", &device);
    device.status = DEVICE_DISABLED;
    bench_put(&bench, STORE_DEVICE, "bench.test", "d3", &device);
    bench_put(&bench, STORE_DEVICE, "other.test", "d4", &device);
    health = hub_health_new(&bench.clock, 1);
    assert_non_null(health);
    open_area((struct control_api_settings){
        .status = status, .hub_counts = hub_counts, .health = health, .hub_policies = hub_policies});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    control_api_free(api);
    hub_health_free(health);
    bench_stop(&bench);
    return 0;
}

static unsigned local(const char *method, const char *path, const char *body, struct reply *reply)
{
    return bench_local(&bench, method, path, "", body, reply);
}

static size_t count_of(const struct reply *reply, const char *member)
{
    return json_count(json_get(json_root(&reply->json), member));
}

// ---- services
// ------------------------------------------------------------------------------------------------

static void a_new_service_has_a_scope_an_owner_and_is_used_at_once(void **state)
{
    (void)state;
    struct reply made, keys, listed;
    uint8_t key[64];
    size_t len = 0;
    size_t before = reloads;
    assert_int_equal(local("PUT", "/control/services/Plant-1", NULL, &made), 200);
    assert_int_equal(reloads, before + 1);
    const char *scope = reply_text(&made, "idScope");
    assert_int_equal(strlen(scope), 11);
    assert_true(strncmp(scope, "0ne", 3) == 0);
    assert_int_equal(strspn(scope + 3, "0123456789ABCDEF"), 8);
    assert_string_equal(reply_text(&made, "name"), "Plant-1");
    assert_string_equal(reply_text(&made, "allocationPolicy"), "Hashed");
    assert_int_equal(count_of(&made, "iotHubs"), 0);
    assert_int_equal(count_of(&made, "authorizationPolicies"), 1);
    assert_null(strstr(made.body, "primaryKey"));
    struct directory_snapshot *snapshot = directory_hold(bench.directory);
    assert_non_null(directory_by_scope(snapshot, slice_text(scope)));
    directory_release(snapshot);
    assert_int_equal(
        local("POST", "/control/services/plant-1/policies/provisioningserviceowner/listkeys", NULL, &keys),
        200);
    assert_string_equal(reply_text(&keys, "keyName"), "provisioningserviceowner");
    assert_string_equal(reply_text(&keys, "rights"),
                        "ServiceConfig, EnrollmentRead, EnrollmentWrite, DeviceConnect, "
                        "RegistrationStatusRead, RegistrationStatusWrite");
    assert_true(b64_decode(slice_text(reply_text(&keys, "primaryKey")), key, sizeof key, &len));
    assert_int_equal(len, 32);
    assert_string_not_equal(reply_text(&keys, "primaryKey"), reply_text(&keys, "secondaryKey"));
    assert_int_equal(local("GET", "/control/services", NULL, &listed), 200);
    assert_int_equal(count_of(&listed, "value"), 3);
    assert_null(strstr(listed.body, "primaryKey"));
    reply_release(&made);
    reply_release(&keys);
    reply_release(&listed);
    assert_int_equal(bench_count_lines(&bench, "service.created"), 1);
}

static void a_service_is_changed_where_asked_and_nowhere_else(void **state)
{
    (void)state;
    struct reply before, after;
    assert_int_equal(local("GET", "/control/services/two", NULL, &before), 200);
    assert_int_equal(local("PUT", "/control/services/two",
                           "{\"allocationPolicy\":\"static\",\"serviceOperationsHostName\":\"second.test\"}",
                           &after),
                     200);
    assert_string_equal(reply_text(&after, "allocationPolicy"), "Static");
    assert_string_equal(reply_text(&after, "serviceOperationsHostName"), "second.test");
    assert_string_equal(reply_text(&after, "idScope"), "0neBBBBBBBB");
    assert_int_equal(count_of(&after, "iotHubs"), count_of(&before, "iotHubs"));
    assert_int_equal(count_of(&after, "authorizationPolicies"), count_of(&before, "authorizationPolicies"));
    char stale[160];
    (void)snprintf(stale, sizeof stale, "If-Match: %s\r\n", reply_text(&before, "etag"));
    assert_int_equal(number_of("PUT", "/control/services/two", stale, "{}"), 412201);
    reply_release(&before);
    reply_release(&after);
    assert_int_equal(number_of("PUT", "/control/services/two", "If-None-Match: *\r\n", "{}"), 409203);
    assert_int_equal(number_of("PUT", "/control/services/two", "", "{\"allocationPolicy\":\"custom\"}"),
                     400004);
    assert_int_equal(
        number_of("PUT", "/control/services/two", "", "{\"serviceOperationsHostName\":\"one.test\"}"),
        409203);
    assert_int_equal(number_of("PUT", "/control/services/two", "", "{\"serviceOperationsHostName\":\"a b\"}"),
                     400004);
    static const char *const names[] = {"ab", "-abc", "abc-", "12345", "a_b_c", "a%20b%20c"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "/control/services/%s", names[i]);
        assert_int_equal(number_of("PUT", path, "", NULL), 400004);
    }
    assert_int_equal(number_of("PUT", "/control/services/four", "If-Match: *\r\n", NULL), 404205);
}

static void a_service_in_use_is_not_deleted_and_says_what_uses_it(void **state)
{
    (void)state;
    struct reply reply, made;
    assert_int_equal(local("PUT", "/control/services/used", NULL, &made), 200);
    char scope[16];
    (void)snprintf(scope, sizeof scope, "%s", reply_text(&made, "idScope"));
    reply_release(&made);
    struct enrollment group = {.kind = ENROLLMENT_GROUP, .id = SLICE("g"), .etag = 3};
    bench_put(&bench, STORE_GROUP, scope, "g", &group);
    assert_int_equal(local("DELETE", "/control/services/used", NULL, &reply), 409);
    assert_non_null(strstr(reply_text(&reply, "message"),
                           "0 enrollments, 1 enrollment groups, 0 registrations and 0 CA certificates"));
    reply_release(&reply);
    assert_int_equal(number_of("GET", "/control/services/used", "", NULL), 0);
    assert_int_equal(number_of("PUT", "/control/services/unused", "", NULL), 0);
    assert_int_equal(local("DELETE", "/control/services/unused", NULL, &reply), 204);
    reply_release(&reply);
    assert_int_equal(number_of("GET", "/control/services/unused", "", NULL), 404205);
    assert_int_equal(number_of("DELETE", "/control/services/unused", "", NULL), 404205);
    struct directory_snapshot *snapshot = directory_hold(bench.directory);
    assert_null(directory_by_name(snapshot, SLICE("unused")));
    directory_release(snapshot);
}

static void whether_tpms_must_show_certificates_is_a_setting(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *after;
    } puts[] = {
        {"{}", "optional"},
        {"{\"tpmEndorsementCertificates\":\"Required\"}", "required"},
        {"{\"allocationPolicy\":\"hashed\"}", "required"}, // nowhere else
        {"{\"tpmEndorsementCertificates\":\"optional\"}", "optional"},
    };
    for (size_t i = 0; i < sizeof puts / sizeof puts[0]; i++) {
        struct reply put, got;
        assert_int_equal(local("PUT", "/control/services/two", puts[i].body, &put), 200);
        assert_string_equal(reply_text(&put, "tpmEndorsementCertificates"), puts[i].after);
        assert_int_equal(local("GET", "/control/services/two", NULL, &got), 200);
        assert_string_equal(reply_text(&got, "tpmEndorsementCertificates"), puts[i].after);
        reply_release(&put);
        reply_release(&got);
    }
    assert_int_equal(
        number_of("PUT", "/control/services/two", "", "{\"tpmEndorsementCertificates\":\"maybe\"}"), 400004);
}

// ---- linked hubs
// ---------------------------------------------------------------------------------------------

#define CS(host)                                                                                             \
    "HostName=" host ";SharedAccessKeyName=iothubowner;SharedAccessKey=c2VjcmV0IHNlY3JldCBzZWNyZXQ="

static void a_linked_hub_shows_its_settings_but_not_its_key(void **state)
{
    (void)state;
    struct reply reply;
    const char *path = "/control/services/one/linkedHubs/Far.test%3A8884";
    assert_int_equal(local("PUT", path,
                           "{\"connectionString\":\"" CS("far.test:8884") "\",\"allocationWeight\":7,"
                                                                          "\"applyAllocationPolicy\":false}",
                           &reply),
                     200);
    assert_string_equal(
        reply.body, "{\"name\":\"Far.test:8884\",\"kind\":\"azure\",\"embedded\":false,\"connectionString\":"
                    "\"HostName=Far.test:8884;"
                    "SharedAccessKeyName=iothubowner;SharedAccessKey=****\",\"applyAllocationPolicy\":false,"
                    "\"allocationWeight\":7,\"state\":\"open\",\"capacity\":null,\"callsPerMinute\":null,"
                    "\"location\":null,"
                    "\"authenticationType\":\"KeyBased\",\"health\":{\"state\":\"well\"}}");
    reply_release(&reply);
    // what was read can be written back: the masked key stays
    assert_int_equal(local("PUT", path,
                           "{\"connectionString\":\"HostName=Far.test:8884;SharedAccessKeyName=iothubowner;"
                           "SharedAccessKey=****\",\"allocationWeight\":null}",
                           &reply),
                     200);
    assert_int_equal(json_kind(json_get(json_root(&reply.json), "allocationWeight")), JSON_KIND_NULL);
    reply_release(&reply);
    struct directory_snapshot *snapshot = directory_hold(bench.directory);
    const struct linked_hub *hub =
        service_hub(directory_by_name(snapshot, SLICE("one")), SLICE("far.test:8884"));
    assert_non_null(hub);
    assert_slice(secret_slice(&hub->policy_key), "secret secret secret");
    assert_int_equal(hub->weight, 1);
    assert_false(hub->allocate);
    directory_release(snapshot);
    assert_int_equal(number_of("DELETE", path, "", NULL), 0);
    assert_int_equal(number_of("GET", path, "", NULL), 404206);
    assert_int_equal(number_of("GET", "/control/services/one/linkedHubs/hub.test", "", NULL), 0);
}

static void an_embedded_hub_is_linked_by_name_if_there_is_one(void **state)
{
    (void)state;
    struct reply reply;
    assert_int_equal(
        number_of("PUT", "/control/services/one/linkedHubs/nowhere.test", "", "{\"embedded\":true}"), 400004);
    assert_int_equal(
        local("PUT", "/control/services/one/linkedHubs/BENCH.test", "{\"embedded\":true}", &reply), 200);
    assert_string_equal(reply.body,
                        "{\"name\":\"BENCH.test\",\"kind\":\"embedded\",\"embedded\":true,"
                        "\"applyAllocationPolicy\":null,\"allocationWeight\":null,\"state\":\"open\","
                        "\"capacity\":null,\"callsPerMinute\":null,\"location\":null,"
                        "\"authenticationType\":\"KeyBased\",\"health\":{\"state\":\"well\"}}");
    reply_release(&reply);
    assert_int_equal(number_of("DELETE", "/control/services/one/linkedHubs/bench.test", "", NULL), 0);
}

// Nothing proves that the hub is the caller's, and what one service registers there replaces what another
// did.
static void over_https_no_service_helps_itself_to_an_embedded_hub(void **state)
{
    (void)state;
    static const char path[] = "/control/services/one/linkedHubs/bench.test";
    static const char embedded[] = "{\"embedded\":true,\"allocationWeight\":2}";
    assert_int_equal(bench_call(&bench, "one", "PUT", path, "", embedded, NULL), 401);
    assert_int_equal(number_of("GET", path, "", NULL), 404206);
    assert_int_equal(number_of("PUT", path, "", "{\"connectionString\":\"" CS("bench.test") "\"}"), 0);
    assert_int_equal(bench_call(&bench, "one", "PUT", path, "", embedded, NULL), 401);
    assert_int_equal(number_of("PUT", path, "", embedded), 0);
    assert_int_equal(bench_call(&bench, "one", "PUT", path, "", embedded, NULL), 200); // it is there already
    assert_int_equal(number_of("DELETE", path, "", NULL), 0);
}

static void a_hub_that_is_not_described_well_is_not_linked(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{}",
        "{\"embedded\":false}",
        "{\"embedded\":true,\"connectionString\":\"" CS("new.test") "\"}",
        "{\"connectionString\":\"" CS("other.test") "\"}",
        "{\"connectionString\":\"HostName=new.test;SharedAccessKeyName=x\"}",
        "{\"connectionString\":\"HostName=new.test;SharedAccessKeyName=x;SharedAccessKey=****\"}",
        "{\"connectionString\":\"" CS("new.test") "\",\"allocationWeight\":0}",
        "{\"connectionString\":\"" CS("new.test") "\",\"allocationWeight\":1001}",
        "{\"connectionString\":\"" CS("new.test") "\",\"applyAllocationPolicy\":\"no\"}",
        "[]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(number_of("PUT", "/control/services/one/linkedHubs/new.test", "", bad[i]), 400004);
    assert_int_equal(number_of("PUT", "/control/services/one/linkedHubs/a%2Fb", "", "{\"embedded\":true}"),
                     400004);
    assert_int_equal(number_of("GET", "/control/services/one/linkedHubs/new.test", "", NULL), 404206);
}

static void a_service_takes_fifty_hubs(void **state)
{
    (void)state;
    assert_int_equal(number_of("PUT", "/control/services/many", "", NULL), 0);
    for (int i = 0; i < 51; i++) {
        char path[96], body[256];
        (void)snprintf(path, sizeof path, "/control/services/many/linkedHubs/h%d.test", i);
        (void)snprintf(
            body, sizeof body,
            "{\"connectionString\":\"HostName=h%d.test;SharedAccessKeyName=o;SharedAccessKey=c2VjcmV0\"}", i);
        assert_int_equal(number_of("PUT", path, "", body), i < 50 ? 0 : 400004);
    }
}

// ---- policies
// ------------------------------------------------------------------------------------------------

static void a_policy_gets_keys_keeps_them_and_shows_them_only_when_asked(void **state)
{
    (void)state;
    const char *path = "/control/services/one/policies/line.4";
    struct reply made, first, again, shown;
    assert_int_equal(local("PUT", path, "{\"rights\":\"enrollmentwrite\"}", &made), 200);
    assert_string_equal(made.body, "{\"keyName\":\"line.4\",\"rights\":\"EnrollmentRead, EnrollmentWrite\"}");
    assert_int_equal(local("POST", "/control/services/one/policies/LINE.4/listkeys", NULL, &first), 200);
    assert_int_equal(local("PUT", path, "{\"rights\":\"RegistrationStatusRead\"}", &shown), 200);
    assert_int_equal(local("POST", "/control/services/one/policies/line.4/listkeys", NULL, &again), 200);
    assert_string_equal(reply_text(&again, "rights"), "RegistrationStatusRead");
    assert_int_equal(strlen(reply_text(&first, "primaryKey")), 44);
    assert_string_equal(reply_text(&first, "primaryKey"), reply_text(&again, "primaryKey"));
    reply_release(&shown);
    assert_int_equal(local("GET", "/control/services/one/policies", NULL, &shown), 200);
    assert_int_equal(count_of(&shown, "value"), 4);
    assert_null(strstr(shown.body, "primaryKey"));
    reply_release(&made);
    reply_release(&first);
    reply_release(&again);
    reply_release(&shown);
    assert_int_equal(number_of("DELETE", path, "", NULL), 0);
    assert_int_equal(number_of("DELETE", path, "", NULL), 404206);
    assert_int_equal(number_of("GET", "/control/services/one/policies/owner", "", NULL), 0);
    static const char *const bad[] = {"{}",
                                      "{\"rights\":\"\"}",
                                      "{\"rights\":\"Everything\"}",
                                      "{\"rights\":7}",
                                      "{\"rights\":\"DeviceConnect\",\"primaryKey\":\"c2hvcnQ=\"}",
                                      "{\"rights\":\"DeviceConnect\",\"keyName\":\"other\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(number_of("PUT", "/control/services/one/policies/bad", "", bad[i]), 400004);
    assert_int_equal(
        number_of("PUT", "/control/services/one/policies/a%20b", "", "{\"rights\":\"DeviceConnect\"}"),
        400004);
    assert_int_equal(number_of("GET", "/control/services/one/policies/bad", "", NULL), 404206);
}

// Two operators change different settings of one service at the same time: both changes are there afterwards.
static void of_two_simultaneous_changes_none_is_lost(void **state)
{
    (void)state;
    struct reply first, second;
    bench_send(&bench, true, "PUT /control/services/one/policies/race-a HTTP/1.1\r\nHost: localhost\r\n",
               "{\"rights\":\"DeviceConnect\"}", &first);
    bench_send(&bench, true, "PUT /control/services/one/policies/race-b HTTP/1.1\r\nHost: localhost\r\n",
               "{\"rights\":\"DeviceConnect\"}", &second);
    bench_run_until(&bench, &first.done);
    bench_run_until(&bench, &second.done);
    assert_int_equal(first.status, 200);
    assert_int_equal(second.status, 200);
    reply_release(&first);
    reply_release(&second);
    assert_int_equal(number_of("GET", "/control/services/one/policies/race-a", "", NULL), 0);
    assert_int_equal(number_of("GET", "/control/services/one/policies/race-b", "", NULL), 0);
}

// ---- the daemon
// ----------------------------------------------------------------------------------------------

static void the_status_and_the_embedded_hubs_are_shown(void **state)
{
    (void)state;
    struct reply reply;
    assert_int_equal(local("GET", "/control/status", NULL, &reply), 200);
    assert_string_equal(reply_text(&reply, "version"), "1.2.3");
    assert_int_equal(count_of(&reply, "listeners"), 1);
    assert_true(reply_number(&reply, "services") >= 2);
    assert_true(reply_number(&reply, "uptimeSeconds") >= 0);
    reply_release(&reply);
    const char *hub = "{\"name\":\"bench.test\",\"totalDeviceCount\":3,\"enabledDeviceCount\":2,"
                      "\"disabledDeviceCount\":1,\"connectedDeviceCount\":2,"
                      "\"telemetryMessageCount\":40}";
    char list[256];
    (void)snprintf(list, sizeof list, "{\"value\":[%s]}", hub);
    assert_int_equal(local("GET", "/control/hubs/BENCH.test", NULL, &reply), 200);
    assert_string_equal(reply.body, hub);
    reply_release(&reply);
    assert_int_equal(local("GET", "/control/hubs", NULL, &reply), 200);
    assert_string_equal(reply.body, list);
    reply_release(&reply);
    assert_int_equal(local("POST", "/control/hubs/bench.test/listkeys", NULL, &reply), 200);
    assert_string_equal(reply.body, "{\"value\":[\"a policy\"]}");
    reply_release(&reply);
    assert_int_equal(number_of("GET", "/control/hubs/none.test", "", NULL), 404206);
    assert_int_equal(number_of("POST", "/control/hubs/none.test/listkeys", "", NULL), 404206);
}

// ---- who
// -----------------------------------------------------------------------------------------------------

// Per path and method over HTTPS: 'c' a policy with ServiceConfig, 'l' only the control socket, '-' 405.
static const struct {
    const char *path;
    char get, put, post, delete;
} table[] = {
    {"/control/status", 'l', '-', '-', '-'},
    {"/control/services", 'l', '-', '-', '-'},
    {"/control/services/one", 'c', 'c', '-', 'l'},
    {"/control/services/one/listkeys", '-', '-', 'c', '-'},
    {"/control/services/one/linkedHubs", 'c', '-', '-', '-'},
    {"/control/services/one/linkedHubs/none.test", 'c', 'c', '-', 'c'},
    {"/control/services/one/policies", 'c', '-', '-', '-'},
    {"/control/services/one/policies/none", 'c', 'c', '-', 'c'},
    {"/control/services/one/policies/none/listkeys", '-', '-', 'c', '-'},
    {"/control/metrics", 'l', '-', '-', '-'},
    {"/control/services/one/certificates", 'c', '-', '-', '-'},
    {"/control/services/one/certificates/none", 'c', 'c', '-', 'c'},
    {"/control/services/one/certificates/none/generateVerificationCode", '-', '-', 'c', '-'},
    {"/control/services/one/certificates/none/verify", '-', '-', 'c', '-'},
    {"/control/services/one/certificates/none/crl", 'c', 'c', '-', 'c'},
    {"/control/hubs", 'l', '-', '-', '-'},
    {"/control/hubs/bench.test", 'l', '-', '-', '-'},
    {"/control/hubs/bench.test/listkeys", '-', '-', 'l', '-'},
};

static const struct {
    const char *service, *policy; // whose token; NULL: none
    bool config;                  // of service one
} callers[] = {{"one", "owner", true},
               {"one", "config", true},
               {"one", "rest", false},
               {"two", "owner", false},
               {NULL, NULL, false}};

static unsigned over_https(const char *method, const char *path, size_t caller)
{
    char head[2048];
    struct reply reply;
    char *token = NULL;
    int len = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: one.test\r\n", method, path);
    if (callers[caller].service != NULL) {
        token = bench_token(&bench, callers[caller].service, callers[caller].policy, "one.test", 3600);
        (void)snprintf(head + len, sizeof head - (size_t)len, "Authorization: %s\r\n", token);
    }
    bench_send(&bench, false, head, "[]", &reply); // a body that nothing takes: nothing is written
    bench_run_until(&bench, &reply.done);
    unsigned got = reply.status;
    reply_release(&reply);
    free(token);
    return got;
}

static void over_https_only_serviceconfig_of_that_very_service_counts(void **state)
{
    (void)state;
    static const char *const methods[] = {"GET", "PUT", "POST", "DELETE", "PATCH", "HEAD"};
    for (size_t row = 0; row < sizeof table / sizeof table[0]; row++) {
        const char may[] = {table[row].get, table[row].put, table[row].post, table[row].delete, '-', '-'};
        for (size_t m = 0; m < sizeof may; m++) {
            for (size_t c = 0; c < sizeof callers / sizeof callers[0]; c++) {
                unsigned got = over_https(methods[m], table[row].path, c);
                bool right = may[m] == '-'                        ? got == 405
                             : may[m] == 'c' && callers[c].config ? got == 200 || got == 400 || got == 404
                                                                  : got == 401;
                if (!right)
                    fail_msg("%s %s by %s of %s: %u", methods[m], table[row].path, callers[c].policy,
                             callers[c].service, got);
            }
        }
    }
}

static void a_service_that_is_not_there_cannot_be_made_or_guessed_over_https(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof callers / sizeof callers[0]; c++) {
        assert_int_equal(over_https("PUT", "/control/services/three", c), 401);
        assert_int_equal(over_https("GET", "/control/services/three", c), 401);
        bool its_own = callers[c].service != NULL && strcmp(callers[c].service, "two") == 0;
        assert_int_equal(over_https("GET", "/control/services/two", c), its_own ? 200 : 401);
    }
    assert_int_equal(number_of("GET", "/control/services/three", "", NULL), 404205);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_service_has_a_scope_an_owner_and_is_used_at_once),
        cmocka_unit_test(a_service_is_changed_where_asked_and_nowhere_else),
        cmocka_unit_test(whether_tpms_must_show_certificates_is_a_setting),
        cmocka_unit_test(a_service_in_use_is_not_deleted_and_says_what_uses_it),
        cmocka_unit_test(a_linked_hub_shows_its_settings_but_not_its_key),
        cmocka_unit_test(an_embedded_hub_is_linked_by_name_if_there_is_one),
        cmocka_unit_test(over_https_no_service_helps_itself_to_an_embedded_hub),
        cmocka_unit_test(a_hub_that_is_not_described_well_is_not_linked),
        cmocka_unit_test(a_service_takes_fifty_hubs),
        cmocka_unit_test(a_policy_gets_keys_keeps_them_and_shows_them_only_when_asked),
        cmocka_unit_test(of_two_simultaneous_changes_none_is_lost),
        cmocka_unit_test(the_status_and_the_embedded_hubs_are_shown),
        cmocka_unit_test(over_https_only_serviceconfig_of_that_very_service_counts),
        cmocka_unit_test(a_service_that_is_not_there_cannot_be_made_or_guessed_over_https),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

// Asking what a change would do: how it is asked, what is answered, and that nothing is changed by it.
#include "api/control/control_test.h"

#include "base/list.h"
#include "domain/enrollment.h"

static struct dry_runs *runs;
static struct poll_timer *armed;

static struct err timer_start(struct poller *poller, struct poll_timer *timer, int64_t ms)
{
    (void)poller;
    (void)ms;
    armed = timer;
    return OK;
}

static void timer_release(struct poller *poller, struct poll_timer *timer)
{
    (void)poller;
    if (armed == timer)
        armed = NULL;
}

static const struct poller_methods methods = {.timer_start = timer_start, .timer_release = timer_release};
static struct poller poller = {.methods = &methods};

static void put_device(const char *id, const char *group, const char *hub)
{
    struct registration r = {.id = slice_text(id),
                             .status = STATUS_ASSIGNED,
                             .enrollment_kind = group != NULL ? ENROLLMENT_GROUP : ENROLLMENT_INDIVIDUAL,
                             .enrollment_id = slice_text(group != NULL ? group : id),
                             .assigned_hub = slice_text(hub),
                             .device_id = slice_text(id),
                             .created_us = 1,
                             .etag = 1};
    bench_put(&bench, STORE_REGISTRATION, "0neAAAAAAAA", id, &r);
}

static int start(void **state)
{
    (void)state;
    bench_start(&bench);
    put_services();
    struct enrollment group = {.kind = ENROLLMENT_GROUP,
                               .id = SLICE("Line"),
                               .attestation = {.type = ATTESTATION_SYMMETRIC_KEY},
                               .etag = 1};
    (void)secret_set(&group.attestation.primary_key, SLICE("0123456789abcdef"));
    group.attestation.secondary_key = group.attestation.primary_key;
    bench_put(&bench, STORE_GROUP, "0neAAAAAAAA", "line", &group);
    struct enrollment own = {
        .kind = ENROLLMENT_INDIVIDUAL, .id = SLICE("pump"), .attestation = group.attestation, .etag = 1};
    bench_put(&bench, STORE_ENROLLMENT, "0neAAAAAAAA", "pump", &own);
    put_device("d-1", "line", "hub.test");
    put_device("d-2", "line", "hub.test");
    put_device("pump", NULL, "hub.test");
    struct dry_runs_settings dry = {
        .store = bench.client, .poller = &poller, .clock = &bench.clock, .random = &bench.random};
    assert_false(failed(dry_runs_new(&dry, &runs)));
    open_area((struct control_api_settings){.dry_runs = runs});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    control_api_free(api);
    dry_runs_free(runs);
    bench_stop(&bench);
    return 0;
}

// What came of it: the test's to release.
static void dry_run(const char *body, struct reply *reply)
{
    struct reply started;
    char path[96];
    assert_int_equal(bench_local(&bench, "POST", "/control/services/one/dryRuns", "", body, &started), 202);
    assert_string_equal(reply_text(&started, "status"), "running");
    (void)snprintf(path, sizeof path, "/control/services/one/dryRuns/%s", reply_text(&started, "id"));
    reply_release(&started);
    for (unsigned i = 0; i < 10000; i++) {
        assert_int_equal(bench_local(&bench, "GET", path, "", NULL, reply), 200);
        if (strcmp(reply_text(reply, "status"), "running") != 0)
            return;
        reply_release(reply);
        if (armed != NULL)
            armed->fire(armed);
    }
    fail();
}

static int64_t hub_number(const struct reply *reply, const char *host, const char *member)
{
    int64_t number = -1;
    (void)json_as_int(json_get(json_get(json_get(json_root(&reply->json), "hubs"), host), member), &number);
    return number;
}

static void it_is_told_how_many_devices_would_move_and_nothing_is_changed(void **state)
{
    (void)state;
    struct reply reply, before, after;
    assert_int_equal(bench_local(&bench, "GET", "/control/services/one", "", NULL, &before), 200);
    dry_run("{\"linkedHubs\":{\"hub.test\":{\"state\":\"draining\"},\"new.test\":{\"allocationWeight\":5}}}",
            &reply);
    assert_string_equal(reply_text(&reply, "status"), "done");
    assert_int_equal(reply_number(&reply, "total"), 3);
    assert_int_equal(reply_number(&reply, "registrations"), 3);
    assert_int_equal(reply_number(&reply, "move"), 3);
    assert_int_equal(reply_number(&reply, "stay"), 0);
    assert_int_equal(hub_number(&reply, "hub.test", "now"), 3);
    assert_int_equal(hub_number(&reply, "hub.test", "leave"), 3);
    assert_int_equal(hub_number(&reply, "hub.test", "then"), 0);
    assert_int_equal(hub_number(&reply, "new.test", "arrive"), 3);
    assert_int_equal(hub_number(&reply, "new.test", "then"), 3);
    reply_release(&reply);
    assert_int_equal(bench_local(&bench, "GET", "/control/services/one", "", NULL, &after), 200);
    assert_string_equal(before.body, after.body);
    assert_int_equal(reloads, 0);
    reply_release(&before);
    reply_release(&after);
}

static void an_enrollment_is_changed_as_a_put_would_change_it(void **state)
{
    (void)state;
    struct reply reply;
    dry_run(
        "{\"linkedHubs\":{\"new.test\":{}},\"enrollmentGroups\":{\"LINE\":{\"allocationPolicy\":\"static\","
        "\"iotHubs\":[\"new.test\"]}},\"enrollments\":{\"pump\":{\"provisioningStatus\":\"disabled\"}}}",
        &reply);
    assert_string_equal(reply_text(&reply, "status"), "done");
    assert_int_equal(reply_number(&reply, "move"), 2);
    assert_int_equal(reply_number(&reply, "refused"), 1);
    assert_int_equal(hub_number(&reply, "new.test", "then"), 2);
    assert_int_equal(hub_number(&reply, "hub.test", "then"), 1);
    reply_release(&reply);
    dry_run("{\"enrollmentGroups\":{\"line\":null}}", &reply);
    assert_int_equal(reply_number(&reply, "refused"), 2);
    reply_release(&reply);
    dry_run("{\"linkedHubs\":{\"hub.test\":null}}", &reply);
    assert_int_equal(reply_number(&reply, "refused"), 3); // no hub is left
    reply_release(&reply);
}

static void what_a_put_would_refuse_a_dry_run_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        unsigned status;
        const char *because;
    } bad[] = {
        {"[]", 400, "the body"},
        {"{\"service\":{\"allocationPolicy\":\"random\"}}", 400, "allocationPolicy"},
        {"{\"linkedHubs\":{\"other.test\":null}}", 400, "other.test"},
        {"{\"linkedHubs\":{\"hub.test\":{\"allocationWeight\":0}}}", 400, "allocationWeight"},
        {"{\"linkedHubs\":{\"a b\":{}}}", 400, "linkedHubs"},
        {"{\"enrollmentGroups\":{\"line\":{\"iotHubs\":[\"x.test\"],\"allocationPolicy\":\"static\"}}}", 400,
         "line: "},
        {"{\"enrollmentGroups\":{\"none\":null}}", 404, ""},
        {"{\"enrollments\":{\"none\":null}}", 404, ""},
        {"{\"enrollments\":{\"none\":{}}}", 400, "attestation"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct reply reply;
        unsigned status =
            bench_local(&bench, "POST", "/control/services/one/dryRuns", "", bad[i].body, &reply);
        if (status != bad[i].status || strstr(reply.body, bad[i].because) == NULL)
            fail_msg("%s: %u %s", bad[i].body, status, reply.body);
        reply_release(&reply);
    }
}

static void dry_runs_are_asked_for_over_the_control_socket_and_found_in_their_service(void **state)
{
    (void)state;
    struct reply started;
    char path[96];
    assert_int_equal(bench_call(&bench, "one", "POST", "/control/services/one/dryRuns", "", "{}", NULL), 401);
    assert_int_equal(bench_local(&bench, "POST", "/control/services/none/dryRuns", "", "{}", NULL), 404);
    assert_int_equal(bench_local(&bench, "POST", "/control/services/two/dryRuns", "", "{}", &started), 202);
    (void)snprintf(path, sizeof path, "/control/services/one/dryRuns/%s", reply_text(&started, "id"));
    assert_int_equal(bench_local(&bench, "GET", path, "", NULL, NULL), 404);
    (void)snprintf(path, sizeof path, "/control/services/two/dryRuns/%s", reply_text(&started, "id"));
    for (unsigned i = 0; dry_runs_running(runs) && i < 10000; i++)
        assert_int_equal(bench_local(&bench, "GET", path, "", NULL, NULL), 200);
    assert_false(dry_runs_running(runs));
    reply_release(&started);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_told_how_many_devices_would_move_and_nothing_is_changed),
        cmocka_unit_test(an_enrollment_is_changed_as_a_put_would_change_it),
        cmocka_unit_test(what_a_put_would_refuse_a_dry_run_refuses),
        cmocka_unit_test(dry_runs_are_asked_for_over_the_control_socket_and_found_in_their_service),
    };
    return cmocka_run_group_tests_name("api_control_dry_runs", tests, start, stop);
}

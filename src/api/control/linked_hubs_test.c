// What an operator sees and changes of linked hubs of all makes: their state, capacity, place, keys and
// health; and what a service says of failing hubs and measured distances.
#include "api/control/control_test.h"

static struct hub_health *health;

static int start(void **state)
{
    (void)state;
    bench_start(&bench);
    put_services();
    struct hub_record hub = {.host = SLICE("bench.test"), .document = SLICE("{}"), .etag = 5};
    bench_put(&bench, STORE_HUB, "", "bench.test", &hub);
    health = hub_health_new(&bench.clock, 1);
    assert_non_null(health);
    open_area((struct control_api_settings){.health = health});
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

#define HUBS          "/control/services/one/linkedHubs/"
#define CS(host, key) "HostName=" host ";SharedAccessKeyName=owner;SharedAccessKey=" key
#define ONE           "b25lIG9uZSBvbmUgb25lIQ=="
#define TWO           "dHdvIHR3byB0d28gdHdvIQ=="

static void put(const char *path, const char *body)
{
    struct reply reply;
    unsigned status = bench_local(&bench, "PUT", path, "", body, &reply);
    if (status != 200)
        fail_msg("%s %s: %u %s", path, body, status, reply.body);
    reply_release(&reply);
}

static void assert_refused(const char *path, const char *body, const char *because)
{
    struct reply reply;
    assert_int_equal(bench_local(&bench, "PUT", path, "", body, &reply), 400);
    if (strstr(reply_text(&reply, "message"), because) == NULL)
        fail_msg("%s: '%s' does not say '%s'", body, reply_text(&reply, "message"), because);
    reply_release(&reply);
}

// The hub as the loops see it. Held by the directory until the next change.
static struct linked_hub linked(const char *host)
{
    struct directory_snapshot *snapshot = directory_hold(bench.directory);
    const struct linked_hub *found = service_hub(directory_by_name(snapshot, SLICE("one")), slice_text(host));
    if (found == NULL)
        fail_msg("%s is not linked", host);
    struct linked_hub hub = *found;
    directory_release(snapshot);
    return hub;
}

static void get(const char *path, struct reply *reply)
{
    assert_int_equal(bench_local(&bench, "GET", path, "", NULL, reply), 200);
}

static void a_hub_is_cordoned_drained_capped_and_placed(void **state)
{
    (void)state;
    struct reply reply;
    put(HUBS "a.test", "{\"connectionString\":\"" CS("a.test", ONE) "\"}");
    put(HUBS "a.test", "{\"state\":\"Draining\",\"capacity\":250000,\"callsPerMinute\":100,"
                       "\"location\":\"52.4, 4.9\"}");
    struct linked_hub hub = linked("a.test");
    assert_int_equal(hub.state, HUB_DRAINING);
    assert_int_equal(hub.capacity, 250000);
    assert_int_equal(hub.calls_per_minute, 100);
    assert_true(hub.place.known && hub.place.latitude > 52 && hub.place.latitude < 53);
    assert_slice(secret_slice(&hub.policy_key), "one one one one!");
    get(HUBS "a.test", &reply);
    assert_string_equal(reply_text(&reply, "state"), "draining");
    assert_int_equal(reply_number(&reply, "capacity"), 250000);
    assert_int_equal(reply_number(&reply, "callsPerMinute"), 100);
    assert_string_equal(reply_text(&reply, "location"), "52.4, 4.9");
    reply_release(&reply);
    // what is not said stays; null is the default
    put(HUBS "a.test", "{\"state\":\"cordoned\"}");
    hub = linked("a.test");
    assert_int_equal(hub.state, HUB_CORDONED);
    assert_int_equal(hub.capacity, 250000);
    put(HUBS "a.test", "{\"state\":null,\"capacity\":null,\"callsPerMinute\":0,\"location\":null}");
    hub = linked("a.test");
    assert_int_equal(hub.state, HUB_OPEN);
    assert_int_equal(hub.capacity + hub.calls_per_minute, 0);
    assert_false(hub.place.known);
    put(HUBS "a.test", "{\"location\":\"West Europe\"}");
    assert_true(linked("a.test").place.known);
    assert_refused(HUBS "a.test", "{\"state\":\"closed\"}", "open, cordoned or draining");
    assert_refused(HUBS "a.test", "{\"location\":\"Atlantis\"}", "location");
    assert_refused(HUBS "a.test", "{\"capacity\":-1}", "capacity");
    assert_refused(HUBS "a.test", "{\"capacity\":1.5}", "capacity");
}

static void a_broker_is_linked_with_its_password_masked(void **state)
{
    (void)state;
    struct reply reply;
    put(HUBS "mqtt.test:8884", "{\"kind\":\"mosquitto\",\"connectionString\":\"HostName=mqtt.test:8884;"
                               "UserName=admin;Password=pa=ss\"}");
    struct linked_hub hub = linked("mqtt.test:8884");
    assert_int_equal(hub.kind, HUB_KIND_MOSQUITTO);
    assert_slice(hub.policy_name, "admin");
    assert_slice(secret_slice(&hub.policy_key), "pa=ss");
    get(HUBS "mqtt.test%3A8884", &reply);
    assert_string_equal(reply_text(&reply, "kind"), "mosquitto");
    assert_string_equal(reply_text(&reply, "connectionString"),
                        "HostName=mqtt.test:8884;UserName=admin;Password=****");
    assert_null(strstr(reply.body, "pa=ss"));
    // what was read can be written back
    put(HUBS "mqtt.test%3A8884", reply.body);
    reply_release(&reply);
    hub = linked("mqtt.test:8884");
    assert_slice(secret_slice(&hub.policy_key), "pa=ss");
    // and without saying what kind it is
    put(HUBS "other.test", "{\"connectionString\":\"HostName=other.test;UserName=u;Password=p\"}");
    assert_int_equal(linked("other.test").kind, HUB_KIND_MOSQUITTO);
    assert_refused(HUBS "b.test", "{\"kind\":\"mosquitto\",\"connectionString\":\"" CS("b.test", ONE) "\"}",
                   "IoT hub");
    assert_refused(HUBS "b.test",
                   "{\"kind\":\"azure\",\"connectionString\":\"HostName=b.test;UserName=u;Password=p\"}",
                   "broker");
    assert_refused(HUBS "b.test", "{\"kind\":\"kafka\"}", "azure, embedded or mosquitto");
    assert_refused(HUBS "b.test", "{\"kind\":\"azure\",\"embedded\":true}", "embedded");
    assert_refused(HUBS "mqtt.test%3A8884",
                   "{\"secondaryConnectionString\":\"" CS("mqtt.test:8884", ONE) "\"}", "IoT hubs only");
}

static void the_other_key_is_kept_hidden_and_goes_with_its_policy(void **state)
{
    (void)state;
    struct reply reply;
    put(HUBS "k.test", "{\"connectionString\":\"" CS("k.test", ONE) "\",\"secondaryConnectionString\":\"" CS(
                           "k.test", TWO) "\"}");
    struct linked_hub hub = linked("k.test");
    assert_slice(secret_slice(&hub.policy_key), "one one one one!");
    assert_slice(secret_slice(&hub.policy_key_secondary), "two two two two!");
    get(HUBS "k.test", &reply);
    assert_string_equal(reply_text(&reply, "secondaryConnectionString"),
                        "HostName=k.test;SharedAccessKeyName=owner;SharedAccessKey=****");
    assert_null(strstr(reply.body, ONE));
    assert_null(strstr(reply.body, TWO));
    put(HUBS "k.test", reply.body);
    reply_release(&reply);
    hub = linked("k.test");
    assert_slice(secret_slice(&hub.policy_key_secondary), "two two two two!");
    // one key was made anew: the other stays
    put(HUBS "k.test", "{\"connectionString\":\"" CS("k.test", TWO) "\"}");
    hub = linked("k.test");
    assert_slice(secret_slice(&hub.policy_key), "two two two two!");
    assert_slice(secret_slice(&hub.policy_key_secondary), "two two two two!");
    assert_refused(
        HUBS "k.test",
        "{\"secondaryConnectionString\":\"HostName=k.test;SharedAccessKeyName=x;SharedAccessKey=" TWO "\"}",
        "access policy owner");
    assert_refused(HUBS "k.test", "{\"secondaryConnectionString\":\"" CS("else.test", TWO) "\"}",
                   "another hub");
    put(HUBS "k.test",
        "{\"connectionString\":\"HostName=k.test;SharedAccessKeyName=new;SharedAccessKey=" ONE "\"}");
    assert_int_equal(linked("k.test").policy_key_secondary.len, 0);
    put(HUBS "k.test", "{\"secondaryConnectionString\":"
                       "\"HostName=k.test;SharedAccessKeyName=new;SharedAccessKey=" TWO "\"}");
    put(HUBS "k.test", "{\"secondaryConnectionString\":null}");
    assert_int_equal(linked("k.test").policy_key_secondary.len, 0);
    get(HUBS "k.test", &reply);
    assert_null(strstr(reply.body, "secondary"));
    reply_release(&reply);
}

// A masked secret is no secret: it never becomes one, and never goes over to another kind.
static void a_mask_is_never_taken_for_a_key(void **state)
{
    (void)state;
    assert_refused(HUBS "m.test", "{\"connectionString\":\"HostName=m.test;UserName=u;Password=\"}",
                   "Password");
    assert_refused(HUBS "m.test", "{\"connectionString\":\"" CS("m.test", "****") "\"}", "send it whole");
    put(HUBS "m.test", "{\"connectionString\":\"" CS("m.test", ONE) "\"}");
    assert_refused(HUBS "m.test", "{\"secondaryConnectionString\":\"" CS("m.test", "****") "\"}",
                   "SharedAccessKey");
    assert_refused(
        HUBS "m.test",
        "{\"kind\":\"mosquitto\",\"connectionString\":\"HostName=m.test;UserName=u;Password=****\"}", "****");
    assert_int_equal(linked("m.test").kind, HUB_KIND_AZURE);
}

static void a_hub_shows_its_health_and_how_many_devices_it_has(void **state)
{
    (void)state;
    struct reply reply;
    struct why why = {0};
    (void)why_fail(&why, ERR_HUB_UNAVAILABLE, "connection refused");
    hub_health_set(health, SLICE("dead.test"), 3, true, &why);
    put(HUBS "dead.test", "{\"connectionString\":\"" CS("dead.test", ONE) "\"}");
    put(HUBS "bench.test", "{\"embedded\":true}");
    struct registration r = {.id = SLICE("d1"), .assigned_hub = SLICE("dead.test"), .etag = 1};
    bench_put(&bench, STORE_REGISTRATION, "0neAAAAAAAA", "d1", &r);
    bench_put(&bench, STORE_REGISTRATION, "0neAAAAAAAA", "d2", &r);
    bench_put(&bench, STORE_REGISTRATION, "0neBBBBBBBB", "d3", &r); // of another service
    r.assigned_hub = SLICE("bench.test");
    bench_put(&bench, STORE_REGISTRATION, "0neAAAAAAAA", "d4", &r);
    get(HUBS "dead.test", &reply);
    assert_int_equal(reply_number(&reply, "devices"), 2);
    assert_non_null(strstr(reply.body, "\"health\":{\"state\":\"failing\",\"since\":\"2023-11-14T22:13:20"));
    assert_non_null(strstr(reply.body, "\"reason\":\"connection refused\""));
    reply_release(&reply);
    get(HUBS "bench.test", &reply);
    assert_int_equal(reply_number(&reply, "devices"), 1);
    assert_non_null(strstr(reply.body, "\"health\":{\"state\":\"well\"}"));
    reply_release(&reply);
    get("/control/services/one/linkedHubs", &reply);
    assert_non_null(strstr(reply.body, "\"failing\""));
    reply_release(&reply);
    hub_health_set(health, SLICE("dead.test"), 3, false, NULL);
    hub_health_set_link(health, SLICE("dead.test"), SLICE("0neBBBBBBBB"), 3, true,
                        &why); // another service's link
    get(HUBS "dead.test", &reply);
    assert_non_null(strstr(reply.body, "\"state\":\"well\""));
    reply_release(&reply);
    hub_health_set_link(health, SLICE("dead.test"), SLICE("0neAAAAAAAA"), 3, true, &why);
    get(HUBS "dead.test", &reply);
    assert_non_null(strstr(reply.body, "\"state\":\"failing\""));
    reply_release(&reply);
    assert_int_equal(bench_local(&bench, "GET", HUBS "none.test", "", NULL, NULL), 404);
}

static void an_embedded_hub_named_by_its_kind_is_linked_over_the_control_socket_only(void **state)
{
    (void)state;
    static const char body[] = "{\"kind\":\"embedded\"}";
    static const char path[] = "/control/services/two/linkedHubs/bench.test";
    assert_int_equal(bench_call(&bench, "two", "PUT", path, "", body, NULL), 401);
    assert_refused("/control/services/two/linkedHubs/nowhere.test", body, "no embedded hub");
    put(path, body);
    assert_int_equal(bench_call(&bench, "two", "PUT", path, "", "{\"state\":\"draining\"}", NULL), 200);
}

static void a_service_says_what_holds_of_failing_hubs_and_distances(void **state)
{
    (void)state;
    static const char path[] = "/control/services/two";
    struct reply reply;
    get(path, &reply);
    assert_non_null(
        strstr(reply.body, "\"avoidFailingHubs\":false,\"unreachableHub\":null,\"latencies\":[]"));
    reply_release(&reply);
    put(path, "{\"avoidFailingHubs\":true,\"unreachableHub\":\"Proceed\",\"latencies\":"
              "[{\"zone\":\"de\",\"hub\":\"hub.test\",\"milliseconds\":12.5},"
              "{\"zone\":\"fr\",\"hub\":\"HUB.test\",\"milliseconds\":7}]}");
    put(path, "{\"allocationPolicy\":\"geoLatency\"}"); // nowhere else
    struct directory_snapshot *snapshot = directory_hold(bench.directory);
    const struct service *service = directory_by_name(snapshot, SLICE("two"));
    assert_true(service->avoid_failing_hubs);
    assert_int_equal(service->unreachable, UNREACHABLE_PROCEED);
    assert_int_equal(service->latency_count, 2);
    assert_int_equal(service->latencies[0].us, 12500);
    assert_slice(service->latencies[1].zone, "fr");
    directory_release(snapshot);
    get(path, &reply);
    assert_string_equal(reply_text(&reply, "unreachableHub"), "proceed");
    assert_non_null(strstr(reply.body, "{\"zone\":\"de\",\"hub\":\"hub.test\",\"milliseconds\":12.5}"));
    put(path, reply.body); // what was read can be written back
    reply_release(&reply);
    assert_refused(path, "{\"unreachableHub\":\"maybe\"}", "wait, proceed or null");
    assert_refused(path, "{\"latencies\":[{\"zone\":\"de\",\"hub\":\"x.test\",\"milliseconds\":1}]}",
                   "latencies[0].hub");
    assert_refused(path, "{\"latencies\":[{\"zone\":\"de\",\"hub\":\"hub.test\",\"milliseconds\":-1}]}",
                   "milliseconds");
    assert_refused(path, "{\"latencies\":[{\"hub\":\"hub.test\",\"milliseconds\":1}]}", "zone");
    assert_refused(path, "{\"avoidFailingHubs\":\"yes\"}", "avoidFailingHubs");
    put(path, "{\"avoidFailingHubs\":null,\"unreachableHub\":null,\"latencies\":null}");
    get(path, &reply);
    assert_non_null(
        strstr(reply.body, "\"avoidFailingHubs\":false,\"unreachableHub\":null,\"latencies\":[]"));
    reply_release(&reply);
}

// A hub that is linked no more has no distances, or what was read could not be written back.
static void the_latencies_of_a_hub_go_with_its_link(void **state)
{
    (void)state;
    struct reply reply;
    put("/control/services/two/linkedHubs/far.test", "{\"connectionString\":\"" CS("far.test", ONE) "\"}");
    put("/control/services/two", "{\"latencies\":[{\"zone\":\"a\",\"hub\":\"far.test\",\"milliseconds\":1},"
                                 "{\"zone\":\"a\",\"hub\":\"hub.test\",\"milliseconds\":2}]}");
    assert_int_equal(
        bench_local(&bench, "DELETE", "/control/services/two/linkedHubs/FAR.test", "", NULL, NULL), 204);
    get("/control/services/two", &reply);
    assert_non_null(
        strstr(reply.body, "\"latencies\":[{\"zone\":\"a\",\"hub\":\"hub.test\",\"milliseconds\":2"));
    reply_release(&reply);
}

static void a_registration_shows_what_the_device_left_behind_and_where_it_came_from(void **state)
{
    (void)state;
    struct reply reply;
    static const char path[] = "/control/services/one/registrations/Mover-1";
    struct registration r = {.id = SLICE("mover-1"),
                             .status = STATUS_ASSIGNED,
                             .assigned_hub = SLICE("b.test"),
                             .device_id = SLICE("D-1"),
                             .left_hub = SLICE("a.test"),
                             .left_device_id = SLICE("d-0"),
                             .address = SLICE("192.0.2.7"),
                             .created_us = 1700000000000000,
                             .etag = 1};
    bench_put(&bench, STORE_REGISTRATION, "0neAAAAAAAA", "mover-1", &r);
    get(path, &reply);
    assert_string_equal(reply_text(&reply, "assignedHub"), "b.test");
    assert_string_equal(reply_text(&reply, "leftHub"), "a.test");
    assert_string_equal(reply_text(&reply, "leftDeviceId"), "d-0");
    assert_string_equal(reply_text(&reply, "address"), "192.0.2.7");
    assert_null(strstr(reply.body, "intended"));
    reply_release(&reply);
    assert_int_equal(bench_call(&bench, "one", "GET", path, "", NULL, NULL), 200); // all rights
    assert_int_equal(bench_call(&bench, "two", "GET", path, "", NULL, NULL), 401);
    assert_int_equal(bench_local(&bench, "GET", "/control/services/one/registrations/nobody", "", NULL, NULL),
                     404);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hub_is_cordoned_drained_capped_and_placed),
        cmocka_unit_test(a_broker_is_linked_with_its_password_masked),
        cmocka_unit_test(the_other_key_is_kept_hidden_and_goes_with_its_policy),
        cmocka_unit_test(a_mask_is_never_taken_for_a_key),
        cmocka_unit_test(a_hub_shows_its_health_and_how_many_devices_it_has),
        cmocka_unit_test(an_embedded_hub_named_by_its_kind_is_linked_over_the_control_socket_only),
        cmocka_unit_test(a_service_says_what_holds_of_failing_hubs_and_distances),
        cmocka_unit_test(the_latencies_of_a_hub_go_with_its_link),
        cmocka_unit_test(a_registration_shows_what_the_device_left_behind_and_where_it_came_from),
    };
    return cmocka_run_group_tests_name("api_control_linked_hubs", tests, start, stop);
}

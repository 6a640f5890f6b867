// Devices on the hub's MQTT door, on two loops: who gets in, twins, methods, telemetry, and who displaces
// whom.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "embedded/fake_front_test.h"

#define RESULTS "$iothub/twin/res/#"
#define DESIRED "$iothub/twin/PATCH/properties/desired/#"
#define METHODS "$iothub/methods/POST/#"

// base64 of DEVICE_KEY
#define DEVICE_BODY                                                                                          \
    "{\"authentication\":{\"type\":\"sas\",\"symmetricKey\":{\"primaryKey\":"                                \
    "\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\",\"secondaryKey\":\"\"}}}"

static void make(struct world *w, const char *id)
{
    char path[200];
    (void)snprintf(path, sizeof path, "/devices/%s", id);
    assert_int_equal(world_ask(w, (struct ask){.method = "PUT", .path = path, .body = DEVICE_BODY})->status,
                     200);
}

static int setup(void **state)
{
    struct world *w = world_new();
    make(w, "dev1");
    make(w, "DEV1");
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

static struct mqtt_link *connected(struct world *w, size_t loop, const char *id)
{
    struct mqtt_link *link = world_dial(w, (struct dial){.loop = loop, .client_id = id});
    assert_non_null(link);
    assert_true(link->accepted);
    return link;
}

static void assert_holds(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("%s is not in %s", part, text);
}

// ---- getting in ---------------------------------------------------------------------------------
static void user_names_of_other_doors_are_not_claimed(void **state)
{
    struct world *w = *state;
    static const char *const names[] = {
        "0ne000A0B1C/registrations/dev1/api-version=2019-03-31&ClientVersion=x",
        "other.local/dev1/?api-version=2021-04-12",
        "hub.local:8884/dev1",
        "hub.local:8884",
        "hub.local//?api-version=2021-04-12",
        "hub.local/dev1/mod//?api-version=2021-04-12",
        "",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_null(world_dial(w, (struct dial){.client_id = "dev1", .user_name = names[i]}));
}

static void every_form_of_user_name_gets_in(void **state)
{
    struct world *w = *state;
    static const char *const names[] = {
        "hub.local:8884/dev1/?api-version=2021-04-12&DeviceClientType=node%2F1.0",
        "HUB.local/dev1/?api-version=2018-06-30",
        "hub.local/dev1/api-version=2016-11-14",
        "hub.local:443/dev1/api-version=2016-11-14/DeviceClientType=x",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct mqtt_link *link = world_dial(w, (struct dial){.client_id = "dev1", .user_name = names[i]});
        assert_non_null(link);
        assert_true(link->accepted);
    }
}

static void tokens_that_do_not_count_are_refused_alike(void **state)
{
    struct world *w = *state;
    struct secret key = {0};
    struct secret wrong = {0};
    assert_true(secret_set(&key, SLICE(DEVICE_KEY)));
    assert_true(secret_set(&wrong, SLICE("ffffffffffffffffffffffffffffffff")));
    const struct secret *device = &world_policy(w, "device")->primary;
    const struct secret *service = &world_policy(w, "service")->primary;
    const int64_t later = NOW_S + 60;
    const struct {
        const char *token;
        bool counts;
    } table[] = {
        {"", false},
        {"secret", false},
        {world_token(w, "hub.local%2Fdevices%2Fdev1", later, &key, NULL), true},
        {world_token(w, "hub.local/devices/dev1", later, &key, NULL), true},
        {world_token(w, "hub.local%3A8884%2Fdevices%2Fdev1", later, &key, NULL), true},
        {world_token(w, "hub.local%2fdevices%2fdev1%2fapi-version%3d2016-11-14", later, &key, NULL), true},
        {world_token(w, "hub.local", later, &key, NULL), true},
        {world_token(w, "hub.local%2Fdevices%2Fdev", later, &key, NULL), false},
        {world_token(w, "hub.local%2Fdevices%2Fdev2", later, &key, NULL), false},
        {world_token(w, "other.local%2Fdevices%2Fdev1", later, &key, NULL), false},
        {world_token(w, "hub.local%2Fdevices%2Fdev1", later, &wrong, NULL), false},
        {world_token(w, "hub.local%2Fdevices%2Fdev1", NOW_S - 1, &key, NULL), false},
        {world_token(w, "hub.local%2Fdevices%2Fdev1", later, device, "device"), true},
        {world_token(w, "hub.local", later, device, "device"), true},
        {world_token(w, "hub.local%2Fdevices%2FDEV1", later, device, "device"), false},
        {world_token(w, "hub.local", later, service, "service"), false},
        {world_token(w, "hub.local", later, &key, "device"), false},
        {world_token(w, "hub.local", later, &key, "nobody"), false},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct mqtt_link *link =
            world_dial(w, (struct dial){.client_id = "dev1", .password = table[i].token});
        if (link->accepted != table[i].counts)
            fail_msg("token %zu: %s", i, err_info(FAIL(link->refused))->name);
        assert_int_equal(link->refused, table[i].counts ? ERR_NONE : ERR_HUB_CALLER);
        link_close(link);
    }
}

static void devices_that_may_not_connect_are_refused_alike(void **state)
{
    struct world *w = *state;
    assert_int_equal(world_dial(w, (struct dial){.client_id = "nobody"})->refused, ERR_HUB_CALLER);
    struct dial other = {.client_id = "DEV1", .user_name = "hub.local/dev1/?api-version=2021-04-12"};
    assert_int_equal(world_dial(w, other)->refused, ERR_HUB_CALLER);
    struct dial module = {.client_id = "dev1/m", .user_name = "hub.local/dev1/m/?api-version=2021-04-12"};
    assert_int_equal(world_dial(w, module)->refused, ERR_HUB_CALLER);
    assert_int_equal(world_ask(w, (struct ask){.method = "PUT",
                                               .path = "/devices/dev1",
                                               .if_match = "*",
                                               .body = "{\"status\":\"disabled\"}"})
                         ->status,
                     200);
    assert_int_equal(world_dial(w, (struct dial){.client_id = "dev1"})->refused, ERR_HUB_CALLER);
    const struct secret *device = &world_policy(w, "device")->primary;
    const char *token = world_token(w, "hub.local", NOW_S + 60, device, "device");
    assert_int_equal(world_dial(w, (struct dial){.client_id = "dev1", .password = token})->refused,
                     ERR_HUB_CALLER);
}

static void a_link_ends_with_its_token(void **state)
{
    struct world *w = *state;
    world_move_time(w, 100);
    struct mqtt_link *link = connected(w, 0, "dev1");
    // the clock that deadlines use began at 1 s when the wall clock showed NOW_S; the token is good for 3600
    // s
    assert_int_equal(link->expires_us, (1 + 3600) * INT64_C(1000000));
}

// ---- one connection for each device -------------------------------------------------------------
static void the_new_connection_displaces_the_old_one(void **state)
{
    struct world *w = *state;
    for (size_t loop = 0; loop < LOOPS; loop++) { // on the same loop, and on the other one
        struct mqtt_link *old = connected(w, 0, "dev1");
        struct mqtt_link *bystander = connected(w, 0, "DEV1");
        struct mqtt_link *new = connected(w, loop, "dev1");
        assert_int_equal(old->closed_for, ERR_CONFLICT);
        assert_int_equal(new->closed_for, ERR_NONE);
        assert_int_equal(bystander->closed_for, ERR_NONE);
        link_close(old);
        for (size_t seen_by = 0; seen_by < LOOPS; seen_by++) {
            struct answer *a =
                world_ask(w, (struct ask){.loop = seen_by, .method = "GET", .path = "/devices/dev1"});
            assert_holds(a->text, "\"connectionState\":\"Connected\"");
        }
        link_close(new);
        link_close(bystander);
    }
}

static void connection_state_and_counts_follow_the_device_on_each_loop(void **state)
{
    struct world *w = *state;
    uint64_t telemetry;
    uint64_t online;
    struct mqtt_link *link = connected(w, 1, "dev1");
    assert_holds(world_ask(w, (struct ask){.method = "GET", .path = "/twins/dev1"})->text,
                 "\"connectionState\":\"Connected\"");
    assert_string_equal(world_ask(w, (struct ask){.method = "GET", .path = "/statistics/service"})->text,
                        "{\"connectedDeviceCount\":1}");
    assert_true(link_publish(link, "devices/dev1/messages/events/", "hello"));
    assert_true(link_publish(link, "devices/dev1/messages/events/a=b&%24.ct=json", "{}"));
    assert_true(link_publish(link, "devices/dev1/messages/events", ""));
    embedded_counts(world_peers(w), LOOPS, SLICE("HUB.local:8884"), &telemetry, &online);
    assert_int_equal(telemetry, 3);
    assert_int_equal(online, 1);
    link_close(link);
    assert_holds(world_ask(w, (struct ask){.method = "GET", .path = "/twins/dev1"})->text,
                 "\"connectionState\":\"Disconnected\"");
    embedded_counts(world_peers(w), LOOPS, SLICE(HUB_HOST), &telemetry, &online);
    assert_int_equal(telemetry, 3);
    assert_int_equal(online, 0);
}

static void deleting_or_disabling_a_device_closes_its_connection(void **state)
{
    struct world *w = *state;
    struct mqtt_link *first = connected(w, 1, "dev1");
    struct mqtt_link *second = connected(w, 0, "DEV1");
    assert_int_equal(
        world_ask(w, (struct ask){.method = "DELETE", .path = "/devices/dev1", .if_match = "*"})->status,
        204);
    assert_int_equal(world_ask(w, (struct ask){.method = "PUT",
                                               .path = "/devices/DEV1",
                                               .if_match = "*",
                                               .body = "{\"status\":\"disabled\"}"})
                         ->status,
                     200);
    world_pump(w, NULL);
    assert_int_equal(first->closed_for, ERR_HUB_DEVICE_NOT_FOUND);
    assert_string_equal(first->closed_why, "the hub has no such device");
    assert_int_equal(second->closed_for, ERR_HUB_CALLER);
    assert_string_equal(second->closed_why, "the device is disabled");
}

// ---- topics -------------------------------------------------------------------------------------
static void topics_of_nobody_or_of_another_device_are_not_taken(void **state)
{
    struct world *w = *state;
    static const char *const topics[] = {
        "devices/DEV1/messages/events/",
        "devices/dev1/messages/eventsx",
        "devices/dev1/messages/",
        "devices/dev1",
        "$iothub/twin/GET/",
        "$iothub/twin/GET/?$rid=",
        "$iothub/twin/PATCH/properties/desired/?$rid=1",
        "$iothub/methods/res/abc/?$rid=1",
        "$iothub/methods/res/200/?$rid=xyz",
        "$iothub/methods/res/200/",
        "anything",
    };
    struct mqtt_link *link = connected(w, 0, "dev1");
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        if (link_publish(link, topics[i], ""))
            fail_msg("%s was taken", topics[i]);
    }
    struct mqtt_publish twice = {.qos = 2, .topic = SLICE("devices/dev1/messages/events/")};
    assert_false(link->door.publish(link->session, &twice));
}

static void only_the_devices_own_filters_are_granted(void **state)
{
    struct world *w = *state;
    struct mqtt_link *link = connected(w, 0, "dev1");
    assert_int_equal(link_subscribe(link, RESULTS), 1);
    assert_int_equal(link_subscribe(link, DESIRED), 1);
    assert_int_equal(link_subscribe(link, METHODS), 1);
    assert_int_equal(link_subscribe(link, "devices/dev1/messages/devicebound/#"), 1);
    assert_int_equal(link->door.subscribe(link->session, SLICE(METHODS), 2), 1);
    assert_int_equal(link->door.subscribe(link->session, SLICE(METHODS), 0), 0);
    assert_int_equal(link_subscribe(link, "devices/DEV1/messages/devicebound/#"), 128);
    assert_int_equal(link_subscribe(link, "devices/dev1/messages/events/#"), 128);
    assert_int_equal(link_subscribe(link, "#"), 128);
    assert_int_equal(link_subscribe(link, "$iothub/#"), 128);
}

static void a_device_reads_its_twin_and_reports(void **state)
{
    struct world *w = *state;
    struct mqtt_link *link = connected(w, 0, "dev1");
    assert_int_equal(link_subscribe(link, RESULTS), 1);
    assert_true(link_publish(link, "$iothub/twin/GET/?$rid=a-1", " "));
    assert_true(link_publish(link, "$iothub/twin/PATCH/properties/reported/?$rid=a-2", "{\"r\":1,\"s\":2}"));
    assert_true(link_publish(link, "$iothub/twin/PATCH/properties/reported/?$rid=a-3&x=y", "{\"r\":null}"));
    assert_true(link_publish(link, "$iothub/twin/GET/?$rid=a-4", ""));
    link_wait(link, 4); // in the order they were asked
    assert_string_equal(link->out[0].topic, "$iothub/twin/res/200/?$rid=a-1");
    assert_string_equal(link->out[0].payload, "{\"desired\":{\"$version\":1},\"reported\":{\"$version\":1}}");
    assert_string_equal(link->out[1].topic, "$iothub/twin/res/204/?$rid=a-2&$version=2");
    assert_string_equal(link->out[1].payload, "");
    assert_string_equal(link->out[2].topic, "$iothub/twin/res/204/?$rid=a-3&$version=3");
    assert_string_equal(link->out[3].payload,
                        "{\"desired\":{\"$version\":1},\"reported\":{\"s\":2,\"$version\":3}}");
    assert_holds(world_ask(w, (struct ask){.method = "GET", .path = "/twins/dev1"})->text,
                 "\"reported\":{\"s\":2,");
}

static void reports_that_break_a_rule_are_told_in_topic_and_body(void **state)
{
    struct world *w = *state;
    static const char *const bodies[] = {"{", "[]", "{\"a.b\":1}", ""};
    struct mqtt_link *link = connected(w, 0, "dev1");
    assert_int_equal(link_subscribe(link, RESULTS), 1);
    for (size_t i = 0; i < 4; i++) {
        assert_true(link_publish(link, "$iothub/twin/PATCH/properties/reported/?$rid=7", bodies[i]));
        link_wait(link, i + 1);
        assert_string_equal(link->out[i].topic, "$iothub/twin/res/400/?$rid=7");
        assert_holds(link->out[i].payload, "\"errorCode\":400004");
        assert_holds(link->out[i].payload, "\"trackingId\":\"");
    }
    assert_holds(link->out[2].payload, "a.b");
}

static void too_many_twin_requests_at_once_are_throttled(void **state)
{
    struct world *w = *state;
    struct mqtt_link *link = connected(w, 0, "dev1");
    assert_int_equal(link_subscribe(link, RESULTS), 1);
    for (int i = 0; i < 18; i++) // one under way, 16 that wait, one too many
        assert_true(link_publish(link, "$iothub/twin/GET/?$rid=1", ""));
    assert_int_equal(link->published, 1); // at once, before the store has answered the others
    assert_string_equal(link->out[0].topic, "$iothub/twin/res/429/?$rid=1");
    link_close(link); // and those that wait are forgotten
    assert_int_equal(link->published, 1);
}

static void changes_of_desired_properties_reach_the_device_that_subscribed(void **state)
{
    struct world *w = *state;
    struct ask patch = {.method = "PATCH",
                        .path = "/twins/dev1",
                        .body = "{\"properties\":{\"desired\":{\"a\":null,\"b\":2}}}"};
    for (size_t loop = 0; loop < LOOPS;
         loop++) { // the operator's request on the device's loop, and on the other one
        struct mqtt_link *link = connected(w, 0, "dev1");
        patch.loop = loop;
        assert_int_equal(world_ask(w, patch)->status, 200);
        world_pump(w, NULL);
        assert_int_equal(link->published, 0); // not subscribed
        assert_int_equal(link_subscribe(link, DESIRED), 1);
        assert_int_equal(world_ask(w, patch)->status, 200);
        link_wait(link, 1);
        assert_string_equal(link->out[0].topic, loop == 0
                                                    ? "$iothub/twin/PATCH/properties/desired/?$version=3"
                                                    : "$iothub/twin/PATCH/properties/desired/?$version=5");
        assert_string_equal(link->out[0].payload, loop == 0 ? "{\"a\":null,\"b\":2,\"$version\":3}"
                                                            : "{\"a\":null,\"b\":2,\"$version\":5}");
        struct ask tags = {
            .loop = loop, .method = "PATCH", .path = "/twins/dev1", .body = "{\"tags\":{\"t\":1}}"};
        assert_int_equal(world_ask(w, tags)->status, 200);
        world_pump(w, NULL);
        assert_int_equal(link->published, 1); // tags are not the device's business
        link->door.unsubscribe(link->session, SLICE(DESIRED));
        link_close(link);
    }
}

// ---- methods ------------------------------------------------------------------------------------
static struct answer *invoke(struct world *w, size_t loop, const char *body)
{
    return world_ask(
        w, (struct ask){
               .loop = loop, .method = "POST", .path = "/twins/dev1/methods", .body = body, .no_wait = true});
}

static void respond(struct mqtt_link *link, size_t message, const char *status, const char *payload)
{
    char topic[300];
    const char *rid = strstr(link->out[message].topic, "$rid=");
    assert_non_null(rid);
    (void)snprintf(topic, sizeof topic, "$iothub/methods/res/%s/?%s", status, rid);
    assert_true(link_publish(link, topic, payload));
}

static void a_method_is_answered_by_the_device(void **state)
{
    struct world *w = *state;
    for (size_t loop = 0; loop < LOOPS; loop++) {
        struct mqtt_link *link = connected(w, 1, "dev1");
        assert_int_equal(link_subscribe(link, METHODS), 1);
        struct answer *a = invoke(w, loop, "{\"methodName\":\"reboot\",\"payload\":{\"in\":5}}");
        link_wait(link, 1);
        assert_int_equal(strncmp(link->out[0].topic, "$iothub/methods/POST/reboot/?$rid=", 34), 0);
        assert_string_equal(link->out[0].payload, "{\"in\":5}");
        assert_false(a->done);
        respond(link, 0, "201", "{\"ok\":true}");
        world_pump(w, &a->done);
        assert_int_equal(a->status, 200);
        assert_string_equal(a->text, "{\"status\":201,\"payload\":{\"ok\":true}}");
        respond(link, 0, "500", "{}"); // once more: nobody waits, nothing happens
        a = invoke(w, loop, "{\"methodName\":\"ping\"}");
        link_wait(link, 2);
        assert_string_equal(link->out[1].payload, "");
        respond(link, 1, "200", "");
        world_pump(w, &a->done);
        assert_string_equal(a->text, "{\"status\":200,\"payload\":null}");
        link_close(link);
    }
}

static void a_method_fails_as_what_went_wrong(void **state)
{
    struct world *w = *state;
    struct mqtt_link *link = connected(w, 1, "dev1");
    struct answer *a = invoke(w, 0, "{\"methodName\":\"m\"}");
    world_pump(w, &a->done);
    assert_int_equal(a->code, ERR_HUB_DEVICE_OFFLINE); // connected, but it takes no methods
    assert_int_equal(link_subscribe(link, METHODS), 1);
    a = invoke(w, 0, "{\"methodName\":\"m\",\"responseTimeoutInSeconds\":5}");
    link_wait(link, 1);
    world_move_time(w, 4);
    assert_false(a->done);
    world_move_time(w, 1);
    assert_true(a->done);
    assert_int_equal(a->status, 504);
    assert_int_equal(a->code, ERR_HUB_DEVICE_TIMEOUT);
    respond(link, 0, "200", "{}"); // too late
    a = invoke(w, 0, "{\"methodName\":\"m\"}");
    link_wait(link, 2);
    respond(link, 1, "200", "no json");
    world_pump(w, &a->done);
    assert_int_equal(a->code, ERR_HUB_FORMAT);
    a = invoke(w, 0, "{\"methodName\":\"m\"}");
    link_wait(link, 3);
    link_close(link);
    world_pump(w, &a->done);
    assert_int_equal(a->code, ERR_HUB_DEVICE_OFFLINE);
}

static void only_the_device_that_was_asked_can_answer(void **state)
{
    struct world *w = *state;
    struct mqtt_link *link = connected(w, 1, "dev1");
    struct mqtt_link *other = connected(w, 1, "DEV1");
    char topic[300];
    assert_int_equal(link_subscribe(link, METHODS), 1);
    assert_int_equal(link_subscribe(other, METHODS), 1);
    struct answer *a = invoke(w, 0, "{\"methodName\":\"m\"}");
    link_wait(link, 1);
    (void)snprintf(topic, sizeof topic, "$iothub/methods/res/200/?%s", strstr(link->out[0].topic, "$rid="));
    assert_true(link_publish(other, topic, "{\"forged\":true}"));
    world_pump(w, NULL);
    assert_false(a->done);
    respond(link, 0, "200", "{}");
    world_pump(w, &a->done);
    assert_string_equal(a->text, "{\"status\":200,\"payload\":{}}");
}

static void answers_find_their_calls_in_any_order(void **state)
{
    struct world *w = *state;
    struct mqtt_link *link = connected(w, 1, "dev1");
    assert_int_equal(link_subscribe(link, METHODS), 1);
    struct answer *first = invoke(w, 0, "{\"methodName\":\"m1\"}");
    link_wait(link, 1);
    struct answer *second = invoke(w, 1, "{\"methodName\":\"m2\"}");
    link_wait(link, 2);
    respond(link, 1, "200", "2");
    respond(link, 0, "200", "1");
    world_pump(w, &first->done);
    world_pump(w, &second->done);
    assert_string_equal(first->text, "{\"status\":200,\"payload\":1}");
    assert_string_equal(second->text, "{\"status\":200,\"payload\":2}");
}

static void methods_towards_one_device_are_capped(void **state)
{
    struct world *w = *state;
    struct mqtt_link *link = connected(w, 1, "dev1");
    assert_int_equal(link_subscribe(link, METHODS), 1);
    struct answer *a = NULL;
    for (int i = 0; i < 17; i++)
        a = invoke(w, 0, "{\"methodName\":\"m\"}");
    world_pump(w, &a->done);
    assert_int_equal(a->code, ERR_THROTTLED);
    assert_int_equal(link->published, 16);
    link_close(link);
}

static void stopping_answers_those_that_wait_for_a_device(void **state)
{
    struct world *w = *state;
    struct mqtt_link *link = connected(w, 1, "dev1");
    assert_int_equal(link_subscribe(link, METHODS), 1);
    struct answer *a = invoke(w, 0, "{\"methodName\":\"m\"}");
    link_wait(link, 1);
    embedded_stop(world_loop(w, 0), NULL, NULL);
    assert_true(a->done);
    assert_int_equal(a->code, ERR_STOPPING);
    assert_int_equal(world_ask(w, (struct ask){.method = "GET", .path = "/devices/dev1"})->code,
                     ERR_STOPPING);
}

// The other loop may have ended: nobody would take the mail and free it.
static void a_device_that_leaves_after_the_stop_is_no_news_for_other_loops(void **state)
{
    struct world *w = *state;
    struct mqtt_link *link = connected(w, 0, "dev1");
    struct mailbox *other = world_peers(w)[1].mailbox;
    (void)mailbox_deliver(other); // that it came
    embedded_stop(world_loop(w, 0), NULL, NULL);
    assert_false(link->closed); // in earnest it takes a while: the peer may linger
    link->closed = true;
    link->door.closed(link->session);
    assert_int_equal(mailbox_deliver(other), 0);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(user_names_of_other_doors_are_not_claimed),
        WITH_WORLD(every_form_of_user_name_gets_in),
        WITH_WORLD(tokens_that_do_not_count_are_refused_alike),
        WITH_WORLD(devices_that_may_not_connect_are_refused_alike),
        WITH_WORLD(a_link_ends_with_its_token),
        WITH_WORLD(the_new_connection_displaces_the_old_one),
        WITH_WORLD(connection_state_and_counts_follow_the_device_on_each_loop),
        WITH_WORLD(deleting_or_disabling_a_device_closes_its_connection),
        WITH_WORLD(topics_of_nobody_or_of_another_device_are_not_taken),
        WITH_WORLD(only_the_devices_own_filters_are_granted),
        WITH_WORLD(a_device_reads_its_twin_and_reports),
        WITH_WORLD(reports_that_break_a_rule_are_told_in_topic_and_body),
        WITH_WORLD(too_many_twin_requests_at_once_are_throttled),
        WITH_WORLD(changes_of_desired_properties_reach_the_device_that_subscribed),
        WITH_WORLD(a_method_is_answered_by_the_device),
        WITH_WORLD(a_method_fails_as_what_went_wrong),
        WITH_WORLD(only_the_device_that_was_asked_can_answer),
        WITH_WORLD(answers_find_their_calls_in_any_order),
        WITH_WORLD(methods_towards_one_device_are_capped),
        WITH_WORLD(stopping_answers_those_that_wait_for_a_device),
        WITH_WORLD(a_device_that_leaves_after_the_stop_is_no_news_for_other_loops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

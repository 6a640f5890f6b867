// What a hub that is a real Mosquitto has after each call, as its devices and its administrator see it.
#include "hub/mosquitto/broker_bench_test.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#define TWIN "{\"tags\":{\"floor\":\"3\"},\"properties\":{\"desired\":{\"rate\":5}}}"

static struct broker_bench bench;

static int setup(void **state)
{
    (void)state;
    broker_bench_start(&bench);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    broker_bench_end(&bench);
    return 0;
}

static void assert_retained(const char *topic, const char *want)
{
    char have[4096];
    retained_below(&bench, topic, have, sizeof have);
    assert_string_equal(have, want);
}

// --- what a device has
// ---------------------------------------------------------------------------------------------------

static void a_device_comes_in_with_its_key_and_by_no_other_way(void **state)
{
    (void)state;
    struct knocker k;
    assign_device(&bench, "d1", HUB_TWIN_SET, "", "");
    assert_int_equal(knock(&k, &bench, "d1", KEY_1_TEXT, "d1"), ALLOWED);
    knocker_leave(&k);
    assert_int_equal(knock(&k, &bench, "d1", KEY_2_TEXT, "d1"), DENIED);
    knocker_leave(&k);
    assert_int_equal(knock(&k, &bench, "d1", NULL, "d1"), DENIED);
    knocker_leave(&k);
    assert_int_equal(knock(&k, &bench, "d1", KEY_1_TEXT, "d2"), DENIED); // would put d2 out
    knocker_leave(&k);
    assert_int_equal(knock(&k, &bench, "d2", KEY_1_TEXT, "d2"), DENIED);
    knocker_leave(&k);
}

static void a_device_has_its_own_topics_and_no_others(void **state)
{
    (void)state;
    static const char *const mine[] = {"devices/d1/messages/events/t", "devices/d1/messages/events",
                                       "devices/d1/twin/reported"};
    static const char *const not_mine[] = {"devices/d2/messages/events/t",
                                           "devices/d2/twin/reported",
                                           "devices/d1/twin/desired",
                                           "devices/d1/messages/devicebound/x",
                                           "devices/d11/messages/events",
                                           "devices/d1",
                                           "anything",
                                           "$CONTROL/dynamic-security/v1",
                                           "$CONTROL/dynamic-security/v1/response"};
    static const char *const for_me[] = {"devices/d1/twin/desired", "devices/d1/twin/#",
                                         "devices/d1/messages/devicebound/#"};
    static const char *const not_for_me[] = {"#",
                                             "+/d1/twin/#",
                                             "devices/#",
                                             "devices/+/twin/desired",
                                             "devices/d1/#",
                                             "devices/d2/twin/#",
                                             "$share/g/devices/d2/twin/#",
                                             "$SYS/#",
                                             "$CONTROL/#",
                                             "$CONTROL/dynamic-security/v1/response"};
    struct knocker k;
    assign_device(&bench, "d1", HUB_TWIN_SET, "", "");
    assign_device(&bench, "d2", HUB_TWIN_SET, "", "");
    assert_int_equal(knock(&k, &bench, "d1", KEY_1_TEXT, "d1"), ALLOWED);
    for (size_t i = 0; i < sizeof mine / sizeof mine[0]; i++)
        assert_int_equal(knocker_publish(&k, mine[i], "x", false), ALLOWED);
    for (size_t i = 0; i < sizeof not_mine / sizeof not_mine[0]; i++)
        assert_int_equal(knocker_publish(&k, not_mine[i], "x", false), DENIED);
    for (size_t i = 0; i < sizeof for_me / sizeof for_me[0]; i++)
        assert_int_equal(knocker_subscribe(&k, for_me[i]), ALLOWED);
    for (size_t i = 0; i < sizeof not_for_me / sizeof not_for_me[0]; i++)
        assert_int_equal(knocker_subscribe(&k, not_for_me[i]), DENIED);
    knocker_leave(&k);
}

static void shoot_certificate_device(struct shot *shot)
{
    shot_init(shot, &bench, "device-1");
    shot->request.identity.authentication = HUB_AUTH_SELF_SIGNED;
    secret_wipe(&shot->request.identity.primary_key);
    secret_wipe(&shot->request.identity.secondary_key);
    shot->request.identity.primary_thumbprint = SLICE("00");
    shot->request.twin_how = HUB_TWIN_SET;
    (void)!failed(shot_run(shot));
    assert_result(shot, ERR_NONE);
}

static void a_device_with_a_certificate_has_its_topics_at_the_other_door(void **state)
{
    (void)state;
    struct shot shot;
    struct knocker k;
    assert_int_equal(knock_with_certificate(&k, &bench, "device-1"), ALLOWED); // TLS lets it in, to nothing
    assert_int_equal(knocker_publish(&k, "devices/device-1/messages/events", "x", false), DENIED);
    knocker_leave(&k);
    shoot_certificate_device(&shot);
    assert_int_equal(knock_with_certificate(&k, &bench, "d2"), ALLOWED);
    assert_int_equal(knocker_publish(&k, "devices/device-1/messages/events", "x", false), ALLOWED);
    assert_int_equal(knocker_publish(&k, "devices/d2/messages/events", "x", false), DENIED);
    assert_int_equal(knocker_subscribe(&k, "devices/device-1/twin/#"), ALLOWED);
    assert_int_equal(knocker_subscribe(&k, "#"), DENIED);
    knocker_await(&k, "devices/device-1/twin/desired {}");
    knocker_leave(&k);
    assert_int_equal(knock(&k, &bench, "device-1", NULL, "device-1"), DENIED); // without certificate and key
    knocker_leave(&k);
    assert_int_equal(knock(&k, &bench, "device-1", "", "device-1"), DENIED);
    knocker_leave(&k);
    shot_release(&shot);
}

static void a_device_that_changes_to_a_certificate_has_no_password_any_more(void **state)
{
    (void)state;
    struct shot shot;
    struct knocker k;
    assign_device(&bench, "device-1", HUB_TWIN_SET, "", "");
    broker_command(&bench, "{\"command\":\"disableClient\",\"username\":\"device-1\"}", "disableClient\"}");
    shoot_certificate_device(&shot);
    shot_release(&shot);
    broker_command(&bench, "{\"command\":\"getClient\",\"username\":\"device-1\"}", "\"disabled\":true");
    broker_command(&bench, "{\"command\":\"enableClient\",\"username\":\"device-1\"}", "enableClient\"}");
    assert_int_equal(knock(&k, &bench, "device-1", KEY_1_TEXT, "device-1"), DENIED);
    knocker_leave(&k);
    assign_device(&bench, "device-1", HUB_TWIN_KEEP, "", "");
    assert_int_equal(knock(&k, &bench, "device-1", KEY_1_TEXT, "device-1"), ALLOWED);
    knocker_leave(&k);
}

// --- twins
// -----------------------------------------------------------------------------------------------------------

static void the_first_desired_properties_wait_for_the_device(void **state)
{
    (void)state;
    struct knocker k;
    assign_device(&bench, "d1", HUB_TWIN_SET, TWIN, "");
    assert_int_equal(knock(&k, &bench, "d1", KEY_1_TEXT, "d1"), ALLOWED);
    assert_int_equal(knocker_subscribe(&k, "devices/d1/twin/#"), ALLOWED);
    knocker_await(&k, "\n");
    assert_string_equal(k.heard, "devices/d1/twin/desired {\"rate\":5}\n"); // and no tags
    knocker_leave(&k);
    broker_command(&bench, "{\"command\":\"getClient\",\"username\":\"d1\"}",
                   "\"textdescription\":\"{\\\"floor\\\":\\\"3\\\"}\"");
}

static void fresh_credentials_change_nothing_else(void **state)
{
    (void)state;
    struct shot shot;
    struct knocker k;
    assign_device(&bench, "d1", HUB_TWIN_SET, TWIN, "");
    assert_int_equal(knock(&k, &bench, "d1", KEY_1_TEXT, "d1"), ALLOWED);
    assert_int_equal(knocker_publish(&k, "devices/d1/twin/reported", "{\"on\":true}", true), ALLOWED);
    shot_init(&shot, &bench, "d1");
    assert_true(secret_set(&shot.request.identity.primary_key, SLICE(KEY_2)));
    assert_false(failed(shot_run(&shot)));
    assert_true(knocker_await_loss(&k));
    knocker_leave(&k);
    assert_int_equal(knock(&k, &bench, "d1", KEY_1_TEXT, "d1"), DENIED);
    knocker_leave(&k);
    assert_int_equal(knock(&k, &bench, "d1", KEY_2_TEXT, "d1"), ALLOWED);
    knocker_leave(&k);
    shot.request.verb = HUB_READ;
    assert_false(failed(shot_run(&shot)));
    assert_true(shot.request.found);
    assert_slice(shot.request.twin, TWIN);
    assert_slice(shot.request.reported, "{\"on\":true}");
    shot_release(&shot);
}

static void a_reset_leaves_nothing_of_before(void **state)
{
    (void)state;
    struct knocker k;
    assign_device(&bench, "d1", HUB_TWIN_SET, TWIN, "");
    assert_int_equal(knock(&k, &bench, "d1", KEY_1_TEXT, "d1"), ALLOWED);
    assert_int_equal(knocker_publish(&k, "devices/d1/twin/reported", "{\"on\":true}", true), ALLOWED);
    assign_device(&bench, "d1", HUB_TWIN_RESET, "{\"properties\":{\"desired\":{\"rate\":9}}}", "");
    assert_true(knocker_await_loss(&k));
    knocker_leave(&k);
    assert_retained("devices/#", "devices/d1/twin/desired {\"rate\":9}\n");
    broker_command(&bench, "{\"command\":\"getClient\",\"username\":\"d1\"}", "\"textdescription\":\"{}\"");
    assert_int_equal(knock(&k, &bench, "d1", KEY_1_TEXT, "d1"), ALLOWED);
    assert_int_equal(knocker_publish(&k, "devices/d1/messages/events", "x", false), ALLOWED);
    knocker_leave(&k);
}

static void a_twin_that_comes_from_elsewhere_is_read_back_as_it_was(void **state)
{
    (void)state;
    struct shot shot;
    assign_device(
        &bench, "d1", HUB_TWIN_IMPORT,
        "{\"tags\":{\"name\":\"caf\xc3\xa9 \\\"3\\\"\"},\"properties\":{\"desired\":{\"a\":[1,2.5,null]}}}",
        "{\"b\":{\"c\":\"d\"}}");
    shot_init(&shot, &bench, "d1");
    shot.request.verb = HUB_READ;
    assert_false(failed(shot_run(&shot)));
    assert_true(shot.request.found);
    assert_slice(
        shot.request.twin,
        "{\"tags\":{\"name\":\"caf\xc3\xa9 \\\"3\\\"\"},\"properties\":{\"desired\":{\"a\":[1,2.5,null]}}}");
    assert_slice(shot.request.reported, "{\"b\":{\"c\":\"d\"}}");
    shot_release(&shot);
    shot_init(&shot, &bench, "d"); // whose topics are not those of d1
    shot.request.verb = HUB_READ;
    assert_false(failed(shot_run(&shot)));
    assert_false(shot.request.found);
    shot_release(&shot);
}

static void what_a_device_reports_need_not_be_json(void **state)
{
    (void)state;
    struct shot shot;
    struct knocker k;
    assign_device(&bench, "d1", HUB_TWIN_SET, TWIN, "");
    assert_int_equal(knock(&k, &bench, "d1", KEY_1_TEXT, "d1"), ALLOWED);
    assert_int_equal(knocker_publish(&k, "devices/d1/twin/reported", "21.5 degrees", true), ALLOWED);
    knocker_leave(&k);
    shot_init(&shot, &bench, "d1");
    shot.request.verb = HUB_READ;
    assert_false(failed(shot_run(&shot)));
    assert_slice(shot.request.twin, TWIN);
    assert_slice(shot.request.reported, "");
    assert_int_equal(bench_count_log(&bench.bench, "hub.retained_unread"), 1);
    shot_release(&shot);
}

// --- removal
// ---------------------------------------------------------------------------------------------------------------

static void a_removed_device_is_put_out_and_leaves_nothing(void **state)
{
    (void)state;
    struct knocker k;
    assign_device(&bench, "d1", HUB_TWIN_SET, TWIN, "");
    assign_device(&bench, "d11", HUB_TWIN_SET, TWIN, "");
    assert_int_equal(knock(&k, &bench, "d1", KEY_1_TEXT, "d1"), ALLOWED);
    assert_int_equal(knocker_publish(&k, "devices/d1/twin/reported", "{\"on\":true}", true), ALLOWED);
    assert_int_equal(knocker_publish(&k, "devices/d1/messages/events/last", "x", true), ALLOWED);
    remove_device(&bench, "d1");
    assert_true(knocker_await_loss(&k));
    knocker_leave(&k);
    assert_int_equal(knock(&k, &bench, "d1", KEY_1_TEXT, "d1"), DENIED);
    knocker_leave(&k);
    assert_retained("devices/#", "devices/d11/twin/desired {\"rate\":5}\n");
    broker_command(&bench, "{\"command\":\"getRole\",\"rolename\":\"usher-device-d1\"}", "Role not found");
    remove_device(&bench, "d1"); // once more is no error
}

static void a_removed_device_with_a_certificate_has_no_topics(void **state)
{
    (void)state;
    struct shot shot;
    struct knocker k;
    shoot_certificate_device(&shot);
    shot_release(&shot);
    assert_int_equal(knock_with_certificate(&k, &bench, "device-1"), ALLOWED);
    remove_device(&bench, "device-1");
    assert_true(knocker_await_loss(&k));
    knocker_leave(&k);
    assert_int_equal(knock_with_certificate(&k, &bench, "device-1"), ALLOWED);
    assert_int_equal(knocker_publish(&k, "devices/device-1/messages/events", "x", false), DENIED);
    assert_int_equal(knocker_subscribe(&k, "devices/device-1/twin/#"), DENIED);
    knocker_leave(&k);
}

static void a_device_may_have_left_many_retained_messages(void **state)
{
    (void)state;
    struct knocker k;
    assign_device(&bench, "d1", HUB_TWIN_SET, TWIN, "");
    assert_int_equal(knock(&k, &bench, "d1", KEY_1_TEXT, "d1"), ALLOWED);
    for (int i = 0; i < 100; i++) {
        char topic[64];
        (void)snprintf(topic, sizeof topic, "devices/d1/messages/events/%d", i);
        assert_int_equal(knocker_publish(&k, topic, "x", true), ALLOWED);
    }
    knocker_leave(&k);
    remove_device(&bench, "d1");
    assert_retained("devices/#", "");
}

// Else it could go on writing while it is cleared away.
static void a_removed_device_is_put_out_before_it_is_cleared_away(void **state)
{
    (void)state;
    struct shot shot;
    broker_command(
        &bench,
        "{\"command\":\"createRole\",\"rolename\":\"control\",\"acls\":["
        "{\"acltype\":\"publishClientSend\",\"topic\":\"$CONTROL/dynamic-security/#\",\"allow\":true},"
        "{\"acltype\":\"subscribePattern\",\"topic\":\"$CONTROL/dynamic-security/#\",\"allow\":true},"
        "{\"acltype\":\"publishClientReceive\",\"topic\":\"$CONTROL/dynamic-security/#\",\"allow\":true}]},"
        "{\"command\":\"createClient\",\"username\":\"half\",\"password\":\"half\",\"roles\":["
        "{\"rolename\":\"control\"}]}",
        "createClient\"}");
    assign_device(&bench, "d1", HUB_TWIN_SET, TWIN, "");
    shot_init(&shot, &bench, "d1");
    shot.request.verb = HUB_REMOVE;
    shot.hub.policy_name = SLICE("half");
    assert_true(secret_set(&shot.hub.policy_key, SLICE("half")));
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAUTHORIZED); // it may not see what is retained
    broker_command(&bench, "{\"command\":\"getClient\",\"username\":\"d1\"}", "Client not found");
    assert_retained("devices/#", "devices/d1/twin/desired {\"rate\":5}\n");
    remove_device(&bench, "d1"); // and the rest is taken up from there
    assert_retained("devices/#", "");
    shot_release(&shot);
}

static void long_topics_are_cleared_a_few_at_a_time(void **state)
{
    (void)state;
    enum { TOPICS = 10, TOPIC = 40000 };
    static char topic[TOPIC + 1];
    struct knocker k;
    struct shot shot;
    assign_device(&bench, "d1", HUB_TWIN_SET, TWIN, "");
    assert_int_equal(knock(&k, &bench, "d1", KEY_1_TEXT, "d1"), ALLOWED);
    for (int i = 0; i < TOPICS; i++) {
        int len = snprintf(topic, sizeof topic, "devices/d1/messages/events/%d-", i);
        memset(topic + len, 'x', (size_t)(TOPIC - len));
        assert_int_equal(knocker_publish(&k, topic, "x", true), ALLOWED);
    }
    knocker_leave(&k);
    shot_init(&shot, &bench, "d1");
    shot.request.verb = HUB_REMOVE;
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAVAILABLE);
    for (int i = 0; i < TOPICS && failed(shot.request.result); i++)
        (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_NONE);
    assert_retained("devices/#", "");
    shot_release(&shot);
}

// A device must not be able to have the service take in what it likes.
static void a_message_beyond_all_measure_is_not_sent_to_the_service(void **state)
{
    (void)state;
    enum { LONG = 400 * 1024 };
    static char payload[LONG + 1];
    char have[4096];
    struct knocker k;
    memset(payload, 'x', LONG);
    assign_device(&bench, "d1", HUB_TWIN_SET, TWIN, "");
    assert_int_equal(knock(&k, &bench, "d1", KEY_1_TEXT, "d1"), ALLOWED);
    assert_int_equal(knocker_publish(&k, "devices/d1/messages/events/long", payload, true), ALLOWED);
    assert_int_equal(knocker_publish(&k, "devices/d1/messages/events/short", "x", true), ALLOWED);
    knocker_leave(&k);
    remove_device(&bench, "d1");
    retained_below(&bench, "devices/#", have, sizeof have);
    assert_true(says(have, "devices/d1/messages/events/long xxx")); // it was not heard of
    assert_false(says(have, "short"));
    assert_false(says(have, "desired"));
}

static void clients_of_others_are_left_alone(void **state)
{
    (void)state;
    struct shot shot;
    struct knocker k;
    broker_command(&bench, "{\"command\":\"createClient\",\"username\":\"cloud\",\"password\":\"theirs\"}",
                   "createClient\"}");
    shot_init(&shot, &bench, "cloud");
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_REFUSED);
    assert_true(says(shot.request.why.text, "cloud"));
    assert_false(shot.request.left_there);
    shot.request.verb = HUB_READ;
    assert_false(failed(shot_run(&shot)));
    assert_false(shot.request.found);
    shot_release(&shot);
    remove_device(&bench, "cloud");
    assert_int_equal(knock(&k, &bench, "cloud", "theirs", "any"), ALLOWED);
    knocker_leave(&k);
    shot_init(&shot, &bench, SERVICE_USER);
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_REFUSED);
    shot_release(&shot);
}

// --- trouble
// ---------------------------------------------------------------------------------------------------------------

static void a_wrong_password_is_said_and_a_new_one_mends_it(void **state)
{
    (void)state;
    struct shot shot;
    shot_init(&shot, &bench, "d1");
    assert_true(secret_set(&shot.hub.policy_key, SLICE("not it")));
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAUTHORIZED);
    bench_await(&bench.bench, &bench.told_failing, 1);
    assert_true(secret_set(&shot.hub.policy_key, SLICE(SERVICE_KEY)));
    assert_false(failed(shot_run(&shot)));
    bench_await(&bench.bench, &bench.told_well, 1);
    shot_release(&shot);
}

static void a_service_with_a_wrong_password_harms_no_other(void **state)
{
    (void)state;
    struct shot wrong;
    struct shot right;
    shot_init(&wrong, &bench, "d1");
    shot_init(&right, &bench, "d2");
    wrong.request.id_scope = SLICE("0ne1");
    right.request.id_scope = SLICE("0ne2");
    assert_true(secret_set(&wrong.hub.policy_key, SLICE("not it")));
    for (int i = 0; i < 3; i++) {
        (void)!failed(shot_run(&wrong));
        assert_result(&wrong, ERR_HUB_UNAUTHORIZED);
        assert_int_equal(bench.told_failing, 1);
        assert_string_equal(bench.told_scope, "0ne1");
        (void)!failed(shot_run(&right));
        assert_result(&right, ERR_NONE);
    }
    assert_int_equal(bench.told_failing, 1);
    assert_int_equal(bench.told_well, 0);
    assert_int_equal(bench_count_log(&bench.bench, "hub.unauthorized"), 1);
    shot_release(&wrong);
    shot_release(&right);
}

static void one_broker_does_not_take_all_the_room_for_connections(void **state)
{
    (void)state;
    enum { SERVICES = 33 };
    static struct shot shots[SERVICES];
    static char scopes[SERVICES][8];
    for (size_t i = 0; i < SERVICES; i++) {
        (void)snprintf(scopes[i], sizeof scopes[i], "0ne%zu", i);
        shot_init(&shots[i], &bench, "d1");
        shots[i].request.verb = HUB_READ;
        shots[i].request.id_scope = slice_text(scopes[i]);
    }
    shots_fire(shots, SERVICES);
    for (size_t i = 0; i < SERVICES; i++) {
        (void)!failed(shot_wait(&shots[i]));
        assert_result(&shots[i], i < 32 ? ERR_NONE : ERR_HUB_UNAVAILABLE);
        shot_release(&shots[i]);
    }
}

static void a_user_that_may_not_write_twins_makes_no_devices(void **state)
{
    (void)state;
    struct shot shot;
    broker_command(
        &bench,
        "{\"command\":\"createClient\",\"username\":\"half\",\"password\":\"half\",\"roles\":[{\"rolename\":"
        "\"admin\"}]}",
        "createClient\"}");
    shot_init(&shot, &bench, "d1");
    shot.hub.policy_name = SLICE("half");
    assert_true(secret_set(&shot.hub.policy_key, SLICE("half")));
    shot.request.twin_how = HUB_TWIN_SET;
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAUTHORIZED);
    assert_true(says(shot.request.why.text, "devices/#"));
    assert_false(shot.request.left_there);
    broker_command(&bench, "{\"command\":\"getClient\",\"username\":\"d1\"}", "Client not found");
    shot_release(&shot);
}

static void a_user_without_rights_is_unauthorized(void **state)
{
    (void)state;
    struct shot shot;
    broker_command(&bench, "{\"command\":\"createClient\",\"username\":\"none\",\"password\":\"none\"}",
                   "createClient\"}");
    shot_init(&shot, &bench, "d1");
    shot.hub.policy_name = SLICE("none");
    assert_true(secret_set(&shot.hub.policy_key, SLICE("none")));
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAUTHORIZED);
    shot_release(&shot);
}

static void a_broker_that_lets_every_device_everywhere_is_refused(void **state)
{
    (void)state;
    struct shot shot;
    broker_command(
        &bench,
        "{\"command\":\"setDefaultACLAccess\",\"acls\":[{\"acltype\":\"publishClientSend\",\"allow\":true}]}",
        "setDefaultACLAccess\"}");
    shot_init(&shot, &bench, "d1");
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_REFUSED);
    assert_true(says(shot.request.why.text, "setDefaultACLAccess publishClientSend deny"));
    shot_release(&shot);
}

static void a_broker_without_the_plugin_is_seen(void **state)
{
    (void)state;
    struct shot shot;
    broker_stop(&bench);
    bench.without_plugin = true;
    broker_start(&bench);
    shot_init(&shot, &bench, "d1");
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAVAILABLE);
    assert_true(says(shot.request.why.text, "plugin"));
    bench_await(&bench.bench, &bench.told_failing, 1);
    shot_release(&shot);
}

static void a_broker_that_went_away_is_used_again_when_it_is_back(void **state)
{
    (void)state;
    struct shot shot;
    assign_device(&bench, "d1", HUB_TWIN_KEEP, "", "");
    broker_stop(&bench);
    shot_init(&shot, &bench, "d2");
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAVAILABLE);
    bench_await(&bench.bench, &bench.told_failing, 1);
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAVAILABLE);
    assert_true(shot.request.retry_after_ms > 0);
    broker_start(&bench);
    bench_await(&bench.bench, &bench.told_well, 1); // nobody asked
    assert_false(failed(shot_run(&shot)));
    shot_release(&shot);
}

static void a_broker_that_hangs_costs_its_callers_their_deadline_and_no_more(void **state)
{
    (void)state;
    struct shot shots[4];
    assign_device(&bench, "d0", HUB_TWIN_KEEP, "", "");
    assert_int_equal(kill(bench.pid, SIGSTOP), 0);
    for (size_t i = 0; i < 4; i++) {
        shot_init(&shots[i], &bench, (const char *const[]){"d1", "d2", "d3", "d3"}[i]);
        shots[i].request.deadline_ms = 300;
    }
    shots_fire(shots, 4);
    for (size_t i = 0; i < 4; i++) {
        (void)!failed(shot_wait(&shots[i]));
        assert_result(&shots[i], ERR_HUB_UNAVAILABLE);
    }
    bench_await(&bench.bench, &bench.told_failing, 1);
    assert_int_equal(kill(bench.pid, SIGCONT), 0);
    shots[0].request.deadline_ms = PATIENCE_MS;
    assert_false(failed(shot_run(&shots[0])));
    bench_await(&bench.bench, &bench.told_well, 1);
    for (size_t i = 0; i < 4; i++)
        shot_release(&shots[i]);
}

static int64_t worked_ms(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000) +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

// libmosquitto wants to write all through a handshake, and finds a refused connection to be none.
static void a_broker_that_does_not_shake_hands_is_waited_for_without_work(void **state)
{
    (void)state;
    struct shot shot;
    assert_int_equal(kill(bench.pid, SIGSTOP), 0);
    shot_init(&shot, &bench, "d1");
    shot.request.deadline_ms = 2000;
    int64_t before_ms = worked_ms();
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAVAILABLE);
    assert_in_range(worked_ms() - before_ms, 0, 500);
    assert_int_equal(kill(bench.pid, SIGCONT), 0);
    shot.request.deadline_ms = PATIENCE_MS;
    assert_false(failed(shot_run(&shot)));
    shot_release(&shot);
}

static void a_broker_that_is_not_there_is_known_to_be_so_before_its_callers_give_up(void **state)
{
    (void)state;
    struct shot shot;
    broker_stop(&bench);
    shot_init(&shot, &bench, "d1");
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAVAILABLE);
    assert_true(says(shot.request.why.text, "refuses connections"));
    shot_release(&shot);
}

static void a_broker_with_a_certificate_of_others_is_not_told_the_password(void **state)
{
    (void)state;
    struct shot shot;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/ca.pem", bench.dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    struct slice other = buf_slice(&bench.bench.certificates.other_ca_pem);
    assert_int_equal(fwrite(other.at, 1, other.len, file), other.len);
    assert_int_equal(fclose(file), 0);
    shot_init(&shot, &bench, "d1");
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAVAILABLE);
    if (!says(shot.request.why.text, "certificate"))
        fail_msg("%s", shot.request.why.text);
    shot_release(&shot);
}

static void hosts_that_lead_nowhere_are_said(void **state)
{
    (void)state;
    struct shot shot;
    shot_init(&shot, &bench, "d1");
    shot.hub.host = SLICE("localhost:0");
    (void)!failed(shot_run(&shot));
    assert_true(failed(shot.request.result));
    shot.request.identity.device_id = SLICE("a/b");
    shot.hub.host = slice_text(bench.host);
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_REFUSED);
    shot_release(&shot);
}

static void hundreds_of_calls_at_once_all_end_well(void **state)
{
    (void)state;
    enum { COUNT = 300, DEVICES = 100 };
    static struct shot shots[COUNT];
    static char names[COUNT][16];
    struct knocker k;
    for (size_t i = 0; i < COUNT; i++) {
        (void)snprintf(names[i], sizeof names[i], "m%zu", i % DEVICES);
        shot_init(&shots[i], &bench, names[i]);
        shots[i].request.verb = i < 2 * DEVICES ? HUB_ASSIGN : HUB_READ;
        shots[i].request.twin_how = HUB_TWIN_SET;
        shots[i].request.twin = SLICE(TWIN);
        shots[i].request.deadline_ms = 2 * PATIENCE_MS;
    }
    shots_fire(shots, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        (void)!failed(shot_wait(&shots[i]));
        assert_result(&shots[i], ERR_NONE);
        if (i >= 2 * DEVICES)
            assert_slice(shots[i].request.twin, TWIN);
        shot_release(&shots[i]);
    }
    assert_int_equal(knock(&k, &bench, "m99", KEY_1_TEXT, "m99"), ALLOWED);
    knocker_leave(&k);
}

#define WITH_BROKER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        WITH_BROKER(a_device_comes_in_with_its_key_and_by_no_other_way),
        WITH_BROKER(a_device_has_its_own_topics_and_no_others),
        WITH_BROKER(a_device_with_a_certificate_has_its_topics_at_the_other_door),
        WITH_BROKER(a_device_that_changes_to_a_certificate_has_no_password_any_more),
        WITH_BROKER(the_first_desired_properties_wait_for_the_device),
        WITH_BROKER(fresh_credentials_change_nothing_else),
        WITH_BROKER(a_reset_leaves_nothing_of_before),
        WITH_BROKER(a_twin_that_comes_from_elsewhere_is_read_back_as_it_was),
        WITH_BROKER(what_a_device_reports_need_not_be_json),
        WITH_BROKER(a_removed_device_is_put_out_and_leaves_nothing),
        WITH_BROKER(a_removed_device_with_a_certificate_has_no_topics),
        WITH_BROKER(a_device_may_have_left_many_retained_messages),
        WITH_BROKER(a_removed_device_is_put_out_before_it_is_cleared_away),
        WITH_BROKER(long_topics_are_cleared_a_few_at_a_time),
        WITH_BROKER(a_message_beyond_all_measure_is_not_sent_to_the_service),
        WITH_BROKER(clients_of_others_are_left_alone),
        WITH_BROKER(a_wrong_password_is_said_and_a_new_one_mends_it),
        WITH_BROKER(a_service_with_a_wrong_password_harms_no_other),
        WITH_BROKER(one_broker_does_not_take_all_the_room_for_connections),
        WITH_BROKER(a_user_that_may_not_write_twins_makes_no_devices),
        WITH_BROKER(a_user_without_rights_is_unauthorized),
        WITH_BROKER(a_broker_that_lets_every_device_everywhere_is_refused),
        WITH_BROKER(a_broker_without_the_plugin_is_seen),
        WITH_BROKER(a_broker_that_went_away_is_used_again_when_it_is_back),
        WITH_BROKER(a_broker_that_hangs_costs_its_callers_their_deadline_and_no_more),
        WITH_BROKER(a_broker_that_does_not_shake_hands_is_waited_for_without_work),
        WITH_BROKER(a_broker_that_is_not_there_is_known_to_be_so_before_its_callers_give_up),
        WITH_BROKER(a_broker_with_a_certificate_of_others_is_not_told_the_password),
        WITH_BROKER(hosts_that_lead_nowhere_are_said),
        WITH_BROKER(hundreds_of_calls_at_once_all_end_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

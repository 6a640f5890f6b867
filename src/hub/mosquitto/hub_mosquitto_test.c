// What a hub that is a real Mosquitto has after each call, as its devices and its administrator see it.
#include "hub/mosquitto/broker_bench_test.h"

#include <signal.h>
#include <stdio.h>

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

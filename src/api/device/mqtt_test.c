// Devices with certificates at the MQTT door: who may connect, what they hear when they register, and what a
// connection may do before its device was let in. In place of the front stand links that can be looked at.
#include "flow/flow_tpm_test.h"

#include <stdio.h>

#include "api/device/mqtt_bench_test.h"

static struct device_api *api;

// ---- devices
// ----------------------------------------------------------------------------------------------------------

struct dial {
    const char *client_id;
    const char *scope;    // NULL: the service's
    const char *user_id;  // in the user name; NULL: the client ID
    const char *password; // NULL: none
    const char *options;  // of the user name, or NULL
    const char *version;  // NULL: 2019-03-31
    struct chain *chain;  // NULL: none; the link's from now on
};

static struct mqtt_link *dial(struct world *w, struct dial d)
{
    char user_name[300];
    assert_true(mqtt_link_count < sizeof mqtt_links / sizeof mqtt_links[0]);
    struct mqtt_link *link = &mqtt_links[mqtt_link_count++];
    (void)snprintf(user_name, sizeof user_name, "%s/registrations/%s/api-version=%s%s",
                   d.scope != NULL ? d.scope : SCOPE, d.user_id != NULL ? d.user_id : d.client_id,
                   d.version != NULL ? d.version : "2019-03-31", d.options != NULL ? d.options : "");
    struct mqtt_connect connect = {
        .client_id = slice_text(d.client_id),
        .has_user_name = true,
        .user_name = slice_text(user_name),
        .has_password = d.password != NULL,
        .password = d.password != NULL ? slice_text(d.password) : (struct slice){0},
    };
    *link = (struct mqtt_link){.world = w, .door = device_mqtt_door(api), .chain = d.chain};
    assert_true(link->door.claims(link->door.context, &connect));
    link->session = link->door.connect(link->door.context, link, &connect);
    assert_non_null(link->session);
    for (int i = 0; i < 2000 && !link->accepted && link->refused == 0; i++) {
        deliver(w, 2);
        pass(w, 0);
    }
    assert_true(link->accepted != (link->refused != 0));
    return link;
}

static struct mqtt_link *dial_showing(struct world *w, const char *id, const struct certificate *leaf)
{
    return dial(w, (struct dial){.client_id = id, .chain = chain_of(leaf, NULL, NULL)});
}

static void hang_up(struct mqtt_link *link)
{
    if (link->session != NULL)
        link->door.closed(link->session);
    link->session = NULL;
    chain_release(link->chain);
    link->chain = NULL;
}

static void publish_to(struct mqtt_link *link, const char *topic, const char *body)
{
    struct mqtt_publish publish = {.topic = slice_text(topic), .payload = slice_text(body)};
    assert_int_equal(link->door.subscribe(link->session, SLICE("$dps/registrations/res/#"), 1), 1);
    assert_true(link->door.publish(link->session, &publish));
}

static void publish(struct mqtt_link *link)
{
    publish_to(link, "$dps/registrations/PUT/iotdps-register/?$rid=7", "");
}

static void exchange(struct mqtt_link *link, const char *to, const char *body, const char *topic)
{
    size_t before = link->published;
    publish_to(link, to, body);
    for (int i = 0; i < 2000 && link->published == before; i++)
        deliver(link->world, 2);
    assert_int_equal(link->published, before + 1);
    assert_string_equal(link->topic, topic);
}

static void register_over(struct mqtt_link *link, const char *topic)
{
    exchange(link, "$dps/registrations/PUT/iotdps-register/?$rid=7", "", topic);
}

static int setup(void **state)
{
    if (world_setup(state) != 0)
        return -1;
    struct world *w = *state;
    mqtt_link_count = 0;
    struct device_api_settings settings = {.flow = w->flow, .poller = &w->poller, .clock = &w->clock};
    return failed(device_api_new(&settings, &api)) ? -1 : 0;
}

static int teardown(void **state)
{
    while (mqtt_link_count > 0)
        hang_up(&mqtt_links[--mqtt_link_count]);
    until_idle(*state);
    device_api_free(api);
    return pki_teardown(state);
}

enum { LARGE = 96 * 1024, SMALL = 4096 };

static void a_device_with_a_certificate_needs_no_password(void **state)
{
    struct world *w = *state;
    struct mqtt_link *link = dial_showing(w, "dev3", device(w, "dev3", fleet(w)));
    assert_true(link->accepted);
    register_over(link, "$dps/registrations/res/200/?$rid=7");
    assert_true(link->max_packet > LARGE);
    assert_int_equal(link->expires_us, 0);
    assert_non_null(strstr(link->body, "\"status\":\"assigned\""));
    assert_non_null(strstr(link->body, "\"x509\":{\"enrollmentGroupId\":\"Fleet\"}"));
}

static void a_device_that_registers_again_hears_what_its_version_knows(void **state)
{
    struct world *w = *state;
    const struct certificate *leaf = device(w, "dev3", fleet(w));
    struct mqtt_link *old = dial_showing(w, "dev3", leaf);
    register_over(old, "$dps/registrations/res/200/?$rid=7");
    register_over(old, "$dps/registrations/res/200/?$rid=7");
    assert_non_null(strstr(old->body, "\"substatus\":\"initialAssignment\""));
    struct mqtt_link *link = dial(w, (struct dial){.client_id = "dev3",
                                                   .version = "2019-04-15",
                                                   .options = "&ClientVersion=x",
                                                   .chain = chain_of(leaf, NULL, NULL)});
    register_over(link, "$dps/registrations/res/200/?$rid=7");
    assert_non_null(strstr(link->body, "\"substatus\":\"reprovisionedToInitialAssignment\""));
}

static void an_empty_password_is_none(void **state)
{
    struct world *w = *state;
    struct chain *chain = chain_of(device(w, "dev3", fleet(w)), NULL, NULL);
    struct mqtt_link *link = dial(w, (struct dial){.client_id = "dev3", .password = "", .chain = chain});
    assert_true(link->accepted);
}

static void a_password_counts_and_the_certificate_beside_it_takes_no_room(void **state)
{
    struct world *w = *state;
    struct buf token = buf_capped(4096);
    struct secret key = device_key();
    sas_sign(&token, SLICE(SCOPE "%2fregistrations%2fdev1"), T0 / 1000000 + 3600, &key,
             SLICE("registration"));
    char password[1000];
    (void)snprintf(password, sizeof password, "%.*s", SLICE_ARG(buf_slice(&token)));
    buf_release(&token);
    struct chain *chain = chain_of(device(w, "dev1", root_of(w, "Somebody")), NULL, NULL);
    assert_false(chain_rests(chain));
    struct mqtt_link *link =
        dial(w, (struct dial){.client_id = "dev1", .password = password, .chain = chain});
    assert_true(link->accepted);
    assert_true(chain_rests(chain));
    register_over(link, "$dps/registrations/res/200/?$rid=7");
}

static void a_certificate_that_is_not_let_in_may_connect_and_hears_why_when_it_registers(void **state)
{
    struct world *w = *state;
    struct certificate *root = root_of(w, "New root");
    struct mqtt_link *link = dial_showing(w, "dev3", device(w, "dev3", root));
    assert_true(link->accepted);
    assert_true(link->max_packet <= SMALL);
    assert_int_equal(link->expires_us, w->now_us + 30 * INT64_C(1000000));
    register_over(link, "$dps/registrations/res/401/?$rid=7");
    assert_non_null(strstr(link->body, "\"errorCode\":401002"));
    assert_null(strstr(link->body, "New root")); // strangers learn nothing
    assert_true(link->expires_us != 0);
    // meanwhile an operator sees it in the log, and makes a group for it
    put_ca(w, "new", root, true);
    put_group(w, "new", root, PROVISIONING_ENABLED);
    register_over(link, "$dps/registrations/res/200/?$rid=7");
    assert_true(link->max_packet > LARGE);
    assert_int_equal(link->expires_us, 0);
}

static void a_certificate_is_not_judged_before_its_device_asks(void **state)
{
    struct world *w = *state;
    struct mqtt_link *link = dial_showing(w, "dev3", device(w, "dev3", fleet(w)));
    assert_true(link->accepted);
    assert_int_equal(flow_under_way(w->flow), 0);
    assert_true(link->max_packet <= SMALL);
    assert_int_equal(link->expires_us, w->now_us + 30 * INT64_C(1000000));
}

static void send_large(struct mqtt_link *link)
{
    assert_true(link->may_ask > LARGE);
    link->door.large(link->session);
    for (int i = 0; i < 2000 && link->max_packet <= SMALL && !link->closed; i++)
        deliver(link->world, 2);
}

static void the_first_message_of_a_device_that_is_let_in_may_be_large(void **state)
{
    struct world *w = *state;
    struct mqtt_link *link = dial_showing(w, "dev3", device(w, "dev3", fleet(w)));
    send_large(link);
    assert_true(!link->closed && link->max_packet > LARGE && link->expires_us == 0);
}

static void a_large_message_of_a_stranger_ends_the_connection(void **state)
{
    struct world *w = *state;
    struct mqtt_link *link = dial_showing(w, "dev4", device(w, "dev4", NULL));
    send_large(link);
    assert_true(link->closed);
    assert_int_equal(link->closed_for, ERR_CAPPED);
    assert_true(link->max_packet <= SMALL);
}

static void a_large_message_behind_a_call_that_is_let_in_is_taken(void **state)
{
    struct world *w = *state;
    struct mqtt_link *link = dial_showing(w, "dev3", device(w, "dev3", fleet(w)));
    publish(link);
    send_large(link);
    assert_true(link->max_packet > LARGE);
    until_idle(w);
    assert_false(link->closed);
    assert_int_equal(link->published, 1);
}

static void a_device_that_waits_before_it_asks_is_judged_and_may_stay(void **state)
{
    struct world *w = *state;
    struct certificate *leaf = device(w, "dev3", fleet(w));
    struct mqtt_link *link = dial_showing(w, "dev3", leaf);
    struct mqtt_link *stranger = dial_showing(w, "dev4", device(w, "dev4", NULL));
    pass(w, 1999);
    assert_int_equal(flow_under_way(w->flow), 0);
    pass(w, 1);
    until_idle(w);
    assert_true(link->max_packet > LARGE);
    assert_int_equal(link->expires_us, 0);
    assert_false(stranger->closed);
    assert_true(stranger->max_packet <= SMALL);
    assert_true(stranger->expires_us != 0);
    assert_true(chain_rests(link->chain)); // either takes no more room than one that was always judged first
    assert_true(chain_rests(stranger->chain));
}

static void a_connection_that_dies_before_it_asks_leaves_nothing(void **state)
{
    struct world *w = *state;
    struct mqtt_link *link = dial_showing(w, "dev3", device(w, "dev3", fleet(w)));
    hang_up(link);
    pass(w, 5000);
    assert_int_equal(flow_under_way(w->flow), 0);
    link = dial_showing(w, "dev3", device(w, "dev3", NULL));
    link->door.large(link->session);
    hang_up(link); // before the store answers
    until_idle(w);
}

// Judging a chain of six costs more than asking for it.
static void a_connection_that_asks_in_vain_again_and_again_is_closed(void **state)
{
    struct world *w = *state;
    struct certificate *root = fleet(w);
    struct mqtt_link *stranger = dial_showing(w, "dev4", device(w, "dev4", NULL));
    struct mqtt_link *link = dial_showing(w, "dev3", device(w, "dev3", root));
    for (unsigned i = 0; i < 2 * 7; i++) { // but not one that is let in from time to time
        if (i == 7) {
            put_group(w, "Fleet", root, PROVISIONING_ENABLED);
            register_over(link, "$dps/registrations/res/200/?$rid=7");
        }
        put_group(w, "Fleet", root, PROVISIONING_DISABLED);
        register_over(link, "$dps/registrations/res/401/?$rid=7");
    }
    assert_false(link->closed);
    register_over(link, "$dps/registrations/res/401/?$rid=7");
    assert_true(link->closed); // with the answer
    for (unsigned i = 0; i < 8; i++) {
        assert_false(stranger->closed);
        register_over(stranger, "$dps/registrations/res/401/?$rid=7");
    }
    assert_true(stranger->closed);
}

static void a_connection_stays_and_every_call_is_judged_anew(void **state)
{
    struct world *w = *state;
    struct certificate *root = fleet(w);
    struct mqtt_link *link = dial_showing(w, "dev3", device(w, "dev3", root));
    register_over(link, "$dps/registrations/res/200/?$rid=7");
    put_group(w, "Fleet", root, PROVISIONING_DISABLED);
    register_over(link, "$dps/registrations/res/401/?$rid=7");
    assert_non_null(strstr(link->body, "\"errorCode\":401002"));
    assert_non_null(strstr(link->body, "disabled"));
    put_group(w, "Fleet", root, PROVISIONING_ENABLED);
    register_over(link, "$dps/registrations/res/200/?$rid=7");
}

static void a_device_that_is_disabled_may_connect_to_be_told_so(void **state)
{
    struct world *w = *state;
    struct certificate *leaf = device(w, "dev3", NULL);
    put_individual(w, "dev3", leaf, NULL, PROVISIONING_DISABLED);
    struct mqtt_link *link = dial_showing(w, "dev3", leaf);
    assert_true(link->accepted);
    register_over(link, "$dps/registrations/res/401/?$rid=7");
    assert_non_null(strstr(link->body, "disabled"));
}

static void what_has_nothing_to_do_with_the_certificate_refuses_the_connection(void **state)
{
    struct world *w = *state;
    struct certificate *leaf = device(w, "dev3", fleet(w));
    const struct {
        struct dial dial;
        enum err_code code;
    } table[] = {
        {{.client_id = "dev3"}, ERR_CREDENTIAL_MISSING},
        {{.client_id = "dev3", .scope = "0ne00000000", .chain = chain_of(leaf, NULL, NULL)},
         ERR_SCOPE_UNKNOWN},
        {{.client_id = "SharedAccessSignature sig=x", .user_id = "dev3", .chain = chain_of(leaf, NULL, NULL)},
         ERR_IDENTITY_MISMATCH},
        {{.client_id = "dev 3", .chain = chain_of(leaf, NULL, NULL)}, ERR_INVALID},
        // whoever sends a token is judged by it
        {{.client_id = "dev3", .password = "secret", .chain = chain_of(leaf, NULL, NULL)}, ERR_SAS_MALFORMED},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct mqtt_link *link = dial(w, table[i].dial);
        if (link->accepted || link->refused != table[i].code)
            fail_msg("row %zu: %s", i, err_info(FAIL(link->refused))->name);
        hang_up(link);
    }
}

static void a_connection_that_dies_takes_nothing_from_its_call(void **state)
{
    struct world *w = *state;
    struct mqtt_link *link = dial_showing(w, "dev3", device(w, "dev3", fleet(w)));
    publish(link);
    hang_up(link); // before the store answers
    until_idle(w);
    assert_int_equal(stored_registration(w, SLICE("dev3"))->status, STATUS_ASSIGNED);
}

// ---- with a TPM (docs/tpm-over-mqtt.md)
// ----------------------------------------------------------------------------------------------------

#define REGISTER "$dps/registrations/PUT/iotdps-register/?$rid=7"

static struct mqtt_link *dial_with_tpm(struct world *w)
{
    put_tpm_enrollment(w, "tpm1", tpm_of(0));
    return dial(w, (struct dial){.client_id = "tpm1", .options = "&attestation=tpm"});
}

static const char *answer_with(struct world *w, const struct secret *key, const struct tpm *tpm)
{
    struct slice text = {0};
    assert_false(failed(arena_printf(&w->arena, &text, "\"authorization\":\"%s\"%s%c",
                                     token_of(w, "tpm1", key), tpm != NULL ? "," : "}", 0)));
    if (tpm != NULL)
        return tpm_json(w, (const char *)text.at, tpm);
    assert_false(failed(arena_printf(&w->arena, &text, "{%s%c", (const char *)text.at, 0)));
    return (const char *)text.at;
}

static struct secret be_asked(struct world *w, struct mqtt_link *link)
{
    exchange(link, REGISTER, tpm_json(w, "", tpm_of(0)), "$dps/registrations/res/401/?$rid=7");
    assert_non_null(strstr(link->body, "{\"message\":\"Authorization required\",\"authenticationKey\":\""));
    assert_non_null(strstr(link->body, "\"keyName\":\"registration\"}"));
    struct secret key = planted(w, "tpm1", mqtt_link_connection(link));
    assert_int_equal(key.len, 32);
    return key;
}

static void a_tpm_is_asked_when_it_registers_and_polls_with_nothing(void **state)
{
    struct world *w = *state;
    struct mqtt_link *link = dial_with_tpm(w);
    assert_true(link->accepted);
    assert_true(link->max_packet < LARGE);
    assert_int_equal(link->expires_us, w->now_us + 60 * INT64_C(1000000));
    struct secret key = be_asked(w, link);
    assert_true(link->expires_us != 0); // it has proved nothing yet
    exchange(link, REGISTER, answer_with(w, &key, tpm_of(0)), "$dps/registrations/res/200/?$rid=7");
    assert_non_null(strstr(link->body, "\"tpm\":{\"authenticationKey\":\""));
    assert_int_equal(link->expires_us, 0);
    assert_true(link->max_packet > LARGE);
    const char *operation = strstr(link->body, "\"operationId\":\"") + strlen("\"operationId\":\"");
    char poll[200];
    (void)snprintf(poll, sizeof poll,
                   "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=8&operationId=%.*s",
                   (int)strcspn(operation, "\""), operation);
    exchange(link, poll, "", "$dps/registrations/res/200/?$rid=8");
    assert_non_null(strstr(link->body, "\"tpm\":{\"authenticationKey\":\""));
    exchange(link, REGISTER, answer_with(w, &key, NULL), "$dps/registrations/res/401/?$rid=7"); // once only
    assert_non_null(strstr(link->body, "\"errorCode\":401002"));
    key = be_asked(w, link); // the next registration, on the same connection
    exchange(link, REGISTER, answer_with(w, &key, NULL), "$dps/registrations/res/200/?$rid=7");
}

static void an_answer_is_of_no_use_on_another_connection(void **state)
{
    struct world *w = *state;
    struct mqtt_link *link = dial_with_tpm(w);
    struct mqtt_link *other = dial(w, (struct dial){.client_id = "tpm1", .options = "&attestation=tpm"});
    struct secret key = be_asked(w, link);
    exchange(other, REGISTER, answer_with(w, &key, NULL), "$dps/registrations/res/401/?$rid=7");
    assert_non_null(strstr(other->body, "\"errorCode\":401002"));
    exchange(link, REGISTER, answer_with(w, &key, NULL), "$dps/registrations/res/200/?$rid=7");
}

static void before_the_proof_there_is_nothing_to_be_had(void **state)
{
    struct world *w = *state;
    struct mqtt_link *link = dial_with_tpm(w);
    exchange(link, "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=7&operationId=5.0.0", "",
             "$dps/registrations/res/401/?$rid=7");
    assert_non_null(strstr(link->body, "\"errorCode\":401002"));
    exchange(link, REGISTER, "", "$dps/registrations/res/400/?$rid=7");
    assert_non_null(strstr(link->body, "`tpm`"));
    exchange(link, REGISTER, "{\"tpm\":{\"endorsementKey\":\"AAAA\"}}", "$dps/registrations/res/400/?$rid=7");
    assert_non_null(strstr(link->body, "tpm.endorsementKey"));
    exchange(link, REGISTER, tpm_json(w, "", tpm_of(1)), "$dps/registrations/res/401/?$rid=7");
    assert_non_null(strstr(link->body, "\"errorCode\":401002"));
}

static void a_device_that_only_asks_for_challenges_is_closed_in_the_end(void **state)
{
    struct world *w = *state;
    struct mqtt_link *link = dial_with_tpm(w);
    for (int i = 0; i < 31; i++)
        (void)be_asked(w, link);
    assert_false(link->closed);
    (void)be_asked(w, link);
    assert_true(link->closed);
}

// Nobody gets in without a proof who does not ask for this.
static void the_option_is_one_only_where_it_stands_alone(void **state)
{
    struct world *w = *state;
    put_tpm_enrollment(w, "tpm1", tpm_of(0));
    const struct {
        const char *options;
        bool tpm;
    } table[] = {
        {"", false},
        {"&attestation=tpm", true},
        {"&attestation=tpm&ClientVersion=x", true},
        {"&ClientVersion=a b&attestation=tpm", true},
        {"&ClientVersion=attestation=tpm", false},
        {"&attestation=tpm2", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct mqtt_link *link = dial(w, (struct dial){.client_id = "tpm1", .options = table[i].options});
        if (link->accepted != table[i].tpm)
            fail_msg("%s", table[i].options);
        hang_up(link);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(a_device_with_a_certificate_needs_no_password),
        TEST(a_device_that_registers_again_hears_what_its_version_knows),
        TEST(an_empty_password_is_none),
        TEST(a_password_counts_and_the_certificate_beside_it_takes_no_room),
        TEST(a_certificate_that_is_not_let_in_may_connect_and_hears_why_when_it_registers),
        TEST(a_certificate_is_not_judged_before_its_device_asks),
        TEST(the_first_message_of_a_device_that_is_let_in_may_be_large),
        TEST(a_large_message_of_a_stranger_ends_the_connection),
        TEST(a_large_message_behind_a_call_that_is_let_in_is_taken),
        TEST(a_device_that_waits_before_it_asks_is_judged_and_may_stay),
        TEST(a_connection_that_dies_before_it_asks_leaves_nothing),
        TEST(a_connection_that_asks_in_vain_again_and_again_is_closed),
        TEST(a_connection_stays_and_every_call_is_judged_anew),
        TEST(a_device_that_is_disabled_may_connect_to_be_told_so),
        TEST(what_has_nothing_to_do_with_the_certificate_refuses_the_connection),
        TEST(a_connection_that_dies_takes_nothing_from_its_call),
        TEST(a_tpm_is_asked_when_it_registers_and_polls_with_nothing),
        TEST(an_answer_is_of_no_use_on_another_connection),
        TEST(before_the_proof_there_is_nothing_to_be_had),
        TEST(a_device_that_only_asks_for_challenges_is_closed_in_the_end),
        TEST(the_option_is_one_only_where_it_stands_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Devices that prove themselves by a certificate: who is let in, what the hub and the record are told, and
// what counts when things change while they are connected.
#include "flow/flow_pki_test.h"

#include <stdio.h>

#include "crypto/hmac.h"

// As the hub shows it: SHA-256 in capital hex.
static void assert_thumbprint(struct slice have, const struct certificate *c)
{
    uint8_t digest[SHA256_SIZE];
    char want[2 * SHA256_SIZE + 1];
    assert_false(failed(sha256(c->der, digest)));
    for (size_t i = 0; i < SHA256_SIZE; i++)
        (void)snprintf(want + 2 * i, 3, "%02X", digest[i]);
    assert_slice(have, want);
}

// ---- who is let in
// ------------------------------------------------------------------------------------------------

static void a_device_of_a_group_is_assigned_and_the_hub_knows_it_by_its_certificate(void **state)
{
    struct world *w = *state;
    struct certificate *leaf = device(w, "Dev-7", fleet(w));
    w->hub_answers = false;
    show_and_leave(w, FLOW_REGISTER, "dev-7", "", leaf, NULL, NULL);
    until_hub_called(w, 1);
    const struct hub_identity *identity = &w->calls[0]->identity;
    assert_int_equal(identity->authentication, HUB_AUTH_SELF_SIGNED);
    assert_int_equal(identity->primary_key.len, 0);
    assert_thumbprint(identity->primary_thumbprint, leaf);
    assert_thumbprint(identity->secondary_thumbprint, leaf);
    assert_slice(identity->device_id, "Dev-7"); // as the certificate spells it
    const struct registration *r = stored_registration(w, SLICE("dev-7"));
    assert_int_equal(r->status, STATUS_ASSIGNING);
    assert_thumbprint(r->primary_thumbprint, leaf); // with the intent: before the hub is called
    answer_hub(w, OK);
    until_answers(w, 1);
    assert_assigned(w);
    assert_int_equal(w->attestation, ATTESTATION_X509);
    assert_string_equal(w->group, "Fleet");
    r = stored_registration(w, SLICE("dev-7"));
    assert_int_equal(r->status, STATUS_ASSIGNED);
    assert_slice(r->enrollment_id, "fleet");
    assert_thumbprint(r->primary_thumbprint, leaf);
    assert_thumbprint(r->secondary_thumbprint, leaf);
}

static void an_enrolled_certificate_lets_one_device_in_and_the_hub_takes_the_other_one_too(void **state)
{
    struct world *w = *state;
    struct certificate *first = device(w, "dev2", NULL);
    struct certificate *second = device(w, "dev2", NULL);
    put_individual(w, "dev2", first, second, PROVISIONING_ENABLED);
    w->hub_answers = false;
    show_and_leave(w, FLOW_REGISTER, "DEV2", "", second, NULL, NULL);
    until_hub_called(w, 1);
    assert_thumbprint(w->calls[0]->identity.primary_thumbprint, second);
    assert_thumbprint(w->calls[0]->identity.secondary_thumbprint, first);
    answer_hub(w, OK);
    until_answers(w, 1);
    assert_assigned(w);
    assert_string_equal(w->group, "");
    const struct registration *r = stored_registration(w, SLICE("dev2"));
    assert_thumbprint(r->primary_thumbprint, second);
    assert_thumbprint(r->secondary_thumbprint, first);
}

static void a_leaf_alone_is_enough_when_the_service_knows_all_that_is_above_it(void **state)
{
    struct world *w = *state;
    struct certificate *above[4] = {root_of(w, "level 0")};
    put_ca(w, "level-0", above[0], true);
    put_group_by_name(w, "all", "Level-0");
    for (int i = 1; i < 4; i++) {
        char name[32];
        char key[32];
        (void)snprintf(name, sizeof name, "level %d", i);
        (void)snprintf(key, sizeof key, "level-%d", i);
        above[i] = below(w, name, above[i - 1]);
        put_ca(w, key, above[i], false);
        char id[32];
        (void)snprintf(id, sizeof id, "under-%d", i);
        enter(w, id, device(w, id, above[i]), NULL);
        assert_assigned(w);
        assert_string_equal(w->group, "all");
    }
}

static void a_chain_closes_the_gap_between_what_the_service_knows(void **state)
{
    struct world *w = *state;
    struct certificate *root = fleet(w);
    struct certificate *line = below(w, "Line 1", root);
    struct certificate *station = below(w, "Station 4", line);
    struct certificate *leaf = device(w, "dev3", station);
    show_and_leave(w, FLOW_REGISTER, "dev3", "", leaf, station, line);
    until_answers(w, 1);
    assert_assigned(w);
    enter(w, "dev3", leaf, station); // the line is missing
    assert_refused(w, ERR_CERTIFICATE_UNTRUSTED);
}

static void connecting_and_asking_count_as_registering_does(void **state)
{
    struct world *w = *state;
    struct certificate *root = fleet(w);
    struct certificate *leaf = device(w, "dev3", root);
    struct certificate *stranger = device(w, "dev3", root_of(w, "Somebody"));
    show_and_leave(w, FLOW_AUTHENTICATE, "dev3", "", leaf, NULL, NULL);
    until_answers(w, 1);
    assert_false(failed(w->result));
    assert_null(stored_registration(w, SLICE("dev3"))); // it only connected
    show_and_leave(w, FLOW_AUTHENTICATE, "dev3", "", stranger, NULL, NULL);
    until_answers(w, 2);
    assert_refused(w, ERR_CERTIFICATE_UNTRUSTED);
    enter(w, "dev3", leaf, NULL);
    char operation[80];
    memcpy(operation, w->operation, sizeof operation);
    show_and_leave(w, FLOW_OPERATION, "dev3", operation, leaf, NULL, NULL);
    until_answers(w, 4);
    assert_assigned(w);
    show_and_leave(w, FLOW_OPERATION, "dev3", operation, stranger, NULL, NULL);
    until_answers(w, 5);
    assert_refused(w, ERR_CERTIFICATE_UNTRUSTED);
    show_and_leave(w, FLOW_LOOKUP, "dev3", "", leaf, NULL, NULL);
    until_answers(w, 6);
    assert_assigned(w);
    show_and_leave(w, FLOW_LOOKUP, "dev3", "", stranger, NULL, NULL);
    until_answers(w, 7);
    assert_refused(w, ERR_CERTIFICATE_UNTRUSTED);
}

static void who_is_not_let_in_hears_one_answer_and_leaves_no_record(void **state)
{
    struct world *w = *state;
    struct certificate *root = fleet(w);
    struct certificate *unverified = root_of(w, "Unverified");
    put_ca(w, "unverified", unverified, false);
    put_group(w, "unverified", unverified, PROVISIONING_ENABLED);
    struct certificate *no_group = root_of(w, "No group");
    put_ca(w, "no-group", no_group, true);
    put_individual(w, "pinned", device(w, "pinned", NULL), NULL, PROVISIONING_ENABLED);
    put_enrollment(w, "keyed", PROVISIONING_ENABLED);
    const struct {
        const char *id;
        const struct certificate *leaf;
        enum err_code code;
    } table[] = {
        {"dev", device(w, "dev", root_of(w, "Somebody")), ERR_CERTIFICATE_UNTRUSTED},
        {"dev", device(w, "dev", unverified), ERR_CERTIFICATE_UNTRUSTED},
        {"dev", device(w, "dev", no_group), ERR_REGISTRATION_UNKNOWN},
        {"dev", device(w, "other", root), ERR_IDENTITY_MISMATCH},
        {"dev", below(w, "dev", root), ERR_CERTIFICATE_REFUSED}, // a CA is no device
        {"dev", make(w, BENCH_SERVER, "dev", root, 0), ERR_CERTIFICATE_REFUSED},
        {"keyed", device(w, "keyed", root), ERR_ATTESTATION_TYPE},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        enter(w, table[i].id, table[i].leaf, NULL);
        if (w->result.code != table[i].code)
            fail_msg("row %zu: %s: %s", i, err_info(w->result)->name, w->why.text);
        assert_refused(w, table[i].code);
        assert_null(stored_registration(w, slice_text(table[i].id)));
    }
    assert_int_equal(w->hub_calls, 0);
}

static void a_certificate_counts_until_its_end(void **state)
{
    struct world *w = *state;
    struct certificate *leaf = make(w, BENCH_DEVICE, "dev3", fleet(w), 1);
    enter(w, "dev3", leaf, NULL);
    assert_assigned(w);
    w->now_us += 25 * 3600 * INT64_C(1000000);
    enter(w, "dev3", leaf, NULL);
    assert_refused(w, ERR_CERTIFICATE_EXPIRED);
}

static void a_root_that_expired_counts_only_where_the_operator_says_so(void **state)
{
    struct world *w = *state;
    struct certificate *root = make(w, BENCH_ROOT, "Old root", NULL, 30);
    put_ca(w, "old", root, true);
    put_group(w, "old", root, PROVISIONING_ENABLED);
    struct certificate *leaf = device(w, "dev3", root);
    w->now_us += 31 * 86400 * INT64_C(1000000);
    enter(w, "dev3", leaf, NULL);
    assert_refused(w, ERR_CERTIFICATE_EXPIRED);
    flow_free(w->flow);
    w->settings.expired_anchors = true;
    make_flow(w);
    enter(w, "dev3", leaf, NULL);
    assert_assigned(w);
}

static void a_certificate_on_its_issuers_list_is_refused_and_no_other(void **state)
{
    struct world *w = *state;
    struct certificate *root = fleet(w);
    struct certificate *lost = device(w, "lost", root);
    put_ca_with_list(w, "factory", root, true, lost);
    for (int i = 0; i < 2; i++) { // the second time the list is known already
        enter(w, "lost", lost, NULL);
        assert_refused(w, ERR_CERTIFICATE_REVOKED);
        enter(w, "dev3", device(w, "dev3", root), NULL);
        assert_assigned(w);
    }
    put_ca_with_list(w, "factory", root, true, NULL); // a new list counts at once
    enter(w, "lost", lost, NULL);
    assert_assigned(w);
}

static void the_lists_of_all_that_is_above_a_leaf_are_looked_up_too(void **state)
{
    struct world *w = *state;
    struct certificate *above[4] = {root_of(w, "level 0")};
    put_ca_with_list(w, "level-0", above[0], true, NULL);
    put_group_by_name(w, "all", "level-0");
    for (int i = 1; i < 4; i++) {
        char name[32];
        char key[32];
        (void)snprintf(name, sizeof name, "level %d", i);
        (void)snprintf(key, sizeof key, "level-%d", i);
        above[i] = below(w, name, above[i - 1]);
        put_ca_with_list(w, key, above[i], false, NULL);
    }
    struct certificate *leaf = device(w, "dev3", above[3]);
    enter(w, "dev3", leaf, NULL);
    assert_assigned(w);
    put_ca_with_list(w, "level-0", above[0], true, above[1]);
    enter(w, "dev3", leaf, NULL);
    assert_refused(w, ERR_CERTIFICATE_REVOKED);
}

// ---- what changes while devices are connected
// ----------------------------------------------------------------------

static void what_an_operator_disables_counts_at_the_next_call(void **state)
{
    struct world *w = *state;
    struct certificate *root = fleet(w);
    struct certificate *leaf = device(w, "dev3", root);
    struct certificate *sibling = device(w, "dev4", root);
    struct chain *chain = chain_of(leaf, NULL, NULL); // of a connection that stays open
    ask_showing(w, FLOW_REGISTER, "dev3", "", chain);
    until_answers(w, 1);
    assert_assigned(w);
    put_individual(w, "blocked", leaf, NULL, PROVISIONING_DISABLED); // this certificate, under any name
    ask_showing(w, FLOW_REGISTER, "dev3", "", chain);
    until_answers(w, 2);
    assert_refused(w, ERR_ENROLLMENT_DISABLED);
    enter(w, "dev4", sibling, NULL);
    assert_assigned(w);
    put_group(w, "Fleet", root, PROVISIONING_DISABLED);
    enter(w, "dev4", sibling, NULL);
    assert_refused(w, ERR_ENROLLMENT_DISABLED);
    const struct registration *r = stored_registration(w, SLICE("dev4"));
    assert_int_equal(r->status, STATUS_DISABLED);
    assert_thumbprint(r->primary_thumbprint, sibling); // the hub still has it
    size_t calls = w->hub_calls;
    ask_showing(w, FLOW_AUTHENTICATE, "dev3", "", chain); // to be told so when it registers
    until_answers(w, 5);
    assert_false(failed(w->result));
    assert_int_equal(w->hub_calls, calls);
    chain_release(chain);
}

static void a_ca_certificate_that_is_taken_away_counts_at_the_next_call(void **state)
{
    struct world *w = *state;
    struct certificate *root = fleet(w);
    struct certificate *leaf = device(w, "dev3", root);
    struct chain *chain = chain_of(leaf, NULL, NULL);
    ask_showing(w, FLOW_REGISTER, "dev3", "", chain);
    until_answers(w, 1);
    assert_assigned(w);
    struct store_request gone = {
        .verb = STORE_DELETE, .table = STORE_CERTIFICATE, .partition = SLICE(SCOPE), .key = SLICE("factory")};
    store_do(w, &gone);
    assert_false(failed(gone.result));
    ask_showing(w, FLOW_REGISTER, "dev3", "", chain);
    until_answers(w, 2);
    assert_refused(w, ERR_CERTIFICATE_UNTRUSTED);
    chain_release(chain);
}

static void a_new_certificate_takes_the_place_of_the_old_one_in_hub_and_record(void **state)
{
    struct world *w = *state;
    struct certificate *root = fleet(w);
    struct certificate *renewed = device(w, "dev3", root);
    enter(w, "dev3", device(w, "dev3", root), NULL);
    assert_assigned(w);
    w->hub_answers = false;
    show_and_leave(w, FLOW_REGISTER, "dev3", "", renewed, NULL, NULL);
    until_hub_called(w, 2);
    assert_thumbprint(w->calls[0]->identity.primary_thumbprint, renewed);
    assert_thumbprint(w->calls[0]->identity.secondary_thumbprint, renewed);
    answer_hub(w, OK);
    until_answers(w, 2);
    assert_assigned(w);
    assert_thumbprint(stored_registration(w, SLICE("dev3"))->primary_thumbprint, renewed);
}

static void two_calls_at_once_with_one_certificate_end_in_one_operation(void **state)
{
    struct world *w = *state;
    struct certificate *leaf = device(w, "dev3", fleet(w));
    w->hub_answers = false;
    show_and_leave(w, FLOW_REGISTER, "dev3", "", leaf, NULL, NULL);
    until_hub_called(w, 1);
    show_and_leave(w, FLOW_REGISTER, "dev3", "", leaf, NULL, NULL);
    for (int i = 0; i < 20; i++) {
        deliver(w, 1);
        pass(w, 5);
    }
    answer_hub(w, OK);
    until_answers(w, 2);
    assert_assigned(w);
    assert_int_equal(w->hub_calls, 1);
}

static void a_call_with_a_new_certificate_is_not_answered_by_an_operation_with_the_old_one(void **state)
{
    struct world *w = *state;
    struct certificate *root = fleet(w);
    struct certificate *renewed = device(w, "dev3", root);
    w->hub_answers = false;
    show_and_leave(w, FLOW_REGISTER, "dev3", "", device(w, "dev3", root), NULL, NULL);
    until_hub_called(w, 1);
    show_and_leave(w, FLOW_REGISTER, "dev3", "", renewed, NULL, NULL);
    for (int i = 0; i < 20; i++) { // it waits for the first
        deliver(w, 1);
        pass(w, 5);
    }
    assert_int_equal(w->hub_calls, 1);
    answer_hub(w, OK);
    for (int i = 0; i < 200 && w->hub_calls < 2; i++) {
        deliver(w, 2);
        pass(w, 10);
    }
    assert_int_equal(w->hub_calls, 2);
    assert_thumbprint(w->calls[0]->identity.primary_thumbprint, renewed);
    answer_hub(w, OK);
    until_answers(w, 2);
    assert_assigned(w);
}

static void a_certificate_enrolled_meanwhile_is_taken_to_the_hub_too(void **state)
{
    struct world *w = *state;
    struct certificate *first = device(w, "dev2", NULL);
    struct certificate *second = device(w, "dev2", NULL);
    put_individual(w, "dev2", first, NULL, PROVISIONING_ENABLED);
    w->hub_answers = false;
    show_and_leave(w, FLOW_REGISTER, "dev2", "", first, NULL, NULL);
    until_hub_called(w, 1);
    put_individual(w, "dev2", first, second, PROVISIONING_ENABLED);
    show_and_leave(w, FLOW_REGISTER, "dev2", "", first, NULL, NULL);
    for (int i = 0; i < 20; i++) { // it waits for the first
        deliver(w, 1);
        pass(w, 5);
    }
    answer_hub(w, OK);
    for (int i = 0; i < 200 && w->hub_calls < 2; i++) {
        deliver(w, 2);
        pass(w, 10);
    }
    assert_int_equal(w->hub_calls, 2);
    assert_thumbprint(w->calls[0]->identity.secondary_thumbprint, second);
    answer_hub(w, OK);
    until_answers(w, 2);
    assert_assigned(w);
    assert_thumbprint(stored_registration(w, SLICE("dev2"))->secondary_thumbprint, second);
}

static void a_device_that_changes_to_keys_is_no_longer_recorded_by_its_certificate(void **state)
{
    struct world *w = *state;
    enter(w, "dev3", device(w, "dev3", fleet(w)), NULL);
    assert_assigned(w);
    put_enrollment(w, "dev3", PROVISIONING_ENABLED);
    ask(w, FLOW_REGISTER, "dev3", "");
    until_answers(w, 2);
    assert_assigned(w);
    const struct registration *r = stored_registration(w, SLICE("dev3"));
    assert_int_equal(r->primary_thumbprint.len, 0);
    assert_int_equal(r->secondary_thumbprint.len, 0);
}

// A device may show what it likes: no number of records that its certificates lead to hides the group that
// blocks its branch.
static void a_disabled_group_cannot_be_hidden_behind_others(void **state)
{
    struct world *w = *state;
    struct certificate *root = root_of(w, "Root");
    struct certificate *line = below(w, "Line", root);
    struct certificate *other = root_of(w, "Other");
    struct chain *chain = chain_of(device(w, "dev3", line), line, below(w, "of nobody", other));
    put_ca(w, "root", root, true);
    put_ca(w, "other", other, true);
    put_group(w, "z", line, PROVISIONING_DISABLED); // of all, the last that is found
    put_group(w, "fleet", root, PROVISIONING_ENABLED);
    ask_showing(w, FLOW_REGISTER, "dev3", "", chain);
    until_answers(w, 1);
    assert_refused(w, ERR_ENROLLMENT_DISABLED);
    for (unsigned i = 0; i < STORE_FOUND_MAX; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "other-%u", i);
        put_group_by_name(w, id, i % 2 == 0 ? "other" : "root");
    }
    ask_showing(w, FLOW_REGISTER, "dev3", "", chain);
    until_answers(w, 2);
    chain_release(chain);
    assert_refused(w, ERR_CERTIFICATE_REFUSED);
    assert_non_null(strstr(w->why.text, "64 or more"));
    enter(w, "dev4", device(w, "dev4", root), NULL); // nobody is nearer than the group of its issuer
    assert_assigned(w);
}

// ---- restarts
// --------------------------------------------------------------------------------------------------------

static void a_restart_goes_on_with_the_thumbprints_that_were_recorded(void **state)
{
    struct world *w = *state;
    struct certificate *leaf = device(w, "dev3", fleet(w));
    w->hub_answers = false;
    show_and_leave(w, FLOW_REGISTER, "dev3", "", leaf, NULL, NULL);
    until_hub_called(w, 1);
    struct flow *crashed = w->flow; // its call at the hub is never answered
    make_flow(w);
    flow_resume(w->flow);
    until_hub_called(w, 2);
    const struct hub_identity *identity = &w->calls[1]->identity;
    assert_int_equal(identity->authentication, HUB_AUTH_SELF_SIGNED);
    assert_thumbprint(identity->primary_thumbprint, leaf);
    assert_thumbprint(identity->secondary_thumbprint, leaf);
    assert_slice(identity->device_id, "dev3");
    answer_hub(w, OK);
    until_idle(w);
    const struct registration *r = stored_registration(w, SLICE("dev3"));
    assert_int_equal(r->status, STATUS_ASSIGNED);
    assert_thumbprint(r->primary_thumbprint, leaf);
    struct flow *resumed = w->flow;
    w->flow = crashed;
    answer_hub(w, OK);
    until_idle(w);
    flow_free(w->flow);
    w->flow = resumed;
}

static void a_group_disabled_while_the_hub_is_away_lets_nobody_in(void **state)
{
    struct world *w = *state;
    struct certificate *root = fleet(w);
    w->hub_result = FAIL(ERR_HUB_UNAVAILABLE);
    show_and_leave(w, FLOW_REGISTER, "dev3", "", device(w, "dev3", root), NULL, NULL);
    until_hub_called(w, 1);
    put_group(w, "Fleet", root, PROVISIONING_DISABLED);
    size_t calls = w->hub_calls;
    w->hub_result = OK;
    until_answers(w, 1);
    until_idle(w);
    assert_int_equal(w->hub_calls, calls);
    assert_int_equal(stored_registration(w, SLICE("dev3"))->status, STATUS_DISABLED);
}

// ---- what is logged
// ------------------------------------------------------------------------------------------------

static void a_line_says_how_a_device_was_let_in_and_why_another_was_not(void **state)
{
    struct world *w = *state;
    struct certificate *root = fleet(w);
    enter(w, "dev3", device(w, "dev3", root), NULL);
    assert_non_null(strstr(w->line, "\"event\":\"registration.assigned\""));
    assert_non_null(strstr(w->line, "\"trace\":\""));
    assert_non_null(strstr(w->line, "\"group\":\"Fleet\""));
    assert_non_null(strstr(w->line, "plan: device dev3 at " HUB_HOST)); // the end of the trace
    enter(w, "dev3", device(w, "dev3", root_of(w, "Somebody")), NULL);
    assert_non_null(strstr(w->line, "\"event\":\"device.refused\""));
    assert_non_null(strstr(w->line, "\"error\":\"certificate_untrusted\""));
    assert_non_null(strstr(w->line, "Somebody")); // which issuer is not known
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, pki_teardown)
        TEST(a_device_of_a_group_is_assigned_and_the_hub_knows_it_by_its_certificate),
        TEST(an_enrolled_certificate_lets_one_device_in_and_the_hub_takes_the_other_one_too),
        TEST(a_leaf_alone_is_enough_when_the_service_knows_all_that_is_above_it),
        TEST(a_chain_closes_the_gap_between_what_the_service_knows),
        TEST(connecting_and_asking_count_as_registering_does),
        TEST(who_is_not_let_in_hears_one_answer_and_leaves_no_record),
        TEST(a_certificate_counts_until_its_end),
        TEST(a_root_that_expired_counts_only_where_the_operator_says_so),
        TEST(a_certificate_on_its_issuers_list_is_refused_and_no_other),
        TEST(the_lists_of_all_that_is_above_a_leaf_are_looked_up_too),
        TEST(what_an_operator_disables_counts_at_the_next_call),
        TEST(a_ca_certificate_that_is_taken_away_counts_at_the_next_call),
        TEST(a_new_certificate_takes_the_place_of_the_old_one_in_hub_and_record),
        TEST(two_calls_at_once_with_one_certificate_end_in_one_operation),
        TEST(a_call_with_a_new_certificate_is_not_answered_by_an_operation_with_the_old_one),
        TEST(a_certificate_enrolled_meanwhile_is_taken_to_the_hub_too),
        TEST(a_device_that_changes_to_keys_is_no_longer_recorded_by_its_certificate),
        TEST(a_disabled_group_cannot_be_hidden_behind_others),
        TEST(a_restart_goes_on_with_the_thumbprints_that_were_recorded),
        TEST(a_group_disabled_while_the_hub_is_away_lets_nobody_in),
        TEST(a_line_says_how_a_device_was_let_in_and_why_another_was_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Two devices, one name: who keeps it, and what the other one hears and may ask (threats B10).
#include "flow/flow_pki_test.h"

static void another_group_cannot_take_a_device_over(void **state)
{
    struct world *w = *state;
    struct certificate *root = fleet(w);
    struct certificate *rival = root_of(w, "Rival root");
    put_ca(w, "rival", rival, true);
    put_group(w, "rival", rival, PROVISIONING_ENABLED);
    enter(w, "dev3", device(w, "dev3", root), NULL);
    assert_assigned(w);
    struct certificate *thief = device(w, "dev3", rival);
    enter(w, "dev3", thief, NULL);
    assert_refused(w, ERR_REGISTRATION_TAKEN);
    show_and_leave(w, FLOW_LOOKUP, "dev3", "", thief, NULL, NULL);
    until_answers(w, 3);
    assert_refused(w, ERR_REGISTRATION_TAKEN);
    assert_slice(stored_registration(w, SLICE("dev3"))->enrollment_id, "fleet");
}

// A call of a device of the group Fleet is at the hub; its record is deleted, and another call made then.
static void overtake(struct world *w, const struct certificate *leaf, const struct certificate *by)
{
    w->hub_answers = false;
    show_and_leave(w, FLOW_REGISTER, "dev3", "", leaf, NULL, NULL);
    until_hub_called(w, 1);
    delete_registration(w, "dev3");
    w->hub_answers = true;
    enter(w, "dev3", by, NULL);
    assert_assigned(w);
}

static void a_device_whose_name_went_to_another_group_meanwhile_hears_nothing_of_that_one(void **state)
{
    struct world *w = *state;
    struct certificate *leaf = device(w, "dev3", fleet(w));
    struct certificate *rival = root_of(w, "Rival root");
    put_ca(w, "rival", rival, true);
    put_group(w, "rival", rival, PROVISIONING_ENABLED);
    overtake(w, leaf, device(w, "dev3", rival));
    answer_hub(w, OK);
    until_answers(w, 2);
    assert_refused(w, ERR_REGISTRATION_TAKEN);
    until_idle(w);
    assert_int_equal(w->hub_calls, 3); // nor does the hub let it in
    const struct registration *r = stored_registration(w, SLICE("dev3"));
    assert_slice(r->enrollment_id, "rival");
    assert_int_equal(r->status, STATUS_ASSIGNED);
}

// The same when the hub's answer to that call is lost, though it took what it was told.
static void
a_device_whose_name_went_to_another_group_between_two_tries_hears_nothing_of_that_one(void **state)
{
    struct world *w = *state;
    struct certificate *leaf = device(w, "dev3", fleet(w));
    struct certificate *rival = root_of(w, "Rival root");
    put_ca(w, "rival", rival, true);
    put_group(w, "rival", rival, PROVISIONING_ENABLED);
    overtake(w, leaf, device(w, "dev3", rival));
    answer_hub(w, FAIL(ERR_HUB_UNAVAILABLE));
    for (int i = 0; i < 40 && w->answers < 2; i++) {
        deliver(w, 1);
        pass(w, 10);
    }
    until_answers(w, 2);
    assert_refused(w, ERR_REGISTRATION_TAKEN);
    until_idle(w);
    assert_int_equal(w->hub_calls, 3); // nor does the hub let it in
    const struct registration *r = stored_registration(w, SLICE("dev3"));
    assert_slice(r->enrollment_id, "rival");
    assert_int_equal(r->status, STATUS_ASSIGNED);
}

static void a_device_that_was_registered_anew_meanwhile_hears_the_same_on_both_calls(void **state)
{
    struct world *w = *state;
    char operation[80];
    struct certificate *leaf = device(w, "dev3", fleet(w));
    overtake(w, leaf, leaf);
    memcpy(operation, w->operation, sizeof operation);
    answer_hub(w, OK);
    until_answers(w, 2);
    assert_assigned(w);
    assert_string_equal(w->operation, operation);
    assert_int_equal(w->hub_calls, 2);
}

// Who has a name of another group's device may ask for it no more often than others, and takes nothing of
// what that device may ask.
static void who_wants_the_name_of_another_device_is_slowed_down_and_the_device_is_not(void **state)
{
    struct world *w = *state;
    struct certificate *leaf = device(w, "dev3", fleet(w));
    struct certificate *rival = root_of(w, "Rival root");
    struct certificate *thief = device(w, "dev3", rival);
    put_ca(w, "rival", rival, true);
    put_group(w, "rival", rival, PROVISIONING_ENABLED);
    w->flow->settings.device_requests_per_s = 1;
    enter(w, "dev3", leaf, NULL);
    assert_assigned(w);
    for (int i = 0; i < 10; i++) {
        enter(w, "dev3", thief, NULL);
        assert_refused(w, ERR_REGISTRATION_TAKEN);
    }
    enter(w, "dev3", thief, NULL);
    assert_int_equal(w->result.code, ERR_THROTTLED);
    enter(w, "dev3", leaf, NULL);
    assert_assigned(w);
    size_t lines = w->lines;
    pass(w, 1000);
    w->silent = true;
    enter(w, "dev3", thief, NULL);
    assert_refused(w, ERR_REGISTRATION_TAKEN);
    assert_int_equal(w->lines, lines);
}

// A certificate that was taken out of use through another enrollment is refused with a record; the device
// stays the group's all the same.
static void a_refusal_does_not_open_a_device_to_another_group(void **state)
{
    struct world *w = *state;
    struct certificate *root = fleet(w);
    struct certificate *rival = root_of(w, "Rival root");
    struct certificate *leaf = device(w, "dev3", root);
    put_ca(w, "rival", rival, true);
    put_group(w, "rival", rival, PROVISIONING_ENABLED);
    enter(w, "dev3", leaf, NULL);
    assert_assigned(w);
    put_individual(w, "revoked-1", leaf, NULL, PROVISIONING_DISABLED);
    enter(w, "dev3", leaf, NULL);
    assert_refused(w, ERR_ENROLLMENT_DISABLED);
    assert_int_equal(stored_registration(w, SLICE("dev3"))->status, STATUS_DISABLED);
    enter(w, "dev3", device(w, "dev3", rival), NULL);
    assert_refused(w, ERR_REGISTRATION_TAKEN);
    assert_slice(stored_registration(w, SLICE("dev3"))->enrollment_id, "fleet");
    enter(w, "dev3", device(w, "dev3", root), NULL); // its new certificate
    assert_assigned(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, pki_teardown)
        TEST(another_group_cannot_take_a_device_over),
        TEST(a_device_whose_name_went_to_another_group_meanwhile_hears_nothing_of_that_one),
        TEST(a_device_whose_name_went_to_another_group_between_two_tries_hears_nothing_of_that_one),
        TEST(a_device_that_was_registered_anew_meanwhile_hears_the_same_on_both_calls),
        TEST(who_wants_the_name_of_another_device_is_slowed_down_and_the_device_is_not),
        TEST(a_refusal_does_not_open_a_device_to_another_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

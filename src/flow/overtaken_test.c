// Two calls of one device with a TPM at once, and an operator who deletes the record under the first:
// whichever reaches the hub last, the hub ends up with the key that was told.
#include "flow/flow_tpm_test.h"

static int setup(void **state)
{
    if (world_setup(state) != 0)
        return -1;
    put_tpm_enrollment(*state, "tpm1", tpm_of(0));
    return 0;
}

static void assert_assigned(const struct world *w)
{
    assert_false(failed(w->result));
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_true(w->authentication_key_len > 0);
}

// Asks for a challenge and returns the key that the TPM finds in it.
static struct secret be_asked(struct world *w, uint64_t channel)
{
    size_t before = w->answers;
    ask_with_tpm(
        w, &(struct tpm_call){.verb = FLOW_REGISTER, .id = "tpm1", .tpm = tpm_of(0), .channel = channel});
    until_answers(w, before + 1);
    struct secret key = planted(w, "tpm1", channel);
    assert_int_equal(key.len, 32);
    return key;
}

// A call of the device is at the hub with its key; its record is deleted meanwhile, and another call is let
// in. Both are proven, each on its own connection.
static void overtake(struct world *w)
{
    struct secret first = be_asked(w, 1);
    struct secret second = be_asked(w, 2);
    w->hub_answers = false;
    ask_with_tpm(w, &(struct tpm_call){.verb = FLOW_REGISTER, .id = "tpm1", .key = &first, .channel = 1});
    until_hub_called(w, 1);
    delete_registration(w, "tpm1");
    ask_with_tpm(w, &(struct tpm_call){.verb = FLOW_REGISTER, .id = "tpm1", .key = &second, .channel = 2});
    until_hub_called(w, 2);
}

static struct secret recorded_key(struct world *w)
{
    const struct registration *r = stored_registration(w, SLICE("tpm1"));
    assert_non_null(r);
    return r->hub_key;
}

// The hub takes what it was asked first as the last.
static void answer_hub_first(struct world *w, struct err result)
{
    struct hub_request *first = w->calls[0];
    w->calls[0] = w->calls[1];
    w->calls[1] = first;
    answer_hub(w, result);
}

static void assert_carried_there_again(struct world *w, size_t calls, const struct secret *key)
{
    until_hub_called(w, calls);
    assert_true(secret_equal(&w->calls[w->call_count - 1]->identity.primary_key, key));
    assert_int_equal(stored_registration(w, SLICE("tpm1"))->status, STATUS_ASSIGNING);
}

static void a_key_that_a_late_call_replaced_in_the_hub_is_taken_there_again_before_it_is_told(void **state)
{
    struct world *w = *state;
    overtake(w);
    answer_hub(w, OK);
    until_answers(w, 3);
    assert_assigned(w);
    struct secret told = recorded_key(w);
    answer_hub(w, OK); // the late one: the hub has its key now
    assert_carried_there_again(w, 3, &told);
    assert_int_equal(w->answers, 3);
    answer_hub(w, OK);
    until_answers(w, 4);
    assert_assigned(w);
    until_idle(w);
    struct secret now = recorded_key(w);
    assert_true(secret_equal(&now, &told));
    assert_int_equal(w->hub_calls, 3);
}

static void the_same_when_nobody_waits_for_the_late_call_any_more(void **state)
{
    struct world *w = *state;
    struct secret first = be_asked(w, 1);
    struct secret second = be_asked(w, 2);
    w->hub_answers = false;
    ask_with_tpm(w, &(struct tpm_call){.verb = FLOW_REGISTER, .id = "tpm1", .key = &first, .channel = 1});
    until_hub_called(w, 1);
    pass(w, 1600);
    until_answers(w, 3);
    assert_int_equal(w->status, STATUS_ASSIGNING);
    delete_registration(w, "tpm1");
    ask_with_tpm(w, &(struct tpm_call){.verb = FLOW_REGISTER, .id = "tpm1", .key = &second, .channel = 2});
    until_hub_called(w, 2);
    answer_hub(w, OK);
    until_answers(w, 4);
    assert_assigned(w);
    struct secret told = recorded_key(w);
    answer_hub(w, OK);
    assert_carried_there_again(w, 3, &told);
    answer_hub(w, OK);
    until_idle(w);
    assert_int_equal(stored_registration(w, SLICE("tpm1"))->status, STATUS_ASSIGNED);
    assert_int_equal(w->answers, 4);
}

static void a_late_call_waits_for_the_end_of_the_other_one_to_see_whose_key_the_hub_has(void **state)
{
    struct world *w = *state;
    overtake(w);
    answer_hub_first(w, OK);
    for (int i = 0; i < 3; i++) { // it has seen that the record is the other one's, which is under way
        deliver(w, 5);
        pass(w, 60);
    }
    assert_int_equal(w->answers, 2);
    answer_hub(w, OK);
    until_answers(w, 3);
    assert_assigned(w);
    struct secret told = recorded_key(w);
    for (int i = 0; i < 100 && w->hub_calls < 3; i++) {
        deliver(w, 5);
        pass(w, 60);
    }
    assert_carried_there_again(w, 3, &told);
    answer_hub(w, OK);
    for (int i = 0; i < 100 && w->answers < 4; i++) {
        deliver(w, 5);
        pass(w, 60);
    }
    assert_int_equal(w->answers, 4);
    assert_assigned(w);
    until_idle(w);
    struct secret now = recorded_key(w);
    assert_true(secret_equal(&now, &told));
}

static void wait_too_long(struct world *w, struct err first_result)
{
    overtake(w);
    answer_hub_first(w, first_result);
    for (int i = 0; i < 50 && w->answers < 4; i++) { // the other one is told that it is being assigned
        deliver(w, 5);
        pass(w, 100);
    }
    assert_int_equal(w->answers, 4);
    assert_int_equal(w->result.code, ERR_TIMEOUT);
    answer_hub(w, OK);
    for (int i = 0; i < 400 && w->hub_calls < 3; i++) {
        deliver(w, 5);
        pass(w, 100);
    }
    struct secret told = recorded_key(w);
    assert_carried_there_again(w, 3, &told);
    answer_hub(w, OK);
    until_idle(w);
    assert_int_equal(stored_registration(w, SLICE("tpm1"))->status, STATUS_ASSIGNED);
}

static void
a_late_call_that_waits_too_long_is_told_to_come_back_and_the_hub_gets_the_key_that_counts(void **state)
{
    wait_too_long(*state, OK);
}

// Its operation was in the record that was deleted: it is told to come back, and not to ask for that.
static void a_late_call_whose_answer_from_the_hub_is_lost_is_told_the_same(void **state)
{
    wait_too_long(*state, FAIL(ERR_HUB_UNAVAILABLE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)
        TEST(a_key_that_a_late_call_replaced_in_the_hub_is_taken_there_again_before_it_is_told),
        TEST(the_same_when_nobody_waits_for_the_late_call_any_more),
        TEST(a_late_call_waits_for_the_end_of_the_other_one_to_see_whose_key_the_hub_has),
        TEST(a_late_call_that_waits_too_long_is_told_to_come_back_and_the_hub_gets_the_key_that_counts),
        TEST(a_late_call_whose_answer_from_the_hub_is_lost_is_told_the_same),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

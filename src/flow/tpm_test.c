// Devices with a TPM: what they are asked, how often an answer counts, and which key the hub gets.
#include "flow/flow_tpm_test.h"

#include "base/text.h"
#include "crypto/keys.h"

static int setup(void **state)
{
    if (world_setup(state) != 0)
        return -1;
    put_tpm_enrollment(*state, "tpm1", tpm_of(0));
    return 0;
}

static void call(struct world *w, struct tpm_call c)
{
    size_t before = w->answers;
    c.id = c.id != NULL ? c.id : "tpm1";
    ask_with_tpm(w, &c);
    until_answers(w, before + 1);
}

static void assert_challenged(const struct world *w)
{
    assert_false(failed(w->result));
    assert_true(w->challenge_len > 0);
    assert_int_equal(w->authentication_key_len, 0);
}

static void assert_refused(const struct world *w, enum err_code code)
{
    assert_int_equal(w->result.code, code);
    assert_int_equal(w->challenge_len, 0);
    assert_int_equal(w->authentication_key_len, 0);
}

static void assert_assigned(const struct world *w)
{
    assert_false(failed(w->result));
    assert_int_equal(w->challenge_len, 0);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_true(w->authentication_key_len > 0);
    assert_int_equal(w->attestation, ATTESTATION_TPM);
}

// Asks for a challenge and returns the key that the TPM finds in it.
static struct secret be_asked(struct world *w, uint64_t channel)
{
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .tpm = tpm_of(0), .channel = channel});
    assert_challenged(w);
    struct secret key = planted(w, "tpm1", channel);
    assert_int_equal(key.len, 32);
    return key;
}

// ---- being asked, and answering
// ----------------------------------------------------------------------------------------

static void a_tpm_that_has_proved_nothing_is_asked_and_leaves_no_record(void **state)
{
    struct world *w = *state;
    (void)be_asked(w, 0);
    assert_null(stored_registration(w, SLICE("tpm1")));
    assert_int_equal(w->hub_calls, 0);
}

static void an_answer_is_assigned_with_a_key_that_only_the_hub_and_the_tpm_get(void **state)
{
    struct world *w = *state;
    struct secret challenge = be_asked(w, 0);
    w->hub_answers = false;
    ask_with_tpm(w, &(struct tpm_call){.verb = FLOW_REGISTER, .id = "TPM1", .key = &challenge});
    until_hub_called(w, 1);
    const struct hub_identity *identity = &w->calls[0]->identity;
    struct secret key = identity->primary_key;
    assert_int_equal(identity->authentication, HUB_AUTH_SAS);
    assert_int_equal(key.len, 32);
    assert_true(secret_equal(&key, &identity->secondary_key));
    assert_false(secret_equal(&key, &challenge));
    const struct registration *r = stored_registration(w, SLICE("tpm1"));
    assert_int_equal(r->status, STATUS_ASSIGNING);
    assert_true(secret_equal(&r->hub_key, &key)); // with the intent: a restart needs it
    answer_hub(w, OK);
    until_answers(w, 2);
    assert_assigned(w);
    assert_true(secret_equal(&stored_registration(w, SLICE("tpm1"))->hub_key, &key));
}

static void a_device_that_says_its_tpm_again_is_let_in_too(void **state)
{
    struct world *w = *state;
    struct secret key = be_asked(w, 0);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .tpm = tpm_of(0), .key = &key});
    assert_assigned(w);
}

static void each_registration_gives_the_hub_another_key(void **state)
{
    struct world *w = *state;
    struct secret key = be_asked(w, 0);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .key = &key});
    struct secret first = stored_registration(w, SLICE("tpm1"))->hub_key;
    key = be_asked(w, 0);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .key = &key});
    assert_assigned(w);
    assert_int_equal(w->hub_calls, 2);
    assert_false(secret_equal(&stored_registration(w, SLICE("tpm1"))->hub_key, &first));
}

static void polls_and_lookups_get_the_key_too(void **state)
{
    struct world *w = *state;
    w->hub_answers = false;
    struct secret key = be_asked(w, 0);
    ask_with_tpm(w, &(struct tpm_call){.verb = FLOW_REGISTER, .id = "tpm1", .key = &key});
    until_hub_called(w, 1);
    pass(w, 1600);
    assert_int_equal(w->status, STATUS_ASSIGNING);
    assert_int_equal(w->authentication_key_len, 0);
    char operation[80];
    memcpy(operation, w->operation, sizeof operation);
    call(w, (struct tpm_call){.verb = FLOW_OPERATION, .operation = operation, .key = &key});
    assert_int_equal(w->status, STATUS_ASSIGNING);
    answer_hub(w, OK);
    until_idle(w);
    w->now_us += 5 * 60 * INT64_C(1000000); // long after the time to answer
    call(w, (struct tpm_call){.verb = FLOW_OPERATION, .operation = operation, .key = &key});
    assert_assigned(w);
    call(w, (struct tpm_call){.verb = FLOW_LOOKUP, .key = &key});
    assert_assigned(w);
}

static void a_device_may_connect_first_and_register_then(void **state)
{
    struct world *w = *state;
    call(w, (struct tpm_call){.verb = FLOW_AUTHENTICATE, .tpm = tpm_of(0), .channel = 9});
    assert_challenged(w);
    struct secret key = planted(w, "tpm1", 9);
    call(w, (struct tpm_call){.verb = FLOW_AUTHENTICATE, .key = &key, .channel = 9});
    assert_false(failed(w->result));
    assert_int_equal(w->challenge_len, 0);
    w->now_us += 10 * CHALLENGE_ANSWER_MS * INT64_C(1000); // it has time, once it is let in
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .key = &key, .channel = 9});
    assert_assigned(w);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .key = &key, .channel = 9});
    assert_refused(w, ERR_CHALLENGE_UNKNOWN);
}

// ---- another TPM in its place
// ----------------------------------------------------------------------------------------

static struct secret other_is_asked(struct world *w, uint64_t channel)
{
    call(w, (struct tpm_call){.verb = FLOW_AUTHENTICATE, .tpm = tpm_of(1), .channel = channel});
    assert_challenged(w);
    return planted(w, "tpm1", channel);
}

// An operator enrolls the TPM of the board that was put in place of the broken one.
static void the_hub_key_is_for_the_tpm_that_registered_and_not_for_its_successor(void **state)
{
    struct world *w = *state;
    struct secret key = be_asked(w, 0);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .key = &key});
    assert_assigned(w);
    char operation[80];
    memcpy(operation, w->operation, sizeof operation);
    struct secret first = stored_registration(w, SLICE("tpm1"))->hub_key;
    put_tpm_enrollment(w, "tpm1", tpm_of(1));
    key = other_is_asked(w, 3);
    const struct tpm_call calls[] = {
        {.verb = FLOW_LOOKUP, .key = &key, .channel = 3},
        {.verb = FLOW_OPERATION, .operation = operation, .key = &key, .channel = 3},
    };
    for (size_t i = 0; i < 2; i++) {
        call(w, calls[i]);
        assert_false(failed(w->result));
        assert_int_equal(w->status, STATUS_ASSIGNED);
        assert_int_equal(w->authentication_key_len, 0);
    }
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .key = &key, .channel = 3});
    assert_assigned(w);
    assert_false(secret_equal(&stored_registration(w, SLICE("tpm1"))->hub_key, &first));
    call(w, calls[0]);
    assert_assigned(w);
}

static void a_successor_that_registers_meanwhile_gets_a_key_of_its_own(void **state)
{
    struct world *w = *state;
    struct secret key = be_asked(w, 0);
    w->hub_answers = false;
    ask_with_tpm(w, &(struct tpm_call){.verb = FLOW_REGISTER, .id = "tpm1", .key = &key});
    until_hub_called(w, 1);
    struct secret first = w->calls[0]->identity.primary_key;
    put_tpm_enrollment(w, "tpm1", tpm_of(1));
    size_t before = w->answers;
    struct secret other = other_is_asked(w, 3);
    ask_with_tpm(w, &(struct tpm_call){.verb = FLOW_REGISTER, .id = "tpm1", .key = &other, .channel = 3});
    deliver(w, 20); // it waits for the end of the first
    w->hub_answers = true;
    answer_hub(w, OK);
    until_answers(w, before + 3);
    assert_assigned(w);
    assert_int_equal(w->hub_calls, 2);
    assert_false(secret_equal(&stored_registration(w, SLICE("tpm1"))->hub_key, &first));
}

// ---- what an answer is good for
// ----------------------------------------------------------------------------------------

static void an_answer_counts_for_one_registration(void **state)
{
    struct world *w = *state;
    struct secret key = be_asked(w, 0);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .key = &key});
    assert_assigned(w);
    char operation[80];
    memcpy(operation, w->operation, sizeof operation);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .key = &key});
    assert_refused(w, ERR_CHALLENGE_UNKNOWN);
    assert_int_equal(w->hub_calls, 1);
    call(w, (struct tpm_call){.verb = FLOW_OPERATION, .operation = operation, .key = &key});
    assert_assigned(w);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .tpm = tpm_of(0), .key = &key}); // a retry of the same
    assert_challenged(w);
    assert_int_equal(w->hub_calls, 1);
    key = planted(w, "tpm1", 0);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .tpm = tpm_of(0), .key = &key});
    assert_assigned(w);
}

static void of_two_calls_with_one_answer_one_registers(void **state)
{
    struct world *w = *state;
    struct secret key = be_asked(w, 0);
    w->hub_answers = false;
    ask_with_tpm(w, &(struct tpm_call){.verb = FLOW_REGISTER, .id = "tpm1", .key = &key});
    ask_with_tpm(w, &(struct tpm_call){.verb = FLOW_REGISTER, .id = "tpm1", .key = &key});
    until_answers(w, 2);
    assert_refused(w, ERR_CHALLENGE_UNKNOWN);
    until_hub_called(w, 1);
    answer_hub(w, OK);
    until_answers(w, 3);
    assert_assigned(w);
    assert_int_equal(w->hub_calls, 1);
}

static void an_answer_that_comes_too_late_is_of_no_use(void **state)
{
    struct world *w = *state;
    struct secret key = be_asked(w, 0);
    w->now_us += CHALLENGE_ANSWER_MS * INT64_C(1000);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .key = &key});
    assert_refused(w, ERR_CHALLENGE_UNKNOWN);
    key = be_asked(w, 0);
    w->now_us += CHALLENGE_ANSWER_MS * INT64_C(1000);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .tpm = tpm_of(0), .key = &key});
    assert_challenged(w);
}

static void a_new_challenge_makes_the_former_answer_useless(void **state)
{
    struct world *w = *state;
    struct secret first = be_asked(w, 0);
    struct secret second = be_asked(w, 0);
    assert_false(secret_equal(&first, &second));
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .key = &first});
    assert_refused(w, ERR_SAS_SIGNATURE);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .key = &second});
    assert_assigned(w);
}

// Endorsement keys are public: whoever knows one may ask, and ask again.
static void a_stranger_who_asks_takes_no_polls_from_a_tpm_that_registered(void **state)
{
    struct world *w = *state;
    struct secret key = be_asked(w, 0);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .key = &key});
    assert_assigned(w);
    char operation[80];
    memcpy(operation, w->operation, sizeof operation);
    (void)be_asked(w, 0);
    call(w, (struct tpm_call){.verb = FLOW_OPERATION, .operation = operation, .key = &key});
    assert_assigned(w);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .key = &key});
    assert_refused(w, ERR_CHALLENGE_UNKNOWN); // good for one registration, as ever
    assert_int_equal(w->hub_calls, 1);
}

static void what_is_signed_with_another_key_leaves_the_challenge_to_its_tpm(void **state)
{
    struct world *w = *state;
    struct secret key = be_asked(w, 0);
    struct secret other = device_key();
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .key = &other});
    assert_refused(w, ERR_SAS_SIGNATURE);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .key = &key});
    assert_assigned(w);
    (void)be_asked(w, 0);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .tpm = tpm_of(0), .key = &other});
    assert_challenged(w);
}

static void an_answer_counts_on_the_connection_that_was_asked(void **state)
{
    struct world *w = *state;
    struct secret key = be_asked(w, 5);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .key = &key, .channel = 6});
    assert_refused(w, ERR_CHALLENGE_UNKNOWN);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .key = &key}); // over HTTP
    assert_refused(w, ERR_CHALLENGE_UNKNOWN);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .key = &key, .channel = 5});
    assert_assigned(w);
}

// Not 401, which the device would take for a challenge that it cannot read; and who was asked before may
// answer.
static void when_too_many_were_asked_a_tpm_is_told_to_come_back_and_later_is_asked(void **state)
{
    struct world *w = *state;
    struct secret key = be_asked(w, 3);
    fill_challenges(w);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .tpm = tpm_of(0)});
    assert_refused(w, ERR_OVERLOADED);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .key = &key, .channel = 3});
    assert_assigned(w);
    w->now_us += CHALLENGE_ANSWER_MS * INT64_C(1000);
    key = be_asked(w, 0);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .key = &key});
    assert_assigned(w);
}

static void a_challenge_is_for_both_keys_of_its_tpm(void **state)
{
    struct world *w = *state;
    struct secret key = be_asked(w, 0);
    struct tpm mixed = *tpm_of(0);
    memcpy(mixed.storage_root_key, tpm_of(1)->storage_root_key, sizeof mixed.storage_root_key);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .tpm = &mixed, .key = &key});
    assert_challenged(w); // that SRK has not been asked yet
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .tpm = tpm_of(1), .key = &key});
    assert_refused(w, ERR_TPM_KEY);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .tpm = tpm_of(1)});
    assert_refused(w, ERR_TPM_KEY);
    assert_null(stored_registration(w, SLICE("tpm1")));
}

static void a_device_nobody_knows_gets_no_challenge(void **state)
{
    struct world *w = *state;
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .id = "stranger", .tpm = tpm_of(1)});
    assert_true(failed(w->result));
    assert_int_equal(w->challenge_len, 0);
    assert_int_equal(challenges_count(w->challenges), 0);
}

// A registration ID that looks like a TPM's own may be that of a device with a key.
static void a_device_with_a_key_may_be_called_as_a_tpm_would_be(void **state)
{
    struct world *w = *state;
    const char *id = "y4jaojgr3ol26rmldhy7srig7i7en37ecq6kalg54yt3hkebmhpa";
    assert_true(tpm_is_registration_id(slice_text(id)));
    struct enrollment group = {.id = SLICE("fleet"),
                               .kind = ENROLLMENT_GROUP,
                               .provisioning_status = PROVISIONING_ENABLED,
                               .etag = 5};
    group.attestation = (struct attestation){
        .type = ATTESTATION_SYMMETRIC_KEY, .primary_key = device_key(), .secondary_key = device_key()};
    struct store_request put = {.verb = STORE_PUT,
                                .table = STORE_GROUP,
                                .partition = SLICE(SCOPE),
                                .key = group.id,
                                .record = &group};
    store_do(w, &put);
    struct secret group_key = device_key();
    struct secret key;
    assert_false(failed(key_derive(&group_key, slice_text(id), &key)));
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .id = id, .key = &key});
    assert_false(failed(w->result));
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_int_equal(w->attestation, ATTESTATION_SYMMETRIC_KEY);
    assert_int_equal(w->authentication_key_len, 0);
}

// ---- when things go wrong
// ----------------------------------------------------------------------------------------

static void a_restart_takes_the_same_key_to_the_hub_and_the_device_registers_anew(void **state)
{
    struct world *w = *state;
    struct secret challenge = be_asked(w, 0);
    w->hub_answers = false;
    ask_with_tpm(w, &(struct tpm_call){.verb = FLOW_REGISTER, .id = "tpm1", .key = &challenge});
    until_hub_called(w, 1);
    struct secret key = w->calls[0]->identity.primary_key;
    struct hub_request *lost = w->calls[--w->call_count]; // never answered in the old process
    // the process dies: its record stays as it is, the table is lost
    struct flow *dead = w->flow;
    struct challenges_client *dead_client = w->asking;
    struct challenges *dead_table = w->challenges;
    assert_false(failed(challenges_new(&w->replies, &w->clock, 2, &w->challenges)));
    assert_false(failed(challenges_client_new(w->challenges, &w->replies, &w->asking)));
    make_flow(w);
    flow_resume(w->flow);
    until_hub_called(w, 2);
    const struct hub_identity *identity = &w->calls[0]->identity;
    assert_true(secret_equal(&identity->primary_key, &key));
    assert_true(secret_equal(&identity->secondary_key, &key));
    answer_hub(w, OK);
    until_idle(w);
    assert_int_equal(stored_registration(w, SLICE("tpm1"))->status, STATUS_ASSIGNED);
    assert_true(secret_equal(&stored_registration(w, SLICE("tpm1"))->hub_key, &key));
    w->hub_answers = true;
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .key = &challenge});
    assert_refused(w, ERR_CHALLENGE_UNKNOWN);
    challenge = be_asked(w, 0);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .key = &challenge});
    assert_assigned(w);
    // tidy: the old process's call comes to its end
    lost->result = FAIL(ERR_HUB_REFUSED);
    mailbox_post(&w->replies, &lost->mail);
    struct flow *live = w->flow;
    w->flow = dead;
    until_idle(w);
    w->flow = live;
    flow_free(dead);
    challenges_client_free(dead_client);
    challenges_free(dead_table);
}

static void a_hub_that_was_away_gets_the_key_of_the_intent(void **state)
{
    struct world *w = *state;
    struct secret challenge = be_asked(w, 0);
    w->hub_answers = false;
    ask_with_tpm(w, &(struct tpm_call){.verb = FLOW_REGISTER, .id = "tpm1", .key = &challenge});
    until_hub_called(w, 1);
    struct secret key = w->calls[0]->identity.primary_key;
    answer_hub(w, FAIL(ERR_HUB_UNAVAILABLE));
    for (int i = 0; i < 200 && w->hub_calls < 2; i++) {
        deliver(w, 2);
        pass(w, 10);
    }
    assert_true(secret_equal(&w->calls[0]->identity.primary_key, &key));
    assert_true(secret_equal(&w->calls[0]->identity.secondary_key, &key));
    answer_hub(w, OK);
    until_answers(w, 2);
    assert_assigned(w);
}

static void stopped(void *context)
{
    *(bool *)context = true;
}

// I3: a call that came to nothing may be made again, as it was.
static void what_a_shutdown_cut_off_gives_the_challenge_back(void **state)
{
    struct world *w = *state;
    struct secret key = be_asked(w, 0);
    w->hub_answers = false;
    ask_with_tpm(w, &(struct tpm_call){.verb = FLOW_REGISTER, .id = "tpm1", .key = &key});
    until_hub_called(w, 1);
    answer_hub(w, FAIL(ERR_HUB_UNAVAILABLE));
    deliver(w, 20); // now it waits to try again
    bool idle = false;
    flow_stop(w->flow, stopped, &idle);
    assert_int_equal(w->result.code, ERR_STOPPING);
    assert_false(idle); // the table has not heard of it yet
    until_idle(w);
    assert_true(idle);
    flow_free(w->flow);
    make_flow(w);
    w->hub_answers = true;
    flow_resume(w->flow);
    until_idle(w);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .key = &key});
    assert_assigned(w);
}

static void a_deleted_registration_is_made_again_with_a_key(void **state)
{
    struct world *w = *state;
    struct secret key = be_asked(w, 0);
    w->hub_answers = false;
    ask_with_tpm(w, &(struct tpm_call){.verb = FLOW_REGISTER, .id = "tpm1", .key = &key});
    until_hub_called(w, 1);
    delete_registration(w, "tpm1");
    answer_hub(w, OK);
    until_answers(w, 2);
    assert_assigned(w);
    assert_int_equal(stored_registration(w, SLICE("tpm1"))->hub_key.len, 32);
}

static void the_log_never_holds_a_key(void **state)
{
    struct world *w = *state;
    struct secret challenge = be_asked(w, 0);
    call(w, (struct tpm_call){.verb = FLOW_REGISTER, .key = &challenge});
    const struct secret *keys[] = {&challenge, &stored_registration(w, SLICE("tpm1"))->hub_key};
    for (size_t i = 0; i < 2; i++) {
        char base64[80] = {0};
        struct buf text = {.at = (uint8_t *)base64, .room = sizeof base64 - 1, .cap = sizeof base64 - 1};
        b64_encode(&text, secret_slice(keys[i]));
        assert_null(strstr(w->line, base64));
    }
    assert_non_null(strstr(w->line, "registration.assigned"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)
        TEST(a_tpm_that_has_proved_nothing_is_asked_and_leaves_no_record),
        TEST(an_answer_is_assigned_with_a_key_that_only_the_hub_and_the_tpm_get),
        TEST(a_device_that_says_its_tpm_again_is_let_in_too),
        TEST(each_registration_gives_the_hub_another_key),
        TEST(polls_and_lookups_get_the_key_too),
        TEST(a_device_may_connect_first_and_register_then),
        TEST(the_hub_key_is_for_the_tpm_that_registered_and_not_for_its_successor),
        TEST(a_successor_that_registers_meanwhile_gets_a_key_of_its_own),
        TEST(an_answer_counts_for_one_registration),
        TEST(of_two_calls_with_one_answer_one_registers),
        TEST(an_answer_that_comes_too_late_is_of_no_use),
        TEST(a_new_challenge_makes_the_former_answer_useless),
        TEST(a_stranger_who_asks_takes_no_polls_from_a_tpm_that_registered),
        TEST(what_is_signed_with_another_key_leaves_the_challenge_to_its_tpm),
        TEST(an_answer_counts_on_the_connection_that_was_asked),
        TEST(when_too_many_were_asked_a_tpm_is_told_to_come_back_and_later_is_asked),
        TEST(a_challenge_is_for_both_keys_of_its_tpm),
        TEST(a_device_nobody_knows_gets_no_challenge),
        TEST(a_device_with_a_key_may_be_called_as_a_tpm_would_be),
        TEST(a_restart_takes_the_same_key_to_the_hub_and_the_device_registers_anew),
        TEST(a_hub_that_was_away_gets_the_key_of_the_intent),
        TEST(what_a_shutdown_cut_off_gives_the_challenge_back),
        TEST(a_deleted_registration_is_made_again_with_a_key),
        TEST(the_log_never_holds_a_key),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

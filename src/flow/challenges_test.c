// What a TPM device has been asked to prove: who may use an answer, how often, and for how long.
#include "base/testing.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/list.h"
#include "flow/challenges.h"

struct bench {
    struct clock clock; // first
    struct mailbox box; // the owner's, and the client's
    struct challenges *challenges;
    struct challenges_client *client;
    struct arena arena;
    int64_t now_us;
};

static int64_t now_us(const struct clock *clock)
{
    return ((const struct bench *)clock)->now_us;
}

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    *b = (struct bench){.clock = {now_us, now_us}, .now_us = 1, .arena = arena_capped(64 << 20)};
    mailbox_init(&b->box, NULL, NULL);
    assert_false(failed(challenges_new(&b->box, &b->clock, 42, &b->challenges)));
    assert_false(failed(challenges_client_new(b->challenges, &b->box, &b->client)));
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    challenges_client_free(b->client);
    challenges_free(b->challenges);
    mailbox_release(&b->box);
    arena_release(&b->arena);
    free(b);
    return 0;
}

static void answered(struct challenge_request *request)
{
    *(bool *)request->context = true;
}

static struct err submit(struct bench *b, struct challenge_request *request)
{
    bool done = false;
    request->id_scope = request->id_scope.len > 0 ? request->id_scope : SLICE("0ne000A0B1C");
    request->arena = &b->arena;
    request->done = answered;
    request->context = &done;
    challenges_submit(b->client, request);
    assert_false(done); // never from within submit
    for (int i = 0; i < 2 && !done; i++)
        (void)mailbox_deliver(&b->box);
    assert_true(done);
    return request->result;
}

static struct challenge challenge_of(const char *key)
{
    struct challenge c = {.endorsement_key = SLICE("the endorsement key"),
                          .storage_root_key = SLICE("the storage root key"),
                          .certificates = {SLICE("leaf"), SLICE("issuer")},
                          .certificate_count = 2};
    assert_true(secret_set(&c.key, slice_text(key)));
    return c;
}

static struct err keep(struct bench *b, const char *id, uint64_t channel, const char *key)
{
    struct challenge_request r = {.verb = CHALLENGE_KEEP,
                                  .registration_id = slice_text(id),
                                  .channel = channel,
                                  .challenge = challenge_of(key)};
    return submit(b, &r);
}

// The serial, or 0 when there is none.
static uint64_t recall(struct bench *b, const char *id, uint64_t channel, const char *key)
{
    struct challenge_request r = {
        .verb = CHALLENGE_RECALL, .registration_id = slice_text(id), .channel = channel};
    struct err e = submit(b, &r);
    if (e.code == ERR_ABSENT)
        return 0;
    assert_false(failed(e));
    assert_slice(secret_slice(&r.challenge.key), key);
    assert_slice(r.challenge.endorsement_key, "the endorsement key");
    assert_slice(r.challenge.storage_root_key, "the storage root key");
    assert_int_equal(r.challenge.certificate_count, 2);
    assert_slice(r.challenge.certificates[0], "leaf");
    assert_slice(r.challenge.certificates[1], "issuer");
    return r.serial;
}

static struct err ask(struct bench *b, enum challenge_verb verb, const char *id, uint64_t serial)
{
    struct challenge_request r = {.verb = verb, .registration_id = slice_text(id), .serial = serial};
    return submit(b, &r);
}

static void what_is_kept_is_there_for_its_device_and_channel_only(void **state)
{
    struct bench *b = *state;
    assert_false(failed(keep(b, "dev", 0, "key 1")));
    assert_false(failed(keep(b, "dev", 7, "key 2")));
    assert_int_not_equal(recall(b, "dev", 0, "key 1"), 0);
    assert_int_not_equal(recall(b, "dev", 7, "key 2"), 0);
    assert_int_equal(recall(b, "dev", 8, ""), 0);
    assert_int_equal(recall(b, "de", 0, ""), 0);
    struct challenge_request elsewhere = {
        .verb = CHALLENGE_RECALL, .id_scope = SLICE("0ne000A0B1D"), .registration_id = SLICE("dev")};
    assert_int_equal(submit(b, &elsewhere).code, ERR_ABSENT);
}

static void a_new_challenge_replaces_the_one_before(void **state)
{
    struct bench *b = *state;
    assert_false(failed(keep(b, "dev", 0, "key 1")));
    uint64_t first = recall(b, "dev", 0, "key 1");
    assert_false(failed(keep(b, "dev", 0, "key 2")));
    uint64_t second = recall(b, "dev", 0, "key 2");
    assert_int_not_equal(first, second);
    assert_int_equal(challenges_count(b->challenges), 1);
    assert_int_equal(ask(b, CHALLENGE_CLAIM, "dev", first).code, ERR_ABSENT);
    assert_false(failed(ask(b, CHALLENGE_CLAIM, "dev", second)));
}

static void a_challenge_must_be_answered_within_its_time(void **state)
{
    struct bench *b = *state;
    assert_false(failed(keep(b, "dev", 0, "key")));
    b->now_us += CHALLENGE_ANSWER_MS * INT64_C(1000) - 1;
    uint64_t serial = recall(b, "dev", 0, "key");
    assert_int_not_equal(serial, 0);
    b->now_us++;
    assert_int_equal(recall(b, "dev", 0, ""), 0);
    assert_int_equal(ask(b, CHALLENGE_CLAIM, "dev", serial).code, ERR_ABSENT);
    assert_int_equal(challenges_count(b->challenges), 0); // nothing of it is left
}

static void one_register_call_at_a_time_may_use_it_and_one_only_in_the_end(void **state)
{
    struct bench *b = *state;
    assert_false(failed(keep(b, "dev", 0, "key")));
    uint64_t serial = recall(b, "dev", 0, "key");
    assert_false(failed(ask(b, CHALLENGE_CLAIM, "dev", serial)));
    assert_int_equal(ask(b, CHALLENGE_CLAIM, "dev", serial).code, ERR_CONFLICT);
    assert_false(failed(ask(b, CHALLENGE_GIVE_BACK, "dev", serial)));
    assert_false(failed(ask(b, CHALLENGE_CLAIM, "dev", serial)));
    assert_false(failed(ask(b, CHALLENGE_SPEND, "dev", serial)));
    assert_int_equal(ask(b, CHALLENGE_CLAIM, "dev", serial).code, ERR_CONFLICT);
    assert_int_equal(recall(b, "dev", 0, "key"), serial); // for polls
}

static void polls_go_on_for_a_quarter_of_an_hour(void **state)
{
    struct bench *b = *state;
    assert_false(failed(keep(b, "dev", 0, "key")));
    uint64_t serial = recall(b, "dev", 0, "key");
    assert_false(failed(ask(b, CHALLENGE_CLAIM, "dev", serial)));
    b->now_us += 2 * CHALLENGE_ANSWER_MS * INT64_C(1000); // an operation that takes long
    assert_int_equal(recall(b, "dev", 0, "key"), serial);
    assert_false(failed(ask(b, CHALLENGE_SPEND, "dev", serial)));
    b->now_us += CHALLENGE_POLL_MS * INT64_C(1000) - 1;
    assert_int_equal(recall(b, "dev", 0, "key"), serial);
    b->now_us++;
    assert_int_equal(recall(b, "dev", 0, ""), 0);
    assert_int_equal(challenges_count(b->challenges), 0);
}

// Over AMQP a device is let in with SASL, and registers when it likes, as long as it stays connected.
static void who_was_let_in_may_register_for_a_quarter_of_an_hour_and_once(void **state)
{
    struct bench *b = *state;
    assert_false(failed(keep(b, "dev", 0, "key")));
    uint64_t serial = recall(b, "dev", 0, "key");
    assert_false(failed(ask(b, CHALLENGE_LET_IN, "dev", serial)));
    b->now_us += CHALLENGE_POLL_MS * INT64_C(1000) - 1;
    assert_int_equal(recall(b, "dev", 0, "key"), serial);
    assert_false(failed(ask(b, CHALLENGE_CLAIM, "dev", serial)));
    assert_int_equal(ask(b, CHALLENGE_CLAIM, "dev", serial).code, ERR_CONFLICT);
    assert_false(failed(ask(b, CHALLENGE_GIVE_BACK, "dev", serial)));
    assert_false(failed(ask(b, CHALLENGE_CLAIM, "dev", serial)));
    assert_false(failed(ask(b, CHALLENGE_SPEND, "dev", serial)));
    assert_false(failed(ask(b, CHALLENGE_LET_IN, "dev", serial))); // which changes nothing
    assert_int_equal(ask(b, CHALLENGE_CLAIM, "dev", serial).code, ERR_CONFLICT);
}

static void who_was_let_in_and_does_not_register_is_forgotten(void **state)
{
    struct bench *b = *state;
    assert_false(failed(keep(b, "dev", 0, "key")));
    uint64_t serial = recall(b, "dev", 0, "key");
    assert_false(failed(ask(b, CHALLENGE_LET_IN, "dev", serial)));
    b->now_us += CHALLENGE_POLL_MS * INT64_C(1000);
    assert_int_equal(recall(b, "dev", 0, ""), 0);
    assert_int_equal(challenges_count(b->challenges), 0);
    assert_false(failed(keep(b, "dev", 0, "key")));
    serial = recall(b, "dev", 0, "key");
    b->now_us += CHALLENGE_ANSWER_MS * INT64_C(1000);
    assert_int_equal(ask(b, CHALLENGE_LET_IN, "dev", serial).code, ERR_ABSENT); // too late
}

static void what_was_given_back_too_late_is_of_no_use(void **state)
{
    struct bench *b = *state;
    assert_false(failed(keep(b, "dev", 0, "key")));
    uint64_t serial = recall(b, "dev", 0, "key");
    assert_false(failed(ask(b, CHALLENGE_CLAIM, "dev", serial)));
    b->now_us += CHALLENGE_ANSWER_MS * INT64_C(1000);
    assert_false(failed(ask(b, CHALLENGE_GIVE_BACK, "dev", serial)));
    assert_int_equal(recall(b, "dev", 0, ""), 0);
    assert_int_equal(ask(b, CHALLENGE_CLAIM, "dev", serial).code, ERR_ABSENT);
}

// A register call that was slow must not touch what the device has been asked meanwhile.
static void the_end_of_an_old_call_leaves_a_new_challenge_alone(void **state)
{
    struct bench *b = *state;
    assert_false(failed(keep(b, "dev", 0, "key 1")));
    uint64_t first = recall(b, "dev", 0, "key 1");
    assert_false(failed(ask(b, CHALLENGE_CLAIM, "dev", first)));
    assert_false(failed(keep(b, "dev", 0, "key 2")));
    uint64_t second = recall(b, "dev", 0, "key 2");
    assert_false(failed(ask(b, CHALLENGE_GIVE_BACK, "dev", first))); // it was replaced meanwhile
    assert_int_equal(ask(b, CHALLENGE_CLAIM, "dev", first).code, ERR_ABSENT);
    assert_int_equal(ask(b, CHALLENGE_SPEND, "dev", first).code, ERR_ABSENT);
    assert_false(failed(ask(b, CHALLENGE_CLAIM, "dev", second)));
    assert_int_equal(ask(b, CHALLENGE_GIVE_BACK, "dev", first).code, ERR_ABSENT);
    assert_int_equal(ask(b, CHALLENGE_CLAIM, "dev", second).code, ERR_CONFLICT);
}

static bool fits_first(const struct challenge_request *request, const struct challenge *kept)
{
    (void)request;
    return slice_equal(secret_slice(&kept->key), SLICE("key 1"));
}

static uint64_t recall_first(struct bench *b)
{
    struct challenge_request r = {
        .verb = CHALLENGE_RECALL, .registration_id = SLICE("dev"), .fits = fits_first};
    return !failed(submit(b, &r)) && fits_first(NULL, &r.challenge) ? r.serial : 0;
}

// Else whoever knows the device's public key could keep it from ever hearing where it was assigned.
static void polls_go_on_when_somebody_asks_for_a_new_challenge(void **state)
{
    struct bench *b = *state;
    assert_false(failed(keep(b, "dev", 0, "key 1")));
    uint64_t first = recall(b, "dev", 0, "key 1");
    assert_false(failed(ask(b, CHALLENGE_CLAIM, "dev", first)));
    assert_false(failed(keep(b, "dev", 0, "key 2")));
    assert_false(failed(ask(b, CHALLENGE_SPEND, "dev", first)));
    assert_false(failed(keep(b, "dev", 0, "key 3")));
    assert_int_equal(recall_first(b), first);
    assert_int_equal(ask(b, CHALLENGE_CLAIM, "dev", first).code, ERR_CONFLICT); // for polls only, as ever
    uint64_t third = recall(b, "dev", 0, "key 3");
    assert_int_equal(challenges_count(b->challenges), 2);
    assert_false(failed(ask(b, CHALLENGE_CLAIM, "dev", third)));
    assert_int_equal(recall_first(b), first);
    assert_false(failed(ask(b, CHALLENGE_SPEND, "dev", third)));
    assert_int_equal(recall_first(b), 0); // another registration took its place
    assert_int_equal(recall(b, "dev", 0, "key 3"), third);
    assert_int_equal(challenges_count(b->challenges), 1);
}

static void there_are_no_more_than_the_cap_and_the_old_make_room(void **state)
{
    struct bench *b = *state;
    char id[32];
    for (int i = 0; i < CHALLENGES_MAX; i++) {
        (void)snprintf(id, sizeof id, "dev-%d", i);
        assert_false(failed(keep(b, id, 0, "key")));
    }
    assert_int_equal(keep(b, "one more", 0, "key").code, ERR_OVERLOADED);
    assert_false(failed(keep(b, "dev-7", 0, "key"))); // in the place of its own
    assert_int_not_equal(recall(b, "dev-8", 0, "key"), 0);
    b->now_us += CHALLENGE_ANSWER_MS * INT64_C(1000);
    assert_false(failed(keep(b, "one more", 0, "key")));
    size_t before = challenges_count(b->challenges);
    assert_int_equal(recall(b, "one more", 0, "key") != 0, true);
    assert_true(challenges_count(b->challenges) < before);     // each request sweeps,
    assert_true(challenges_count(b->challenges) > before / 2); // but none does all the work
}

static void certificates_do_not_take_all_the_memory(void **state)
{
    struct bench *b = *state;
    static uint8_t big[64 * 1024];
    struct err e = OK;
    size_t kept = 0;
    for (uint64_t i = 1; !failed(e); i++, kept++) {
        char id[32];
        (void)snprintf(id, sizeof id, "dev-%u", (unsigned)i);
        struct challenge_request r = {.verb = CHALLENGE_KEEP,
                                      .registration_id = slice_text(id),
                                      .channel = i,
                                      .challenge = challenge_of("key")};
        r.challenge.certificates[0] = slice_of(big, sizeof big);
        e = submit(b, &r);
    }
    assert_int_equal(e.code, ERR_OVERLOADED);
    assert_true(kept * sizeof big <= CHALLENGES_BYTES_MAX);
    assert_true((kept + 2) * (sizeof big + 1024) > CHALLENGES_BYTES_MAX);
}

// Whoever knows a public key that is enrolled may ask for challenges, on as many connections as he likes.
static void one_device_does_not_take_the_room_of_the_others(void **state)
{
    struct bench *b = *state;
    for (uint64_t channel = 1; channel <= CHALLENGES_MAX + 1; channel++)
        assert_false(failed(keep(b, "dev", channel, "key")));
    assert_int_equal(challenges_count(b->challenges), CHALLENGES_OF_DEVICE_MAX);
    assert_false(failed(keep(b, "another", 0, "key")));
    assert_int_equal(recall(b, "dev", CHALLENGES_MAX + 1 - CHALLENGES_OF_DEVICE_MAX, ""), 0);
    for (uint64_t i = 0; i < CHALLENGES_OF_DEVICE_MAX; i++)
        assert_int_not_equal(recall(b, "dev", CHALLENGES_MAX + 1 - i, "key"), 0);
}

static uint64_t answer(struct bench *b, uint64_t channel)
{
    uint64_t serial = recall(b, "dev", channel, "key");
    struct challenge_request r = {
        .verb = CHALLENGE_CLAIM, .registration_id = SLICE("dev"), .channel = channel, .serial = serial};
    assert_false(failed(submit(b, &r)));
    r.verb = CHALLENGE_SPEND;
    assert_false(failed(submit(b, &r)));
    return serial;
}

static void who_only_asks_takes_no_place_of_who_has_answered(void **state)
{
    struct bench *b = *state;
    assert_false(failed(keep(b, "dev", 0, "key")));
    uint64_t serial = answer(b, 0);
    for (uint64_t channel = 1; channel <= 2 * CHALLENGES_OF_DEVICE_MAX; channel++)
        assert_false(failed(keep(b, "dev", channel, "key")));
    assert_int_equal(recall(b, "dev", 0, "key"), serial);
    assert_int_equal(challenges_count(b->challenges), CHALLENGES_OF_DEVICE_MAX + 1);
}

static void who_has_answered_often_takes_no_place_of_who_is_asked(void **state)
{
    struct bench *b = *state;
    for (uint64_t channel = 0; channel <= 2 * CHALLENGES_OF_DEVICE_MAX; channel++) {
        assert_false(failed(keep(b, "dev", channel, "key")));
        (void)answer(b, channel);
    }
    assert_int_equal(challenges_count(b->challenges), CHALLENGES_OF_DEVICE_MAX);
    assert_int_equal(recall(b, "dev", 0, ""), 0);
    assert_false(failed(keep(b, "dev", 100, "key")));
    assert_false(failed(keep(b, "dev", 101, "key")));
    assert_int_not_equal(recall(b, "dev", 100, "key"), 0);
    assert_int_not_equal(recall(b, "dev", 101, "key"), 0);
}

// ---- many loops
// ----------------------------------------------------------------------------------------------------

enum { THREADS = 4, ROUNDS = 200, ANSWER_MS = 20000 };

struct racer {
    struct challenges *challenges;
    pthread_t thread;
    unsigned won;
    bool broken;
};

// cmocka's assertions belong to the test's own thread, so racers note what went wrong.
static struct err raced(struct challenges_client *client, struct mailbox *replies,
                        struct challenge_request *r)
{
    bool done = false;
    r->id_scope = SLICE("0ne000A0B1C");
    r->done = answered;
    r->context = &done;
    challenges_submit(client, r);
    for (struct mail *m = mailbox_wait(replies, ANSWER_MS), *next; m != NULL; m = next) {
        next = m->next;
        m->deliver(m);
    }
    return done ? r->result : FAIL(ERR_TIMEOUT);
}

static void *claim_all(void *context)
{
    struct racer *me = context;
    struct mailbox replies;
    struct challenges_client *client = NULL;
    struct arena arena = arena_capped(16 << 20);
    mailbox_init(&replies, NULL, NULL);
    me->broken = failed(challenges_client_new(me->challenges, &replies, &client));
    for (unsigned i = 0; i < ROUNDS && !me->broken; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "dev-%u", i);
        struct challenge_request r = {
            .verb = CHALLENGE_RECALL, .registration_id = slice_text(id), .arena = &arena};
        me->broken = failed(raced(client, &replies, &r)) ||
                     !slice_equal(secret_slice(&r.challenge.key), slice_text(id));
        r.verb = CHALLENGE_CLAIM;
        struct err e = raced(client, &replies, &r);
        me->won += !failed(e);
        me->broken = me->broken || (failed(e) && e.code != ERR_CONFLICT);
        r.verb = CHALLENGE_SPEND;
        me->broken = me->broken || (!failed(e) && failed(raced(client, &replies, &r)));
    }
    challenges_client_free(client);
    mailbox_release(&replies);
    arena_release(&arena);
    return NULL;
}

struct owner {
    struct mailbox box;
    struct mail stop;
    atomic_bool stopped;
};

static void stop(struct mail *mail)
{
    struct owner *owner = CONTAINER_OF(mail, struct owner, stop);
    atomic_store(&owner->stopped, true);
}

static void *own(void *context)
{
    struct owner *owner = context;
    while (!atomic_load(&owner->stopped)) {
        for (struct mail *m = mailbox_wait(&owner->box, ANSWER_MS), *next; m != NULL; m = next) {
            next = m->next;
            m->deliver(m);
        }
    }
    return NULL;
}

static void of_many_loops_exactly_one_claims_each_challenge(void **state)
{
    struct bench *b = *state;
    struct owner owner = {.stop.deliver = stop};
    struct racer racers[THREADS];
    struct challenges *shared;
    pthread_t thread;
    mailbox_init(&owner.box, NULL, NULL);
    assert_false(failed(challenges_new(&owner.box, &b->clock, 7, &shared)));
    assert_int_equal(pthread_create(&thread, NULL, own, &owner), 0);
    struct challenges_client *client;
    assert_false(failed(challenges_client_new(shared, &b->box, &client)));
    for (unsigned i = 0; i < ROUNDS; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "dev-%u", i);
        struct challenge_request r = {
            .verb = CHALLENGE_KEEP, .registration_id = slice_text(id), .challenge = challenge_of(id)};
        assert_false(failed(raced(client, &b->box, &r)));
    }
    for (unsigned i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.challenges = shared};
        assert_int_equal(pthread_create(&racers[i].thread, NULL, claim_all, &racers[i]), 0);
    }
    unsigned won = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(racers[i].thread, NULL);
        assert_false(racers[i].broken);
        won += racers[i].won;
    }
    assert_int_equal(won, ROUNDS);
    mailbox_post(&owner.box, &owner.stop);
    pthread_join(thread, NULL);
    challenges_client_free(client);
    challenges_free(shared);
    mailbox_release(&owner.box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(what_is_kept_is_there_for_its_device_and_channel_only),
        TEST(a_new_challenge_replaces_the_one_before),
        TEST(a_challenge_must_be_answered_within_its_time),
        TEST(one_register_call_at_a_time_may_use_it_and_one_only_in_the_end),
        TEST(polls_go_on_for_a_quarter_of_an_hour),
        TEST(who_was_let_in_may_register_for_a_quarter_of_an_hour_and_once),
        TEST(who_was_let_in_and_does_not_register_is_forgotten),
        TEST(what_was_given_back_too_late_is_of_no_use),
        TEST(the_end_of_an_old_call_leaves_a_new_challenge_alone),
        TEST(polls_go_on_when_somebody_asks_for_a_new_challenge),
        TEST(there_are_no_more_than_the_cap_and_the_old_make_room),
        TEST(certificates_do_not_take_all_the_memory),
        TEST(one_device_does_not_take_the_room_of_the_others),
        TEST(who_only_asks_takes_no_place_of_who_has_answered),
        TEST(who_has_answered_often_takes_no_place_of_who_is_asked),
        TEST(of_many_loops_exactly_one_claims_each_challenge),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

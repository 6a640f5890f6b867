// Many clients at once: who wins, what they see, and that nothing is answered twice or never.
#include "store/conformance_test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 4, ROUNDS = 25, MANY = 500, ANSWER_MS = 20000 };

struct racer {
    struct store *store;
    pthread_t thread;
    unsigned number;
    unsigned won;
    bool broken;
};

static void race(struct racer racers[THREADS], struct store *store, void *(*run)(void *))
{
    for (unsigned i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.store = store, .number = i};
        assert_int_equal(pthread_create(&racers[i].thread, NULL, run, &racers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(racers[i].thread, NULL);
        assert_false(racers[i].broken);
    }
}

// cmocka's assertions belong to the test's own thread, so racers note what went wrong.
struct raced {
    struct store_request request;
    bool answered;
};

static void note_answer(struct store_request *request)
{
    ((struct raced *)request->context)->answered = true;
}

static struct err do_raced(struct store_client *client, struct mailbox *replies, struct raced *r)
{
    r->answered = false;
    r->request.done = note_answer;
    r->request.context = r;
    store_submit(client, &r->request);
    while (!r->answered) {
        struct mail *mail = mailbox_wait(replies, ANSWER_MS);
        if (mail == NULL)
            return FAIL(ERR_TIMEOUT);
        for (struct mail *next; mail != NULL; mail = next) {
            next = mail->next;
            mail->deliver(mail);
        }
    }
    return r->request.result;
}

// Each creates the same records; then each counts a number in one record up, by compare-and-set.
static void *create_and_count(void *context)
{
    struct racer *me = context;
    struct mailbox replies;
    struct store_client *client;
    struct arena arena = arena_capped(1 << 20);
    mailbox_init(&replies, NULL, NULL);
    me->broken = failed(store_client_new(me->store, &replies, &client));
    for (unsigned i = 0; i < ROUNDS && !me->broken; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "key-%u", i);
        struct registration record = bench_registration(key, "h", me->number + 1);
        struct raced r = {.request = {.verb = STORE_PUT,
                                      .table = STORE_REGISTRATION,
                                      .partition = SLICE("s"),
                                      .key = slice_text(key),
                                      .record = &record,
                                      .condition = STORE_IF_ABSENT,
                                      .arena = &arena}};
        struct err e = do_raced(client, &replies, &r);
        me->won += !failed(e);
        me->broken = failed(e) && (e.code != ERR_CONFLICT || r.request.found == NULL);
    }
    for (unsigned done = 0; done < ROUNDS && !me->broken;) {
        struct raced get = {.request = {.verb = STORE_GET,
                                        .table = STORE_REGISTRATION,
                                        .partition = SLICE("s"),
                                        .key = SLICE("counter"),
                                        .arena = &arena}};
        me->broken = failed(do_raced(client, &replies, &get));
        if (me->broken)
            break;
        struct registration next = *(struct registration *)get.request.found;
        struct raced put = {.request = {.verb = STORE_PUT,
                                        .table = STORE_REGISTRATION,
                                        .partition = SLICE("s"),
                                        .key = SLICE("counter"),
                                        .record = &next,
                                        .condition = STORE_IF_MATCH,
                                        .match = next.etag,
                                        .arena = &arena}};
        next.plan_steps++;
        next.etag++;
        struct err e = do_raced(client, &replies, &put);
        done += !failed(e);
        me->broken = failed(e) && e.code != ERR_ETAG;
    }
    store_client_free(client);
    mailbox_release(&replies);
    arena_release(&arena);
    return NULL;
}

static void of_many_who_create_or_update_one_record_exactly_one_wins(void **state)
{
    struct bench *b = *state;
    struct racer racers[THREADS];
    struct registration counter = bench_registration("counter", "h", 1);
    assert_ok(bench_put(b, STORE_REGISTRATION, "s", "counter", &counter, STORE_IF_ABSENT, 0));
    race(racers, b->store, create_and_count);
    unsigned won = 0;
    for (unsigned i = 0; i < THREADS; i++)
        won += racers[i].won;
    assert_int_equal(won, ROUNDS);
    struct registration *found = bench_get(b, STORE_REGISTRATION, "s", "counter");
    assert_int_equal(found->plan_steps, THREADS * ROUNDS);
    assert_int_equal(found->etag, THREADS * ROUNDS + 1);
}

static void a_read_after_the_answer_sees_the_write(void **state)
{
    struct bench *b = *state;
    struct bench other = {0};
    bench_join(&other, b->store);
    for (uint64_t i = 1; i <= 100; i++) {
        struct registration r = bench_registration("dev", "h", i);
        assert_ok(bench_put(b, STORE_REGISTRATION, "s", "dev", &r, STORE_ALWAYS, 0));
        assert_int_equal(((struct registration *)bench_get(b, STORE_REGISTRATION, "s", "dev"))->etag, i);
        assert_int_equal(((struct registration *)bench_get(&other, STORE_REGISTRATION, "s", "dev"))->etag, i);
        struct store_request a = {.verb = STORE_ADMISSION, .partition = SLICE("s"), .key = SLICE("dev")};
        assert_ok(bench_do(&other, &a));
        assert_int_equal(a.admission.registration->etag, i);
        struct store_request q = {
            .verb = STORE_QUERY, .table = STORE_REGISTRATION, .partition = SLICE("s"), .limit = 1};
        assert_ok(bench_do(&other, &q));
        assert_int_equal(((struct registration *)q.rows[0])->etag, i);
    }
    bench_leave(&other);
}

struct crowd {
    struct store_request requests[MANY];
    struct registration records[MANY];
    char keys[MANY][16];
    unsigned answers[MANY];
    size_t answered;
};

static void count_answer(struct store_request *request)
{
    struct crowd *crowd = request->context;
    crowd->answers[request - crowd->requests]++;
    crowd->answered++;
}

static struct crowd *submit_crowd(struct bench *b)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    assert_non_null(crowd);
    for (size_t i = 0; i < MANY; i++) {
        (void)snprintf(crowd->keys[i], sizeof crowd->keys[i], "dev-%zu", i);
        crowd->records[i] = bench_registration(crowd->keys[i], "h", i + 1);
        crowd->requests[i] = (struct store_request){.verb = STORE_PUT,
                                                    .table = STORE_REGISTRATION,
                                                    .partition = SLICE("s"),
                                                    .key = slice_text(crowd->keys[i]),
                                                    .record = &crowd->records[i],
                                                    .condition = STORE_IF_ABSENT,
                                                    .arena = &b->arena,
                                                    .done = count_answer,
                                                    .context = crowd};
        store_submit(b->client, &crowd->requests[i]);
    }
    while (crowd->answered < MANY) {
        struct mail *mail = mailbox_wait(&b->replies, ANSWER_MS);
        assert_non_null(mail);
        for (struct mail *next; mail != NULL; mail = next) {
            next = mail->next;
            mail->deliver(mail);
        }
    }
    return crowd;
}

static void every_request_of_a_crowd_is_answered_once(void **state)
{
    struct bench *b = *state;
    struct crowd *crowd = submit_crowd(b);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(crowd->answers[i], 1);
        assert_ok(crowd->requests[i].result);
    }
    assert_int_equal(bench_count(b, STORE_REGISTRATION, "s", NULL), MANY);
    free(crowd);
}

static void a_crowd_too_large_is_turned_away_in_part_and_nothing_is_lost(void **state)
{
    struct bench *outer = *state;
    struct store *store;
    struct bench small = {0};
    assert_ok(outer->factory->open(outer->factory, 3, &store));
    bench_join(&small, store);
    struct crowd *crowd = submit_crowd(&small);
    size_t taken = 0;
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(crowd->answers[i], 1);
        if (failed(crowd->requests[i].result)) {
            assert_err(crowd->requests[i].result, ERR_OVERLOADED);
            assert_null(bench_get(&small, STORE_REGISTRATION, "s", crowd->keys[i]));
        } else {
            taken++;
            assert_non_null(bench_get(&small, STORE_REGISTRATION, "s", crowd->keys[i]));
        }
    }
    assert_true(taken >= 3);
    assert_int_equal(bench_count(&small, STORE_REGISTRATION, "s", NULL), taken);
    free(crowd);
    bench_leave(&small);
    outer->factory->close(outer->factory, store);
}

static void two_writes_to_one_record_happen_in_the_order_of_submission(void **state)
{
    struct bench *b = *state;
    struct crowd *crowd = calloc(1, sizeof *crowd);
    assert_non_null(crowd);
    for (size_t i = 0; i < 50; i++) {
        crowd->records[i] = bench_registration("dev", "h", i + 1);
        crowd->requests[i] = (struct store_request){.verb = STORE_PUT,
                                                    .table = STORE_REGISTRATION,
                                                    .partition = SLICE("s"),
                                                    .key = SLICE("dev"),
                                                    .record = &crowd->records[i],
                                                    .condition = i == 0 ? STORE_IF_ABSENT : STORE_IF_MATCH,
                                                    .match = i,
                                                    .arena = &b->arena,
                                                    .done = count_answer,
                                                    .context = crowd};
        store_submit(b->client, &crowd->requests[i]);
    }
    while (crowd->answered < 50) {
        struct mail *mail = mailbox_wait(&b->replies, ANSWER_MS);
        assert_non_null(mail);
        for (struct mail *next; mail != NULL; mail = next) {
            next = mail->next;
            mail->deliver(mail);
        }
    }
    for (size_t i = 0; i < 50; i++)
        assert_ok(crowd->requests[i].result);
    assert_int_equal(((struct registration *)bench_get(b, STORE_REGISTRATION, "s", "dev"))->etag, 50);
    free(crowd);
}

const struct CMUnitTest conformance_thread_tests[] = {
    cmocka_unit_test(of_many_who_create_or_update_one_record_exactly_one_wins),
    cmocka_unit_test(a_read_after_the_answer_sees_the_write),
    cmocka_unit_test(every_request_of_a_crowd_is_answered_once),
    cmocka_unit_test(a_crowd_too_large_is_turned_away_in_part_and_nothing_is_lost),
    cmocka_unit_test(two_writes_to_one_record_happen_in_the_order_of_submission),
};
CONFORMANCE_TESTS(thread);

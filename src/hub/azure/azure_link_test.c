// What a link says beside the hub's name: two keys, one of which may be rolled; how often the hub may be
// called; and what the others are told of it.
#include <stdio.h>
#include <stdlib.h>

#include "hub/azure/azure_test.h"

// --- keys
// ------------------------------------------------------------------------------------------------------------

// The keys that the hub takes now; NULL: none.
static void hub_takes(struct world *w, const char *one, const char *other)
{
    assert_true(secret_set(&w->registry.keys[0], slice_text(one)));
    assert_true(secret_set(&w->registry.keys[1], slice_text(other)));
}

static void linked_with(struct shot *shot, struct world *w, const char *primary, const char *secondary)
{
    shot_init(shot, &w->fake, "dev1");
    assert_true(secret_set(&shot->hub.policy_key, slice_text(primary)));
    assert_true(secret_set(&shot->hub.policy_key_secondary, slice_text(secondary)));
}

static size_t requests_of(struct world *w, const char *primary, const char *secondary, enum err_code want)
{
    struct shot shot;
    size_t before = w->fake.peer.requests;
    linked_with(&shot, w, primary, secondary);
    shot.request.verb = HUB_REMOVE;
    (void)!failed(shot_run(&shot));
    assert_result(&shot, want);
    return w->fake.peer.requests - before;
}

// First the primary key is rolled at the hub, then the link is updated, then the secondary one is rolled.
static void keys_are_rolled_without_a_failure(void **state)
{
    struct world *w = *state;
    hub_takes(w, "one", "two");
    assert_int_equal(requests_of(w, "one", "two", ERR_NONE), 1);
    hub_takes(w, "new one", "two");
    assert_int_equal(requests_of(w, "one", "two", ERR_NONE), 2);
    assert_int_equal(requests_of(w, "one", "two", ERR_NONE), 1); // it is remembered which one works
    assert_int_equal(requests_of(w, "new one", "two", ERR_NONE), 1);
    hub_takes(w, "new one", "new two");
    assert_int_equal(requests_of(w, "new one", "two", ERR_NONE), 2);
    assert_int_equal(requests_of(w, "new one", "two", ERR_NONE), 1);
    assert_int_equal(requests_of(w, "new one", "new two", ERR_NONE), 1);
    assert_int_equal(w->fake.told, 0); // at no time was the hub failing
    assert_int_equal(bench_count_log(&w->fake.peer.bench, "\"event\":\"hub.other_key\""), 2);
    assert_int_equal(bench_count_log(&w->fake.peer.bench, "\"event\":\"hub.unauthorized\""), 0);
}

static void a_crowd_does_not_notice_that_a_key_was_rolled(void **state)
{
    struct world *w = *state;
    static struct shot crowd[40];
    hub_takes(w, "two", NULL);
    for (size_t i = 0; i < 40; i++) {
        static char ids[40][8];
        (void)snprintf(ids[i], sizeof ids[i], "dev%zu", i);
        linked_with(&crowd[i], w, "one", "two");
        crowd[i].request.identity.device_id = slice_text(ids[i]);
    }
    shots_fire(crowd, 40);
    for (size_t i = 0; i < 40; i++) {
        shot_wait(&crowd[i]);
        assert_result(&crowd[i], ERR_NONE);
    }
    assert_int_equal(bench_count_log(&w->fake.peer.bench, "\"event\":\"hub.other_key\""), 1);
}

static void when_neither_key_is_taken_the_hub_has_the_last_word(void **state)
{
    struct world *w = *state;
    struct shot shot;
    hub_takes(w, "three", NULL);
    linked_with(&shot, w, "one", "two");
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAUTHORIZED);
    assert_int_equal(w->fake.peer.requests, 2);
    assert_string_equal(
        shot.request.why.text,
        "{\"Message\":\"ErrorCode:IotHubUnauthorizedAccess;no\",\"ExceptionMessage\":\"Tracking ID:1\"}");
    assert_int_equal(requests_of(w, "one", NULL, ERR_HUB_UNAUTHORIZED), 1); // no other key, no other try
}

// The second step of an adoption is repeated as it was, not the answer to the first one's.
static void a_step_is_repeated_with_the_other_key_as_it_was(void **state)
{
    struct world *w = *state;
    struct shot shot;
    hub_takes(w, "one", "two");
    for (int i = 0; i < 2; i++) {
        linked_with(&shot, w, "one", "two");
        if (i == 1) {
            fake_say(&w->fake, 0, NULL, NULL);   // PUT: it is there
            fake_say(&w->fake, 0, NULL, NULL);   // GET
            fake_say(&w->fake, 401, NULL, "{}"); // PUT
        }
        (void)!failed(shot_run(&shot));
        assert_result(&shot, ERR_NONE);
    }
    assert_int_equal(w->fake.peer.requests, 5);
    assert_true(peer_saw(&w->fake.peer, 4, "\r\nIf-Match: \"e1\"\r\n"));
    assert_true(peer_saw(&w->fake.peer, 4, "{\"deviceId\":\"dev1\",\"etag\":\"e1\",\"status\":\"enabled\","));
}

// --- pace
// ------------------------------------------------------------------------------------------------------------

static void prepare_crowd(struct shot *shots, size_t count, struct world *w, uint32_t per_minute)
{
    for (size_t i = 0; i < count; i++) {
        shot_init(&shots[i], &w->fake, "dev1");
        shots[i].request.verb = HUB_REMOVE; // one call each
        shots[i].hub.calls_per_minute = per_minute;
    }
}

static void a_crowd_is_let_through_at_the_hubs_pace(void **state)
{
    struct world *w = *state;
    static struct shot shots[70];
    prepare_crowd(shots, 70, w, 600); // sixty at once, then ten a second
    int64_t from = bench_now_ms();
    shots_fire(shots, 70);
    for (size_t i = 0; i < 70; i++) {
        shot_wait(&shots[i]);
        assert_result(&shots[i], ERR_NONE);
    }
    assert_in_range((uintmax_t)(bench_now_ms() - from), 950, 6000);
    assert_int_equal(w->fake.peer.requests, 70);
}

static void who_would_wait_too_long_is_told_when_to_come_back(void **state)
{
    struct world *w = *state;
    static struct shot shots[9];
    struct arena arena = arena_capped(1 << 20);
    struct shot read;
    prepare_crowd(shots, 9, w, 60); // six at once, then one a second
    for (size_t i = 0; i < 9; i++)
        shots[i].request.deadline_ms = 1700;
    shots_fire(shots, 9);
    shot_init(&read, &w->fake, "dev1");
    read.request.verb = HUB_READ;
    read.request.arena = &arena;
    read.hub.calls_per_minute = 60;
    (void)!failed(shot_run(&read));
    assert_result(&read, ERR_NONE); // it takes nothing from the registry
    assert_int_equal(shots[6].outcome.times, 0);
    for (size_t i = 0; i < 9; i++) {
        shot_wait(&shots[i]);
        assert_result(&shots[i], i < 7 ? ERR_NONE : ERR_HUB_UNAVAILABLE);
        if (i < 7)
            continue;
        assert_in_range((uintmax_t)shots[i].request.retry_after_ms, 1900, 2600);
        assert_true(shot_says(&shots[i], "takes 60 calls a minute"));
    }
    assert_int_equal(w->fake.peer.requests, 8);
    assert_int_equal(w->fake.told, 0); // that is the service's doing, not the hub's
    arena_release(&arena);
}

// --- health
// -----------------------------------------------------------------------------------------------------------

static void assert_told(struct world *w, unsigned times, bool failing, const char *why)
{
    assert_int_equal(w->fake.told, times);
    assert_int_equal(w->fake.told_failing, failing);
    if (why != NULL && strstr(w->fake.told_why.text, why) == NULL)
        fail_msg("'%s' does not say '%s'", w->fake.told_why.text, why);
}

static void answer_once(struct world *w, int status, const char *headers)
{
    struct shot shot;
    shot_init(&shot, &w->fake, "dev1");
    shot.request.verb = HUB_REMOVE;
    if (status != 0)
        fake_say(&w->fake, status, headers, "{\"Message\":\"so it is\"}");
    (void)!failed(shot_run(&shot));
}

static void a_hub_that_breaks_down_and_comes_back_is_told_of_once_each(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 5; i++) {
        assert_told(w, 0, false, NULL);
        answer_once(w, 503, NULL);
    }
    assert_told(w, 1, true, "503: so it is");
    answer_once(w, 0, NULL); // it is left alone, so nobody learns anything
    assert_told(w, 1, true, NULL);
    atomic_fetch_add(&w->fake.peer.skew_us, 1000000);
    answer_once(w, 0, NULL);
    assert_told(w, 2, false, NULL);
    answer_once(w, 0, NULL);
    assert_told(w, 2, false, NULL);
}

static void a_hub_that_turns_the_service_down_is_failing_until_it_does_not(void **state)
{
    struct world *w = *state;
    answer_once(w, 401, NULL);
    answer_once(w, 401, NULL);
    assert_told(w, 1, true, "so it is");
    answer_once(w, 0, NULL);
    assert_told(w, 2, false, NULL);
}

static void a_hub_that_asks_for_quiet_is_failing_until_it_had_it(void **state)
{
    struct world *w = *state;
    answer_once(w, 429, "Retry-After: 2\r\n");
    assert_told(w, 1, true, "429");
    answer_once(w, 0, NULL);
    assert_told(w, 1, true, NULL);
    atomic_fetch_add(&w->fake.peer.skew_us, 2000000);
    answer_once(w, 0, NULL);
    assert_told(w, 2, false, NULL);
}

static void count_told(void *argument)
{
    struct world *w = ((void **)argument)[0];
    *(unsigned *)((void **)argument)[1] = w->fake.told;
}

// Else one that gets no devices because it failed would never be tried again.
static void a_hub_that_nobody_calls_is_not_failing_for_ever(void **state)
{
    struct world *w = *state;
    unsigned told = 0;
    void *argument[] = {w, &told};
    int64_t from = bench_now_ms();
    answer_once(w, 401, NULL);
    assert_told(w, 1, true, NULL);
    while (told < 2 && bench_now_ms() - from < PATIENCE_MS)
        bench_do(&w->fake.peer.bench, count_told, argument);
    assert_told(w, 2, false, NULL);
    assert_in_range((uintmax_t)(bench_now_ms() - from), FAKE_STALE_MS - 50, PATIENCE_MS);
    answer_once(w, 401, NULL); // it is as it was
    assert_told(w, 3, true, NULL);
}

// --- two services
// -----------------------------------------------------------------------------------------------------

static struct err call_of(struct world *w, const char *scope, const char *key, struct shot *shot)
{
    linked_with(shot, w, key, NULL);
    shot->request.verb = HUB_REMOVE;
    shot->request.id_scope = slice_text(scope);
    return shot_run(shot);
}

static void a_service_with_a_wrong_key_harms_no_other(void **state)
{
    struct world *w = *state;
    struct shot shot;
    hub_takes(w, "right", NULL);
    for (int i = 0; i < 3; i++) {
        (void)!failed(call_of(w, "0ne1", "wrong", &shot));
        assert_result(&shot, ERR_HUB_UNAUTHORIZED);
        assert_told(w, 1, true, NULL);
        assert_string_equal(w->fake.told_scope, "0ne1"); // and nobody else's
        (void)!failed(call_of(w, "0ne2", "right", &shot));
        assert_result(&shot, ERR_NONE);
    }
    assert_told(w, 1, true, NULL); // that the other one is let in mends nothing
    assert_int_equal(bench_count_log(&w->fake.peer.bench, "\"event\":\"hub.unauthorized\""), 1);
    (void)!failed(call_of(w, "0ne1", "right", &shot));
    assert_told(w, 2, false, NULL);
    assert_string_equal(w->fake.told_scope, "0ne1");
}

static void a_service_with_an_outdated_key_does_not_choose_that_of_another(void **state)
{
    struct world *w = *state;
    struct shot shot;
    hub_takes(w, "two", NULL);
    linked_with(&shot, w, "one", "two");
    shot.request.id_scope = SLICE("0ne1");
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_NONE);
    assert_int_equal(w->fake.peer.requests, 2);
    linked_with(&shot, w, "two", "other");
    shot.request.verb = HUB_REMOVE;
    shot.request.id_scope = SLICE("0ne2");
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_NONE);
    assert_int_equal(w->fake.peer.requests, 3); // by its first key, at once
}

static void a_service_that_calls_seldom_does_not_slow_another(void **state)
{
    struct world *w = *state;
    static struct shot shots[7];
    struct shot other;
    prepare_crowd(shots, 7, w, 60); // six at once, then one a second
    for (size_t i = 0; i < 7; i++) {
        shots[i].request.id_scope = SLICE("0ne1");
        shots[i].request.deadline_ms = 5000;
    }
    shots_fire(shots, 7);
    for (size_t i = 0; i < 6; i++)
        shot_wait(&shots[i]);
    shot_init(&other, &w->fake, "dev1");
    other.request.verb = HUB_REMOVE;
    other.request.id_scope = SLICE("0ne2");
    int64_t from = bench_now_ms();
    (void)!failed(shot_run(&other)); // its link has no limit
    assert_result(&other, ERR_NONE);
    assert_in_range((uintmax_t)(bench_now_ms() - from), 0, 500);
    assert_int_equal(shots[6].outcome.times, 0); // nor does it give the first one a fresh start
    shot_wait(&shots[6]);
    assert_result(&shots[6], ERR_NONE);
}

static void a_hub_that_breaks_down_does_so_for_all(void **state)
{
    struct world *w = *state;
    struct shot shot;
    for (int i = 0; i < 5; i++) {
        fake_say(&w->fake, 503, NULL, "");
        (void)!failed(call_of(w, "0ne1", "one", &shot));
    }
    assert_told(w, 1, true, "503");
    assert_string_equal(w->fake.told_scope, "");
    (void)!failed(call_of(w, "0ne2", "one", &shot));
    assert_result(&shot, ERR_HUB_UNAVAILABLE);
    assert_int_equal(w->fake.peer.requests, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HUB(keys_are_rolled_without_a_failure),
        WITH_HUB(a_crowd_does_not_notice_that_a_key_was_rolled),
        WITH_HUB(when_neither_key_is_taken_the_hub_has_the_last_word),
        WITH_HUB(a_step_is_repeated_with_the_other_key_as_it_was),
        WITH_HUB(a_crowd_is_let_through_at_the_hubs_pace),
        WITH_HUB(who_would_wait_too_long_is_told_when_to_come_back),
        WITH_HUB(a_hub_that_breaks_down_and_comes_back_is_told_of_once_each),
        WITH_HUB(a_hub_that_turns_the_service_down_is_failing_until_it_does_not),
        WITH_HUB(a_hub_that_asks_for_quiet_is_failing_until_it_had_it),
        WITH_HUB(a_hub_that_nobody_calls_is_not_failing_for_ever),
        WITH_HUB(a_service_with_a_wrong_key_harms_no_other),
        WITH_HUB(a_service_with_an_outdated_key_does_not_choose_that_of_another),
        WITH_HUB(a_service_that_calls_seldom_does_not_slow_another),
        WITH_HUB(a_hub_that_breaks_down_does_so_for_all),
    };
    return cmocka_run_group_tests_name("hub azure link", tests, NULL, NULL);
}

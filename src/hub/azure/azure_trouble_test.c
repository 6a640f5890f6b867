// Hubs that are slow, broken, throttled, not who they say they are, or asked for too much at once.
#include <stdio.h>
#include <stdlib.h>

#include "hub/azure/azure_test.h"

static void a_hub_that_asks_for_quiet_gets_it(void **state)
{
    (void)state;
    struct fake fake;
    struct shot shots[3];
    fake_start(&fake);
    for (size_t i = 0; i < 3; i++)
        shot_init(&shots[i], &fake, "dev1");
    fake_say(&fake, 429, "Retry-After: 7\r\n", "{\"Message\":\"ErrorCode:ThrottlingException;slow\"}");
    (void)!failed(shot_run(&shots[0]));
    assert_result(&shots[0], ERR_HUB_UNAVAILABLE);
    assert_int_equal(shots[0].request.retry_after_ms, 7000);
    (void)!failed(shot_run(&shots[1]));
    assert_result(&shots[1], ERR_HUB_UNAVAILABLE);
    assert_in_range((uintmax_t)shots[1].request.retry_after_ms, 1, 7000);
    assert_int_equal(fake.peer.requests, 1);
    atomic_store(&fake.peer.skew_us, 7000000);
    assert_false(failed(shot_run(&shots[2])));
    fake_end(&fake);
}

static void a_broken_hub_may_say_when_to_come_back(void **state)
{
    (void)state;
    struct fake fake;
    struct shot shot;
    fake_start(&fake);
    shot_init(&shot, &fake, "dev1");
    fake_say(&fake, 503, "Retry-After: 3\r\n", "");
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAVAILABLE);
    assert_int_equal(shot.request.retry_after_ms, 3000);
    fake_end(&fake);
}

static void the_deadline_holds_whatever_the_hub_does(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake);
    static const enum peer_manner manners[] = {PEER_DRIP, PEER_SILENT};
    for (size_t i = 0; i < 2; i++) {
        struct shot shot;
        shot_init(&shot, &fake, "dev1");
        shot.request.deadline_ms = 300;
        fake_behave(&fake, manners[i]);
        int64_t from = bench_now_ms();
        (void)!failed(shot_run(&shot));
        assert_result(&shot, ERR_HUB_UNAVAILABLE);
        assert_in_range((uintmax_t)(bench_now_ms() - from), 290, 5000);
    }
    fake_end(&fake);
}

// The deadline is for all steps together: the first two answers take their time off the third.
static void the_deadline_is_for_all_steps(void **state)
{
    (void)state;
    struct fake fake;
    struct shot shot;
    fake_start(&fake);
    shot_init(&shot, &fake, "dev1");
    shot.request.twin_how = HUB_TWIN_SET;
    shot.request.deadline_ms = 2000;
    fake.peer.holding = true;
    shot_fire(&shot);
    peer_await_requests(&fake.peer, 1);
    atomic_store(&fake.peer.skew_us, 3000000); // the first answer took three seconds
    peer_let_go(&fake.peer);
    shot_wait(&shot);
    assert_result(&shot, ERR_HUB_UNAVAILABLE);
    assert_int_equal(fake.peer.requests, 1);
    fake_end(&fake);
}

static void a_connection_that_breaks_off_is_retryable(void **state)
{
    (void)state;
    struct fake fake;
    struct shot shot;
    fake_start(&fake);
    shot_init(&shot, &fake, "dev1");
    fake_behave(&fake, PEER_CUT);
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAVAILABLE);
    fake_end(&fake);
}

static void a_kept_connection_that_the_hub_closed_costs_nothing(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake);
    for (int i = 0; i < 4; i++) {
        struct shot shot;
        shot_init(&shot, &fake, "dev1");
        fake_behave(&fake, PEER_LEAVE);
        assert_false(failed(shot_run(&shot)));
    }
    fake_end(&fake);
}

static void nobody_listening_is_retryable(void **state)
{
    (void)state;
    struct fake fake;
    struct shot shot;
    fake_start(&fake);
    shot_init(&shot, &fake, "dev1");
    shot.hub.host = SLICE("127.0.0.1:1");
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAVAILABLE);
    assert_true(shot_says(&shot, "127.0.0.1:1 cannot be reached"));
    fake_end(&fake);
}

static void what_is_no_host_name_is_never_called(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake);
    static const char *const hosts[] = {"", "user@localhost", "localhost/x", "localhost?x",
                                        "local\r\nhost: x"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct shot shot;
        shot_init(&shot, &fake, "dev1");
        shot.hub.host = slice_text(hosts[i]);
        (void)!failed(shot_run(&shot));
        assert_result(&shot, ERR_HUB_REFUSED);
    }
    fake_end(&fake);
}

// --- whom it trusts
// ---------------------------------------------------------------------------------------------------------

// name and age of the certificate; whether the connector is told to trust its CA
static void expect_trust(const char *name, int64_t age_days, bool trusted, bool good)
{
    struct fake fake;
    struct shot shot;
    fake_start_as(&fake, name, age_days, trusted);
    shot_init(&shot, &fake, "dev1");
    (void)!failed(shot_run(&shot));
    assert_result(&shot, good ? ERR_NONE : ERR_HUB_UNAVAILABLE);
    assert_int_equal(fake.peer.requests, good ? 1 : 0);
    if (!good && !shot_says(&shot, "certificate"))
        fail_msg("'%s' does not say what is wrong", shot.request.why.text);
    fake_end(&fake);
}

static void only_a_hub_with_the_right_certificate_is_told_anything(void **state)
{
    (void)state;
    expect_trust("localhost", 0, true, true);
    expect_trust("localhost", 0, false, false);   // of another CA
    expect_trust("elsewhere", 0, true, false);    // for another host
    expect_trust("localhost", 1000, true, false); // expired
}

static void a_file_without_certificates_is_no_file_of_cas(void **state)
{
    (void)state;
    struct hub_connector *connector = NULL;
    struct random random = {0};
    struct why why = {0};
    struct hub_azure_settings settings = {.random = &random, .ca_pem = SLICE("-----BEGIN PRIVATE KEY-----")};
    assert_int_equal(hub_azure_new(&settings, &connector, &why).code, ERR_CONFIG);
    assert_null(connector);
    assert_true(strlen(why.text) > 0);
}

// --- many at once
// ---------------------------------------------------------------------------------------------------------

static void three_hundred_at_once_share_sixteen_connections(void **state)
{
    (void)state;
    enum { SHOTS = 300 };
    struct fake fake;
    static struct shot shots[SHOTS];
    static char ids[SHOTS][16];
    fake_start(&fake);
    for (size_t i = 0; i < SHOTS; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "device-%zu", i);
        shot_init(&shots[i], &fake, ids[i]);
        shots[i].request.twin_how = HUB_TWIN_SET;
    }
    shots_fire(shots, SHOTS);
    for (size_t i = 0; i < SHOTS; i++) {
        shot_wait(&shots[i]);
        assert_result(&shots[i], ERR_NONE);
    }
    assert_int_equal(fake.peer.requests, 2 * SHOTS);
    assert_in_range(fake.peer.connections, 2, 16);
    fake_end(&fake);
}

static void a_line_that_is_too_long_sends_the_last_away(void **state)
{
    (void)state;
    enum { PLACES = 16 + 4096 };
    struct fake fake;
    struct shot *shots = calloc(PLACES + 1, sizeof *shots);
    assert_non_null(shots);
    fake_start(&fake);
    fake.peer.holding = true;
    for (size_t i = 0; i <= PLACES; i++)
        shot_init(&shots[i], &fake, "dev1");
    shots_fire(shots, PLACES + 1);
    shot_wait(&shots[PLACES]);
    assert_result(&shots[PLACES], ERR_HUB_UNAVAILABLE);
    assert_true(shot_says(&shots[PLACES], "too much is waiting"));
    peer_await_requests(&fake.peer, 16);
    peer_let_go(&fake.peer);
    for (size_t i = 0; i < PLACES; i++) {
        shot_wait(&shots[i]);
        assert_result(&shots[i], ERR_NONE);
    }
    fake_end(&fake);
    free(shots);
}

static void who_waits_too_long_is_told_so(void **state)
{
    (void)state;
    enum { SHOTS = 40 };
    struct fake fake;
    static struct shot shots[SHOTS];
    fake_start(&fake);
    fake.peer.holding = true;
    for (size_t i = 0; i < SHOTS; i++) {
        shot_init(&shots[i], &fake, "dev1");
        shots[i].request.deadline_ms = i < 16 ? 10000 : 100 + (int64_t)i;
    }
    shots_fire(shots, SHOTS);
    for (size_t i = 16; i < SHOTS; i++) {
        shot_wait(&shots[i]);
        assert_result(&shots[i], ERR_HUB_UNAVAILABLE);
        assert_true(shot_says(&shots[i], "while others were served"));
    }
    peer_await_requests(&fake.peer, 16);
    peer_let_go(&fake.peer);
    for (size_t i = 0; i < 16; i++) {
        shot_wait(&shots[i]);
        assert_result(&shots[i], ERR_NONE);
    }
    fake_end(&fake);
}

static void a_hub_that_keeps_failing_is_left_alone_until_it_answers(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake);
    struct shot shot;
    for (int i = 0; i < 5; i++) {
        shot_init(&shot, &fake, "dev1");
        fake_say(&fake, 500, NULL, "");
        (void)!failed(shot_run(&shot));
        assert_result(&shot, ERR_HUB_UNAVAILABLE);
    }
    assert_int_equal(bench_count_log(&fake.peer.bench, "\"event\":\"hub.circuit_open\""), 1);
    shot_init(&shot, &fake, "dev1");
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAVAILABLE);
    assert_in_range((uintmax_t)shot.request.retry_after_ms, 1, 1250);
    assert_int_equal(fake.peer.requests, 5); // it was not asked

    atomic_fetch_add(&fake.peer.skew_us, 1000000);
    shot_init(&shot, &fake, "dev1");
    fake_say(&fake, 500, NULL, "");
    (void)!failed(shot_run(&shot)); // the one that tries: still broken, so it is left alone for longer
    assert_int_equal(fake.peer.requests, 6);
    shot_init(&shot, &fake, "dev1");
    (void)!failed(shot_run(&shot));
    assert_in_range((uintmax_t)shot.request.retry_after_ms, 1001, 2500);

    atomic_fetch_add(&fake.peer.skew_us, 2000000);
    static struct shot shots[10];
    for (size_t i = 0; i < 10; i++)
        shot_init(&shots[i], &fake, "dev1");
    shots_fire(shots, 10); // one tries, the others are told to wait
    for (size_t i = 0; i < 10; i++) {
        shot_wait(&shots[i]);
        assert_result(&shots[i], i == 0 ? ERR_NONE : ERR_HUB_UNAVAILABLE);
        assert_true(i == 0 || shots[i].request.retry_after_ms > 0);
    }
    shot_init(&shot, &fake, "dev1");
    assert_false(failed(shot_run(&shot)));
    assert_int_equal(bench_count_log(&fake.peer.bench, "\"event\":\"hub.circuit_open\""), 1);
    assert_int_equal(bench_count_log(&fake.peer.bench, "\"event\":\"hub.circuit_closed\""), 1);
    fake_end(&fake);
}

static void when_a_hub_is_given_up_those_in_line_hear_it_at_once(void **state)
{
    (void)state;
    enum { SHOTS = 200 };
    struct fake fake;
    static struct shot shots[SHOTS];
    fake_start(&fake);
    fake.use_always = true;
    fake.always = (struct fake_answer){.manner = PEER_CUT};
    for (size_t i = 0; i < SHOTS; i++)
        shot_init(&shots[i], &fake, "dev1");
    shots_fire(shots, SHOTS);
    for (size_t i = 0; i < SHOTS; i++) {
        shot_wait(&shots[i]);
        assert_result(&shots[i], ERR_HUB_UNAVAILABLE);
    }
    assert_in_range(fake.peer.requests, 5, 5 + 16);
    fake_end(&fake);
}

static void a_dead_hub_does_not_slow_another(void **state)
{
    (void)state;
    enum { DEAD = 100 };
    struct fake fake;
    static struct shot dead[DEAD];
    struct shot alive;
    char silent[32];
    fake_start(&fake);
    (void)snprintf(silent, sizeof silent, "127.0.0.1:%u", fake.peer.port);
    fake.silent_host = silent;
    for (size_t i = 0; i < DEAD; i++) {
        shot_init(&dead[i], &fake, "dev1");
        dead[i].hub.host = slice_text(silent);
        dead[i].request.deadline_ms = 1500;
    }
    shots_fire(dead, DEAD);
    peer_await_requests(&fake.peer, 16);
    for (int i = 0; i < 20; i++) {
        shot_init(&alive, &fake, "dev2");
        assert_false(failed(shot_run(&alive)));
    }
    assert_int_equal(dead[0].outcome.times, 0); // the dead one is still being waited for
    for (size_t i = 0; i < DEAD; i++) {
        shot_wait(&dead[i]);
        assert_result(&dead[i], ERR_HUB_UNAVAILABLE);
    }
    fake_end(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hub_that_asks_for_quiet_gets_it),
        cmocka_unit_test(a_broken_hub_may_say_when_to_come_back),
        cmocka_unit_test(the_deadline_holds_whatever_the_hub_does),
        cmocka_unit_test(the_deadline_is_for_all_steps),
        cmocka_unit_test(a_connection_that_breaks_off_is_retryable),
        cmocka_unit_test(a_kept_connection_that_the_hub_closed_costs_nothing),
        cmocka_unit_test(nobody_listening_is_retryable),
        cmocka_unit_test(what_is_no_host_name_is_never_called),
        cmocka_unit_test(only_a_hub_with_the_right_certificate_is_told_anything),
        cmocka_unit_test(a_file_without_certificates_is_no_file_of_cas),
        cmocka_unit_test(three_hundred_at_once_share_sixteen_connections),
        cmocka_unit_test(a_line_that_is_too_long_sends_the_last_away),
        cmocka_unit_test(who_waits_too_long_is_told_so),
        cmocka_unit_test(a_hub_that_keeps_failing_is_left_alone_until_it_answers),
        cmocka_unit_test(when_a_hub_is_given_up_those_in_line_hear_it_at_once),
        cmocka_unit_test(a_dead_hub_does_not_slow_another),
    };
    return cmocka_run_group_tests_name("hub azure trouble", tests, NULL, NULL);
}

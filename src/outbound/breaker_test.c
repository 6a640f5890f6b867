// When a failing hub is left alone, for how long, and who may try it again.
#include "outbound/breaker.h"

#include "base/testing.h"

#define MS INT64_C(1000)

static void fail_times(struct outbound_breaker *b, unsigned times, int64_t now_us)
{
    for (unsigned i = 0; i < times; i++)
        (void)outbound_breaker_failed(b, false, now_us, 0);
}

static void a_hub_that_fails_now_and_then_is_still_asked(void **state)
{
    (void)state;
    struct outbound_breaker b = {0};
    int64_t wait = 0;
    for (int round = 0; round < 10; round++) {
        fail_times(&b, OUTBOUND_BREAKER_FAILURES - 1, 0);
        assert_int_equal(outbound_breaker_ask(&b, 0, &wait), OUTBOUND_GATE_PASS);
        assert_false(outbound_breaker_succeeded(&b));
    }
}

static void a_hub_that_keeps_failing_is_left_alone_for_a_second(void **state)
{
    (void)state;
    struct outbound_breaker b = {0};
    int64_t wait = 0;
    fail_times(&b, OUTBOUND_BREAKER_FAILURES - 1, 0);
    assert_true(outbound_breaker_failed(&b, false, 0, 0));
    assert_int_equal(outbound_breaker_ask(&b, 100 * MS, &wait), OUTBOUND_GATE_REFUSE);
    assert_int_equal(wait, 900);
    assert_int_equal(outbound_breaker_ask(&b, 999 * MS, &wait), OUTBOUND_GATE_REFUSE);
    assert_int_equal(outbound_breaker_ask(&b, 1000 * MS, &wait), OUTBOUND_GATE_PROBE);
}

static void only_one_call_tries_it_at_a_time(void **state)
{
    (void)state;
    struct outbound_breaker b = {0};
    int64_t wait = 0;
    fail_times(&b, OUTBOUND_BREAKER_FAILURES, 0);
    assert_int_equal(outbound_breaker_ask(&b, 1000 * MS, &wait), OUTBOUND_GATE_PROBE);
    assert_int_equal(outbound_breaker_ask(&b, 5000 * MS, &wait), OUTBOUND_GATE_REFUSE);
    assert_true(wait > 0);
    outbound_breaker_undecided(&b, true); // the probe was told to come back: the next one tries
    assert_int_equal(outbound_breaker_ask(&b, 5000 * MS, &wait), OUTBOUND_GATE_PROBE);
    assert_true(outbound_breaker_succeeded(&b));
    assert_int_equal(outbound_breaker_ask(&b, 5000 * MS, &wait), OUTBOUND_GATE_PASS);
}

static void each_failed_probe_doubles_the_wait_up_to_half_a_minute(void **state)
{
    (void)state;
    struct outbound_breaker b = {0};
    int64_t now_us = 0, wait = 0;
    static const int64_t waits_ms[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};
    fail_times(&b, OUTBOUND_BREAKER_FAILURES, 0);
    for (size_t i = 0; i < sizeof waits_ms / sizeof waits_ms[0]; i++) {
        assert_int_equal(outbound_breaker_ask(&b, now_us, &wait), OUTBOUND_GATE_REFUSE);
        assert_int_equal(wait, waits_ms[i]);
        now_us += wait * MS;
        assert_int_equal(outbound_breaker_ask(&b, now_us, &wait), OUTBOUND_GATE_PROBE);
        assert_false(outbound_breaker_failed(&b, true, now_us, 0)); // it was open already: nothing new to log
    }
}

static void stragglers_do_not_lengthen_the_wait(void **state)
{
    (void)state;
    struct outbound_breaker b = {0};
    int64_t wait = 0;
    fail_times(&b, OUTBOUND_BREAKER_FAILURES, 0);
    fail_times(&b, 20, 900 * MS);
    assert_int_equal(outbound_breaker_ask(&b, 1000 * MS, &wait), OUTBOUND_GATE_PROBE);
    fail_times(&b, 20, 1100 * MS);
    assert_int_equal(outbound_breaker_ask(&b, 1200 * MS, &wait),
                     OUTBOUND_GATE_REFUSE); // the probe is still under way
}

static void chance_takes_at_most_a_quarter_off(void **state)
{
    (void)state;
    for (uint32_t chance = 0; chance < 100000; chance += 97) {
        struct outbound_breaker b = {0};
        int64_t wait = 0;
        for (unsigned i = 0; i < OUTBOUND_BREAKER_FAILURES; i++)
            (void)outbound_breaker_failed(&b, false, 0, chance);
        assert_int_equal(outbound_breaker_ask(&b, 0, &wait), OUTBOUND_GATE_REFUSE);
        assert_in_range((uintmax_t)wait, 750, 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hub_that_fails_now_and_then_is_still_asked),
        cmocka_unit_test(a_hub_that_keeps_failing_is_left_alone_for_a_second),
        cmocka_unit_test(only_one_call_tries_it_at_a_time),
        cmocka_unit_test(each_failed_probe_doubles_the_wait_up_to_half_a_minute),
        cmocka_unit_test(stragglers_do_not_lengthen_the_wait),
        cmocka_unit_test(chance_takes_at_most_a_quarter_off),
    };
    return cmocka_run_group_tests_name("outbound breaker", tests, NULL, NULL);
}

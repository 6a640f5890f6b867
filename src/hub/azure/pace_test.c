// How many calls a hub gets in which time.
#include "hub/azure/pace.h"

#include "base/testing.h"

#define SECOND INT64_C(1000000)

static unsigned calls_until(struct azure_pace *pace, int64_t from_us, int64_t until_us)
{
    unsigned calls = 0;
    for (int64_t now = from_us; now < until_us; now += 1000) {
        azure_pace_fill(pace, now);
        for (; azure_pace_free(pace); calls++)
            azure_pace_take(pace);
    }
    return calls;
}

static void no_minute_has_more_calls_than_a_hub_of_azure_takes(void **state)
{
    (void)state;
    struct azure_pace pace = {0};
    azure_pace_set(&pace, 90, 1, 5 * SECOND);
    unsigned first = calls_until(&pace, 5 * SECOND, 65 * SECOND);
    assert_in_range(first, 95, 99); // a full bucket and a minute
    unsigned second = calls_until(&pace, 65 * SECOND, 125 * SECOND);
    assert_in_range(second, 89, 90);
}

static void each_loop_takes_its_share(void **state)
{
    (void)state;
    unsigned calls = 0;
    for (int i = 0; i < 4; i++) {
        struct azure_pace pace = {0};
        azure_pace_set(&pace, 600, 4, 0);
        calls += calls_until(&pace, 0, 60 * SECOND);
    }
    assert_in_range(calls, 655, 660);
}

static void a_link_without_a_figure_has_no_pace(void **state)
{
    (void)state;
    struct azure_pace pace = {0};
    azure_pace_set(&pace, 0, 2, 0);
    for (int i = 0; i < 100000; i++)
        azure_pace_take(&pace);
    assert_true(azure_pace_free(&pace));
    assert_int_equal(azure_pace_wait_ms(&pace, 1000), 0);
}

static void who_stands_in_line_knows_how_long(void **state)
{
    (void)state;
    struct azure_pace pace = {0};
    azure_pace_set(&pace, 60, 1, 0); // one a second, six at first
    for (int i = 0; i < 6; i++) {
        assert_int_equal(azure_pace_wait_ms(&pace, 0), 0);
        azure_pace_take(&pace);
    }
    assert_false(azure_pace_free(&pace));
    assert_in_range((uintmax_t)azure_pace_wait_ms(&pace, 0), 1000, 1001);
    assert_in_range((uintmax_t)azure_pace_wait_ms(&pace, 9), 10000, 10001);
    azure_pace_fill(&pace, SECOND / 2);
    assert_in_range((uintmax_t)azure_pace_wait_ms(&pace, 0), 500, 501);
    azure_pace_fill(&pace, SECOND);
    assert_true(azure_pace_free(&pace));
}

static void steps_that_were_not_foreseen_are_paid_later(void **state)
{
    (void)state;
    struct azure_pace pace = {0};
    azure_pace_set(&pace, 60, 1, 0);
    for (int i = 0; i < 10; i++)
        azure_pace_take(&pace);
    azure_pace_fill(&pace, 4 * SECOND);
    assert_false(azure_pace_free(&pace));
    azure_pace_fill(&pace, 5 * SECOND);
    assert_true(azure_pace_free(&pace));
}

static void a_new_figure_holds_at_once(void **state)
{
    (void)state;
    struct azure_pace pace = {0};
    azure_pace_set(&pace, 6000, 1, 0);
    azure_pace_set(&pace, 60, 1, 0);
    assert_int_equal(calls_until(&pace, 0, SECOND / 2), 6);
    azure_pace_set(&pace, 0, 1, SECOND);
    assert_true(azure_pace_free(&pace));
}

static void a_hub_of_azure_has_a_pace_without_being_asked(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        uint32_t link, pace;
    } table[] = {
        {"my-hub.azure-devices.net", 0, 90},
        {"My-Hub.Azure-Devices.NET:443", 0, 90},
        {"my-hub.azure-devices.net", 5000, 5000},
        {"hub.example.com", 0, 0},
        {"hub.example.com", 12, 12},
        {"azure-devices.net.example.com", 0, 0},
        {".azure-devices.net", 0, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct linked_hub link = {.host = slice_text(table[i].host), .calls_per_minute = table[i].link};
        assert_int_equal(azure_pace_of(&link), table[i].pace);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_minute_has_more_calls_than_a_hub_of_azure_takes),
        cmocka_unit_test(each_loop_takes_its_share),
        cmocka_unit_test(a_link_without_a_figure_has_no_pace),
        cmocka_unit_test(who_stands_in_line_knows_how_long),
        cmocka_unit_test(steps_that_were_not_foreseen_are_paid_later),
        cmocka_unit_test(a_new_figure_holds_at_once),
        cmocka_unit_test(a_hub_of_azure_has_a_pace_without_being_asked),
    };
    return cmocka_run_group_tests_name("azure pace", tests, NULL, NULL);
}

// Points in time as text, at the corners of the calendar.
#include "base/instant.h"
#include "base/testing.h"

#include <time.h>

static void assert_text(void (*format)(struct buf *, int64_t), int64_t us, const char *want)
{
    struct buf b = buf_capped(100);
    format(&b, us);
    assert_slice(buf_slice(&b), want);
    buf_release(&b);
}

static void times_are_written_as_each_protocol_wants_them(void **state)
{
    (void)state;
    // 784111777 is RFC 9110's example; the others were looked up with date(1)
    assert_text(instant_format_http, 784111777000000, "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_text(instant_format, 784111777123456, "1994-11-06T08:49:37.1234560Z");
    assert_text(instant_format_ms, 784111777123999, "1994-11-06T08:49:37.123Z");
    assert_text(instant_format, 0, "1970-01-01T00:00:00.0000000Z");
    assert_text(instant_format_http, 0, "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_text(instant_format_http, 951782400000000, "Tue, 29 Feb 2000 00:00:00 GMT");
    assert_text(instant_format_http, 4107542399000000, "Sun, 28 Feb 2100 23:59:59 GMT");
    assert_text(instant_format_http, 4107542400000000, "Mon, 01 Mar 2100 00:00:00 GMT");
    assert_text(instant_format, -1, "1969-12-31T23:59:59.9999990Z");
    assert_text(instant_format, 253402300799999999, "9999-12-31T23:59:59.9999990Z");
}

static void the_calendar_is_that_of_the_c_library(void **state)
{
    (void)state;
    for (int64_t seconds = -3000000000; seconds < 9000000000; seconds += 7654321) {
        time_t t = (time_t)seconds;
        struct tm tm;
        char want[64];
        assert_non_null(gmtime_r(&t, &tm));
        assert_true(strftime(want, sizeof want, "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0);
        assert_text(instant_format_http, seconds * 1000000, want);
    }
}

static void text_comes_back_as_the_same_instant(void **state)
{
    (void)state;
    for (int64_t us = -3000000000000001; us < 9000000000000000; us += 7654321123457) {
        struct buf b = buf_capped(100);
        instant_format(&b, us);
        int64_t back = 0;
        assert_true(instant_parse(buf_slice(&b), &back));
        assert_int_equal(back, us);
        buf_release(&b);
    }
    int64_t us = 0;
    assert_true(instant_parse(SLICE("1994-11-06T08:49:37Z"), &us));
    assert_int_equal(us, 784111777000000);
    assert_true(instant_parse(SLICE("1994-11-06T08:49:37.5Z"), &us));
    assert_int_equal(us, 784111777500000);
    assert_true(instant_parse(SLICE("1994-11-06T08:49:37.123456789Z"), &us));
    assert_int_equal(us, 784111777123456);
    assert_true(instant_parse(SLICE("2024-02-29T00:00:00Z"), &us));
}

static void what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "1994-11-06",
        "1994-11-06T08:49:37",
        "1994-11-06 08:49:37Z",
        "1994-11-06T08:49:37z",
        "1994-11-06T08:49:37.Z",
        "1994-11-06T08:49:37+00:00",
        "1994-11-06T08:49:37Z ",
        " 1994-11-06T08:49:37Z",
        "1994-13-06T08:49:37Z",
        "1994-00-06T08:49:37Z",
        "1994-11-00T08:49:37Z",
        "1994-11-31T08:49:37Z",
        "2023-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "1994-11-06T24:49:37Z",
        "1994-11-06T08:60:37Z",
        "1994-11-06T08:49:61Z",
        "94-11-06T08:49:37Z",
        "1994-11-6T08:49:37Z",
        "+994-11-06T08:49:37Z",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t us;
        if (instant_parse(slice_text(rows[i]), &us))
            fail_msg("'%s' was taken for a time", rows[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_written_as_each_protocol_wants_them),
        cmocka_unit_test(the_calendar_is_that_of_the_c_library),
        cmocka_unit_test(text_comes_back_as_the_same_instant),
        cmocka_unit_test(what_is_no_time_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

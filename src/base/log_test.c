// A log line is one line of JSON, whatever a peer puts into it.
#include "base/log.h"
#include "base/testing.h"

struct sink {
    char text[8192];
    size_t lines;
};

static void keep(void *context, struct slice line)
{
    struct sink *sink = context;
    assert_true(line.len < sizeof sink->text);
    memcpy(sink->text, line.at, line.len);
    sink->text[line.len] = 0;
    sink->lines++;
}

static int64_t fixed(void *context)
{
    (void)context;
    return 784111777123456;
}

static struct log log_into(struct sink *sink)
{
    return (struct log){.least = ERR_LEVEL_INFO, .write = keep, .now_us = fixed, .context = sink};
}

static void a_decision_is_one_line_of_json(void **state)
{
    (void)state;
    struct sink sink = {0};
    struct log log = log_into(&sink);
    struct log_line line;
    struct why why = {.text = "no such enrollment"};
    log_begin(&line, &log, ERR_LEVEL_WARN, "registration.refused");
    log_text(&line, LOG_registrationId, SLICE("dev1"));
    log_text(&line, LOG_hub, SLICE(""));
    log_number(&line, LOG_status, -401);
    log_failure(&line, FAIL(ERR_REGISTRATION_UNKNOWN), &why);
    log_end(&line);
    assert_string_equal(sink.text,
                        "{\"time\":\"1994-11-06T08:49:37.123Z\",\"level\":\"warn\","
                        "\"event\":\"registration.refused\",\"registrationId\":\"dev1\",\"status\":-401,"
                        "\"error\":\"registration_unknown\",\"reason\":\"no such enrollment\"}\n");
}

static void quiet_lines_and_a_missing_log_write_nothing(void **state)
{
    (void)state;
    struct sink sink = {0};
    struct log log = log_into(&sink);
    const struct log *logs[] = {&log, NULL};
    for (int i = 0; i < 2; i++) {
        struct log_line line;
        log_begin(&line, logs[i], ERR_LEVEL_DEBUG, "x");
        log_text(&line, LOG_peer, SLICE("p"));
        log_number(&line, LOG_count, 1);
        log_failure(&line, FAIL(ERR_INTERNAL), NULL);
        log_end(&line);
    }
    assert_int_equal(sink.lines, 0);
}

static void a_peer_cannot_break_the_line_or_the_terminal(void **state)
{
    (void)state;
    static const struct {
        const char *sent, *written;
    } rows[] = {
        {"a\"b\\c", "a\\\"b\\\\c"},
        {"a\r\nb", "a\\u000d\\u000ab"},
        {"\x1b[31m", "\\u001b[31m"},
        {"\x7f", "\\u007f"},
        {"\xc2\x9b", "\\u009b"},        // CSI as a C1 control
        {"\xe2\x80\xae", "\\u202e"},    // right-to-left override
        {"\xff\xc3", "\\u00ff\\u00c3"}, // not UTF-8
        {"\xed\xa0\x80", "\\u00ed\\u00a0\\u0080"},
        {"caf\xc3\xa9 \xf0\x9f\x98\x80", "caf\xc3\xa9 \xf0\x9f\x98\x80"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sink sink = {0};
        struct log log = log_into(&sink);
        struct log_line line;
        log_begin(&line, &log, ERR_LEVEL_INFO, "x");
        log_text(&line, LOG_detail, slice_text(rows[i].sent));
        log_end(&line);
        struct buf want = buf_capped(1000);
        buf_printf(
            &want,
            "{\"time\":\"1994-11-06T08:49:37.123Z\",\"level\":\"info\",\"event\":\"x\",\"detail\":\"%s\"}\n",
            rows[i].written);
        assert_slice(buf_slice(&want), sink.text);
        buf_release(&want);
    }
}

static void a_full_line_loses_fields_but_stays_whole(void **state)
{
    (void)state;
    struct sink sink = {0};
    struct log log = log_into(&sink);
    struct log_line line;
    char long_value[600];
    memset(long_value, 'x', sizeof long_value);
    log_begin(&line, &log, ERR_LEVEL_INFO, "x");
    for (int i = 0; i < 10; i++)
        log_text(&line, LOG_detail, slice_of(long_value, sizeof long_value));
    log_number(&line, LOG_count, 7);
    log_end(&line);
    size_t len = strlen(sink.text);
    assert_true(len <= 4096);
    assert_string_equal(sink.text + len - 2, "}\n");
    assert_non_null(strstr(sink.text, ",\"count\":7}"));
    assert_null(strstr(sink.text, "xxx,")); // no torn string
    assert_int_equal(sink.lines, 1);
}

static void a_trace_may_be_longer_than_other_values(void **state)
{
    (void)state;
    struct sink sink = {0};
    struct log log = log_into(&sink);
    struct log_line line;
    char text[2000];
    memset(text, 'x', sizeof text);
    memcpy(text + 1500, "the end", 7);
    log_begin(&line, &log, ERR_LEVEL_INFO, "x");
    log_text(&line, LOG_detail, slice_of(text, sizeof text));
    assert_int_equal(line.text.len,
                     strlen("{\"time\":\"1994-11-06T08:49:37.123Z\",\"level\":\"info\",\"event\""
                            ":\"x\",\"detail\":\"\"") +
                         512);
    log_text(&line, LOG_trace, slice_of(text, sizeof text));
    log_end(&line);
    assert_non_null(strstr(sink.text, "the end"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_decision_is_one_line_of_json),
        cmocka_unit_test(quiet_lines_and_a_missing_log_write_nothing),
        cmocka_unit_test(a_peer_cannot_break_the_line_or_the_terminal),
        cmocka_unit_test(a_trace_may_be_longer_than_other_values),
        cmocka_unit_test(a_full_line_loses_fields_but_stays_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Topic filters match as MQTT 4.7 says; strings that are not UTF-8 are refused.
#include "wire/mqtt/mqtt_test.h"
#include "wire/mqtt/packet.h"

static void filters_match_what_the_standard_says(void **state)
{
    (void)state;
    static const struct {
        const char *filter, *topic;
        bool match;
    } rows[] = {
        // MQTT 4.7.1.2 and 4.7.1.3, the examples
        {"sport/tennis/player1/#", "sport/tennis/player1", true},
        {"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
        {"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
        {"sport/#", "sport", true},
        {"#", "a/b", true},
        {"sport/tennis/+", "sport/tennis/player1", true},
        {"sport/tennis/+", "sport/tennis/player1/ranking", false},
        {"sport/+", "sport", false},
        {"sport/+", "sport/", true},
        {"+/+", "/finance", true},
        {"/+", "/finance", true},
        {"+", "/finance", false},
        // MQTT 4.7.2
        {"#", "$SYS/x", false},
        {"+/monitor/Clients", "$SYS/monitor/Clients", false},
        {"$SYS/#", "$SYS/", true},
        {"$SYS/monitor/+", "$SYS/monitor/Clients", true},
        // ours
        {"$dps/registrations/res/#", "$dps/registrations/res/200/?$rid=1", true},
        {"$iothub/methods/POST/#", "$iothub/methods/res/200/", false},
        {"a", "ab", false},
        {"ab", "a", false},
        {"a/b", "a", false},
        {"a", "A", false},
        {"a/", "a", false},
        {"a//b", "a/b", false},
        {"a/+/b", "a//b", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (mqtt_filter_matches(slice_text(rows[i].filter), slice_text(rows[i].topic)) != rows[i].match)
            fail_msg("filter %s, topic %s", rows[i].filter, rows[i].topic);
    }
}

static void misplaced_wildcards_are_no_filters(void **state)
{
    (void)state;
    static const char *const good[] = {
        "#", "+", "/", "a/#", "+/+/#", "+/a", "a/+", "/+/", "$iothub/twin/res/#"};
    static const char *const bad[] = {"",       "a#", "#/a",  "a/#/b", "a+", "+a",
                                      "a/b+/c", "##", "a/##", "++",    "+#"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(mqtt_filter_valid(slice_text(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(mqtt_filter_valid(slice_text(bad[i])));
}

static void only_wellformed_utf8_is_text(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "abc",
                                       "\xc3\xa9",
                                       "\xe2\x82\xac",
                                       "\xf0\x9f\x98\x80",
                                       "\xef\xbb\xbf",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "\x7f",
                                       "\x01"};
    static const char *const bad[] = {"\x80",
                                      "\xc3",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x80\x80",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xf0\x80\x80\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xe2\x82",
                                      "a\xe2",
                                      "\xc3(",
                                      "\xf0\x9f\x98"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(mqtt_text_valid(slice_text(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(mqtt_text_valid(slice_text(bad[i])));
    assert_false(mqtt_text_valid(slice_of("a\0b", 3)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_match_what_the_standard_says),
        cmocka_unit_test(misplaced_wildcards_are_no_filters),
        cmocka_unit_test(only_wellformed_utf8_is_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

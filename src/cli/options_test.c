// What a person at a shell notices about options and arguments.
#include "cli/options.h"

#include "base/testing.h"

static const struct cli_option options[] = {
    {.name = "hub", .value = "HOST", .help = "a hub", .repeat = true},
    {.name = "top", .value = "N", .help = "at most so many"},
    {.name = "disabled", .help = "off"},
    {0},
};
static const struct cli_option common[] = {
    {.name = "json", .help = "for programs"}, {.name = "help", .help = "explain"}, {0}};
static const struct cli_verb verb = {
    .name = "thing make", .arguments = "ID [NAME]", .help = "make it", .options = options};

static struct cli_args args;
static struct why why;

// Reads the words, which end with NULL, as a shell would pass them after the verb.
static struct err read_line(const char *const *words)
{
    int count = 0;
    while (words[count] != NULL)
        count++;
    args = (struct cli_args){0};
    why = (struct why){0};
    return options_read(count, words, 0, &verb, common, &args, &why);
}

#define LINE(...) read_line((const char *[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static void assert_refused(struct err e, const char *because)
{
    assert_int_equal(e.code, ERR_INVALID);
    if (strstr(why.text, because) == NULL)
        fail_msg("'%s' does not say '%s'", why.text, because);
}

static void options_may_stand_before_between_and_after_arguments(void **state)
{
    (void)state;
    assert_false(failed(LINE("--disabled", "dev1", "--top", "5", "Otto", "--json")));
    assert_slice(args_word(&args, 0), "dev1");
    assert_slice(args_word(&args, 1), "Otto");
    assert_slice(args_value(&args, "top"), "5");
    assert_true(args_has(&args, "disabled"));
    assert_true(args_has(&args, "json"));
    assert_false(args_has(&args, "hub"));
}

static void a_value_may_be_joined_by_an_equals_sign(void **state)
{
    (void)state;
    assert_false(failed(LINE("dev1", "--hub=a=b")));
    assert_slice(args_value(&args, "hub"), "a=b");
}

static void an_empty_value_is_a_value(void **state)
{
    (void)state;
    assert_false(failed(LINE("dev1", "--hub=")));
    assert_true(args_has(&args, "hub"));
    assert_int_equal(args_value(&args, "hub").len, 0);
}

static void a_value_may_look_like_an_option(void **state)
{
    (void)state;
    assert_false(failed(LINE("dev1", "--hub", "--top")));
    assert_slice(args_value(&args, "hub"), "--top");
    assert_false(args_has(&args, "top"));
}

static void repeated_options_keep_their_order(void **state)
{
    (void)state;
    assert_false(failed(LINE("dev1", "--hub", "a", "--hub", "b")));
    assert_slice(args_value_at(&args, "hub", 0), "a");
    assert_slice(args_value_at(&args, "hub", 1), "b");
    assert_null(args_value_at(&args, "hub", 2).at);
}

static void what_cannot_be_repeated_is_refused_twice(void **state)
{
    (void)state;
    assert_refused(LINE("dev1", "--top", "5", "--top", "6"), "--top was given twice");
}

static void an_unknown_option_is_named(void **state)
{
    (void)state;
    assert_refused(LINE("dev1", "--hubb", "a"), "--hubb");
    assert_refused(LINE("dev1", "-k"), "-k");
}

static void a_missing_value_is_asked_for(void **state)
{
    (void)state;
    assert_refused(LINE("dev1", "--top"), "--top needs a value");
}

static void a_switch_takes_no_value(void **state)
{
    (void)state;
    assert_refused(LINE("dev1", "--disabled=yes"), "takes no value");
}

static void too_few_and_too_many_arguments_are_refused(void **state)
{
    (void)state;
    assert_refused(LINE(), "needs ID");
    assert_refused(LINE("a", "b", "c"), "'c'");
    assert_refused(LINE(""), "empty");
    assert_false(failed(LINE("a")));
}

static void help_needs_no_arguments(void **state)
{
    (void)state;
    assert_false(failed(LINE("--help")));
    assert_true(args_has(&args, "help"));
}

static void after_two_dashes_everything_is_an_argument(void **state)
{
    (void)state;
    assert_false(failed(LINE("--", "--top", "-x")));
    assert_slice(args_word(&args, 0), "--top");
    assert_slice(args_word(&args, 1), "-x");
}

static void numbers_are_checked_against_their_range(void **state)
{
    (void)state;
    static const char *const bad[] = {"0", "11", "-1", "5x", "", "99999999999999999999"};
    uint64_t number = 7;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *words[] = {"dev1", "--top", bad[i], NULL};
        assert_false(failed(read_line(words)));
        assert_refused(args_number(&args, "top", 1, 10, &number, &why), "from 1 to 10");
    }
    assert_int_equal(number, 7);
    assert_false(failed(LINE("dev1", "--top", "10")));
    assert_false(failed(args_number(&args, "top", 1, 10, &number, &why)));
    assert_int_equal(number, 10);
}

static void more_options_than_anyone_needs_are_refused(void **state)
{
    (void)state;
    static const char *words[2 * CLI_VALUES_MAX + 4];
    for (size_t i = 0; i < 2 * CLI_VALUES_MAX + 2; i += 2) {
        words[i] = "--hub";
        words[i + 1] = "a";
    }
    assert_refused(read_line(words), "options");
}

static void help_aligns_the_options(void **state)
{
    (void)state;
    struct buf out = buf_capped(4096);
    help_verb(&out, &verb, NULL);
    assert_slice(buf_slice(&out), "usher thing make ID [NAME] [options]\n"
                                  "make it\n"
                                  "\n"
                                  "  --hub HOST  a hub (may be repeated)\n"
                                  "  --top N     at most so many\n"
                                  "  --disabled  off\n");
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_may_stand_before_between_and_after_arguments),
        cmocka_unit_test(a_value_may_be_joined_by_an_equals_sign),
        cmocka_unit_test(an_empty_value_is_a_value),
        cmocka_unit_test(a_value_may_look_like_an_option),
        cmocka_unit_test(repeated_options_keep_their_order),
        cmocka_unit_test(what_cannot_be_repeated_is_refused_twice),
        cmocka_unit_test(an_unknown_option_is_named),
        cmocka_unit_test(a_missing_value_is_asked_for),
        cmocka_unit_test(a_switch_takes_no_value),
        cmocka_unit_test(too_few_and_too_many_arguments_are_refused),
        cmocka_unit_test(help_needs_no_arguments),
        cmocka_unit_test(after_two_dashes_everything_is_an_argument),
        cmocka_unit_test(numbers_are_checked_against_their_range),
        cmocka_unit_test(more_options_than_anyone_needs_are_refused),
        cmocka_unit_test(help_aligns_the_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

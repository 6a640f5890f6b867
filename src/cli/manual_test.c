// The manual and the program say the same: docs/cli.md holds the help of every verb, word for word.
#include "cli/cli.h"

#include "base/testing.h"

static const char *manual_path;

static void the_manual_has_the_help_of_every_verb(void **state)
{
    (void)state;
    static char text[256 * 1024];
    FILE *file = fopen(manual_path, "r");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof text - 1, file);
    assert_int_equal(fclose(file), 0);
    text[len] = '\0';
    struct buf help = buf_capped(64 * 1024);
    size_t verbs = 0;
    for (const struct cli_verb_list *const *list = cli_groups; *list != NULL; list++) {
        for (size_t i = 0; i < (*list)->count; i++, verbs++) {
            buf_clear(&help);
            buf_text(&help, "```text\n");
            help_verb(&help, &(*list)->verbs[i], NULL);
            buf_text(&help, "```\n");
            buf_u8(&help, '\0');
            if (strstr(text, (const char *)help.at) == NULL)
                fail_msg("docs/cli.md does not hold, word for word:\n%s", (const char *)help.at);
        }
    }
    buf_clear(&help);
    help_options(&help, cli_common_options);
    buf_u8(&help, '\0');
    assert_non_null(strstr(text, (const char *)help.at));
    buf_release(&help);
    size_t blocks = 0;
    for (const char *at = text; (at = strstr(at, "```text\nusher ")) != NULL; at++)
        blocks++;
    assert_int_equal(blocks, verbs); // none that is no longer there
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_manual_has_the_help_of_every_verb)};
    if (argc != 2)
        return 2;
    manual_path = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}

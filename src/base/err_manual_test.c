// The manual and the table of errors say the same: docs/errors.md has a row for every error's name, number
// and status.
#include "base/err.h"
#include "base/testing.h"

#include <stdio.h>

static const char *manual_path;

static void the_manual_has_every_error_with_its_number_and_status(void **state)
{
    (void)state;
    static char text[256 * 1024];
    FILE *file = fopen(manual_path, "r");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof text - 1, file);
    assert_int_equal(fclose(file), 0);
    text[len] = '\0';
    for (uint32_t i = ERR_NONE + 1; i < ERR_COUNT; i++) {
        const struct err_info *row = err_info(FAIL(i));
        char wanted[128];
        (void)snprintf(wanted, sizeof wanted, "\n| %u | %u | `%s` |", row->number, row->http, row->name);
        if (strstr(text, wanted) == NULL)
            fail_msg("docs/errors.md has no row %s", wanted + 1);
    }
    size_t rows = 0;
    for (const char *at = text; (at = strstr(at, "\n| ")) != NULL; at++)
        rows += at[3] >= '0' && at[3] <= '9';
    assert_int_equal(rows, ERR_COUNT - 1); // none that is no longer there
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_manual_has_every_error_with_its_number_and_status)};
    if (argc != 2)
        return 2;
    manual_path = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}

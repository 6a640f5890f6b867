// The manual names every field that a query may compare: docs/service-api.md has a row for each.
#include "store/columns.h"

#include "base/testing.h"

#include <stdio.h>

static const char *manual_path;

static void the_manual_has_every_field_that_can_be_queried(void **state)
{
    (void)state;
    static const enum store_table asked[] = {STORE_ENROLLMENT, STORE_GROUP, STORE_REGISTRATION};
    static char text[256 * 1024];
    FILE *file = fopen(manual_path, "r");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof text - 1, file);
    assert_int_equal(fclose(file), 0);
    text[len] = '\0';
    for (size_t t = 0; t < sizeof asked / sizeof asked[0]; t++) {
        const struct columns *columns = columns_of(asked[t]);
        for (size_t i = 0; i < columns->count; i++) {
            char wanted[128];
            const struct column *column = &columns->list[i];
            if (column->path == NULL)
                continue;
            (void)snprintf(wanted, sizeof wanted, "\n| `%s%s` |", column->path,
                           column->type == COLUMN_JSON ? ".*" : "");
            if (strstr(text, wanted) == NULL)
                fail_msg("docs/service-api.md has no row %s", wanted + 1);
        }
    }
    // and none that a query would refuse
    for (const char *at = text; (at = strstr(at, "\n| `")) != NULL; at++) {
        const char *name = at + strlen("\n| `");
        struct slice path = slice_of(name, strcspn(name, "`"));
        if (slice_ends_with(path, SLICE(".*")))
            path = slice_to(path, path.len - 2);
        bool known = false;
        for (size_t t = 0; t < sizeof asked / sizeof asked[0]; t++)
            known = known || columns_known_path(asked[t], path);
        if (!known)
            fail_msg("docs/service-api.md: no query knows %.*s", SLICE_ARG(path));
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_manual_has_every_field_that_can_be_queried)};
    if (argc != 2)
        return 2;
    manual_path = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// The SQLite store does what every store must do.
#include "store/sqlite/scratch_test.h"

#include <stdlib.h>

// A database of its own for each store that a test opens.
struct opened {
    struct scratch scratch;
    struct store *store;
};

enum { OPEN_MAX = 4 };
static struct opened *all[OPEN_MAX];

static struct err open_sqlite(struct conformance_factory *factory, size_t under_way_cap, struct store **out)
{
    (void)factory;
    for (size_t i = 0; i < OPEN_MAX; i++) {
        if (all[i] != NULL)
            continue;
        struct opened *o = calloc(1, sizeof *o);
        if (o == NULL)
            break;
        scratch_init(&o->scratch);
        o->scratch.options.under_way_cap = under_way_cap;
        struct why why = {0};
        struct err e = store_sqlite_open(&o->scratch.options, &o->store, &why);
        if (failed(e))
            print_message("# %s\n", why.text);
        all[i] = o;
        *out = o->store;
        return e;
    }
    return FAIL(ERR_NO_MEMORY);
}

static void close_sqlite(struct conformance_factory *factory, struct store *store)
{
    (void)factory;
    for (size_t i = 0; i < OPEN_MAX; i++) {
        if (all[i] == NULL || all[i]->store != store)
            continue;
        store_free(store);
        scratch_release(&all[i]->scratch);
        free(all[i]);
        all[i] = NULL;
    }
}

int main(void)
{
    return store_conformance("store_sqlite", &(struct conformance_factory){open_sqlite, close_sqlite});
}

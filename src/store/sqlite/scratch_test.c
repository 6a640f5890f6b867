// Scratch databases.
#include "store/sqlite/scratch_test.h"

#include <dirent.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/list.h"
#include "crypto/random.h"
#include "store/sqlite/version_1_test.h"
#include "store/sqlite/version_2_test.h"
#include "store/sqlite/version_3_test.h"

static void fill(struct random *random, void *at, size_t len)
{
    (void)random;
    random_fill(at, len);
}

struct random scratch_random = {fill};

static int64_t scratch_now(const struct clock *clock)
{
    struct scratch *s = (struct scratch *)((char *)(uintptr_t)clock - offsetof(struct scratch, clock));
    return atomic_fetch_add(&s->now_us, s->step_us) + s->step_us;
}

static void on_fatal(void *context, const struct why *why)
{
    struct scratch *s = context;
    (void)why;
    s->fatal_calls++;
}

void scratch_seal_with(struct scratch *s, uint8_t key)
{
    uint8_t master[SEAL_MASTER_SIZE];
    memset(master, key, sizeof master);
    sealer_release(&s->sealer);
    assert_ok(sealer_init(&s->sealer, slice_of(master, sizeof master), NULL));
}

void scratch_init(struct scratch *s)
{
    *s = (struct scratch){.folder = "/tmp/usher-store-XXXXXX"};
    assert_non_null(mkdtemp(s->folder));
    (void)snprintf(s->path, sizeof s->path, "%s/usher.db", s->folder);
    scratch_seal_with(s, 7);
    s->clock = (struct clock){scratch_now, scratch_now};
    s->options = (struct store_sqlite_options){.path = s->path,
                                               .sealer = &s->sealer,
                                               .random = &scratch_random,
                                               .clock = &s->clock,
                                               .on_fatal = on_fatal,
                                               .context = s};
}

void scratch_release(struct scratch *s)
{
    scratch_close(s);
    DIR *folder = opendir(s->folder);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/%s", s->folder, entry->d_name);
        (void)unlink(path);
    }
    closedir(folder);
    (void)rmdir(s->folder);
    sealer_release(&s->sealer);
}

struct err scratch_try_open(struct scratch *s, struct why *why)
{
    struct store *store;
    TRY(store_sqlite_open(&s->options, &store, why));
    bench_join(&s->bench, store);
    s->open = true;
    return OK;
}

void scratch_open(struct scratch *s)
{
    struct why why = {0};
    if (failed(scratch_try_open(s, &why)))
        fail_msg("%s", why.text);
}

void scratch_close(struct scratch *s)
{
    if (!s->open)
        return;
    struct store *store = s->bench.store;
    bench_leave(&s->bench);
    store_free(store);
    s->open = false;
}

static void run(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", message, sql);
}

// Copies the columns that the older table has. What is sealed opens there too: it is bound to the names of
// its place.
static int copy_table(void *db, int count, char **values, char **names)
{
    (void)count;
    (void)names;
    char sql[4096];
    (void)snprintf(sql, sizeof sql, "INSERT INTO main.%s (%s) SELECT %s FROM newer.%s", values[0], values[1],
                   values[1], values[0]);
    run(db, sql);
    return 0;
}

void scratch_make_version(struct scratch *s, int version)
{
    static const char *const schemas[] = {
        [1] = version_1_schema, [2] = version_2_schema, [3] = version_3_schema};
    char older[128], attach[256];
    sqlite3 *db;
    (void)snprintf(older, sizeof older, "%s-older", s->path);
    (void)snprintf(attach, sizeof attach, "ATTACH '%s' AS newer", s->path);
    assert_int_equal(sqlite3_open(older, &db), SQLITE_OK);
    run(db, "PRAGMA journal_mode = WAL");
    run(db, schemas[version]);
    run(db, attach);
    assert_int_equal(
        sqlite3_exec(db,
                     "SELECT t.name, group_concat(c.name, ', ') FROM main.sqlite_schema t, "
                     "pragma_table_info(t.name, 'main') c WHERE t.type = 'table' GROUP BY t.name",
                     copy_table, db, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(rename(older, s->path), 0);
}

// What happens when the disk is full, when it fails, when the process is killed, when a query takes too long.
#include "store/sqlite/scratch_test.h"

#include <signal.h>
#include <spawn.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

// --- a disk that fails on demand: the usual file system of SQLite with two of its calls replaced

static atomic_bool disk_full, sync_fails;
static atomic_uint syncs_asked;
static const sqlite3_io_methods
    *real_methods[4]; // one table for each kind of locking; they write and sync alike
static sqlite3_io_methods faulty_methods[4];
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;
static sqlite3_vfs faulty_vfs;
static sqlite3_vfs *real_vfs;

static int faulty_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
    return disk_full ? SQLITE_FULL : real_methods[0]->xWrite(file, data, len, at);
}

static int faulty_sync(sqlite3_file *file, int flags)
{
    syncs_asked++;
    return sync_fails ? SQLITE_IOERR_FSYNC : real_methods[0]->xSync(file, flags);
}

static int faulty_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    (void)vfs;
    int code = real_vfs->xOpen(real_vfs, name, file, flags, out_flags);
    pthread_mutex_lock(&opening);
    for (size_t i = 0; i < 4 && code == SQLITE_OK && file->pMethods != NULL; i++) {
        if (real_methods[i] == NULL) {
            real_methods[i] = file->pMethods;
            faulty_methods[i] = *file->pMethods;
            faulty_methods[i].xWrite = faulty_write;
            faulty_methods[i].xSync = faulty_sync;
        }
        if (real_methods[i] == file->pMethods) {
            file->pMethods = &faulty_methods[i];
            break;
        }
    }
    pthread_mutex_unlock(&opening);
    return code;
}

static int use_faulty_disk(void **state)
{
    (void)state;
    real_vfs = sqlite3_vfs_find(NULL);
    faulty_vfs = *real_vfs;
    faulty_vfs.zName = "faulty";
    faulty_vfs.xOpen = faulty_open;
    return sqlite3_vfs_register(&faulty_vfs, 1) == SQLITE_OK ? 0 : -1;
}

static int use_real_disk(void **state)
{
    (void)state;
    sqlite3_vfs_unregister(&faulty_vfs);
    return sqlite3_vfs_register(real_vfs, 1) == SQLITE_OK ? 0 : -1;
}

// --- helpers

static int set_up(void **state)
{
    struct scratch *s = calloc(1, sizeof *s);
    if (s == NULL)
        return -1;
    disk_full = false;
    sync_fails = false;
    scratch_init(s);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    disk_full = false;
    sync_fails = false;
    scratch_release(*state);
    free(*state);
    return 0;
}

static struct err put(struct bench *b, const char *key, uint64_t etag)
{
    struct registration r = bench_registration(key, "h", etag);
    return bench_put(b, STORE_REGISTRATION, "s", key, &r, STORE_ALWAYS, 0);
}

static void a_full_disk_refuses_writes_serves_reads_and_recovers(void **state)
{
    struct scratch *s = *state;
    scratch_open(s);
    assert_ok(put(&s->bench, "dev", 1));
    disk_full = true;
    assert_err(put(&s->bench, "dev", 2), ERR_STORE);
    assert_err(put(&s->bench, "other", 1), ERR_STORE);
    struct registration *found = bench_get(&s->bench, STORE_REGISTRATION, "s", "dev");
    assert_int_equal(found->etag, 1);
    assert_null(bench_get(&s->bench, STORE_REGISTRATION, "s", "other"));
    disk_full = false;
    assert_ok(put(&s->bench, "dev", 3));
    assert_int_equal(s->fatal_calls, 0);
    scratch_close(s);
    scratch_open(s);
    found = bench_get(&s->bench, STORE_REGISTRATION, "s", "dev");
    assert_int_equal(found->etag, 3);
    assert_null(bench_get(&s->bench, STORE_REGISTRATION, "s", "other"));
}

// A registration and its device, of one etag.
static struct err put_pair(struct bench *b, const char *key, uint64_t etag)
{
    struct registration r = bench_registration(key, "h", etag);
    struct device d = {.id = slice_text(key), .etag = etag};
    struct store_request also = {
        .verb = STORE_PUT, .table = STORE_DEVICE, .partition = SLICE("h"), .key = d.id, .record = &d};
    struct store_request both = {.verb = STORE_PUT,
                                 .table = STORE_REGISTRATION,
                                 .partition = SLICE("s"),
                                 .key = r.id,
                                 .record = &r,
                                 .also = &also};
    return bench_do(b, &both);
}

static void assert_pair(struct bench *b, const char *key, uint64_t etag) // 0: neither is there
{
    const struct registration *r = bench_get(b, STORE_REGISTRATION, "s", key);
    const struct device *d = bench_get(b, STORE_DEVICE, "h", key);
    assert_int_equal(r != NULL ? r->etag : 0, etag);
    assert_int_equal(d != NULL ? d->etag : 0, etag);
}

static void a_full_disk_takes_neither_of_two_written_together(void **state)
{
    struct scratch *s = *state;
    scratch_open(s);
    assert_ok(put_pair(&s->bench, "dev", 1));
    disk_full = true;
    assert_err(put_pair(&s->bench, "dev", 2), ERR_STORE);
    assert_err(put_pair(&s->bench, "new", 1), ERR_STORE);
    disk_full = false;
    assert_pair(&s->bench, "dev", 1);
    assert_pair(&s->bench, "new", 0);
    assert_ok(put_pair(&s->bench, "dev", 3));
    scratch_close(s);
    scratch_open(s);
    assert_pair(&s->bench, "dev", 3);
    assert_pair(&s->bench, "new", 0);
}

// A group with a word; the words are written before the disk notices, or after: they follow the record.
static struct err put_group(struct bench *b, const char *words, uint64_t etag)
{
    struct enrollment g = bench_enrollment(ENROLLMENT_GROUP, "fleet", etag);
    g.attestation.type = ATTESTATION_X509;
    g.words = slice_text(words);
    return bench_put(b, STORE_GROUP, "s", "fleet", &g, STORE_ALWAYS, 0);
}

static void assert_found(struct bench *b, const char *word, size_t count)
{
    struct slice words[] = {slice_text(word)};
    struct store_request r = {.verb = STORE_ADMISSION,
                              .partition = SLICE("s"),
                              .key = SLICE("dev"),
                              .words = words,
                              .word_count = 1};
    assert_ok(bench_do(b, &r));
    assert_int_equal(r.admission.group_count, count);
}

static void a_full_disk_changes_no_words(void **state)
{
    struct scratch *s = *state;
    scratch_open(s);
    assert_ok(put_group(&s->bench, "n:1", 1));
    disk_full = true;
    assert_err(put_group(&s->bench, "n:2", 2), ERR_STORE);
    assert_err(bench_delete(&s->bench, STORE_GROUP, "s", "fleet", STORE_ALWAYS, 0), ERR_STORE);
    disk_full = false;
    for (unsigned restart = 0; restart < 2; restart++) {
        assert_found(&s->bench, "n:1", 1);
        assert_found(&s->bench, "n:2", 0);
        scratch_close(s);
        scratch_open(s);
    }
    assert_ok(put_group(&s->bench, "n:2", 3));
    assert_found(&s->bench, "n:1", 0);
    assert_found(&s->bench, "n:2", 1);
}

static void an_upgrade_that_the_disk_does_not_take_can_be_tried_again(void **state)
{
    struct scratch *s = *state;
    struct why why = {0};
    scratch_open(s);
    struct enrollment g = bench_enrollment(ENROLLMENT_GROUP, "fleet", 1);
    g.attestation.type = ATTESTATION_X509;
    g.attestation.certificate_role = CERTIFICATE_CA_REFERENCE;
    g.attestation.primary_ca = SLICE("root");
    assert_ok(bench_put(&s->bench, STORE_GROUP, "s", "fleet", &g, STORE_ALWAYS, 0));
    assert_ok(put(&s->bench, "dev", 5));
    scratch_close(s);
    scratch_make_version(s, 1);
    disk_full = true;
    assert_err(scratch_try_open(s, &why), ERR_STORE);
    disk_full = false;
    sync_fails = true;
    assert_err(scratch_try_open(s, &why), ERR_STORE);
    sync_fails = false;
    scratch_open(s);
    assert_found(&s->bench, "c:root", 1);
    struct registration *found = bench_get(&s->bench, STORE_REGISTRATION, "s", "dev");
    assert_int_equal(found->etag, 5);
}

static void a_failed_sync_ends_all_writing_and_is_never_tried_again(void **state)
{
    struct scratch *s = *state;
    scratch_open(s);
    assert_ok(put(&s->bench, "dev", 1));
    sync_fails = true;
    assert_err(put(&s->bench, "dev", 2), ERR_STORE);
    sync_fails = false; // as a kernel does: it tells once, and then says that all is well
    unsigned asked = syncs_asked;
    assert_err(put(&s->bench, "dev", 3), ERR_STORE);
    assert_err(put(&s->bench, "new", 1), ERR_STORE);
    assert_int_equal(syncs_asked, asked);
    assert_int_equal(s->fatal_calls, 1);
    struct registration *found = bench_get(&s->bench, STORE_REGISTRATION, "s", "dev");
    assert_int_equal(found->etag, 1);
    scratch_close(s);
    scratch_open(s);
    found = bench_get(&s->bench, STORE_REGISTRATION, "s", "dev");
    assert_true(found->etag == 1 || found->etag == 2); // the second had an unknown outcome
    assert_null(bench_get(&s->bench, STORE_REGISTRATION, "s", "new"));
    assert_ok(put(&s->bench, "dev", 4));
}

static void a_write_is_synced_before_it_is_answered(void **state)
{
    struct scratch *s = *state;
    scratch_open(s);
    for (uint64_t i = 1; i <= 5; i++) {
        unsigned asked = syncs_asked;
        assert_ok(put(&s->bench, "dev", i));
        assert_true(syncs_asked > asked);
    }
}

static void a_query_that_takes_too_long_is_ended(void **state)
{
    struct scratch *s = *state;
    s->options.query_limit_ms = 1000;
    scratch_open(s);
    for (uint64_t i = 1; i <= 20; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "dev-%02u", (unsigned)i);
        assert_ok(put(&s->bench, key, i));
    }
    struct store_request r = {
        .verb = STORE_QUERY, .table = STORE_REGISTRATION, .partition = SLICE("s"), .limit = 100};
    assert_ok(bench_do(&s->bench, &r));
    assert_int_equal(r.count, 20);
    s->step_us = 150 * 1000; // each look at the clock finds it that much later
    assert_err(bench_do(&s->bench, &r), ERR_TIMEOUT);
    assert_int_equal(r.count, 0);
    s->step_us = 0;
    assert_ok(bench_do(&s->bench, &r));
}

static void the_log_stays_small_under_load(void **state)
{
    struct scratch *s = *state;
    scratch_open(s);
    enum { RECORDS = 600, SIZE = 100000 };
    char *text = malloc(SIZE);
    assert_non_null(text);
    off_t largest = 0;
    char wal[128];
    (void)snprintf(wal, sizeof wal, "%s-wal", s->path);
    for (uint64_t i = 1; i <= RECORDS; i++) { // 60 MB in all
        memset(text, 'a' + (int)(i % 26), SIZE);
        struct device d = {.id = SLICE("d"), .reported = slice_of(text, SIZE), .etag = i};
        assert_ok(bench_put(&s->bench, STORE_DEVICE, "h", "d", &d, STORE_ALWAYS, 0));
        struct stat st;
        assert_int_equal(stat(wal, &st), 0);
        largest = st.st_size > largest ? st.st_size : largest;
    }
    free(text);
    assert_true(largest < 20 << 20);
    struct device *found = bench_get(&s->bench, STORE_DEVICE, "h", "d");
    assert_int_equal(found->etag, RECORDS);
}

// --- killing

// The other process: writes registrations with their devices, one after another, and names each on the pipe
// once it was acknowledged.
static int write_until_killed(const char *path, unsigned from)
{
    struct scratch s = {0};
    scratch_init(&s);
    (void)rmdir(s.folder); // it uses the database of the test that started it
    s.options.path = path;
    scratch_open(&s);
    for (unsigned i = from;; i++) {
        char key[16];
        int len = snprintf(key, sizeof key, "dev-%06u\n", i);
        key[len - 1] = 0;
        if (failed(put_pair(&s.bench, key, i + 1)))
            return 1;
        key[len - 1] = '\n';
        if (write(STDOUT_FILENO, key, (size_t)len) != len)
            return 1;
    }
}

static unsigned run_and_kill(const char *path, unsigned from, unsigned lines)
{
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    char number[16];
    (void)snprintf(number, sizeof number, "%u", from);
    char *arguments[] = {(char[]){"fault_test"}, (char *)(uintptr_t)path, number, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, pipes[0]);
    pid_t child;
    assert_int_equal(posix_spawn(&child, "/proc/self/exe", &actions, NULL, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(pipes[1]);
    FILE *in = fdopen(pipes[0], "r");
    assert_non_null(in);
    char line[64];
    unsigned acknowledged = 0;
    while (acknowledged < lines && fgets(line, sizeof line, in) != NULL)
        acknowledged++;
    assert_int_equal(acknowledged, lines);
    kill(child, SIGKILL);
    while (fgets(line, sizeof line, in) != NULL) // what it had acknowledged by then
        acknowledged++;
    (void)fclose(in);
    assert_int_equal(waitpid(child, NULL, 0), child);
    return acknowledged;
}

static void what_was_acknowledged_survives_a_kill(void **state)
{
    struct scratch *s = *state;
    unsigned total = 0;
    for (unsigned round = 0; round < 5; round++) {
        total += run_and_kill(s->path, total, 50 + round * 37);
        scratch_open(s);
        for (unsigned i = 0; i < total; i++) {
            char key[16];
            (void)snprintf(key, sizeof key, "dev-%06u", i);
            assert_pair(&s->bench, key, i + 1);
        }
        // the last one may be there unacknowledged, but not half of it
        assert_int_equal(bench_count(&s->bench, STORE_REGISTRATION, "s", NULL),
                         bench_count(&s->bench, STORE_DEVICE, "h", NULL));
        scratch_close(s);
    }
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return write_until_killed(argv[1], (unsigned)strtoul(argv[2], NULL, 10));
#define WITH_SCRATCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        WITH_SCRATCH(a_full_disk_refuses_writes_serves_reads_and_recovers),
        WITH_SCRATCH(a_full_disk_takes_neither_of_two_written_together),
        WITH_SCRATCH(a_full_disk_changes_no_words),
        WITH_SCRATCH(an_upgrade_that_the_disk_does_not_take_can_be_tried_again),
        WITH_SCRATCH(a_failed_sync_ends_all_writing_and_is_never_tried_again),
        WITH_SCRATCH(a_write_is_synced_before_it_is_answered),
        WITH_SCRATCH(a_query_that_takes_too_long_is_ended),
        WITH_SCRATCH(the_log_stays_small_under_load),
        WITH_SCRATCH(what_was_acknowledged_survives_a_kill),
    };
    return cmocka_run_group_tests_name("store_sqlite_fault", tests, use_faulty_disk, use_real_disk);
}

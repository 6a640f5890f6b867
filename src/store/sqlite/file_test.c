// The database as a file: what survives, who may open it, and what somebody who steals or changes it gets.
#include "store/sqlite/scratch_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"

static int set_up(void **state)
{
    struct scratch *s = calloc(1, sizeof *s);
    if (s == NULL)
        return -1;
    scratch_init(s);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    scratch_release(*state);
    free(*state);
    return 0;
}

// Runs SQL on the file as another program would, while the store is closed.
static void run_sql(const struct scratch *s, const char *sql)
{
    sqlite3 *db;
    char *message = NULL;
    assert_int_equal(sqlite3_open(s->path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s", message);
    sqlite3_close(db);
}

static void put_one(struct scratch *s, const char *key, uint64_t seed)
{
    struct enrollment e = bench_enrollment(ENROLLMENT_INDIVIDUAL, key, seed);
    assert_ok(bench_put(&s->bench, STORE_ENROLLMENT, "s", key, &e, STORE_ALWAYS, 0));
}

static struct err get_one(struct scratch *s, const char *key, struct why *why)
{
    struct store_request r = {
        .verb = STORE_GET, .table = STORE_ENROLLMENT, .partition = SLICE("s"), .key = slice_text(key)};
    struct err e = bench_do(&s->bench, &r);
    if (why != NULL)
        *why = r.why;
    return e;
}

static void records_are_there_after_a_restart(void **state)
{
    struct scratch *s = *state;
    scratch_open(s);
    put_one(s, "dev", 5);
    scratch_close(s);
    scratch_open(s);
    struct enrollment expected = bench_enrollment(ENROLLMENT_INDIVIDUAL, "dev", 5);
    struct enrollment *found = bench_get(&s->bench, STORE_ENROLLMENT, "s", "dev");
    assert_non_null(found);
    assert_int_equal(found->etag, 5);
    assert_true(secret_equal(&found->attestation.primary_key, &expected.attestation.primary_key));
}

static void assert_open_fails(struct scratch *s, enum err_code code, const char *because)
{
    struct why why = {0};
    assert_err(scratch_try_open(s, &why), code);
    if (strstr(why.text, because) == NULL)
        fail_msg("'%s' does not say '%s'", why.text, because);
}

static void a_second_process_is_refused_and_told_why(void **state)
{
    struct scratch *s = *state;
    char lock[128];
    (void)snprintf(lock, sizeof lock, "%s.lock", s->path);
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t other = fork();
    assert_true(other >= 0);
    if (other == 0) { // holds the lock until it is killed
        int fd = open(lock, O_RDWR | O_CREAT, 0600);
        if (fd < 0 || flock(fd, LOCK_EX) != 0 || write(ready[1], "r", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_open_fails(s, ERR_STORE, s->path);
    assert_int_equal(access(s->path, F_OK), -1); // not even created
    kill(other, SIGKILL);
    assert_int_equal(waitpid(other, NULL, 0), other);
    scratch_open(s);
    close(ready[0]);
    close(ready[1]);
}

static void one_file_is_opened_once(void **state)
{
    struct scratch *s = *state;
    scratch_open(s);
    struct store *second;
    struct why why = {0};
    assert_err(store_sqlite_open(&s->options, &second, &why), ERR_STORE);
    assert_non_null(strstr(why.text, ".lock"));
    put_one(s, "dev", 1);
    assert_ok(get_one(s, "dev", NULL));
}

static void another_master_key_is_refused_and_harms_nothing(void **state)
{
    struct scratch *s = *state;
    scratch_open(s);
    put_one(s, "dev", 1);
    scratch_close(s);
    scratch_seal_with(s, 8);
    assert_open_fails(s, ERR_SEAL, "master key");
    scratch_seal_with(s, 7);
    scratch_open(s);
    assert_ok(get_one(s, "dev", NULL));
}

static void a_database_of_a_newer_version_is_refused_and_left_alone(void **state)
{
    struct scratch *s = *state;
    scratch_open(s);
    scratch_close(s);
    run_sql(s, "PRAGMA user_version = 999; CREATE TABLE later (x)");
    assert_open_fails(s, ERR_CONFIG, "newer version");
    run_sql(s, "SELECT x FROM later; PRAGMA user_version = 3");
    scratch_open(s);
}

static void files_of_something_else_are_refused_and_left_alone(void **state)
{
    struct scratch *s = *state;
    run_sql(s, "CREATE TABLE recipes (x)");
    assert_open_fails(s, ERR_CONFIG, "another program");
    run_sql(s, "SELECT x FROM recipes");
    FILE *f = fopen(s->path, "w");
    assert_non_null(f);
    for (int i = 0; i < 500; i++)
        (void)fputs("this is a text, not a database\n", f);
    (void)fclose(f);
    assert_open_fails(s, ERR_CONFIG, "not a database");
}

static void a_path_that_cannot_be_made_is_named(void **state)
{
    struct scratch *s = *state;
    (void)snprintf(s->path, sizeof s->path, "%s/missing/usher.db", s->folder);
    assert_open_fails(s, ERR_SYSTEM, "missing/usher.db");
}

// --- what a thief gets

typedef void visit_file(const char *path, void *context);

static void each_file(struct scratch *s, visit_file *visit, void *context)
{
    DIR *folder = opendir(s->folder);
    assert_non_null(folder);
    unsigned seen = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/%s", s->folder, entry->d_name);
        if (entry->d_name[0] == '.')
            continue;
        visit(path, context);
        seen++;
    }
    closedir(folder);
    assert_true(seen >= 2);
}

static void assert_private(const char *path, void *context)
{
    struct stat st;
    (void)context;
    assert_int_equal(stat(path, &st), 0);
    if ((st.st_mode & 077) != 0)
        fail_msg("%s has mode %o", path, st.st_mode & 0777);
}

static void only_the_owner_may_read_the_files(void **state)
{
    struct scratch *s = *state;
    mode_t before = umask(0);
    scratch_open(s);
    put_one(s, "dev", 1);
    each_file(s, assert_private, NULL);
    umask(before);
}

struct needles {
    struct buf list[16];
    size_t count;
    size_t hits;
    size_t bytes;
};

static void add_needle(struct needles *n, struct slice secret)
{
    struct buf *raw = &n->list[n->count++], *b64 = &n->list[n->count++], *hex = &n->list[n->count++];
    *raw = *b64 = *hex = buf_capped(4096);
    buf_bytes(raw, secret);
    b64_encode(b64, secret);
    hex_encode_lower(hex, secret);
    // the end of base64 depends on what follows
    b64->len -= 4;
    assert_false(failed(buf_err(b64)));
}

static void search_file(const char *path, void *context)
{
    struct needles *n = context;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    struct buf content = buf_capped(64 << 20);
    for (ssize_t got = 1; got > 0;) {
        uint8_t *to = buf_reserve(&content, 65536);
        assert_non_null(to);
        got = read(fd, to, 65536);
        buf_added(&content, got > 0 ? (size_t)got : 0);
    }
    close(fd);
    n->bytes += content.len;
    for (size_t i = 0; i < n->count; i++)
        n->hits += slice_find(buf_slice(&content), buf_slice(&n->list[i])) < content.len;
    buf_release(&content);
}

static void no_secret_can_be_read_from_the_files(void **state)
{
    struct scratch *s = *state;
    struct needles n = {0};
    struct enrollment e = bench_enrollment(ENROLLMENT_INDIVIDUAL, "dev", 3);
    struct service_record service = {.name = SLICE("plant"),
                                     .document = SLICE("{\"key\":\"very secret words of the service\"}"),
                                     .etag = 1};
    struct device d = {
        .id = SLICE("marker-of-a-device"), .primary_key = e.attestation.secondary_key, .etag = 1};
    struct registration r = bench_registration("dev", "h", 1);
    r.hub_key = (struct secret){.bytes = "what only one TPM can read of it", .len = 32};
    scratch_open(s);
    assert_ok(bench_put(&s->bench, STORE_ENROLLMENT, "s", "dev", &e, STORE_ALWAYS, 0));
    assert_ok(bench_put(&s->bench, STORE_GROUP, "s", "dev", &e, STORE_ALWAYS, 0));
    assert_ok(bench_put(&s->bench, STORE_SERVICE, "", "plant", &service, STORE_ALWAYS, 0));
    assert_ok(bench_put(&s->bench, STORE_DEVICE, "h", "d", &d, STORE_ALWAYS, 0));
    assert_ok(bench_put(&s->bench, STORE_REGISTRATION, "s", "dev", &r, STORE_ALWAYS, 0));
    add_needle(&n, secret_slice(&e.attestation.primary_key));
    add_needle(&n, secret_slice(&e.attestation.secondary_key));
    add_needle(&n, SLICE("very secret words of the service"));
    add_needle(&n, secret_slice(&r.hub_key));
    // Reading the file while it is open would drop SQLite's locks, so a child looks at what is in the log
    // now.
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        each_file(s, search_file, &n);
        _exit(n.hits == 0 && n.bytes > 10000 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    scratch_close(s);
    each_file(s, search_file, &n);
    assert_int_equal(n.hits, 0);
    // the search does find what is not secret
    struct needles control = {0};
    add_needle(&control, SLICE("marker-of-a-device"));
    each_file(s, search_file, &control);
    assert_true(control.hits > 0);
    for (size_t i = 0; i < 16; i++) {
        buf_release(&n.list[i]);
        buf_release(&control.list[i]);
    }
}

// --- what somebody who changes the file gets

static void assert_seal_broken_by(struct scratch *s, const char *sql)
{
    scratch_open(s);
    put_one(s, "one", 1);
    put_one(s, "two", 2);
    scratch_close(s);
    run_sql(s, sql);
    scratch_open(s);
    assert_err(get_one(s, "one", NULL), ERR_SEAL);
    struct store_request a = {.verb = STORE_ADMISSION, .partition = SLICE("s"), .key = SLICE("one")};
    assert_err(bench_do(&s->bench, &a), ERR_SEAL);
    assert_null(a.admission.individual);
    struct store_request q = {
        .verb = STORE_QUERY, .table = STORE_ENROLLMENT, .partition = SLICE("s"), .limit = 10};
    assert_err(bench_do(&s->bench, &q), ERR_SEAL);
    assert_ok(get_one(s, "two", NULL));
    scratch_close(s);
}

static void a_key_moved_to_another_place_does_not_open(void **state)
{
    assert_seal_broken_by(
        *state, "UPDATE enrollment SET primary_key = (SELECT primary_key FROM enrollment WHERE key = 'two')"
                " WHERE key = 'one'");
    assert_seal_broken_by(*state, "UPDATE enrollment SET primary_key = secondary_key WHERE key = 'one'");
    assert_seal_broken_by(*state, "UPDATE enrollment SET primary_key = x'0102' WHERE key = 'one'");
    assert_seal_broken_by(
        *state, "DELETE FROM enrollment WHERE key = 'one';"
                "INSERT INTO enrollment_group SELECT * FROM enrollment WHERE key = 'two';"
                "UPDATE enrollment_group SET key = 'one';"
                "INSERT INTO enrollment SELECT * FROM enrollment_group; DELETE FROM enrollment_group");
}

static void a_word_that_nobody_wrote_is_noticed(void **state)
{
    struct scratch *s = *state;
    struct why why;
    scratch_open(s);
    put_one(s, "one", 1);
    scratch_close(s);
    run_sql(s, "UPDATE enrollment SET provisioning_status = 'enabbed'");
    scratch_open(s);
    assert_err(get_one(s, "one", &why), ERR_STORE);
    assert_non_null(strstr(why.text, "provisioning_status"));
}

int main(void)
{
#define WITH_SCRATCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        WITH_SCRATCH(records_are_there_after_a_restart),
        WITH_SCRATCH(a_second_process_is_refused_and_told_why),
        WITH_SCRATCH(one_file_is_opened_once),
        WITH_SCRATCH(another_master_key_is_refused_and_harms_nothing),
        WITH_SCRATCH(a_database_of_a_newer_version_is_refused_and_left_alone),
        WITH_SCRATCH(files_of_something_else_are_refused_and_left_alone),
        WITH_SCRATCH(a_path_that_cannot_be_made_is_named),
        WITH_SCRATCH(only_the_owner_may_read_the_files),
        WITH_SCRATCH(no_secret_can_be_read_from_the_files),
        WITH_SCRATCH(a_key_moved_to_another_place_does_not_open),
        WITH_SCRATCH(a_word_that_nobody_wrote_is_noticed),
    };
    return cmocka_run_group_tests_name("store_sqlite_file", tests, NULL, NULL);
}

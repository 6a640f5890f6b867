// Group commit.
#include "store/sqlite/writer.h"

#include <sched.h>
#include <stdlib.h>

#include "base/list.h"
#include "store/request.h"
#include "store/sqlite/change.h"

// Pages of 4 KiB in the log: at the first a checkpoint that disturbs nobody, at the second one that waits a
// moment for readers, so that the log can start over.
enum {
    WAIT_MS = 60000,
    CROWD_WAIT_MS = 1000,
    CHECKPOINT_PAGES = 4000,
    RESTART_PAGES = 32000,
    RESTART_BUSY_MS = 200,
    BUSY_MS = 2000
};

// A crowd: a thousand writes a second, counted for 20 ms at least.
enum { COUNTED_US = 20000, CROWD_EACH_US = 1000 };

// --- one batch

// A full disk passes. Anything else that the disk refuses does not: after a failed fsync nobody knows what is
// on it, and asking again would only hear that all is well.
static bool is_fatal(int code)
{
    int primary = code & 0xff;
    if (code == SQLITE_IOERR_SHMSIZE || code == SQLITE_IOERR_SHMMAP || code == SQLITE_IOERR_NOMEM)
        return false; // no room for the index of the log, or no memory: nothing was written yet
    return primary == SQLITE_IOERR || primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB ||
           primary == SQLITE_CANTOPEN || primary == SQLITE_READONLY;
}

static void fail_for_good(struct writer *w, const struct why *why)
{
    w->failed = true;
    struct log_line line;
    log_begin(&line, w->log, ERR_LEVEL_ERROR, "store.failed");
    log_failure(&line, FAIL(ERR_STORE), why);
    log_end(&line);
    if (w->on_fatal != NULL)
        w->on_fatal(w->context, why);
}

static int run_control(struct writer *w, enum schema_statement statement)
{
    sqlite3_stmt *s;
    if (failed(connection_statement(&w->connection, statement, 0, &s)))
        return sqlite3_extended_errcode(w->connection.db);
    sqlite3_step(s);
    return sqlite3_reset(s);
}

static bool changes_groups(const struct store_request *r)
{
    return r->table == STORE_GROUP || (r->also != NULL && r->also->table == STORE_GROUP);
}

// Returns SQLite's code of what broke the whole batch, or SQLITE_OK when all of it is durable.
static int transact(struct writer *w, size_t count, bool *groups_changed)
{
    int broken = run_control(w, SCHEMA_BEGIN_WRITE);
    for (size_t i = 0; i < count && broken == SQLITE_OK; i++) {
        w->results[i] = change_carry_out(&w->connection, w->batch[i], &broken);
        if (broken == SQLITE_OK && sqlite3_get_autocommit(w->connection.db))
            broken = SQLITE_ABORT; // SQLite gave up the transaction while reading
        *groups_changed |= changes_groups(w->batch[i]) && !failed(w->results[i]);
    }
    return broken == SQLITE_OK ? run_control(w, SCHEMA_COMMIT) : broken;
}

static void answer_all(struct writer *w, size_t count, const struct err *instead, const struct why *why)
{
    for (size_t i = 0; i < count; i++) {
        struct store_request *r = w->batch[i];
        if (instead != NULL)
            r->why = *why;
        w->answer(r, instead != NULL ? *instead : w->results[i]);
    }
}

static void carry_out(struct writer *w, size_t count)
{
    struct why why = {"The disk failed; the service must be started again."};
    struct err e = FAIL(ERR_STORE);
    if (w->failed) {
        answer_all(w, count, &e, &why);
        return;
    }
    bool groups_changed = false;
    int broken = transact(w, count, &groups_changed);
    if (broken == SQLITE_OK) {
        if (groups_changed)
            atomic_fetch_add(&w->group_changes, 1);
        answer_all(w, count, NULL, NULL);
        return;
    }
    // Some of the batch may have seen changes of the others that now did not happen: nobody is told anything
    // but this.
    e = connection_failure(&w->connection, broken, &why);
    if (!sqlite3_get_autocommit(w->connection.db))
        (void)run_control(w, SCHEMA_ROLLBACK);
    answer_all(w, count, &e, &why);
    if (is_fatal(broken))
        fail_for_good(w, &why);
}

// --- the log

static int after_commit(void *context, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    ((struct writer *)context)->wal_pages = pages;
    return SQLITE_OK;
}

static void checkpoint(struct writer *w)
{
    if (w->failed || w->wal_pages < CHECKPOINT_PAGES)
        return;
    sqlite3 *db = w->connection.db;
    bool restart = w->wal_pages >= RESTART_PAGES;
    sqlite3_busy_timeout(db, restart ? RESTART_BUSY_MS : BUSY_MS);
    int code = sqlite3_wal_checkpoint_v2(
        db, NULL, restart ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    struct why why;
    if (is_fatal(code)) {
        (void)connection_failure(&w->connection, code, &why);
        fail_for_good(w, &why);
    }
    sqlite3_busy_timeout(db, BUSY_MS);
}

// --- the thread

static struct mail *take_batch(struct writer *w, struct mail *mail, size_t *count, bool *stop)
{
    for (*count = 0; mail != NULL && *count < w->batch_cap && !*stop; mail = mail->next) {
        if (mail == &w->stop)
            *stop = true;
        else
            w->batch[(*count)++] = CONTAINER_OF(mail, struct store_request, mail);
    }
    return mail;
}

// A thread that wakes up may take the processor from one that is at work; here from a loop with more writes
// of the same crowd at hand. While a crowd writes, the writer waits until a processor is free or the loop's
// slice is over (SCHED_BATCH, sched(7)), and finds more to put into one commit. For a few devices it must
// not: a processor that others keep busy is long in coming. A wish: where the kernel refuses, or the writer
// was started under another policy than the usual one, all is as before.
static void give_way(struct writer *w, bool crowd)
{
    static const struct sched_param none;
    if (crowd != w->crowd)
        (void)pthread_setschedparam(pthread_self(), crowd ? SCHED_BATCH : SCHED_OTHER, &none);
    w->crowd = crowd;
}

static bool may_give_way(void)
{
    int policy;
    struct sched_param param;
    return pthread_getschedparam(pthread_self(), &policy, &param) == 0 && policy == SCHED_OTHER;
}

static void watch_for_crowd(struct writer *w, size_t written)
{
    int64_t now_us = clock_monotonic_us(w->clock);
    int64_t counted_us = now_us - w->counted_from_us;
    w->written += written;
    if (counted_us < COUNTED_US)
        return;
    give_way(w, w->polite && (int64_t)w->written * CROWD_EACH_US >= counted_us);
    w->counted_from_us = now_us;
    w->written = 0;
}

static void *run(void *context)
{
    struct writer *w = context;
    w->polite = may_give_way();
    for (bool stop = false; !stop;) {
        struct mail *mail = mailbox_wait(&w->inbox, w->crowd ? CROWD_WAIT_MS : WAIT_MS);
        if (mail == NULL)
            watch_for_crowd(w, 0); // it may be gone
        while (mail != NULL) {
            size_t count;
            mail = take_batch(w, mail, &count, &stop);
            watch_for_crowd(w, count);
            if (count > 0)
                carry_out(w, count);
            checkpoint(w);
        }
    }
    return NULL;
}

struct err writer_start(struct writer *w, struct why *why)
{
    w->batch = calloc(w->batch_cap, sizeof(struct store_request *));
    w->results = calloc(w->batch_cap, sizeof *w->results);
    if (w->batch == NULL || w->results == NULL)
        return FAIL(ERR_NO_MEMORY);
    sqlite3_wal_hook(w->connection.db, after_commit, w);
    if (pthread_create(&w->thread, NULL, run, w) != 0)
        return why_fail(why, ERR_SYSTEM, "No thread could be started for the database.");
    w->running = true;
    return OK;
}

void writer_stop(struct writer *w)
{
    if (w->running) {
        mailbox_post(&w->inbox, &w->stop);
        pthread_join(w->thread, NULL);
        w->running = false;
    }
    free(w->batch);
    free(w->results);
    w->batch = NULL;
    w->results = NULL;
}

// Writes of a crowd are one commit: the writer is rung for at the end of the turn in which they were handed
// over, and does not push other threads aside.
#include "store/sqlite/scratch_test.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CROWD = 50, ROUNDS = 9, PAUSE_US = 50000 };

// Of SQLite's log (its file format, 4.1): the header of the file, that of a page, and where that one says
// that the page ends a commit.
enum { LOG_HEAD = 32, PAGE_HEAD = 24, PAGE = 4096, COMMIT_AT = 4 };

struct crowd {
    struct store_request requests[CROWD];
    struct enrollment records[CROWD];
    char keys[CROWD][32];
    size_t left;
};

static void submit(struct bench *b, struct crowd *crowd, size_t count)
{
    crowd->left = count;
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(crowd->keys[i], sizeof crowd->keys[i], "dev-%zu", i);
        crowd->records[i] = bench_enrollment(ENROLLMENT_INDIVIDUAL, crowd->keys[i], i + 1);
        crowd->requests[i] = (struct store_request){.verb = STORE_PUT,
                                                    .table = STORE_ENROLLMENT,
                                                    .partition = SLICE("s"),
                                                    .key = slice_text(crowd->keys[i]),
                                                    .record = &crowd->records[i]};
        bench_submit(b, &crowd->requests[i], &crowd->left);
    }
}

// How many commits are in the log.
static size_t commits(const struct scratch *s)
{
    char path[sizeof s->path + 4];
    uint8_t head[PAGE_HEAD];
    static const uint8_t none[4];
    size_t count = 0;
    (void)snprintf(path, sizeof path, "%s-wal", s->path);
    FILE *log = fopen(path, "rb");
    assert_non_null(log);
    for (long at = LOG_HEAD; fseek(log, at, SEEK_SET) == 0 && fread(head, sizeof head, 1, log) == 1;
         at += PAGE_HEAD + PAGE)
        count += memcmp(head + COMMIT_AT, none, sizeof none) != 0;
    (void)fclose(log);
    return count;
}

// Whether the crowd was one commit, and that not before its turn ended.
static bool is_one_commit(struct scratch *s, struct crowd *crowd)
{
    usleep(PAUSE_US); // so that the writer sleeps
    size_t before = commits(s);
    submit(&s->bench, crowd, CROWD);
    usleep(PAUSE_US); // ample time for a writer that was woken
    bool waited = commits(s) == before;
    bench_await(&s->bench, &crowd->left);
    for (size_t i = 0; i < CROWD; i++)
        assert_ok(crowd->requests[i].result);
    return waited && commits(s) == before + 1;
}

// That somebody is not woken can only be seen by waiting; on a busy machine the writer may still be awake now
// and then, and would take the first of a crowd at once.
static void writes_handed_over_in_one_turn_are_one_commit(void **state)
{
    (void)state;
    static struct scratch s;
    static struct crowd crowd;
    int together = 0;
    scratch_init(&s);
    scratch_open(&s);
    for (int round = 0; round < ROUNDS; round++)
        together += is_one_commit(&s, &crowd);
    assert_in_range(together, ROUNDS / 2 + 1, ROUNDS);
    scratch_release(&s);
}

static void write_once(struct scratch *s, size_t count)
{
    static struct crowd crowd;
    submit(&s->bench, &crowd, count);
    bench_await(&s->bench, &crowd.left);
}

// How many threads of this process do not interrupt others.
static size_t patient_threads(void)
{
    size_t count = 0;
    DIR *threads = opendir("/proc/self/task");
    assert_non_null(threads);
    for (struct dirent *entry; (entry = readdir(threads)) != NULL;)
        count += entry->d_name[0] != '.' &&
                 sched_getscheduler((pid_t)strtol(entry->d_name, NULL, 10)) == SCHED_BATCH;
    (void)closedir(threads);
    return count;
}

// Started under a policy of its own, or in a sandbox that keeps threads from choosing one, the store leaves
// it alone.
static bool may_choose_policy(void)
{
    static const struct sched_param none;
    return sched_getscheduler(0) == SCHED_OTHER && sched_setscheduler(0, SCHED_BATCH, &none) == 0 &&
           sched_getscheduler(0) == SCHED_BATCH && sched_setscheduler(0, SCHED_OTHER, &none) == 0;
}

// The writer decides with the first write after 20 ms. That one comes alone: whatever else it is awake for,
// it takes all of it.
static void assert_decides(struct scratch *s, size_t writes, int64_t us, size_t patient)
{
    write_once(s, writes - 1);
    s->now_us += us;
    write_once(s, 1);
    assert_int_equal(patient_threads(), patient);
}

static void the_writer_gives_way_while_a_thousand_writes_a_second_come(void **state)
{
    (void)state;
    enum { PATIENCE_US = 20000000, STEP_US = 10000 };
    static struct scratch s;
    if (!may_choose_policy()) {
        print_message("here a thread may not choose its scheduling policy\n");
        skip();
    }
    scratch_init(&s);
    scratch_open(&s);
    assert_decides(&s, 30, 19999, 0); // not counted for long enough
    assert_decides(&s, 30, 40001, 1); // 60 in 60 ms
    assert_decides(&s, 20, 20000, 1);
    assert_decides(&s, 19, 20000, 0);
    assert_decides(&s, 20, 20000, 1);
    s.now_us += 20001; // and nobody writes any more
    for (int waited_us = 0; patient_threads() > 0 && waited_us < PATIENCE_US; waited_us += STEP_US)
        usleep(STEP_US);
    assert_int_equal(patient_threads(), 0);
    scratch_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_handed_over_in_one_turn_are_one_commit),
        cmocka_unit_test(the_writer_gives_way_while_a_thousand_writes_a_second_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

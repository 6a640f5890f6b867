// Writes of a crowd are one commit: the writer is rung for at the end of the turn in which they were handed
// over.
#include "store/sqlite/scratch_test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CROWD = 50, ROUNDS = 9, PAUSE_US = 50000 };

// Of SQLite's log (its file format, 4.1): the header of the file, that of a page, and where that one says
// that the page ends a commit.
enum { LOG_HEAD = 32, PAGE_HEAD = 24, PAGE = 4096, COMMIT_AT = 4 };

struct crowd {
    struct store_request requests[CROWD];
    struct enrollment records[CROWD];
    char keys[CROWD][16];
    size_t left;
};

static void submit_crowd(struct bench *b, struct crowd *crowd)
{
    crowd->left = CROWD;
    for (size_t i = 0; i < CROWD; i++) {
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
    submit_crowd(&s->bench, crowd);
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(writes_handed_over_in_one_turn_are_one_commit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

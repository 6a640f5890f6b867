// Writes of a crowd are one commit: the writer is rung for at the end of the turn in which they were handed
// over.
#include "store/sqlite/scratch_test.h"

#include <sys/stat.h>
#include <unistd.h>

enum { CROWD = 50, ROUNDS = 10, PAUSE_US = 50000, FRAME = 24 + 4096 }; // a page in the log, with its header

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

static off_t log_size(const struct scratch *s)
{
    char path[sizeof s->path + 4];
    struct stat is;
    (void)snprintf(path, sizeof path, "%s-wal", s->path);
    return stat(path, &is) == 0 ? is.st_size : 0;
}

// Whether the crowd was one commit, begun only when its turn ended.
static bool waited_for_the_end(struct scratch *s, struct crowd *crowd)
{
    usleep(PAUSE_US); // so that the writer sleeps
    off_t before = log_size(s);
    submit_crowd(&s->bench, crowd);
    usleep(PAUSE_US); // ample time for a writer that was woken
    bool waited = log_size(s) == before;
    bench_await(&s->bench, &crowd->left);
    for (size_t i = 0; i < CROWD; i++)
        assert_ok(crowd->requests[i].result);
    return waited && log_size(s) - before < (off_t)CROWD * FRAME; // each alone would write several pages
}

static void writes_handed_over_in_one_turn_are_one_commit(void **state)
{
    (void)state;
    static struct scratch s;
    static struct crowd crowd;
    bool waited = false;
    scratch_init(&s);
    scratch_open(&s);
    for (int round = 0; round < ROUNDS && !waited; round++) // on a busy machine the writer may still be awake
        waited = waited_for_the_end(&s, &crowd);
    assert_true(waited);
    scratch_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(writes_handed_over_in_one_turn_are_one_commit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// What every store must do, as one list of tests that runs against each of them. A store's own test file
// brings a factory and calls store_conformance.
#pragma once

#include "store/request.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct conformance_factory {
    // A new, empty store that takes at most `under_way_cap` requests at once (0: as many as it likes).
    struct err (*open)(struct conformance_factory *factory, size_t under_way_cap, struct store **out);
    void (*close)(struct conformance_factory *factory, struct store *store);
};

// Runs all tests; returns how many failed.
int store_conformance(const char *name, struct conformance_factory *factory);

// --- for the tests

// One user of a store: a client with its mailbox. Not to be shared between threads.
struct bench {
    struct conformance_factory *factory;
    struct store *store;
    struct mailbox replies;
    struct store_client *client;
    struct arena arena; // of the requests
};

void bench_join(struct bench *b, struct store *store);
void bench_leave(struct bench *b);
// Submits and waits for the answer; fails the test when it comes from within submit, twice, or not at all.
struct err bench_do(struct bench *b, struct store_request *request);
// Submits one of several, each of which takes one off *left when it is answered; waits until none is left.
void bench_submit(struct bench *b, struct store_request *request, size_t *left);
void bench_await(struct bench *b, const size_t *left);

struct err bench_put(struct bench *b, enum store_table table, const char *partition, const char *key,
                     const void *record, enum store_condition condition, uint64_t match);
struct err bench_delete(struct bench *b, enum store_table table, const char *partition, const char *key,
                        enum store_condition condition, uint64_t match);
// NULL when absent; any other failure fails the test.
void *bench_get(struct bench *b, enum store_table table, const char *partition, const char *key);
size_t bench_count(struct bench *b, enum store_table table, const char *partition, const char *where);
struct query_node;
const struct query_node *bench_where(struct bench *b, const char *where);

// An individual enrollment or a group with keys that follow from `seed`, which is also the etag.
struct enrollment bench_enrollment(enum enrollment_kind kind, const char *id, uint64_t seed);
struct registration bench_registration(const char *id, const char *hub, uint64_t etag);

#define assert_ok(expression) assert_string_equal(err_info(expression)->name, "ok")
#define assert_err(expression, code)                                                                         \
    assert_string_equal(err_info(expression)->name, err_info(FAIL(code))->name)
#define assert_text(slice, text) assert_true(slice_equal((slice), slice_text(text)))

extern const struct CMUnitTest conformance_record_tests[], conformance_query_tests[],
    conformance_admission_tests[], conformance_thread_tests[], conformance_together_tests[],
    conformance_words_tests[];
extern const size_t conformance_record_count, conformance_query_count, conformance_admission_count,
    conformance_thread_count, conformance_together_count, conformance_words_count;
#define CONFORMANCE_TESTS(name)                                                                              \
    const size_t conformance_##name##_count =                                                                \
        sizeof conformance_##name##_tests / sizeof conformance_##name##_tests[0]

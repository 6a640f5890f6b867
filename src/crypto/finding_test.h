// For the tests of path.c and step.c: what the service holds, what the device shows, and what comes of it.
#pragma once

#include <openssl/err.h>

#include "crypto/making_test.h"
#include "crypto/path.h"

enum { PATHS_MAX = 8 };

static struct issuers *issuers;
static struct chain *chain;
static struct path_known known[PATH_KNOWN_MAX + 8];
static size_t known_count;
static struct path paths[PATHS_MAX];
static size_t path_count;
static struct why why;
static int64_t now_us;
static bool expired_anchors;
static bool endorsement;

static inline int set_up(void **state)
{
    (void)state;
    known_count = 0;
    path_count = 0;
    now_us = NOW_US;
    expired_anchors = false;
    endorsement = false;
    chain = NULL;
    return failed(issuers_new(100, 100000, &issuers));
}

static inline int tear_down(void **state)
{
    (void)state;
    chain_release(chain);
    issuers_free(issuers);
    assert_int_equal(ERR_peek_error(), 0); // nothing is left that a TLS call would trip over
    made_release();
    return 0;
}

static inline struct path_known *hold(const struct made *made, bool anchor)
{
    known[known_count] = (struct path_known){.der = made->der, .anchor = anchor};
    return &known[known_count++];
}

static inline void show(const struct made *const *all, size_t count)
{
    struct slice der[16];
    for (size_t i = 0; i < count; i++)
        der[i] = all[i]->der;
    chain_release(chain);
    assert_false(failed(chain_new(der, count, &chain)));
}
#define SHOW(...)                                                                                            \
    show((const struct made *const[]){__VA_ARGS__},                                                          \
         sizeof(const struct made *const[]){__VA_ARGS__} / sizeof(struct made *))

static inline struct err find(void)
{
    struct path_question question = {.chain = chain,
                                     .known = known,
                                     .known_count = known_count,
                                     .now_us = now_us,
                                     .expired_anchors = expired_anchors,
                                     .endorsement = endorsement};
    why.text[0] = '\0';
    return path_find(issuers, &question, paths, PATHS_MAX, &path_count, &why);
}

static inline void assert_way(size_t index, const struct made *const *above, size_t count)
{
    assert_true(index < path_count);
    assert_int_equal(paths[index].count, count);
    for (size_t i = 0; i < count; i++)
        assert_true(slice_equal(paths[index].above[i], above[i]->der));
}
#define ASSERT_WAY(index, ...)                                                                               \
    assert_way(index, (const struct made *const[]){__VA_ARGS__},                                             \
               sizeof(const struct made *const[]){__VA_ARGS__} / sizeof(struct made *))

static inline void assert_found(size_t count)
{
    struct err e = find();
    if (failed(e))
        fail_msg("%s: %s", err_info(e)->name, why.text);
    assert_int_equal(path_count, count);
}

// The error, and that why holds these words.
static inline void assert_refused(enum err_code code, const char *words)
{
    struct err e = find();
    if (e.code != code || slice_find(slice_text(why.text), slice_text(words)) == strlen(why.text))
        fail_msg("%s: '%s', want '%s'", err_info(e)->name, why.text, words);
    assert_int_equal(path_count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

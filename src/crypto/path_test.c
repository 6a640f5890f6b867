// Ways from a device's certificate to a CA certificate of the service: those that hold, and why others do
// not.
#include <openssl/err.h>

#include "crypto/chain_openssl.h"
#include "crypto/hmac.h"
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

static int set_up(void **state)
{
    (void)state;
    known_count = 0;
    path_count = 0;
    now_us = NOW_US;
    expired_anchors = false;
    chain = NULL;
    return failed(issuers_new(100, 100000, &issuers));
}

static int tear_down(void **state)
{
    (void)state;
    chain_release(chain);
    issuers_free(issuers);
    made_release();
    assert_int_equal(ERR_peek_error(), 0); // nothing is left that a TLS call would trip over
    return 0;
}

static struct path_known *hold(const struct made *made, bool anchor)
{
    known[known_count] = (struct path_known){.der = made->der, .anchor = anchor};
    return &known[known_count++];
}

static void show(const struct made *const *all, size_t count)
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

static struct err find(void)
{
    struct path_question question = {.chain = chain,
                                     .known = known,
                                     .known_count = known_count,
                                     .now_us = now_us,
                                     .expired_anchors = expired_anchors};
    why.text[0] = '\0';
    return path_find(issuers, &question, paths, PATHS_MAX, &path_count, &why);
}

static void assert_way(size_t index, const struct made *const *above, size_t count)
{
    assert_true(index < path_count);
    assert_int_equal(paths[index].count, count);
    for (size_t i = 0; i < count; i++)
        assert_true(slice_equal(paths[index].above[i], above[i]->der));
}
#define ASSERT_WAY(index, ...)                                                                               \
    assert_way(index, (const struct made *const[]){__VA_ARGS__},                                             \
               sizeof(const struct made *const[]){__VA_ARGS__} / sizeof(struct made *))

static void assert_found(size_t count)
{
    struct err e = find();
    if (failed(e))
        fail_msg("%s: %s", err_info(e)->name, why.text);
    assert_int_equal(path_count, count);
}

// The error, and that why holds these words.
static void assert_refused(enum err_code code, const char *words)
{
    struct err e = find();
    if (e.code != code || slice_find(slice_text(why.text), slice_text(words)) == strlen(why.text))
        fail_msg("%s: '%s', want '%s'", err_info(e)->name, why.text, words);
    assert_int_equal(path_count, 0);
}

static void a_device_below_a_ca_of_the_service_is_let_in(void **state)
{
    (void)state;
    const struct made *root = make_ca("root", NULL);
    const struct made *device = make_device("d1", root);
    hold(root, true);
    SHOW(device);
    assert_found(1);
    ASSERT_WAY(0, root);
}

static void intermediates_may_be_sent_or_held(void **state)
{
    (void)state;
    const struct made *root = make_ca("root", NULL);
    const struct made *upper = make_ca("upper", root);
    const struct made *lower = make_ca("lower", upper);
    const struct made *device = make_device("d1", lower);
    hold(root, true);
    SHOW(device, lower, upper);
    assert_found(1);
    ASSERT_WAY(0, lower, upper, root);
    SHOW(device, upper, root, lower); // in any order
    assert_found(1);
    ASSERT_WAY(0, lower, upper, root);
    hold(lower, false);
    hold(upper, false);
    SHOW(device);
    assert_found(1);
    ASSERT_WAY(0, lower, upper, root);
}

static void without_a_ca_of_the_service_there_is_no_way(void **state)
{
    (void)state;
    const struct made *root = make_ca("root", NULL);
    const struct made *lower = make_ca("lower", root);
    const struct made *device = make_device("d1", lower);
    SHOW(device);
    assert_refused(ERR_CERTIFICATE_UNTRUSTED, "nobody known issued the certificate CN=d1");
    SHOW(device, lower, root);
    assert_refused(ERR_CERTIFICATE_UNTRUSTED, "the chain ends at CN=root");
    hold(lower, false); // held by a group, but not verified
    SHOW(device);
    assert_refused(ERR_CERTIFICATE_UNTRUSTED, "nobody known issued the certificate CN=lower");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_device_below_a_ca_of_the_service_is_let_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(intermediates_may_be_sent_or_held, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_ca_of_the_service_there_is_no_way, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

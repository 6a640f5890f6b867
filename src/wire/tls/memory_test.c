// What OpenSSL holds for a session after its handshake: it is most of what an idle connection costs.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/crypto.h>

#include "wire/tls/testing.h"
#include "wire/tls/tls.h"

enum {
    WITHOUT_MAX = 13 * 1024,    // bytes, with OpenSSL 3.0
    CERTIFICATE_MAX = 2 * 1024, // bytes more for a leaf and what is above it
};

// ---- OpenSSL's memory, counted
static size_t held;

struct block {
    _Alignas(max_align_t) size_t size;
};

static void *take(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    struct block *block = malloc(sizeof *block + size);
    if (block == NULL)
        return NULL;
    block->size = size;
    held += size;
    return block + 1;
}

static void give(void *at, const char *file, int line)
{
    (void)file, (void)line;
    if (at == NULL)
        return;
    struct block *block = (struct block *)at - 1;
    held -= block->size;
    free(block);
}

static void *change(void *at, size_t size, const char *file, int line)
{
    if (at == NULL)
        return take(size, file, line);
    struct block *block = (struct block *)at - 1;
    held += size - block->size;
    block = realloc(block, sizeof *block + size);
    if (block == NULL)
        return NULL;
    block->size = size;
    return block + 1;
}

// ---- sessions
static void carry(struct tls_session *from, struct tls_session *to, struct buf *plain)
{
    struct slice in = buf_slice(tls_output(from));
    assert_false(failed(tls_feed(to, &in, plain)));
    buf_clear(tls_output(from));
}

static struct tls_session *open_session(struct tls_context *server, struct tls_context *client)
{
    struct tls_session *ours = NULL, *theirs = NULL;
    struct buf plain = buf_capped(64 * 1024);
    assert_false(failed(tls_session_new(server, NULL, &ours)));
    assert_false(failed(tls_session_new(client, "localhost", &theirs)));
    for (int rounds = 0; rounds < 3; rounds++) {
        carry(theirs, ours, &plain);
        carry(ours, theirs, &plain);
    }
    assert_false(failed(tls_write(theirs, SLICE("hello"))));
    carry(theirs, ours, &plain);
    assert_int_equal(plain.len, 5);
    assert_int_equal(tls_session_state(ours), TLS_OPEN);
    tls_session_free(theirs);
    buf_release(&plain);
    return ours;
}

// Bytes that OpenSSL holds for an idle session of the server; *left: of them, after its end.
static size_t idle(struct tls_context *server, struct tls_context *client, size_t *left)
{
    size_t before = held;
    struct tls_session *session = open_session(server, client);
    struct chain *chain = NULL;
    assert_false(failed(tls_take_chain(session, &chain)));
    if (chain != NULL)
        chain_rest(chain);
    size_t after = held;
    chain_release(chain);
    tls_session_free(session);
    *left = held - before;
    return after - before;
}

static size_t cost(struct tls_context *server, struct tls_context *client)
{
    size_t left;
    (void)idle(server, client, &left); // what is made once is there
    size_t bytes = idle(server, client, &left);
    assert_int_equal(left, 0);
    return bytes;
}

static void an_idle_session_keeps_little_of_the_certificates_it_was_shown(void **state)
{
    (void)state;
    struct tls_testing t;
    tls_testing_init(&t);
    struct tls_settings settings = {.chain_pem = buf_slice(&t.chain_pem),
                                    .key_pem = buf_slice(&t.key_pem),
                                    .request_client_certificate = true};
    struct tls_settings without = {.client = true, .trusted_pem = buf_slice(&t.ca_pem)};
    struct tls_settings with = without;
    with.chain_pem = buf_slice(&t.client_pem);
    with.key_pem = buf_slice(&t.client_key_pem);
    struct tls_context *server = NULL, *anonymous = NULL, *device = NULL;
    assert_false(failed(tls_context_new(&settings, &server, NULL)));
    assert_false(failed(tls_context_new(&without, &anonymous, NULL)));
    assert_false(failed(tls_context_new(&with, &device, NULL)));
    size_t base = cost(server, anonymous);
    size_t full = cost(server, device);
    if (base > WITHOUT_MAX || full > base + CERTIFICATE_MAX)
        fail_msg("%zu bytes without, %zu with a certificate", base, full);
    tls_context_free(server);
    tls_context_free(anonymous);
    tls_context_free(device);
    tls_testing_release(&t);
}

int main(void)
{
    if (CRYPTO_set_mem_functions(take, change, give) != 1)
        return 2;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_session_keeps_little_of_the_certificates_it_was_shown),
    };
    return cmocka_run_group_tests_name("tls memory", tests, NULL, NULL);
}

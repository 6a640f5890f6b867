// What the files of this folder share. Nobody else includes it.
#pragma once

#include <stdatomic.h>

#include <openssl/ssl.h>

#include "wire/tls/tls.h"

struct tls_context {
    atomic_uint owners;
    SSL_CTX *ssl;
    BIO_METHOD *bio; // reads a session's input, appends to its output; no copies in between
    bool client;
    int64_t expires_us;
    uint8_t alpn[256]; // as on the wire: length and name, again and again
    size_t alpn_len;
};

struct tls_session {
    SSL *ssl;
    struct tls_context *context;
    enum tls_state state;
    enum err_code failure;
    struct slice in; // what tls_feed was given, while it runs
    struct buf out;
    uint32_t key_updates;
    bool sniffed;     // the first byte was looked at
    bool chain_taken; // by tls_take_chain
    struct why *why;  // owned; NULL unless it failed, because it is as large as all the rest
};

// A peer that renews its keys more often than this keeps us busy for nothing (threats A7).
enum { TLS_KEY_UPDATES_MAX = 64 };

// Puts words to the oldest error in OpenSSL's queue, and empties the queue. why may be NULL.
void tls_explain(const SSL *ssl, struct why *why);
// What the first bytes on a TLS port are when they are not TLS. why may be NULL.
void tls_explain_plaintext(struct slice first, struct why *why);

// TLS without I/O: ciphertext in, plaintext out, and the other way round, over OpenSSL 3. What a client
// certificate is worth is not decided here: any chain whose key the peer holds passes, and crypto/ judges it
// afterwards.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "crypto/chain.h"

// What sessions have in common: certificate, key, what is offered. Immutable, so that a reload makes a new
// one while sessions keep the one they began with. Sharing one between threads is safe but costs 12 % more
// CPU: make one each.
struct tls_context;

struct tls_settings {
    bool client;
    // PEM, the leaf first. A server needs both; a client may have both (its client certificate) or neither.
    struct slice chain_pem;
    struct slice key_pem;
    // Server: ask for a client certificate. Never required; which are good enough is decided after the
    // handshake.
    bool request_client_certificate;
    // Client: PEM of the CAs to trust; empty means those of the system.
    struct slice trusted_pem;
    // Protocol names, preferred first, NULL at the end; NULL for no ALPN. A server refuses a client that
    // offers names of which it knows none (ALPACA), and takes one that offers nothing.
    const char *const *alpn;
};

// ERR_CONFIG with why when certificate or key cannot be used. The settings are not kept.
struct err tls_context_new(const struct tls_settings *settings, struct tls_context **out, struct why *why);
// One more owner of the same context; any thread.
struct tls_context *tls_context_share(struct tls_context *context);
// Gives up one ownership; any thread; NULL is fine. Sessions own a share themselves.
void tls_context_free(struct tls_context *context);
// When the leaf certificate expires, microseconds since 1970; 0 without a certificate.
int64_t tls_context_expires_us(const struct tls_context *context);

enum tls_state {
    TLS_HANDSHAKING,
    TLS_OPEN,
    TLS_CLOSED, // close_notify was received, or sent by tls_close
    TLS_FAILED, // tls_why says what happened; an alert for the peer may be in the output
};

enum {
    TLS_CHAIN_MAX = 16 * 1024,       // bytes of certificates a peer may send
    TLS_PLAIN_MAX = 16 * 1024,       // bytes of plaintext in one record
    TLS_OUTPUT_MAX = 8 * 1024 * 1024 // bytes of ciphertext waiting to be taken; more fails the session
};

// One connection's TLS. One thread at a time.
struct tls_session;

// A client's first flight is in the output at once. server_name: client only, what the certificate must be
// for, a host name (sent as SNI too) or an IP address. ERR_NO_MEMORY, or ERR_INVALID for a name that cannot
// be one.
struct err tls_session_new(struct tls_context *context, const char *server_name, struct tls_session **out);
void tls_session_free(struct tls_session *session);
enum tls_state tls_session_state(const struct tls_session *session);

// Takes ciphertext from *in (advancing it) and appends what it decrypts to plain, never past plain's cap:
// with TLS_PLAIN_MAX bytes more room than *in is long everything is taken, else the rest of *in is left.
// Drives the handshake. After TLS_CLOSED or TLS_FAILED input is thrown away. ERR_PROTOCOL (or ERR_NO_MEMORY)
// when the session failed, now or earlier.
struct err tls_feed(struct tls_session *session, struct slice *in, struct buf *plain);
// Encrypts all of plain into the output. TLS_OPEN only, else ERR_INTERNAL; ERR_CAPPED when the output would
// grow past TLS_OUTPUT_MAX, which fails the session.
struct err tls_write(struct tls_session *session, struct slice plain);
// Puts close_notify into the output (once, and only after a handshake); then the state is TLS_CLOSED.
void tls_close(struct tls_session *session);
// The ciphertext to send, owned by the session: consume what was sent, or take the whole buf and leave an
// empty one with the same cap. Look here after each of the calls above.
struct buf *tls_output(struct tls_session *session);
// What went wrong, in words for the log; empty unless TLS_FAILED. May quote what the peer sent (a few bytes,
// as hex).
const struct why *tls_session_why(const struct tls_session *session);

// What the peer showed, for the caller to release; *out is NULL when it showed nothing, or did not prove that
// it holds the leaf's key (the handshake is not over, or failed). Takes it out of the session, which has no
// use for it after the handshake and would keep several KiB: a second call finds nothing. ERR_NO_MEMORY.
struct err tls_take_chain(struct tls_session *session, struct chain **out);
// "TLSv1.3" and such, for the log; static storage.
const char *tls_session_version(const struct tls_session *session);
// The protocol both sides agreed on by ALPN; empty for none.
struct slice tls_session_alpn(const struct tls_session *session);

// One HTTP request under way and the answer that is being made for it. It owns a copy of the request and
// outlives the connection: an answer for a connection that has died is dropped. The http front (http_front.c)
// makes exchanges and hands each to the first area that claims it.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/chain.h"
#include "wire/http/http.h"

enum {
    EXCHANGE_SEGMENTS_MAX = 8,
    EXCHANGE_HEADERS_MAX = 12,
    EXCHANGE_ARENA_CAP = 1 << 20,
    EXCHANGE_BODY_CAP = 4 << 20
};

struct exchange_header {
    const char *name;   // a literal
    struct slice value; // in the exchange's arena, or a literal
};

struct exchange {
    // the request; slices live as long as the exchange
    struct http_request request;
    struct slice
        segments[EXCHANGE_SEGMENTS_MAX]; // of the path, percent-decoded; a trailing slash makes no segment
    size_t segment_count;
    bool local;          // came over the control socket: the peer is trusted by its user ID
    struct slice peer;   // for logs
    uint64_t connection; // for logs
    char tracking_id[GUID_TEXT];
    int64_t started_us; // wall clock
    struct arena arena;
    // the answer
    struct buf body;
    struct exchange_header headers[EXCHANGE_HEADERS_MAX];
    size_t header_count;
    struct slice content_type; // of the body; empty: JSON
    struct slice caller;       // for logs: the policy's or the device's name, set by whoever checked it
    bool logged;               // somebody has logged the decision: exchange_refuse writes no line of its own
    bool challenges;           // the answer, 401, asks for a proof: nobody was refused
    void *front;               // the http front's
};

// An answer header besides Content-Type, Content-Length, Date and Strict-Transport-Security, which the front
// adds.
void exchange_header(struct exchange *x, const char *name, struct slice value);
// Sends x->body with this status; the exchange is gone afterwards. Exactly once, on the loop, at once or any
// time later.
void exchange_answer(struct exchange *x, unsigned status);
// An error body of device-protocol 8.4 / service-api A.6 with x-ms-error-code, and one log line. why may be
// NULL; its text goes to the caller only when the error is of class INPUT, CONFLICT or BUSY (else only into
// the log).
void exchange_refuse(struct exchange *x, struct err e, const struct why *why);
// The same with an error body of the hub API (service-api H.2).
void exchange_refuse_as_hub(struct exchange *x, struct err e, const struct why *why);
// The certificates that the client showed in the TLS handshake, or NULL; the exchange's, as long as it lives
// (chain_hold to keep it). Decoded once for a connection, when first asked for; NULL too when memory is out,
// or when the connection is gone.
struct chain *exchange_chain(struct exchange *x);
const struct log *exchange_log(const struct exchange *x);

// A part of the URL space. Areas are asked in order; the first that claims a request handles it.
struct http_area {
    const char *name;
    bool (*claims)(void *context, const struct exchange *x);
    void (*handle)(void *context, struct exchange *x);
    void *context;
    // Bytes of the largest body over the control socket, whose peer is trusted. Less than HTTP_BODY_LIMIT,
    // and everywhere else: that.
    size_t local_body_max;
};

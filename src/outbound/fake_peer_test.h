// A scripted HTTPS server on loopback, for tests of those who make calls: what it hears it keeps, and answers
// as its user says. With it the loop that the calls are made on, and a clock for who makes them.
#pragma once

#include <stdatomic.h>

#include "base/list.h"
#include "base/testing.h"
#include "net/bench_test.h"
#include "ports/clock.h"
#include "ports/random.h"

enum peer_manner {
    PEER_ANSWER,
    PEER_LEAVE,  // answers, then closes the connection without having said so
    PEER_DONE,   // does what it is asked, but closes instead of answering
    PEER_CUT,    // closes instead of answering, and has not heard it
    PEER_DRIP,   // a byte of an answer now and then, for ever
    PEER_FLOOD,  // as much of an answer as the connection takes, for ever
    PEER_SILENT, // never answers
};

enum { PEER_SEEN_MAX = 32 };

struct peer_settings {
    // Appends the whole response, or nothing in a manner that needs none (peer_responds). On the loop's
    // thread.
    enum peer_manner (*answer)(void *context, struct slice request, struct slice body, struct buf *out);
    void *context;
    const char *name; // of the host that its certificate is for, beside 127.0.0.1
    int64_t age_days; // of its certificate
};

struct peer {
    struct peer_settings settings;
    struct bench bench;
    uint16_t port;
    struct buf ca_pem; // whom its certificate is of; bench.certificates has others
    struct clock clock;
    struct random random;        // zeros
    atomic_int_fast64_t skew_us; // added to the monotonic clock
    // of the loop's thread; read by a test when nothing is under way
    bool holding; // answers are held back
    struct list sessions;
    size_t requests;                // of all connections
    size_t connections;             // ever, before anything is said on them
    struct buf seen[PEER_SEEN_MAX]; // the first requests, head and body as they came
};

void peer_start(struct peer *peer, const struct peer_settings *settings);
void peer_end(struct peer *peer);
static inline bool peer_responds(enum peer_manner manner)
{
    return manner == PEER_ANSWER || manner == PEER_LEAVE || manner == PEER_DONE;
}
void peer_let_go(struct peer *peer); // answers all that are held, and holds no more
// Runs on the loop; for what must be set while requests come in.
void peer_await_requests(struct peer *peer, size_t count);
bool peer_saw(const struct peer *peer, size_t request, const char *part);
struct slice peer_saw_body(const struct peer *peer, size_t request);

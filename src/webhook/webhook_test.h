// A scripted function over TLS on loopback, and questions to it through the caller, all on one real loop.
#pragma once

#include <stdatomic.h>

#include "base/list.h"
#include "base/testing.h"
#include "net/bench_test.h"
#include "webhook/webhook.h"

enum fake_manner {
    FAKE_ANSWER,
    FAKE_DRIP,   // a byte of the answer now and then, for ever
    FAKE_SILENT, // never answers
    FAKE_CUT,    // closes instead of answering
    FAKE_SHORT,  // closes before all of the answer was sent
};

// Everything after "HTTP/1.1 ", with the lengths written by the script itself.
struct fake_answer {
    enum fake_manner manner;
    const char *text;
    size_t body; // as many bytes of 'x' behind it
};

enum { FAKE_SEEN_MAX = 4 };

struct fake {
    struct bench bench;
    struct listener *listener;
    uint16_t port;
    char url[128]; // https://localhost:PORT/api/allocate?code=SECRET
    struct webhook *webhook;
    struct webhook_settings settings; // of the caller: what fake_restart makes it with
    struct clock clock;
    struct random random;
    atomic_int_fast64_t skew_us; // added to the monotonic clock
    // of the loop's thread; read by a test when nothing is under way
    struct fake_answer answer; // to every request
    bool holding;              // answers are held back
    struct list sessions;
    size_t requests;                // of all connections
    size_t connections;             // ever, before anything is said on them
    struct buf seen[FAKE_SEEN_MAX]; // the first ones, head and body as they came
};

// Loopback is allowed, and the function's port; a certificate of the test's CA for localhost.
void fake_start(struct fake *fake);
void fake_start_with(struct fake *fake, const struct buf *chain_pem, const struct buf *key_pem,
                     struct slice trusted_pem);
// Another caller, with what was set in fake->settings.
void fake_restart(struct fake *fake);
void fake_end(struct fake *fake);
void fake_say(struct fake *fake, const char *status_and_headers, const char *body);
void fake_release(struct fake *fake); // answers all that are held, and holds no more
void fake_await_requests(struct fake *fake, size_t count);
bool fake_saw(const struct fake *fake, size_t request, const char *part);

struct shot {
    struct fake *fake;
    struct webhook_request request;
    struct arena arena;
    sem_t ended;
    unsigned times; // done was called
    bool inside;    // submit is running
    bool early;     // done was called from within submit
};

// A question with a deadline of ten seconds, not fired yet. Released by shot_release.
void shot_init(struct shot *shot, struct fake *fake, const char *url);
void shot_release(struct shot *shot);
void shots_fire(struct shot *shots, size_t count); // in one turn of the loop
void shot_wait(struct shot *shot);
struct err shot_run(struct shot *shot); // fire, wait, the result

// ERR_WEBHOOK with a reason that says so, and never what is in the URL's query.
void assert_refused(const struct shot *shot, const char *part);

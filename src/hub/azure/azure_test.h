// A scripted hub over TLS on loopback, and calls to it through the connector, all on one real loop.
#pragma once

#include <stdatomic.h>

#include "base/list.h"
#include "base/testing.h"
#include "hub/azure/azure.h"
#include "hub/azure/registry_test.h"
#include "net/bench_test.h"

enum fake_manner {
    FAKE_ANSWER,
    FAKE_DRIP,   // a byte of the answer now and then, for ever
    FAKE_FLOOD,  // as much as the connection takes, for ever
    FAKE_SILENT, // never answers
    FAKE_CUT,    // closes instead of answering; a registry has not heard of it
    FAKE_DONE,   // closes instead of answering, but a registry has done it
    FAKE_LEAVE,  // answers, then closes the connection without having said so
};

// A NULL body: what was sent comes back, which is what a hub does with an identity or a twin. No status
// either and a registry: its answer.
struct fake_answer {
    enum fake_manner manner;
    int status;          // 0: 204 to a DELETE, else 200
    const char *headers; // "Retry-After: 7\r\n"; NULL for none
    const char *body;
};

enum { FAKE_SCRIPT_MAX = 16, FAKE_SEEN_MAX = 32, FAKE_STALE_MS = 700 };

struct fake {
    struct bench bench;
    struct listener *listener;
    char host[32]; // localhost:PORT
    struct hub_connector *connector;
    struct clock clock;
    struct random random;
    atomic_int_fast64_t skew_us; // added to the monotonic clock
    // of the loop's thread; read by a test when nothing is under way
    struct fake_answer script[FAKE_SCRIPT_MAX]; // one for each request in turn, then good answers
    size_t scripted;
    struct fake_answer always;
    bool use_always;         // instead of the script
    const char *silent_host; // never answered
    struct registry *registry;
    unsigned told;     // by the connector, of a change of health
    bool told_failing; // the last time
    struct why told_why;
    char told_scope[40]; // empty: it was about all
    bool holding;        // answers are held back
    struct list sessions;
    size_t requests;                // of all connections
    size_t connections;             // ever
    struct buf seen[FAKE_SEEN_MAX]; // the first ones, head and body as they came
};

// A server certificate of the test's CA, unless given.
void fake_start(struct fake *fake);
void fake_start_with(struct fake *fake, const struct buf *chain_pem, const struct buf *key_pem,
                     struct slice trusted_pem);
void fake_end(struct fake *fake);
void fake_say(struct fake *fake, int status, const char *headers, const char *body); // next in the script
void fake_behave(struct fake *fake, enum fake_manner manner);                        // next in the script
void fake_release(struct fake *fake); // answers all that are held, and holds no more
struct slice fake_body(const struct fake *fake, size_t request);
bool fake_saw(const struct fake *fake, size_t request, const char *part);
// Runs on the loop; for what must be set while requests come in.
void fake_await_requests(struct fake *fake, size_t count);

struct shot {
    struct fake *fake;
    struct linked_hub hub;
    struct hub_request request;
    sem_t ended;
    unsigned times; // done was called
    bool inside;    // submit is running
    bool early;     // done was called from within submit
};

// HUB_ASSIGN with two keys, a deadline of ten seconds, not fired yet.
void shot_init(struct shot *shot, struct fake *fake, const char *device_id);
void shot_fire(struct shot *shot);
void shots_fire(struct shot *shots, size_t count); // in one turn of the loop
void shot_wait(struct shot *shot);
struct err shot_run(struct shot *shot); // fire, wait, the result

#define assert_result(shot, want)                                                                            \
    assert_string_equal(err_info((shot)->request.result)->name, err_info(FAIL(want))->name)
static inline bool shot_says(const struct shot *shot, const char *part)
{
    return slice_find(slice_text(shot->request.why.text), slice_text(part)) < strlen(shot->request.why.text);
}

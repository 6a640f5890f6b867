// A scripted hub over TLS on loopback, and calls to it through the connector, all on one real loop.
#pragma once

#include "base/testing.h"
#include "hub/azure/azure.h"
#include "hub/azure/registry_test.h"
#include "outbound/fake_peer_test.h"

// A NULL body: what was sent comes back, which is what a hub does with an identity or a twin. No status
// either and a registry: its answer.
struct fake_answer {
    enum peer_manner manner;
    int status;          // 0: 204 to a DELETE, else 200
    const char *headers; // "Retry-After: 7\r\n"; NULL for none
    const char *body;
};

enum { FAKE_SCRIPT_MAX = 16, FAKE_STALE_MS = 700 };

struct fake {
    struct peer peer;
    char host[32]; // localhost:PORT
    struct hub_connector *connector;
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
};

// A new certificate for localhost, of a CA that is trusted.
void fake_start(struct fake *fake);
// The same with a certificate for this name that is so many days old, or of a CA that is not trusted.
void fake_start_as(struct fake *fake, const char *name, int64_t age_days, bool trusted);
void fake_end(struct fake *fake);
void fake_say(struct fake *fake, int status, const char *headers, const char *body); // next in the script
void fake_behave(struct fake *fake, enum peer_manner manner);                        // next in the script

// The same with a registry behind it, which a test made WITH_HUB has as its state.
struct world {
    struct fake fake;
    struct registry registry;
};
int world_setup(void **state);
int world_teardown(void **state);
#define WITH_HUB(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

struct shot {
    struct fake *fake;
    struct linked_hub hub;
    struct hub_request request;
    struct outcome outcome;
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

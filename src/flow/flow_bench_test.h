// A flow to test: the memory store, a hub that does what a test says, and time that stands still until a test
// moves it.
#pragma once

#include "base/testing.h"

#include "flow/run.h"

#define T0       (INT64_C(1700000000) * 1000000)
#define SCOPE    "0ne000A0B1C"
#define HUB_HOST "hub.local"

enum { TIMERS = 1024 };

struct world {
    struct clock clock; // first
    struct random random;
    struct poller poller;
    struct hub_connector hub;
    struct webhook *webhook;   // NULL unless a test has one; used by the next flow that is made
    struct places *places;     // the same
    struct hub_health *health; // the same
    struct mailbox replies;
    struct store *store;
    struct store_client *client;
    struct directory *directory;
    struct issuers *issuers;
    struct challenges *challenges;
    struct challenges_client *asking;
    struct flow *flow;
    struct flow_settings settings;
    struct arena arena;
    int64_t now_us;
    uint64_t next_random;
    struct poll_timer *timers[TIMERS];
    int64_t due_us[TIMERS];
    struct hub_request *calls[64]; // at the hub, not answered yet
    size_t call_count;
    bool hub_answers; // at once, with hub_result and hub_left_there
    struct err hub_result;
    bool hub_left_there;
    size_t hub_calls;
    // what the last request came to
    size_t answers;
    struct err result;
    enum registration_status status;
    char hub_name[64];
    char operation[80];
    char group[64];
    enum attestation_type attestation;
    struct why why;
    uint32_t retry_after_s;
    size_t challenge_len;          // 0: it was not asked for a proof
    size_t authentication_key_len; // 0: it got no key
    bool loaded;
    struct log log;
    size_t lines;
    char line[4096]; // the last one
    bool silent;     // about strangers
};

int world_setup(void **state);
int world_teardown(void **state); // waits until nothing is under way
void make_flow(struct world *w);  // w->flow, from w->settings

void deliver(struct world *w, int wait_ms); // what is in the mailbox, or comes within the time
void pass(struct world *w, int64_t ms);     // time goes on, and timers fire
void until_answers(struct world *w, size_t answers);
void until_hub_called(struct world *w, size_t calls);
void until_idle(struct world *w);
void answer_hub(struct world *w, struct err result); // the last of calls

void store_do(struct world *w, struct store_request *request);
struct registration *stored_registration(struct world *w, struct slice id); // NULL: there is none
void delete_registration(struct world *w, const char *id);
// One with keys that `ask` signs with. dev1 is there from the start.
void put_enrollment(struct world *w, const char *id, enum provisioning_status status);
struct secret device_key(void);
// Hands over a request; the answer is in w, and counted in w->answers.
void ask(struct world *w, enum flow_verb verb, const char *id, const char *operation);
// Hands over a request that is filled but for what `ask` says, and its credential.
void hand_over(struct world *w, struct flow_request *request, enum flow_verb verb, const char *id,
               const char *operation);
// The same for a device that shows certificates; the request holds its own share of the chain.
void ask_showing(struct world *w, enum flow_verb verb, const char *id, const char *operation,
                 struct chain *chain);

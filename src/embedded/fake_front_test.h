// For tests: two loops on one thread with a memory store, a clock that stands still until it is moved, and in
// place of the fronts, exchanges and links whose answers can be looked at.
#pragma once

#include "embedded/embedded.h"
#include "embedded/hubs.h"

#define WALL_0     (INT64_C(1700000000) * 1000000) // 2023-11-14T22:13:20Z
#define NOW_S      INT64_C(1700000000)
#define HUB_HOST   "hub.local:8884"
#define DEVICE_KEY "0123456789abcdef0123456789abcdef"

enum { LOOPS = 2, PUBLISHED_MAX = 16 };

struct world; // private

struct world *world_new(void);
void world_free(struct world *w);
void world_move_time(struct world *w, int64_t seconds); // fires the timers that are due
struct embedded *world_loop(struct world *w, size_t loop);
struct embedded_peer *world_peers(struct world *w);
// Delivers mail of both loops until *done, or until nothing is under way when done is NULL. Fails the test
// after 5 s.
void world_pump(struct world *w, const bool *done);
// The last log line that a link's session wrote; empty at first.
const char *world_line(const struct world *w);
// Delivers mail of this loop only, until *done.
void world_pump_loop(struct world *w, size_t loop, const bool *done);
const struct policy *world_policy(struct world *w, const char *name);

// ---- REST ---------------------------------------------------------------------------------------
struct answer {
    bool done;
    unsigned status;
    uint32_t code;   // enum err_code of a refusal
    char text[4096]; // body
    char continuation[256];
    char item_type[32];
    char reason[256];
};

struct ask {
    size_t loop;
    const char *method; // GET …
    const char *path;   // with query
    const char *body;
    const char *if_match;
    const char *count; // x-ms-max-item-count
    const char *continuation;
    const char *policy;        // NULL: iothubowner
    const char *authorization; // instead of a token of `policy`; "" for none
    const char *host;          // NULL: HUB_HOST
    bool local;
    bool no_wait; // world_answer later
};

struct answer *world_ask(struct world *w, struct ask ask);
// Text of a SAS token, NUL-terminated, for the world's lifetime. policy NULL: none.
const char *world_token(struct world *w, const char *resource, int64_t expiry_s, const struct secret *key,
                        const char *policy);

// ---- MQTT ---------------------------------------------------------------------------------------
struct mqtt_link {
    struct world *world;
    void *session;
    struct mqtt_door door;
    bool settled; // accepted or refused
    bool accepted;
    bool closed;
    uint32_t refused; // enum err_code
    uint32_t closed_for;
    char closed_why[256];
    struct chain *chain;
    int64_t expires_us;
    size_t published;
    struct {
        char topic[256];
        char payload[2048];
    } out[PUBLISHED_MAX];
};

struct dial {
    size_t loop;
    const char *user_name; // NULL: HUB_HOST/{client_id}/?api-version=2021-04-12
    const char *client_id;
    const char *password; // NULL: a good token of DEVICE_KEY
    struct chain *chain;  // what it shows, held by the test; NULL: nothing
    bool no_wait;         // its answer comes with a later world_pump
};

// NULL when the door does not claim the CONNECT.
struct mqtt_link *world_dial(struct world *w, struct dial dial);
bool link_publish(struct mqtt_link *link, const char *topic, const char *payload);
uint8_t link_subscribe(struct mqtt_link *link, const char *filter);
// The peer or the front closes it.
void link_close(struct mqtt_link *link);
// Waits until the link was sent `count` messages in all.
void link_wait(struct mqtt_link *link, size_t count);

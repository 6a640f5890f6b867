// usherd, started and stopped: the store, the workers, the settings that all share.
#pragma once

#include <stdatomic.h>

#include "base/log.h"
#include "crypto/seal.h"
#include "embedded/embedded.h"
#include "flow/challenges.h"
#include "ports/clock.h"
#include "ports/random.h"
#include "ports/store.h"
#include "server/config.h"
#include "server/worker.h"

struct daemon {
    const struct config *config;
    struct log log;
    struct clock clock;
    struct random random;
    struct sealer sealer;
    struct challenges *challenges; // what TPM devices have been asked; the first worker's loop holds them
    struct secret continuation_key;
    struct store *store;
    struct worker *workers;
    unsigned worker_count;
    struct embedded_peer *peers;
    struct ip_network proxies[CONFIG_LIST_MAX]; // as many as the settings name
    struct atlas *atlas;                        // where addresses are, as it was read last; or NULL
    uint16_t https_port;
    uint16_t mqtt_port;
    uint16_t amqp_port;
    int64_t started_us; // monotonic
    // While it stops: each loop adds what it has under way, and the last one to do so logs it.
    const char *stop_reason;
    atomic_uint stop_unheard; // loops that have not been told yet
    atomic_size_t stop_operations, stop_requests, stop_connections;
    atomic_uint stop_busy; // loops that have something under way
};

// How many loops: `threads` of the settings, or with 0 one for each processor (below 1: unknown); never more
// than HUB_HEALTH_LOOPS_MAX.
unsigned daemon_loops(int64_t threads, long processors);

// Opens the store, binds the doors. Nothing is served yet. On failure everything is released.
struct err daemon_init(struct daemon *daemon, const struct config *config, struct why *why);
// Between daemon_init and daemon_start: makes the records of embedded hubs where they are missing.
struct err daemon_ensure_hubs(struct daemon *daemon, const struct config_list *hubs, struct why *why);
// Reads the settings and starts the threads.
struct err daemon_start(struct daemon *daemon, struct why *why);
// Reads certificate and key anew; on failure the old ones stay.
struct err daemon_reload_tls(struct daemon *daemon, struct why *why);
// Reads the files that say where addresses are anew, and logs what was read; on failure what was read before
// stays. Nothing without such files.
struct err daemon_reload_places(struct daemon *daemon, struct why *why);
// Stops gracefully and releases everything. False when something had to be cut off. reason: for the log,
// static text.
bool daemon_stop(struct daemon *daemon, const char *reason);
// What a loop calls when it hears of it.
void daemon_stop_heard(struct daemon *daemon, size_t operations, size_t requests, size_t connections);

// Between daemon_init and daemon_start only: one store request, answered before this returns.
struct err daemon_ask_store(struct daemon *daemon, struct store_request *request);
// The embedded hub's policies; copied to the arena. ERR_ABSENT when there is no such hub.
struct hub_settings;
struct err daemon_hub_settings(struct daemon *daemon, struct slice host, struct arena *arena,
                               struct hub_settings *out, struct why *why);

// What a worker calls once, while stopping, when nothing of its own is under way. Its loop goes on until that
// is so of all: a change of settings that one of them still waits for takes the others' part.
void daemon_worker_idle(struct daemon *daemon);
// What an API calls to have all loops read the services anew: wait->loaded comes on the loop that asked.
void daemon_settings_changed(struct worker *asking, struct directory_wait *wait);
int64_t daemon_wall_us(void);

// What the caller's files share: the caller, what it knows of each host, and the calls under way.
#pragma once

#include "base/map.h"
#include "outbound/breaker.h"
#include "outbound/outbound.h"
#include "webhook/webhook.h"

enum {
    WEBHOOK_CALLS_MAX = 32,     // per host and loop: as many are under way at once, the others wait
    WEBHOOK_WAITING_MAX = 4096, // per host
    WEBHOOK_HOSTS_MAX = 1024,   // hosts that something is known about
};

struct webhook_caller {
    struct webhook webhook;
    struct webhook_settings settings; // without ca_pem
    struct outbound transport;
    struct map hosts; // guard_url.host -> struct webhook_host
};

struct webhook_host {
    struct webhook_caller *caller;
    struct outbound_breaker breaker;
    struct list waiting; // calls, the oldest first
    size_t waiting_count;
    size_t active;            // calls that hold a transfer
    bool pumping;             // webhook_host's pump is on the stack
    struct poll_timer expiry; // for those that wait
    int64_t expiry_us;        // when it fires; 0: it does not run
    char name[];              // as guard_url.host
};

// One webhook_request.
struct webhook_call {
    struct list link; // in waiting
    struct webhook_host *host;
    struct webhook_request *request;
    struct outbound_transfer *transfer; // NULL while it waits
    const char *refused;                // what the last address was that the guard refused
    bool probe;
    int64_t expires_us;
    int64_t given_ms; // what was left of its time when it was sent
};

// What the end of a call says about its host.
enum webhook_health { WEBHOOK_HEALTHY, WEBHOOK_SICK, WEBHOOK_UNKNOWN };

// --- call.c: one question, and what came of it

// With a transfer in hand. Ends by webhook_call_end, now or later.
void webhook_call_begin(struct webhook_call *call);
// The outbound's rule: asks the guard about a socket's real address.
bool webhook_may_connect(struct outbound_transfer *transfer, const struct sockaddr *address);

// --- host.c: who may call a host, and when

// The host's entry, made when there is none; NULL when there is no room for it.
struct webhook_host *webhook_host_of(struct webhook_caller *caller, const char *name);
// Nothing is under way.
void webhook_host_free(struct webhook_host *host);
// Starts the call, lets it wait, or ends it at once.
void webhook_host_submit(struct webhook_host *host, struct webhook_call *call);
// The call is over: gives back what it held, learns about the host, answers, and starts the next.
void webhook_call_end(struct webhook_call *call, struct err error, enum webhook_health health);

// --- webhook.c

int64_t webhook_now_us(const struct webhook_caller *caller);
// Frees the call and has its request answered through the mailbox.
void webhook_answer(struct webhook_caller *caller, struct webhook_call *call, struct err error);

// What the connector's files share: the connector, what it knows of each hub, and the calls under way.
#pragma once

#include "base/map.h"
#include "hub/azure/azure.h"
#include "hub/azure/token.h"
#include "outbound/breaker.h"
#include "outbound/outbound.h"

enum {
    AZURE_CONNECTIONS_MAX = 16, // per hub: as many calls are under way at once, the others wait
    AZURE_WAITING_MAX = 4096,   // per hub
    AZURE_HUBS_MAX = 1024,      // hubs that something is known about
};

struct azure {
    struct hub_connector connector;
    struct hub_azure_settings settings; // without ca_pem
    struct outbound transport;
    struct map hubs; // host in small letters -> struct azure_hub
};

struct azure_hub {
    struct azure *azure;
    struct azure_token token;
    struct outbound_breaker breaker;
    int64_t paused_until_us; // the hub said 429; nobody asks before
    struct list waiting;     // calls, the oldest first
    size_t waiting_count;
    size_t active;            // calls that hold a transfer
    bool pumping;             // azure_hub_pump is on the stack
    bool unauthorized;        // the last call was, and one line said so
    struct poll_timer expiry; // for those that wait
    bool expiry_runs;
    char host[]; // in small letters, with its port if it has one
};

enum azure_step { AZURE_CREATE, AZURE_READ, AZURE_UPDATE, AZURE_TWIN, AZURE_REMOVE };

// One hub_request on its way through its steps.
struct azure_call {
    struct list link; // in waiting
    struct azure_hub *hub;
    struct hub_request *request;
    struct outbound_transfer *transfer; // NULL while it waits
    enum azure_step step;
    unsigned reads; // how often the identity was read to be adopted
    bool probe;
    int64_t expires_us;
    int64_t step_ms; // what the current step was given
};

// What the end of a call says about its hub.
enum azure_health { AZURE_HEALTHY, AZURE_SICK, AZURE_UNKNOWN };

struct azure_result {
    struct err error;
    int64_t retry_after_ms;
    enum azure_health health;
};

// --- call.c: the steps of one call

// With a transfer in hand. Ends by azure_call_end, now or later.
void azure_call_begin(struct azure_call *call);

// --- hub.c: who may call a hub, and when

// The hub's entry, made when there is none; NULL when there is no room for it.
struct azure_hub *azure_hub_of(struct azure *azure, struct slice host);
// Nothing is under way.
void azure_hub_free(struct azure_hub *hub);
// Starts the call, lets it wait, or ends it at once.
void azure_hub_submit(struct azure_hub *hub, struct azure_call *call);
// The call is over: gives back what it held, learns about the hub, answers, and starts the next.
void azure_call_end(struct azure_call *call, struct azure_result result);

// --- azure.c

int64_t azure_now_us(const struct azure *azure);
// A bit more than ms, so that those who were told the same do not all come back at once.
int64_t azure_spread(struct azure *azure, int64_t ms);
// Frees the call and has its request answered through the mailbox.
void azure_answer(struct azure *azure, struct azure_call *call, struct err error, int64_t retry_after_ms);

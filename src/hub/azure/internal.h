// What the connector's files share: the connector, what it knows of each hub, and the calls under way.
#pragma once

#include "base/map.h"
#include "hub/azure/azure.h"
#include "hub/azure/pace.h"
#include "hub/azure/token.h"
#include "outbound/breaker.h"
#include "outbound/outbound.h"

enum {
    AZURE_CONNECTIONS_MAX = 16, // per hub: as many calls are under way at once, the others wait
    AZURE_WAITING_MAX = 4096,   // per hub
    AZURE_HUBS_MAX = 1024,      // hubs that something is known about
    AZURE_ACCOUNTS_MAX = 256,   // services per hub, of the same
    AZURE_ETAG_MAX = 128,
};

struct azure {
    struct hub_connector connector;
    struct hub_azure_settings settings; // without ca_pem
    struct outbound transport;
    struct map hubs; // host in small letters -> struct azure_hub
};

// A service at a hub.
struct azure_account {
    struct list link; // of the hub
    struct azure_hub *hub;
    struct azure_token token;
    struct azure_pace pace;
    size_t calls;         // waiting or under way
    size_t waiting_count; // of them, in line
    int64_t used_us;
    bool second;             // the link's other key is the one that works
    bool second_told;        // one line said so
    bool unauthorized;       // the last call was, and one line said so
    bool failing;            // what the watch was told
    struct poll_timer stale; // when what is known of it is too old
    size_t scope_len;
    uint8_t scope[ID_SCOPE_MAX];
};

struct azure_hub {
    struct azure *azure;
    struct list accounts;
    size_t account_count;
    struct outbound_breaker breaker;
    int64_t paused_until_us; // the hub said 429; nobody asks before
    struct list waiting;     // calls, the oldest first
    size_t waiting_count;
    size_t active;            // calls that hold a transfer
    bool pumping;             // azure_hub_pump is on the stack
    bool quiet;               // it said 429, and nothing better since
    bool failing;             // what the watch was told
    struct poll_timer turn;   // when the pace lets the next one of the line go
    struct poll_timer stale;  // when what is known of a failing hub is too old
    struct poll_timer expiry; // for those that wait
    bool expiry_runs;
    char host[]; // in small letters, with its port if it has one
};

enum azure_step {
    AZURE_CREATE,   // the identity
    AZURE_READ,     // the identity that is there, to be adopted or renewed
    AZURE_UPDATE,   // the same, with other credentials
    AZURE_REMOVE,   // it
    AZURE_REPORTED, // into the twin
    AZURE_TWIN,     // tags and desired properties
    AZURE_TELL,     // the whole twin, for a HUB_READ
};

// One hub_request on its way through its steps.
struct azure_call {
    struct list link; // in waiting
    struct azure_hub *hub;
    struct azure_account *account;
    struct hub_request *request;
    struct outbound_transfer *transfer; // NULL while it waits
    enum azure_step step;
    unsigned reads; // how often the identity was read
    bool renews;    // an identity that is there is removed first
    bool second;    // this step showed the other key of the link
    bool other_key; // the link's other key was tried, too
    bool lossy;     // the hub did not take the reported properties
    bool probe;
    struct buf body; // of UPDATE, and of CREATE after REMOVE; made of what READ found. Keys are in it
    char etag[AZURE_ETAG_MAX + 1]; // of what READ found; empty: there was none
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

// --- account.c: one service at a hub

// Its entry, made when there is none; NULL when there is no room for it.
struct azure_account *azure_account_of(struct azure_hub *hub, struct slice id_scope);
void azure_accounts_free(struct azure_hub *hub);
// Whoever watches hears that the service's link works, or does not, if he heard otherwise.
void azure_account_tell(struct azure_account *account, bool failing, const struct why *why);

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

// --- health.c: what is known of a hub

// result: how long to stay away becomes part of it. throttled: the hub said 429.
void azure_hub_learn(struct azure_hub *hub, const struct azure_call *call, struct azure_result *result,
                     bool throttled);
// Whoever watches hears that the hub is well, if he heard otherwise.
void azure_hub_forget_health(struct azure_hub *hub);
void azure_hub_health_is_old(struct poll_timer *timer); // of the hub's timer `stale`
// After a 401: true when the link has another key, which this call has not tried yet and now may.
bool azure_hub_other_key(struct azure_call *call);
// --- azure.c

int64_t azure_now_us(const struct azure *azure);
// A bit more than ms, so that those who were told the same do not all come back at once.
int64_t azure_spread(struct azure *azure, int64_t ms);
// Frees the call and has its request answered through the mailbox.
void azure_answer(struct azure *azure, struct azure_call *call, struct err error, int64_t retry_after_ms);

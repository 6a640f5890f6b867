// Runs what a device asks for: proving itself, registering, polling. Knows no protocol: api/device makes
// requests and turns outcomes into bytes. One flow per loop; everything on that loop.
//
//   LOAD -> DECIDE -> SETTLE, or INTEND -> CARRY OUT -> RECORD -> ANSWER      (flow.c holds the table)
#pragma once

#include "base/list.h"
#include "base/log.h"
#include "base/text.h"
#include "domain/decide.h"
#include "flow/directory.h"
#include "ports/clock.h"
#include "ports/hub.h"
#include "ports/places.h"
#include "ports/poller.h"
#include "ports/random.h"
#include "ports/store.h"
#include "ports/webhook.h"

enum flow_verb {
    FLOW_AUTHENTICATE, // is this device let in? (MQTT CONNECT)
    FLOW_REGISTER,     // take it to a hub
    FLOW_OPERATION,    // how is the operation doing that was answered `assigning`?
    FLOW_LOOKUP,       // where is it registered?
};

// What a device may be told about its registration.
struct flow_outcome {
    struct err result; // refused or failed without a registration to show; else OK
    struct why why;    // for the log; see exchange_refuse for what of it may be told
    const struct registration
        *registration; // status assigning, assigned or failed; NULL when result is an error
    enum attestation_type attestation;
    struct slice group_id;  // as the operator wrote it; empty for an individual enrollment
    uint32_t retry_after_s; // 0: final
    // A TPM device that has not proved itself yet: the activation blob to send it, and registration is NULL.
    struct slice challenge;
    // Assigned, by its TPM: the activation blob that holds its key for the hub.
    struct slice authentication_key;
};

enum { FLOW_ARENA_CAP = 1 << 20, FLOW_UNDER_WAY_MAX = 20000 };

// Made by api/device with flow_request_new, filled, handed over with flow_submit.
struct flow_request {
    struct list links;   // the flow's
    struct list waiting; // the flow's
    enum flow_verb verb;
    struct slice id_scope;
    struct slice registration_id; // as the device wrote it
    struct slice operation_id;    // FLOW_OPERATION
    struct slice payload;         // FLOW_REGISTER: the device's JSON, or empty
    struct slice protocol;        // "mqtt" or "http": for the log
    struct slice client;          // what the client says it is: for the log
    struct slice peer;
    struct slice api_version; // the device's, such as "2019-03-31", or empty
    uint64_t connection;
    char tracking_id[GUID_TEXT];
    // Slices in the arena; its chain, if any, is held by the request. A TPM device that answers a challenge
    // has kind CREDENTIAL_SAS (it may not say again what TPM it is): the flow looks the challenge up and
    // completes it.
    struct credential credential;
    // What a challenge is bound to: 0 for HTTP, where it may be answered on another connection, else
    // `connection`.
    uint64_t challenge_channel;
    struct arena arena;
    // Called once, on the loop, never from within flow_submit. The request and all it holds are freed when it
    // returns. The operation may go on afterwards: the outcome then says `assigning`.
    void (*done)(struct flow_request *request, const struct flow_outcome *outcome);
    void *context;            // the caller's
    uint64_t context_word;    // the caller's: room for a ticket
    struct slice correlation; // the caller's: what to echo
};

struct flow;
struct hub_health;

struct flow_settings {
    int64_t
        inline_wait_ms;  // how long a register call may wait for `assigned` before it is answered `assigning`
    bool strict_polling; // answer `assigning` first, always, as Azure does
    uint32_t retry_after_s;         // told with `assigning`
    int64_t operation_ms;           // an operation that no hub took by then ends `failed`
    unsigned device_requests_per_s; // of one device; ten times as many after a quiet time. 0: no limit
    int64_t hub_call_ms;            // deadline of one call to a hub
    int64_t webhook_ms;             // deadline of a question to a webhook; 0: 5,000
    bool expired_anchors;           // a CA certificate counts although it expired (threats B14)
};

struct flow_ports {
    struct store_client *store;
    struct hub_connector *hubs[HUB_KIND_COUNT]; // by enum hub_kind
    struct webhook *webhook;                    // of this loop
    struct places *places;                      // of this loop; NULL: nothing is known of addresses
    struct hub_health *health;                  // of this loop; NULL: all are well
    const struct clock *clock;
    struct random *random;
    const struct log *log;
    struct directory *directory;
    struct issuers *issuers;              // of this loop
    struct challenges_client *challenges; // of this loop
    struct poller *poller;
    // Asked before a line that devices can cause without end, which every refusal is: false when there were
    // enough this second (threats A10). NULL: all are written.
    bool (*may_log)(void *context);
    void *may_log_context;
};

// The ports outlive the flow.
struct err flow_new(const struct flow_settings *settings, const struct flow_ports *ports, struct flow **out);
// Nothing may be under way: see flow_stop.
void flow_free(struct flow *flow);

// Zeroed but for the tracking ID and an arena; NULL when memory is out or too much is under way (answer
// ERR_OVERLOADED).
struct flow_request *flow_request_new(struct flow *flow);
// For a request that is not going to be submitted.
void flow_request_free(struct flow *flow, struct flow_request *request);
void flow_submit(struct flow *flow, struct flow_request *request);
// Whether a request with these would be looked at: there is such a service, this can be a registration ID,
// and not too much is under way. Asks nobody.
bool flow_expects(const struct flow *flow, struct slice id_scope, struct slice registration_id);

// Start-up: takes up the operations that an earlier run left unfinished. One flow of the process does it.
void flow_resume(struct flow *flow);
// Removes what devices left behind at hubs that did not answer then, and takes up operations that nobody
// carries on any more: now, and every minute. One flow of the process does it.
void flow_tidy(struct flow *flow);
// No new requests; idle(context) is called once nothing is under way. Unfinished operations stay recorded.
void flow_stop(struct flow *flow, void (*idle)(void *context), void *context);
size_t flow_under_way(const struct flow *flow);

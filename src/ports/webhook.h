// The port to the operator's function that chooses a hub (service-api C, threats D1, D2).
#pragma once

#include "base/arena.h"
#include "base/mailbox.h"

struct webhook_request {
    struct mail mail;         // the connector's
    struct slice url;         // as the operator stored it, with its query
    struct slice body;        // JSON
    struct slice traceparent; // W3C Trace Context, or empty
    int64_t deadline_ms;      // in all, from submit
    struct arena *arena;
    void (*done)(struct webhook_request *request); // on the loop that submitted it, never from within submit
    void *context;

    // ERR_WEBHOOK: why says what was wrong, in words for whoever owns the function; never the URL's query.
    struct err result;
    struct why why;
    int64_t status;      // of the answer; 0: there was none
    struct slice answer; // its body, in the arena; what it means is domain/custom.h's
    void *connector;     // the connector's
};

struct webhook;

struct webhook_methods {
    void (*submit)(struct webhook *webhook, struct webhook_request *request);
    void (*free)(struct webhook *webhook); // no request is under way
};

// One per loop.
struct webhook {
    const struct webhook_methods *methods;
};

static inline void webhook_submit(struct webhook *webhook, struct webhook_request *request)
{
    webhook->methods->submit(webhook, request);
}

static inline void webhook_free(struct webhook *webhook)
{
    if (webhook != NULL)
        webhook->methods->free(webhook);
}

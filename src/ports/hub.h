// The port to a linked hub. Each request is idempotent: sending it again after an unknown outcome ends in the
// same state.
#pragma once

#include "base/arena.h"
#include "base/mailbox.h"
#include "domain/service.h"
#include "ports/store.h"

enum hub_verb {
    // The identity exists with these credentials and capabilities: created, or an existing one updated (its
    // status is left as it is; of its tags and properties see enum hub_twin).
    HUB_ASSIGN,
    // The identity is gone; it is no error when it was not there.
    HUB_REMOVE,
    // What the device has there: identity.device_id -> found, twin, reported, identity.iot_edge (ON or OFF).
    // Changes nothing.
    HUB_READ,
};

// HUB_ASSIGN: what becomes of the twin.
enum hub_twin {
    HUB_TWIN_KEEP,   // left as it is
    HUB_TWIN_SET,    // tags and desired properties are those of `twin`
    HUB_TWIN_RESET,  // the same, and nothing is reported: an identity that is there is removed first
    HUB_TWIN_IMPORT, // as RESET, and what is reported is `reported`
};

struct hub_identity {
    struct slice device_id;
    enum hub_authentication authentication;
    struct secret primary_key; // HUB_AUTH_SAS
    struct secret secondary_key;
    struct slice primary_thumbprint; // HUB_AUTH_SELF_SIGNED: 64 hex digits
    struct slice secondary_thumbprint;
    enum switch_state iot_edge;
};

struct hub_request {
    struct mail mail; // the connector's

    enum hub_verb verb;
    const struct linked_hub *hub;
    struct slice id_scope; // of the service whose link it is: services may link the same hub differently
    struct hub_identity identity;
    enum hub_twin twin_how;
    // JSON text of an InitialTwin: {"tags":{…},"properties":{"desired":{…}}}; empty: both empty. READ: the
    // answer, in the arena.
    struct slice twin;
    struct slice reported; // JSON text of an object without $metadata and $version, or empty
    int64_t now_us;        // wall clock, for tokens and time stamps
    int64_t deadline_ms;   // from submit; the answer then is ERR_HUB_UNAVAILABLE

    struct arena *arena;
    void (*done)(struct hub_request *request); // on the loop that submitted it, never from within submit
    void *context;

    // OK with a why: it stands, but for what why says (a hub that takes no reported properties from others).
    // ERR_HUB_UNAVAILABLE: unknown or retryable, try again after retry_after_ms (0: as you like).
    // ERR_HUB_UNAUTHORIZED, ERR_HUB_REFUSED: trying again will not help until somebody changes something.
    struct err result;
    struct why why;
    int64_t retry_after_ms;
    bool found; // READ: the device is there
    // HUB_ASSIGN that was refused half way: the identity is there all the same, or the one that was there
    // is gone; the record must go on naming the hub as the one where it is under way.
    bool left_there;

    void *connector; // the connector's
};

struct hub_connector;

struct hub_methods {
    void (*submit)(struct hub_connector *connector, struct hub_request *request);
    void (*free)(struct hub_connector *connector); // no request is under way
    // Optional, for a hub whose identities live in the service's own store. Makes the put that creates the
    // device of a HUB_ASSIGN, for the flow to write together with the registration: then there is no moment
    // between the two, and no intent is needed. All of it lives in request->arena. False: submit the request
    // instead.
    bool (*enlist)(struct hub_connector *connector, struct hub_request *request, struct store_request *put);
};

// Told on the connector's loop whenever a hub begins or ceases to fail: it does not answer (or asks for
// quiet, or refuses the service's credentials), and does again. host: lower case. id_scope: empty when that
// is so for everybody, else it is only about the link of that service.
struct hub_watch {
    void (*changed)(void *context, struct slice host, struct slice id_scope, bool failing,
                    const struct why *why); // NULL: nobody
    void *context;
};

// One connector per kind of hub and loop.
struct hub_connector {
    const struct hub_methods *methods;
};

static inline void hub_submit(struct hub_connector *connector, struct hub_request *request)
{
    connector->methods->submit(connector, request);
}

static inline bool hub_enlist(struct hub_connector *connector, struct hub_request *request,
                              struct store_request *put)
{
    return connector->methods->enlist != NULL && connector->methods->enlist(connector, request, put);
}

static inline void hub_connector_free(struct hub_connector *connector)
{
    if (connector != NULL)
        connector->methods->free(connector);
}

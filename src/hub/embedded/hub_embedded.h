// The hub port onto the embedded hub: identities and twins are records of the store.
#pragma once

#include "ports/hub.h"
#include "ports/random.h"
#include "ports/store.h"

// Who is told, on the connector's loop, of an identity that was there and was changed or removed. changed may
// be NULL.
struct hub_embedded_watch {
    void (*changed)(void *context, struct slice host, struct slice device_id); // host: lower case
    void *context;
};

// One per loop. Store, random and mailbox outlive the connector; replies is the loop's mailbox. NULL when
// memory is out. Deadlines of requests are the store's: it answers every request.
struct hub_connector *hub_embedded_new(struct store_client *store, struct random *random,
                                       struct mailbox *replies, struct hub_embedded_watch watch);

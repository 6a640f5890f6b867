// The hub port onto the embedded hub: identities and twins are records of the store.
#pragma once

#include "ports/hub.h"
#include "ports/random.h"
#include "ports/store.h"

// One per loop. All three outlive the connector; replies is the loop's mailbox. NULL when memory is out.
// Deadlines of requests are the store's: it answers every request.
struct hub_connector *hub_embedded_new(struct store_client *store, struct random *random,
                                       struct mailbox *replies);

// The shared access signature with which the service shows itself to a hub, made once and used until it grows
// old (service-api H.1). Keep one per hub.
#pragma once

#include "base/buf.h"
#include "domain/service.h"

// A zeroed one is empty.
struct azure_token {
    struct buf text;
    struct buf policy;
    struct secret key;
    int64_t from_s; // between these it is used
    int64_t until_s;
};

// Appends "SharedAccessSignature sr=…" to out, for the hub's policy and this one of its keys; made anew when
// these or the clock say so. What breaks out or ERR_NO_MEMORY.
struct err azure_token_append(struct azure_token *token, const struct linked_hub *hub,
                              const struct secret *key, int64_t now_us, struct buf *out);
// The next one is made anew.
void azure_token_forget(struct azure_token *token);
void azure_token_release(struct azure_token *token);

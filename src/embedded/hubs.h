// The embedded hubs and their policies, as one immutable snapshot: found by name, held while a request needs
// it.
#pragma once

#include "hub/embedded/hub_settings.h"
#include "ports/store.h"

struct hub {
    struct slice host; // lower case, with its port if it has one
    struct hub_settings settings;
};

struct hubs {
    size_t holders;
    struct arena arena;
    struct hub *list;
    size_t count;
};

struct hubs *hubs_new(void); // held once; NULL: out of memory
struct hubs *hubs_hold(struct hubs *hubs);
void hubs_release(struct hubs *hubs); // NULL is fine
// Makes the hubs of STORE_HUB records. why names the one that cannot be read.
struct err hubs_fill(struct hubs *hubs, void *const *records, size_t count, struct why *why);
// Case does not matter; the exact name is preferred over one that differs in its port only. NULL when there
// is none.
const struct hub *hubs_find(const struct hubs *hubs, struct slice host);

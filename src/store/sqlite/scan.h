// The thread that looks through tables: QUERY and COUNT may take long, so they run beside the loops, one
// after another.
#pragma once

#include "base/mailbox.h"
#include "ports/clock.h"
#include "store/sqlite/connection.h"

struct scanner {
    // Set before scanner_start:
    struct connection connection;
    const struct clock *clock;
    int64_t limit_us;
    void (*answer)(struct store_request *request, struct err result); // the store's: counts and posts

    struct mailbox inbox;
    struct mail stop;
    pthread_t thread;
    bool running;
    int64_t deadline_us; // of the request being carried out
};

struct err scanner_start(struct scanner *s, struct why *why);
void scanner_stop(struct scanner *s);

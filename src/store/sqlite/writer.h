// The thread that writes: takes all requests that have arrived, carries them out in one transaction, commits,
// and only then answers them. Also checkpoints, between commits. The only one in the process that does
// either.
#pragma once

#include <stdatomic.h>

#include "base/log.h"
#include "base/mailbox.h"
#include "ports/clock.h"
#include "store/sqlite/connection.h"

struct writer {
    // Set before writer_start:
    struct connection connection;
    size_t batch_cap;
    const struct clock *clock;
    const struct log *log;
    void (*on_fatal)(void *context, const struct why *why);
    void *context;
    void (*answer)(struct store_request *request, struct err result); // the store's: counts and posts

    // Grows with each commit that changed a group, before it is answered: readers keep what they know of
    // groups by it.
    atomic_uint_fast64_t group_changes;

    struct mailbox inbox;
    struct mail stop;
    pthread_t thread;
    bool running;
    bool failed;             // the disk did: nothing is written any more
    int wal_pages;           // after the last commit
    int64_t counted_from_us; // since when `written` counts
    size_t written;
    bool polite; // it may give way to other threads
    bool crowd;  // and does, because writes come thick
    struct store_request **batch;
    struct err *results;
};

struct err writer_start(struct writer *w, struct why *why);
// Carries out what has been posted, and ends the thread. The connection stays open.
void writer_stop(struct writer *w);

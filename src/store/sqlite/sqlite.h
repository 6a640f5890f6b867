// The embedded store: one SQLite database file, one process. A write is answered after the commit that holds
// it is synced to the disk; writes that arrive meanwhile share the next commit.
#pragma once

#include "base/log.h"
#include "crypto/seal.h"
#include "ports/clock.h"
#include "ports/random.h"
#include "ports/store.h"

struct store_sqlite_options {
    const char *path; // of the database file; created, readable by its owner only, when it is not there
    const struct sealer *sealer; // outlives the store
    struct random *random;       // used on the store's own thread only
    const struct clock *clock;   // monotonic time; read on several threads at once
    const struct log *log;       // may be NULL

    // The disk failed under a write (an fsync error, a damaged file): whatever was not yet answered is
    // answered ERR_STORE, as is everything after it. The process should end: the next start recovers from the
    // log (architecture 4). Called once, on the store's own thread. A full disk is not that: writes then fail
    // until there is room again.
    void (*on_fatal)(void *context, const struct why *why);
    void *context;

    size_t batch_cap;       // writes in one commit. 0: 512
    size_t under_way_cap;   // writes and queries at once; one more is answered ERR_OVERLOADED. 0: 8192
    int64_t query_limit_ms; // QUERY and COUNT that take longer end with ERR_TIMEOUT. 0: 10 s
};

// Takes the lock file PATH.lock, which keeps a second process out; recovers what a crash left; makes the
// tables in a new file. Refuses with why, changing nothing: a file in use by another process (ERR_STORE), on
// a network file system, of a newer version or of something else than Usher (ERR_CONFIG), or sealed with
// another master key (ERR_SEAL). STORE_GET and STORE_ADMISSION read on the thread that submits them, the rest
// is done on the store's threads.
struct err store_sqlite_open(const struct store_sqlite_options *options, struct store **out, struct why *why);

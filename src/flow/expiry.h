// Says in time that a certificate will end: the CA certificates of all services, their revocation lists, and
// the daemon's own TLS certificate (threats B14, F12). Looks through the store at the start, every hour, and
// when asked; what it counted is there for metrics. One per daemon, on one loop.
//
// A line is logged when an end comes within 30, 7 and 1 days and when it is past, once each: what is in a
// window now and was not at the look before. At the start everything that is in a window is told, and again
// what was changed or uploaded while in one. Of a revocation list: within a day, unless it was uploaded so
// late in its life, and when it is stale.
#pragma once

#include "base/log.h"
#include "domain/ca_certificate.h"
#include "flow/directory.h"
#include "ports/clock.h"
#include "ports/poller.h"
#include "ports/store.h"

struct expiry;

struct expiry_settings {
    struct store_client *store;
    struct directory *directory;
    const struct clock *clock;
    struct poller *poller;
    const struct log *log;
    // When the daemon's own certificate ends, microseconds since 1970; 0: it has none. And its file, for
    // logs.
    int64_t (*server_expires_us)(void *context);
    struct slice server_file;
    void *context;
};

// All pointers outlive it. ERR_NO_MEMORY.
struct err expiry_new(const struct expiry_settings *settings, struct expiry **out);
// Stopped, and idle.
void expiry_free(struct expiry *expiry);
// Looks now, and every hour from then on. The directory has been loaded.
struct err expiry_start(struct expiry *expiry);
// No look begins by itself any more; idle(context) is called once, maybe at once, when none is under way.
void expiry_stop(struct expiry *expiry, void (*idle)(void *context), void *context);
bool expiry_looking(const struct expiry *expiry);

// Somebody who waits for a look; the caller's storage until looked is called.
struct expiry_wait {
    void (*looked)(struct expiry_wait *wait, struct err result);
    void *context;
    struct expiry_wait *next; // the watch's
};
// Looks at once, or after the look that is under way; wait->looked is called once, later, with OK or why the
// store could not be read.
void expiry_look(struct expiry *expiry, struct expiry_wait *wait);

// What the last complete look counted in the service of this ID scope.
struct expiry_counts {
    char id_scope[ID_SCOPE_MAX];
    size_t id_scope_len;
    int64_t certificates[CA_EXPIRY_PAST + 1]; // by enum ca_expiry
    int64_t stale_lists;
};
struct expiry_counts expiry_of(const struct expiry *expiry, struct slice id_scope);
// When the daemon's own certificate ends, as seen by that look; 0: it has none.
int64_t expiry_server_us(const struct expiry *expiry);

// What the parts of one instance share. Not for anyone outside this folder: that is embedded.h.
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "crypto/sas.h"
#include "embedded/embedded.h"
#include "embedded/hubs.h"

enum {
    EMBEDDED_MESSAGE_MAX = 256 * 1024, // bytes of a message from or to a device (service-api H.4)
    EMBEDDED_REST_SKEW_S = 300,        // service-api A.3; a device's token ends when it says so
    EMBEDDED_METHODS_MAX = 1024,       // method calls under way on one loop
    EMBEDDED_SESSION_METHODS_MAX = 16, // and towards one device
    EMBEDDED_SESSION_TWINS_MAX = 16,   // twin requests of one device that wait
};

struct embedded {
    struct embedded_settings settings;
    struct hubs *hubs;
    struct map presence;   // hub NUL device -> struct presence
    struct list admitting; // struct session: their devices are being looked up for the first time
    int64_t last_stamp;    // the largest of a connection, here or heard of
    struct list methods;   // struct method_call: REST calls that wait for a device
    size_t method_count;
    uint64_t last_method;
    size_t under_way; // requests and store calls
    bool stopping;
    void (*idle)(void *context);
    void *idle_context;
    struct poll_timer idle_timer;
    // reloading
    bool reloading;
    bool reload_again;
    struct hubs *loading;
    struct store_request reload;
    struct embedded_wait *waiting; // for the reload under way
    struct embedded_wait *joined;  // for the one after it
};

// Every store call and every request holds the instance.
void embedded_hold(struct embedded *embedded);
void embedded_let_go(struct embedded *embedded);
// This loop's counter of a hub; NULL when there are too many hubs.
struct embedded_count *embedded_count_of(struct embedded_peer *peer, struct slice host);

// A token that names a device (by a third segment of its sr) is for that device only, and device IDs tell
// capital letters apart, which the comparison of paths does not. ERR_SAS_RESOURCE or ERR_NO_MEMORY.
struct err embedded_token_names(const struct sas_token *token, struct slice id, struct arena *scratch,
                                struct why *why);

static inline int64_t embedded_wall_us(const struct embedded *embedded)
{
    return clock_wall_us(embedded->settings.clock);
}

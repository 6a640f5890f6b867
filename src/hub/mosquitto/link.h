// One MQTT connection to a broker, kept up by a thread of its own: looking up names, TLS handshakes and slow
// brokers hold up that thread and nobody else. What it hears it hands to the loop by mail. Says nothing of
// devices: that is call.h. Private to the folder; link.c is the only file that includes mosquitto.h.
#pragma once

#include "base/err.h"
#include "base/list.h"
#include "base/mailbox.h"
#include "base/secret.h"
#include "base/slice.h"
#include "ports/clock.h"

enum {
    LINK_PAYLOAD_MAX = 256 * 1024,    // a longer message is told without its payload
    LINK_PACKET_MAX = 320 * 1024,     // a longer packet is not sent by the broker: it was told so
    LINK_UNHEARD_MAX = 8192,          // events on their way to the loop; beyond, the connection is dropped
    LINK_UNHEARD_BYTES_MAX = 8 << 20, // and the same of their topics and payloads
    LINK_OUTSTANDING_MAX = 2048,      // publications and subscriptions that the broker has not acknowledged
    LINK_UP_MS = 8000,                // from the name's lookup to the first subscription
    LINK_PAUSE_FIRST_MS = 250,        // before connecting again; doubles with each failure
    LINK_PAUSE_LONGEST_MS = 30000,
};

// Around all use of links, on one thread; counts its callers.
void link_library_init(void);
void link_library_release(void);

struct link;

enum link_kind {
    LINK_UP,         // connected, and the answers of the plugin are subscribed to
    LINK_DOWN,       // the connection is lost or could not be made: error, why, pause_ms
    LINK_MESSAGE,    // topic, payload, retained
    LINK_PUBLISHED,  // tag, denied
    LINK_SUBSCRIBED, // tag, denied
};

struct link_event {
    struct mail mail; // the link's
    enum link_kind kind;
    uint32_t connection; // counts connections: orders name the one that they are for
    uint64_t tag;
    bool denied; // the broker's access control says no
    bool retained;
    bool too_long; // the payload was left out
    struct err error;
    struct why why;
    int64_t pause_ms; // until the next try
    struct slice topic;
    struct slice payload;
    uint8_t bytes[];
};

struct link_settings {
    struct slice host; // name or address, without port
    uint16_t port;
    struct slice user;
    struct slice password;
    struct slice ca_file; // PEM; empty: the system's CAs. Read anew at each connection
    uint64_t id;          // random: part of the client ID
    struct mailbox *replies;
    const struct clock *clock;
    void (*heard)(void *context, const struct link_event *event); // on the loop; the event ends with the call
    void *context;
};

// Begins to connect. ERR_NO_MEMORY, or ERR_SYSTEM when no thread can be started.
struct err link_new(const struct link_settings *settings, struct link **out, struct why *why);
// Nothing is heard any more. Not from within a delivery of the mailbox. Waits for the thread, which a name
// that is being looked up may hold up for some seconds.
void link_free(struct link *link);
// The same without waiting: the link frees itself when its thread has ended, and is on the list until then.
void link_retire(struct link *link, struct list *retired);
// Waits for all of them.
void link_free_retired(struct list *retired);

// Orders are forgotten when that connection is no more. payload is copied, and the copy wiped. QoS 1: the
// acknowledgement is told with the tag.
struct err link_publish(struct link *link, uint32_t connection, uint64_t tag, struct slice topic,
                        struct slice payload, bool retain);
// QoS 0, without what is published here. LINK_SUBSCRIBED comes before or after the retained messages.
struct err link_subscribe(struct link *link, uint32_t connection, uint64_t tag, struct slice topic);
struct err link_unsubscribe(struct link *link, uint32_t connection, struct slice topic);

// One MQTT connection, as the doors behind it see it. The mqtt front (mqtt_front.c) speaks the protocol:
// CONNECT first, keep-alive, PUBACK of what was published with QoS 1 (always before anything a door sends
// later), PINGRESP, caps and deadlines. A door says what CONNECTs it claims, and what the packets mean.
#pragma once

#include "api/ticket.h"
#include "base/err.h"
#include "base/log.h"
#include "crypto/chain.h"
#include "wire/mqtt/mqtt.h"

struct mqtt_link;

struct mqtt_door {
    const char *name;
    // By the form of the user name. Doors are asked in order; a CONNECT that none claims is refused with 5.
    bool (*claims)(void *context, const struct mqtt_connect *connect);
    // Starts a session for the link; nothing more arrives until mqtt_link_accept or mqtt_link_refuse was
    // called, at once or later. The packet's slices are gone when this returns. NULL: out of memory, the link
    // is refused.
    void *(*connect)(void *context, struct mqtt_link *link, const struct mqtt_connect *connect);
    // Returns false to close the connection (the topic is not one that this door knows). With QoS 1 the
    // PUBACK is out before anything that the door sends here or later.
    bool (*publish)(void *session, const struct mqtt_publish *publish);
    // The granted QoS, or 0x80.
    uint8_t (*subscribe)(void *session, struct slice filter, uint8_t qos);
    void (*unsubscribe)(void *session, struct slice filter);
    // A packet came over the cap of mqtt_link_may_ask. Nothing more arrives until mqtt_link_limit or
    // mqtt_link_close was called, at once or later. NULL: never asked.
    void (*large)(void *session);
    // The link is gone or going: forget it. Called once for each session that connect returned.
    void (*closed)(void *session);
    // Every publish of the device is answered by one of ours (or by mqtt_link_acknowledge), so its PUBACK
    // travels with that answer: one record and one write less.
    bool answers_publishes;
    void *context;
};

struct link_ticket mqtt_link_ticket(const struct mqtt_link *link);
// The link if it is still there, else NULL. `front` is the mqtt front of this loop (mqtt_front.h).
struct mqtt_front;
struct mqtt_link *mqtt_link_of(struct mqtt_front *front, struct link_ticket ticket);
void *mqtt_link_session(const struct mqtt_link *link); // what the door's connect returned

// CONNACK 0, never with session present (device-protocol 2.1). max_packet: the cap from now on, in bytes.
void mqtt_link_accept(struct mqtt_link *link, uint32_t max_packet);
// CONNACK with the code that fits e, one log line, then close.
void mqtt_link_refuse(struct mqtt_link *link, struct err e, const struct why *why);
// The same where somebody else has logged why.
void mqtt_link_refuse_quietly(struct mqtt_link *link, struct err e);
// One line `device.refused` for a request on this link.
void mqtt_link_log_refusal(struct mqtt_link *link, struct slice registration_id, struct err e,
                           const struct why *why);
// PUBLISH with this QoS (0 or 1). False when the peer reads too slowly: the link is being closed.
bool mqtt_link_publish(struct mqtt_link *link, struct slice topic, struct slice payload, uint8_t qos);
// The PUBACKs that wait for an answer, when there will be none.
void mqtt_link_acknowledge(struct mqtt_link *link);
// Closes after what was written is out, with one log line when e is an error.
void mqtt_link_close(struct mqtt_link *link, struct err e, const struct why *why);
// The certificates that the device showed in the TLS handshake, or NULL; the link's, as long as it lives
// (chain_hold to keep it). Decoded when first asked for; NULL too when memory is out.
struct chain *mqtt_link_chain(struct mqtt_link *link);
uint64_t mqtt_link_connection(const struct mqtt_link *link); // for logs
struct slice mqtt_link_peer(const struct mqtt_link *link);   // for logs
const struct log *mqtt_link_log(const struct mqtt_link *link);
// To be asked before a line that the peer can cause without end, let in or not: only so many a second are
// written.
bool mqtt_link_may_log(const struct mqtt_link *link);
// Closes the link at this time (monotonic, microseconds) whatever happens, as an expired token does; 0:
// never. `awaited` (static text) is what it waited for in vain, for the log.
void mqtt_link_expires(struct mqtt_link *link, int64_t at_us, const char *awaited);
// Bytes of the largest packet that is taken from now on, as in mqtt_link_accept.
void mqtt_link_limit(struct mqtt_link *link, uint32_t max_packet);
// Packets over the cap, up to `most` bytes, do not end the link: the door is asked about them (`large`).
void mqtt_link_may_ask(struct mqtt_link *link, uint32_t most);

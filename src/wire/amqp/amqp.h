// The service's side of one AMQP 1.0 connection without I/O: bytes in; events, and bytes out. Protocol
// headers, SASL or none, open, few sessions with few links, messages and their outcomes (device-protocol 4).
// Knows nothing of devices: who they are and what messages mean is the front's.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum {
    AMQP_SASL_BYTES_MAX = 8 * 1024,     // that a peer may send before SASL is over
    AMQP_OPEN_BYTES_MAX = 8 * 1024,     // and then before its first link is accepted
    AMQP_FRAME_MAX = 16 * 1024,         // bytes of a frame, told to the peer, who cuts messages accordingly
    AMQP_HELD_MAX = 32 * 1024,          // bytes that a peer may send while an answer is outstanding
    AMQP_MESSAGE_MAX = 100 * 1024,      // bytes of a message: 96 KB of payload, and what is around it
    AMQP_SESSIONS_MAX = 4,              // at once; channel-max says so
    AMQP_LINKS_MAX = 8,                 // at once, over all sessions
    AMQP_CREDIT = 10,                   // messages that a peer may send ahead
    AMQP_UNSENT_MAX = 16,               // messages to the peer that wait for its credit, over all links
    AMQP_UNSENT_BYTES_MAX = 128 * 1024, // and bytes of them
    AMQP_PROPERTIES_MAX = 16,           // application properties of a message that are looked at
    AMQP_CORRELATION_MAX = 256,         // bytes of a correlation ID
    AMQP_CHALLENGE_MAX = 480,           // bytes of a SASL challenge, so that its frame stays within 512
};

struct amqp_peer; // the connection
struct amqp_link; // one of its links; valid from ATTACHED until DETACHED has been taken, or the peer is freed
struct amqp_delivery; // a message that came and has no outcome yet; valid until it gets one or its link is
                      // detached

enum amqp_event_kind {
    AMQP_SASL_INIT, // mechanism, and bytes: the initial response. Answer with amqp_sasl_challenge or _end,
                    // any time
    AMQP_SASL_RESPONSE, // bytes; the same
    AMQP_OPENED,        // the peer's open, after SASL or with none: amqp_open or amqp_close, any time
    AMQP_ATTACHED,      // link, with its fields: amqp_link_accept or _refuse
    AMQP_DETACHED,      // link: gone, also when it was refused or its session ended; answered already
    AMQP_DELIVERED,     // link, delivery, message: answer with amqp_accept or amqp_reject, any time
    AMQP_TOO_LARGE, // link, delivery: a message that is coming in has more than `limit` bytes. Answer at once
                    // with amqp_reject; the rest of it is thrown away, and link and connection go on
    AMQP_CLOSED,    // the peer ended the connection in order, or answered amqp_close; what has to be
                 // answered is in the output, and the error that it gave, if any, in amqp_why. Its links are
                 // gone without DETACHED. Nothing follows
    AMQP_BROKEN, // it did not keep to the protocol or to a cap: amqp_why says how, in words for the log; a
                 // close with the error may be in the output. Nothing follows
};

// A message's correlation ID (string, ulong, uuid or binary), for echoing it in an answer. None if it is
// longer than AMQP_CORRELATION_MAX or of another type.
struct amqp_correlation {
    uint8_t kind; // 0: none; else the wire type's code
    uint16_t len;
    uint8_t bytes[AMQP_CORRELATION_MAX]; // what follows the code on the wire
};

enum amqp_body { AMQP_BODY_NONE, AMQP_BODY_DATA, AMQP_BODY_VALUE };

// Views of the event: gone with the next call.
struct amqp_message {
    struct amqp_correlation correlation;
    struct {
        struct slice name;
        struct slice value; // text of a string or symbol; "true" and "false"; a number in decimal; else empty
    } properties[AMQP_PROPERTIES_MAX];
    size_t property_count;
    enum amqp_body body_kind;
    struct slice
        body; // DATA: the sections, one after the other. VALUE: its text, if it is a string. Else empty
};

struct amqp_event {
    enum amqp_event_kind kind;
    bool sasl;              // OPENED: SASL ended well before; false: the peer sent no SASL layer at all
    struct slice mechanism; // SASL_INIT
    struct slice bytes;     // SASL_INIT, SASL_RESPONSE
    struct slice hostname;  // SASL_INIT, OPENED: as the peer sent it; may be empty
    struct slice container; // OPENED
    struct amqp_link *link;
    struct slice link_name;      // ATTACHED
    bool to_peer;                // ATTACHED: the peer receives on it, from address; else it sends, to address
    struct slice address;        // ATTACHED
    struct slice api_version;    // ATTACHED: property com.microsoft:api-version; empty when absent
    struct slice client_version; // ATTACHED: com.microsoft:client-version
    struct amqp_delivery *delivery;
    const struct amqp_message *message;
    size_t limit; // TOO_LARGE: bytes of messages that are taken at once
};

struct amqp_settings {
    const char *mechanisms; // offered, in this order, blanks between; static text
    const char *container;  // what we call ourselves; static text
    int64_t idle_ms;        // told to the peer: it is to send something at least as often; 0: it need not
};

// ERR_NO_MEMORY.
struct err amqp_peer_new(const struct amqp_settings *settings, struct amqp_peer **out);
void amqp_peer_free(struct amqp_peer *peer); // NULL is fine

// Takes bytes off *in: none while an event waits to be taken, all of them once the connection is over. So:
// feed and take events in turn until *in is empty.
void amqp_feed(struct amqp_peer *peer, struct slice *in);
// The next event; false: there is none before more is fed or answered. SASL_INIT, SASL_RESPONSE, OPENED and
// ATTACHED hold up everything behind them until they are answered, so a peer that does not wait for answers
// is heard in order: ask for events after each answer too. Event slices live until the next call of
// amqp_feed or amqp_next.
bool amqp_next(struct amqp_peer *peer, struct amqp_event *event);
// Appends what is to be sent. After each call of the others.
void amqp_output(struct amqp_peer *peer, struct buf *out);
// Nothing more will be taken, and nothing sent but what amqp_output still has: close the transport once that
// is written. True after CLOSED, BROKEN and amqp_sasl_end(peer, false).
bool amqp_is_over(const struct amqp_peer *peer);
// Has the peer begun a frame or a message, and not ended it? The caller may set it a deadline.
bool amqp_is_amid(const struct amqp_peer *peer);
// Keeps the peer's and our idle time; heartbeats go to the output, and BROKEN may follow. now_ms: monotonic.
// Returns when to call again, in the same time, 0: not for time's sake. Call it after OPENED for the first
// time.
int64_t amqp_tick(struct amqp_peer *peer, int64_t now_ms);
// Bytes of messages that are taken at once from now on; AMQP_MESSAGE_MAX, which is the most, until this was
// called.
void amqp_limit(struct amqp_peer *peer, size_t max_message);
const struct why *amqp_why(const struct amqp_peer *peer); // never NULL; empty when nothing went wrong

void amqp_sasl_challenge(struct amqp_peer *peer, struct slice bytes); // at most AMQP_CHALLENGE_MAX; copied
void amqp_sasl_end(struct amqp_peer *peer, bool admitted); // outcome 0, or 1 (auth) and then the end
void amqp_open(struct amqp_peer *peer);
// Ends the connection with this error; condition empty: none. Both are copied. Only CLOSED or BROKEN follows,
// when the peer answers: the caller sets a deadline. Before OPENED there is nobody to tell, and it is over at
// once.
void amqp_close(struct amqp_peer *peer, struct slice condition, struct slice description);

// Source and target are those of the peer's attach. A link on which the peer sends gets AMQP_CREDIT, and it
// again as messages get their outcome.
void amqp_link_accept(struct amqp_link *link);
void amqp_link_refuse(struct amqp_link *link, struct slice condition, struct slice description);

// Outcomes, settled.
void amqp_accept(struct amqp_delivery *delivery);
// retry_after_s > 0: in the error's info, as "Retry-After" and "retry-after" (device-protocol 4.7).
void amqp_reject(struct amqp_delivery *delivery, struct slice condition, struct slice description,
                 uint32_t retry_after_s);

struct amqp_property {
    struct slice name;
    struct slice text; // sent as a string
};
// A message with one data section on an accepted link to the peer; all is copied. Waits for the peer's
// credit. ERR_ABSENT when the link is gone, ERR_CAPPED when too many or too large ones wait already, or
// ERR_NO_MEMORY.
struct err amqp_send(struct amqp_link *link, const struct amqp_correlation *correlation,
                     const struct amqp_property *properties, size_t property_count, struct slice body);

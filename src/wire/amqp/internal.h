// What the files of this folder share. Nobody else includes it.
#pragma once

#include <proton/condition.h>
#include <proton/connection_driver.h>
#include <proton/types.h>

#include "wire/amqp/amqp.h"
#include "wire/amqp/value.h"

enum {
    AMQP_NAME_MAX = 256,          // bytes of a link's name
    AMQP_TAG_MAX = 32,            // bytes of a delivery tag (AMQP 1.0, 2.8.7)
    AMQP_DESCRIPTION_MAX = 2048,  // bytes of an error's description that are sent
    AMQP_DISPOSITION_MAX = 256,   // deliveries that one disposition may be about; proton visits each
    AMQP_IDLE_MIN_MS = 1000,      // a peer may ask for a frame this often, and no oftener
    AMQP_OUTPUT_MAX = 512 * 1024, // bytes that wait for amqp_output
    AMQP_EMPTY_FRAME = 8,         // a frame without a body keeps an idle connection alive
    AMQP_FRAME_HEADER = 8,
    AMQP_PROTOCOL_HEADER = 8,
};

// What the next bytes of the peer have to be.
enum amqp_phase {
    AMQP_AT_HEADER,       // either protocol header
    AMQP_AT_SASL_INIT,    // the mechanisms are offered
    AMQP_AT_SASL_ANSWER,  // the response to a challenge
    AMQP_AT_PLAIN_HEADER, // after SASL
    AMQP_AT_OPEN,
    AMQP_AT_FRAMES,
};

enum amqp_link_state {
    AMQP_LINK_FREE,
    AMQP_LINK_ASKED, // attached by the peer; nothing said yet
    AMQP_LINK_OPEN,
    AMQP_LINK_REFUSED, // detached by us; the peer has not said so yet
    AMQP_LINK_GONE,    // DETACHED is to be reported
    AMQP_LINK_OVER,    // and was: freed with the next step
};

struct amqp_link {
    struct amqp_peer *peer;
    pn_link_t *proton;
    uint32_t handle; // the peer's
    uint8_t session;
    uint8_t state;  // enum amqp_link_state
    uint8_t credit; // messages that the peer may still begin
    uint8_t owed;   // outcomes given since credit was last told
    bool to_peer;
    bool partial; // a message has begun and not ended
};

struct amqp_session {
    pn_session_t *proton; // NULL: unused
    uint32_t handle_max;  // the peer's
    uint16_t channel;     // the peer's
    bool used;            // from its begin to its end
};

// A message, while its event is looked at.
struct amqp_inbox {
    struct amqp_message message;
    struct buf bytes;
    char numbers[AMQP_PROPERTIES_MAX][24]; // in decimal
};

struct amqp_peer {
    pn_connection_driver_t driver;
    const struct amqp_settings *settings;
    bool driven; // there is a driver: from the plain protocol header on, because it takes much memory
    enum amqp_phase phase;
    bool sasl;      // it came first
    bool blocked;   // by an event that has no answer yet
    bool proven;    // a link was accepted: the caps of strangers do not apply any more
    bool closing;   // a close was sent
    bool over;      // see amqp_is_over
    bool stirred;   // proton was given something since the last amqp_turn
    bool has_event; // event is to be taken
    bool has_last;  // and then last, CLOSED or BROKEN
    enum amqp_event_kind last;
    size_t message_max;   // see amqp_limit
    uint32_t phase_bytes; // since SASL, or the time after it, began
    struct buf held;      // the frame that made the event, then what came behind it
    size_t frame;         // bytes of that frame
    struct buf out;
    struct amqp_event event;
    struct amqp_inbox *inbox; // NULL unless the event is DELIVERED
    uint32_t next_tag;
    uint32_t remote_idle_ms;
    struct amqp_session *fresh_session; // of the begin that proton is being given
    struct amqp_link *fresh_link;       // of the attach
    struct amqp_session sessions[AMQP_SESSIONS_MAX];
    struct amqp_link links[AMQP_LINKS_MAX];
    struct why *why; // owned; NULL unless it failed
};

// Ends the connection because the peer broke a rule: why, BROKEN, and a close with the error where there is
// an open to close. The first one counts.
void amqp_break(struct amqp_peer *peer, const char *condition, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// Moves what proton has to say to peer->out, and what it has noticed into the peer's state and event. After
// anything was done to proton.
void amqp_turn(struct amqp_peer *peer);
void amqp_set_condition(pn_condition_t *to, struct slice condition, struct slice description);

// Cuts the stream into frames, of *in and of what is held, until an event waits or nothing is left.
void amqp_advance(struct amqp_peer *peer, struct slice *in);
// Makes proton's driver. False: out of memory.
bool amqp_drive(struct amqp_peer *peer);
bool amqp_event_waits(const struct amqp_peer *peer);
// A link whose DETACHED is to be reported, or NULL; none once the connection ends.
struct amqp_link *amqp_link_gone(const struct amqp_peer *peer);

enum amqp_verdict {
    AMQP_REFUSED, // the connection is broken
    AMQP_IGNORED, // proton need not see it
    AMQP_GIVEN,   // to proton
    AMQP_ASKING,  // to proton, and then peer->event is to be answered
};
// Looks at a whole frame, its header included, before proton does.
enum amqp_verdict amqp_judge(struct amqp_peer *peer, struct slice frame);

// Offers the mechanisms of the settings.
void amqp_sasl_offer(struct amqp_peer *peer);

// What proton noticed about sessions, links and deliveries.
void amqp_session_begun(struct amqp_peer *peer, pn_session_t *session);
void amqp_session_ended(struct amqp_peer *peer, pn_session_t *session);
void amqp_link_attached(struct amqp_peer *peer, pn_link_t *link);
void amqp_link_detached(pn_link_t *link, bool closed);
void amqp_link_flowed(pn_link_t *link);
void amqp_delivery_changed(struct amqp_peer *peer, pn_delivery_t *delivery);
// Frees what was reported as gone.
void amqp_links_reap(struct amqp_peer *peer);

// Reads a whole message into inbox->message, whose slices lie in inbox->bytes, which it may move about.
// False: malformed.
bool amqp_message_decode(struct amqp_inbox *inbox);
void amqp_message_encode(struct buf *out, const struct amqp_correlation *correlation,
                         const struct amqp_property *properties, size_t property_count, struct slice body);
void amqp_inbox_free(struct amqp_inbox *inbox);

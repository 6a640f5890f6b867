// What the files of this folder share. Nobody else includes it.
#pragma once

#include "wire/amqp/amqp.h"
#include "wire/amqp/value.h"
#include "wire/amqp/write.h"

enum {
    AMQP_NAME_MAX = 256,          // bytes of a link's name
    AMQP_TAG_MAX = 32,            // bytes of a delivery tag (AMQP 1.0, 2.8.7)
    AMQP_CONDITION_MAX = 64,      // bytes of an error's condition that are sent
    AMQP_DESCRIPTION_MAX = 2048,  // and of its description
    AMQP_IDLE_MIN_MS = 1000,      // a peer may ask for a frame this often, and no oftener
    AMQP_OUTPUT_MAX = 512 * 1024, // bytes that wait for amqp_output
    AMQP_FRAME_MIN = 512,         // bytes of a frame that every peer takes (AMQP 1.0, 2.3.1)
    AMQP_FIELDS_MAX = 14,         // of a performative: attach has the most
    AMQP_FRAME_HEADER = 8,
    AMQP_PROTOCOL_HEADER = 8,
    AMQP_WINDOW = INT32_MAX, // transfer frames that we take ahead: what limits peers are credit and bytes
};

// Of a link: whether its sender waits for outcomes, and its receiver for the sender to have heard of them.
enum { AMQP_SENDER_SETTLED = 1, AMQP_SENDER_MIXED = 2, AMQP_RECEIVER_FIRST = 0 };

enum amqp_frame_type { AMQP_PLAIN_FRAME, AMQP_SASL_FRAME };

// By their descriptors: performatives, and what they are made of.
enum amqp_descriptor {
    AMQP_OPEN = 0x10,
    AMQP_BEGIN,
    AMQP_ATTACH,
    AMQP_FLOW,
    AMQP_TRANSFER,
    AMQP_DISPOSITION,
    AMQP_DETACH,
    AMQP_END,
    AMQP_CLOSE,
    AMQP_ERROR = 0x1d,
    AMQP_ACCEPTED = 0x24,
    AMQP_REJECTED,
    AMQP_MECHANISMS = 0x40,
    AMQP_INIT,
    AMQP_CHALLENGE,
    AMQP_RESPONSE,
    AMQP_OUTCOME,
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

// Serial numbers (RFC 1982) are uint32_t: their differences are modulo 2^32.
struct amqp_session {
    bool used;              // from its begin to its end
    bool counting;          // the peer has sent a message: next_delivery is known
    uint16_t channel;       // the peer's, and ours
    uint32_t handle_max;    // the peer's
    uint32_t received;      // number of the transfer frame that comes next
    uint32_t sent;          // number of the one that we send next
    uint32_t window;        // transfer frames that the peer still takes
    uint32_t next_delivery; // the delivery-id of the peer's next message
    uint32_t our_delivery;  // and of ours
};

// A message that came, from its first frame to its outcome.
struct amqp_delivery {
    struct amqp_delivery *next; // of the same link
    struct amqp_link *link;
    uint32_t id;
    bool settled; // by the peer: it does not want to know the outcome
};

enum amqp_link_state {
    AMQP_LINK_FREE,
    AMQP_LINK_ASKED, // attached by the peer; nothing said yet
    AMQP_LINK_OPEN,
    AMQP_LINK_REFUSED, // detached by us; the peer has not said so yet
    AMQP_LINK_GONE,    // DETACHED is to be reported
    AMQP_LINK_OVER,    // and was: freed with the next step
};

// Bytes of the frame that is held.
struct amqp_span {
    uint32_t at;
    uint32_t len;
};

struct amqp_link {
    struct amqp_peer *peer;
    struct amqp_session *session; // until it is GONE
    struct buf name;
    uint32_t handle, our_handle;      // the peer's, and what we call it
    uint32_t credit;                  // messages that the sender may still begin
    uint32_t delivery_count;          // a serial number: messages that it began
    struct amqp_span source, target;  // as its attach has them, while it is ASKED
    uint8_t sender_mode;              // whether outcomes are waited for
    uint8_t receiver_mode;            // and whether the sender has to hear of them
    uint8_t state;                    // enum amqp_link_state
    uint8_t owed;                     // outcomes given since credit was last told
    bool to_peer;                     // we send on it
    bool draining;                    // to_peer: it wants back the credit that messages do not use now
    bool partial;                     // a message has begun and not ended
    struct amqp_delivery *deliveries; // that have no outcome yet
    struct amqp_delivery *current;    // whose message is coming in; NULL: it is thrown away
    struct buf parts;                 // of it
};

// A message to the peer, until all of it is sent.
struct amqp_unsent {
    struct amqp_unsent *next;
    struct amqp_link *link;
    struct buf message;
    size_t done; // bytes of it that were sent
    uint32_t id; // its delivery-id, once it has begun
    bool begun;
};

// A message, while its event is looked at.
struct amqp_inbox {
    struct amqp_message message;
    struct buf bytes;
    char numbers[AMQP_PROPERTIES_MAX][24]; // in decimal
};

struct amqp_peer {
    const struct amqp_settings *settings;
    enum amqp_phase phase;
    bool sasl;      // it came first
    bool blocked;   // by an event that has no answer yet
    bool proven;    // a link was accepted: the caps of strangers do not apply any more
    bool opened;    // our open was sent
    bool closing;   // our close was sent
    bool over;      // see amqp_is_over
    bool has_event; // event is to be taken
    bool has_last;  // and then last, CLOSED or BROKEN
    bool heard;     // something came since the last amqp_tick
    uint8_t gone;   // links of that state
    uint8_t parted; // links that are OVER
    enum amqp_event_kind last;
    size_t message_max;   // see amqp_limit
    uint32_t phase_bytes; // since SASL, or the time after it, began
    struct buf held;      // the frame that made the event, then what came behind it
    size_t frame;         // bytes of that frame
    struct buf out;
    struct amqp_event event;
    struct amqp_inbox *inbox; // NULL unless the event is DELIVERED
    uint32_t frame_max;       // bytes of a frame that the peer takes
    uint32_t idle_ms;         // the peer wants to hear from us this often; 0: it does not care
    int64_t silent_at; // when we take it for dead, and when it is to hear from us: as amqp_tick's now_ms, 0:
                       // never
    int64_t speak_at;
    struct amqp_unsent *unsent; // the oldest first
    struct amqp_session sessions[AMQP_SESSIONS_MAX];
    struct amqp_link links[AMQP_LINKS_MAX];
    struct why *why; // owned; NULL unless it failed
};

// A frame of the peer's that is well-formed.
struct amqp_frame {
    uint16_t channel;
    uint64_t what; // enum amqp_descriptor, or one that we do not know
    struct amqp_value
        fields[AMQP_FIELDS_MAX]; // in the order of AMQP 1.0, 2.7, which each performative's enum has
    struct slice payload;
};

// Ends the connection because the peer broke a rule: why, BROKEN, and a close with the error where there may
// be one. The first one counts.
void amqp_break(struct amqp_peer *peer, const char *condition, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void amqp_break_field(struct amqp_peer *peer, const char *what); // amqp:decode-error
// peer->event is to be taken, and nothing more is heard until it is answered.
void amqp_ask(struct amqp_peer *peer, struct amqp_event event);

// A frame to the peer; amqp_tell sends it, or breaks the connection when it is larger than the peer takes.
struct amqp_compound amqp_say(struct amqp_peer *peer, uint16_t channel, enum amqp_descriptor performative);
void amqp_tell(struct amqp_peer *peer, struct amqp_compound *performative, struct slice payload);
// The error that a performative or outcome ends with; condition empty: none.
void amqp_put_error(const struct amqp_peer *peer, struct amqp_compound *in, struct slice condition,
                    struct slice description, uint32_t retry_after_s);

// Cuts the stream into frames, of *in and of what is held, until an event waits or nothing is left.
void amqp_advance(struct amqp_peer *peer, struct slice *in);
// Acts on a frame.
void amqp_take_frame(struct amqp_peer *peer, struct amqp_frame *f);

// What is in frames of each kind. The peer may be broken afterwards.
void amqp_take_init(struct amqp_peer *peer, struct amqp_frame *f);
void amqp_take_response(struct amqp_peer *peer, struct amqp_frame *f);
void amqp_take_begin(struct amqp_peer *peer, struct amqp_frame *f);
void amqp_take_end(struct amqp_peer *peer, struct amqp_frame *f);
void amqp_take_attach(struct amqp_peer *peer, struct amqp_frame *f);
void amqp_take_detach(struct amqp_peer *peer, struct amqp_frame *f);
void amqp_take_flow(struct amqp_peer *peer, struct amqp_frame *f);
void amqp_take_transfer(struct amqp_peer *peer, struct amqp_frame *f);
void amqp_take_disposition(struct amqp_peer *peer, struct amqp_frame *f);

// The session of a frame that needs one; NULL: broken.
struct amqp_session *amqp_need_session(struct amqp_peer *peer, const struct amqp_frame *f);
// The link of a frame that needs one; NULL: broken.
struct amqp_link *amqp_need_link(struct amqp_peer *peer, const struct amqp_session *session,
                                 const struct amqp_value *handle);
// Tells the peer where the session stands, and the link, if there is one; nothing once the connection ends.
void amqp_send_flow(struct amqp_peer *peer, const struct amqp_session *session, const struct amqp_link *link,
                    bool drained);
// Frees links whose DETACHED was taken.
void amqp_links_reap(struct amqp_peer *peer);
void amqp_link_free(struct amqp_link *link);  // all that it owns; what it was is forgotten
void amqp_sasl_offer(struct amqp_peer *peer); // the mechanisms of the settings

// As many waiting messages as credit and window allow.
void amqp_send_waiting(struct amqp_peer *peer);
bool amqp_is_waiting(const struct amqp_peer *peer, const struct amqp_link *link); // a message for it
void amqp_unsent_drop(struct amqp_peer *peer, const struct amqp_link *link);      // link NULL: all

// Reads a whole message into inbox->message, whose slices lie in inbox->bytes, which it may move about.
// False: malformed.
bool amqp_message_decode(struct amqp_inbox *inbox);
void amqp_message_encode(struct buf *out, const struct amqp_correlation *correlation,
                         const struct amqp_property *properties, size_t property_count, struct slice body);
void amqp_inbox_free(struct amqp_inbox *inbox);

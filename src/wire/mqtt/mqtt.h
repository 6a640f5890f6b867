// MQTT 3.1.1 (OASIS Standard, 29 October 2014): bytes to packets and packets to bytes, for both ends of a
// connection. Not a broker and not a session: no I/O, no clock, no memory of topics. Clauses are cited as
// MQTT-x.y.z-n.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum mqtt_type {
    MQTT_CONNECT = 1,
    MQTT_CONNACK,
    MQTT_PUBLISH,
    MQTT_PUBACK,
    MQTT_PUBREC,
    MQTT_PUBREL,
    MQTT_PUBCOMP,
    MQTT_SUBSCRIBE,
    MQTT_SUBACK,
    MQTT_UNSUBSCRIBE,
    MQTT_UNSUBACK,
    MQTT_PINGREQ,
    MQTT_PINGRESP,
    MQTT_DISCONNECT,
};

// CONNACK return codes (MQTT 3.2.2.3).
enum mqtt_connack_code {
    MQTT_ACCEPTED,
    MQTT_REFUSED_LEVEL,
    MQTT_REFUSED_CLIENT_ID,
    MQTT_REFUSED_UNAVAILABLE,
    MQTT_REFUSED_CREDENTIALS,
    MQTT_REFUSED_UNAUTHORIZED,
};

enum {
    MQTT_LEVEL = 4,                 // the protocol level of 3.1.1
    MQTT_MAX_FILTERS = 8,           // in one SUBSCRIBE or UNSUBSCRIBE; more are refused
    MQTT_SUBSCRIPTION_FAILED = 128, // SUBACK return code
    MQTT_LIMIT_BEFORE_CONNECT = 4096,
};

struct mqtt_connect {
    // The client speaks another version (3.1 or 5): answer MQTT_REFUSED_LEVEL and close (MQTT-3.1.2-2).
    // Nothing but `level` was read then.
    bool unsupported_level;
    uint8_t level;
    bool clean_session;
    uint16_t keep_alive_s;  // 0: none
    struct slice client_id; // may be empty: judge it by MQTT-3.1.3-7 and -8
    bool has_will;
    struct slice will_topic;
    struct slice will_payload;
    uint8_t will_qos;
    bool will_retain;
    bool has_user_name;
    struct slice user_name;
    bool has_password; // only together with a user name
    struct slice password;
};

struct mqtt_connack {
    bool session_present;
    uint8_t code; // enum mqtt_connack_code
};

struct mqtt_publish {
    bool dup;
    uint8_t qos; // 0 to 2
    bool retain;
    uint16_t packet_id; // when qos > 0
    struct slice topic;
    struct slice payload;
};

// PUBACK, PUBREC, PUBREL, PUBCOMP, UNSUBACK.
struct mqtt_ack {
    uint16_t packet_id; // may be 0 in a PUBACK: the C# SDK acknowledges QoS 0 messages
};

struct mqtt_filter {
    struct slice topic;
    uint8_t qos; // asked for, 0 to 2; unused in UNSUBSCRIBE
};

// SUBSCRIBE and UNSUBSCRIBE.
struct mqtt_subscribe {
    uint16_t packet_id;
    size_t count; // at least 1
    struct mqtt_filter filters[MQTT_MAX_FILTERS];
};

struct mqtt_suback {
    uint16_t packet_id;
    struct slice codes; // one byte for each filter: the granted QoS, or MQTT_SUBSCRIPTION_FAILED
};

// `type` says which member counts; PINGREQ, PINGRESP and DISCONNECT have none.
struct mqtt_packet {
    enum mqtt_type type;
    union {
        struct mqtt_connect connect;
        struct mqtt_connack connack;
        struct mqtt_publish publish;
        struct mqtt_ack ack;
        struct mqtt_subscribe subscribe;
        struct mqtt_suback suback;
    };
};

enum mqtt_result {
    MQTT_MORE,   // all of *in was taken and is not a whole packet yet
    MQTT_LARGE,  // a packet begins that mqtt_decoder_ask_above wants to be asked about; nothing of it is read
    MQTT_PACKET, // *out holds one; *in starts after it
    MQTT_BAD,    // the peer broke the protocol: close the connection. The decoder stays bad
};

struct mqtt_decoder {
    size_t limit;       // bytes of the largest packet that is read
    size_t most;        // bytes of the largest that may be asked about
    bool from_server;   // which end sends the packets read here
    bool started;       // the first packet (CONNECT or CONNACK) was seen
    bool judged;        // the fixed header is complete and allowed
    uint8_t header_len; // bytes of the fixed header seen
    uint8_t first;      // its first byte
    uint32_t remaining; // the remaining length it declares
    uint32_t broken;    // enum err_code: why MQTT_BAD; ERR_CAPPED when over the limit
    struct buf held;    // the beginning of a packet that came in pieces
};

// A decoder of what a client sends: refuses packets that only servers send, anything before CONNECT
// (MQTT-3.1.0-1) and a second CONNECT (MQTT-3.1.0-2). limit: bytes of the largest packet taken, fixed header
// included.
void mqtt_decoder_init(struct mqtt_decoder *d, size_t limit);
// A decoder of what a server sends: the first packet must be CONNACK (MQTT-3.2.0-1).
void mqtt_decoder_init_client(struct mqtt_decoder *d, size_t limit);
void mqtt_decoder_release(struct mqtt_decoder *d);
// From the next packet on, typically after CONNECT was accepted.
void mqtt_decoder_limit(struct mqtt_decoder *d, size_t limit);
// The same, but a packet over it of at most `most` bytes is not refused: mqtt_decode returns MQTT_LARGE, and
// reads on once mqtt_decoder_limit lets it.
void mqtt_decoder_ask_above(struct mqtt_decoder *d, size_t limit, size_t most);

// Takes bytes off *in until there is a packet. Type and declared length are judged from the fixed header
// alone: nothing is allocated for a packet that will not be taken, and nothing at all when *in holds the
// packet whole. The slices of *out view *in or the decoder, until the next call (one with an empty *in gives
// memory back). why (may be NULL) says on MQTT_BAD what was wrong.
enum mqtt_result mqtt_decode(struct mqtt_decoder *d, struct slice *in, struct mqtt_packet *out,
                             struct why *why);
// True in the middle of a packet: the peer owes the rest of it in time.
bool mqtt_decoder_within_packet(const struct mqtt_decoder *d);

// Each appends one packet, or nothing and leaves *out broken (buf_err): ERR_INVALID for what MQTT cannot
// express (a string over 65,535 bytes, a packet over 256 MB, no filters), else as buf.h says.
void mqtt_encode_connect(struct buf *out, const struct mqtt_connect *connect); // level is always MQTT_LEVEL
void mqtt_encode_connack(struct buf *out, const struct mqtt_connack *connack);
void mqtt_encode_publish(struct buf *out, const struct mqtt_publish *publish);
void mqtt_encode_puback(struct buf *out, uint16_t packet_id);
void mqtt_encode_subscribe(struct buf *out, const struct mqtt_subscribe *subscribe);
void mqtt_encode_suback(struct buf *out, const struct mqtt_suback *suback);
void mqtt_encode_unsubscribe(struct buf *out, const struct mqtt_subscribe *unsubscribe);
void mqtt_encode_unsuback(struct buf *out, uint16_t packet_id);
void mqtt_encode_pingreq(struct buf *out);
void mqtt_encode_pingresp(struct buf *out);
void mqtt_encode_disconnect(struct buf *out);

// "CONNECT" and so on, for log lines.
const char *mqtt_type_name(enum mqtt_type type);
// True when the topic filter (well-formed) covers the topic name (MQTT 4.7). Wildcards at the start do not
// match topics that begin with '$' (MQTT-4.7.2-1).
bool mqtt_filter_matches(struct slice filter, struct slice topic);

// For tests: a small front that answers a peer's events by simple rules and writes down what happened, and a
// maker of frames. Not for production.
#pragma once

#include "wire/amqp/amqp.h"

enum { STAGE_DELIVERIES_MAX = AMQP_LINKS_MAX * AMQP_CREDIT };

struct amqp_stage {
    struct amqp_peer *peer;
    size_t split;    // bytes fed at once; 0: all
    bool deny;       // SASL ends with outcome 1
    bool silent;     // OPENED and SASL get no answer
    bool hold;       // deliveries are kept in `kept` instead of being answered
    bool reject;     // deliveries are rejected
    struct buf said; // a line for each event
    struct buf out;  // what the peer was sent
    struct amqp_link *to_peer;
    struct amqp_link *last_link;
    struct amqp_delivery *kept[STAGE_DELIVERIES_MAX]; // until their link is detached
    struct amqp_link *kept_of[STAGE_DELIVERIES_MAX];
    size_t kept_count;
    struct amqp_correlation correlation; // of the last message
};

// Answers: SASL PLAIN with outcome 0, TPM with the challenges 00, 80 'one', C1 'two'; other mechanisms with
// outcome 1. Links are accepted, but refused with amqp:not-found when the address holds "nowhere". Deliveries
// are accepted (those that are too large rejected), and answered on the link to the peer with the body and
// correlation ID that they had. Aborts when out of memory.
void amqp_stage_init(struct amqp_stage *stage);
void amqp_stage_release(struct amqp_stage *stage);
// Feeds all of it, takes all events, collects the output.
void amqp_stage_feed(struct amqp_stage *stage, struct slice bytes);
// Takes events that came without bytes.
void amqp_stage_events(struct amqp_stage *stage);

// A frame of type 0 (AMQP) or 1 (SASL) with a performative as pn_data_fill makes it of its format.
void amqp_frame(struct buf *out, uint8_t type, uint16_t channel, const char *format, ...);
// A transfer with a payload. format: its performative.
void amqp_frame_with(struct buf *out, uint16_t channel, struct slice payload, const char *format, ...);

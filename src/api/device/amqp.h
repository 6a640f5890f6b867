// A device's AMQP connection: what amqp.c, amqp_reply.c and sasl_tpm.c share. Private to api/device.
#pragma once

#include "api/device/api.h"
#include "api/device/quirks.h"

enum {
    AMQP_UNDER_WAY_MAX = 4, // requests of one device at once
    AMQP_REPLY_MAX = 256 * 1024,
};

// A request that has no outcome yet.
struct amqp_call {
    const struct amqp_link *link;   // NULL: none
    struct amqp_delivery *delivery; // NULL: gone with its link
};

struct sasl_tpm;

struct amqp_session {
    struct device_api *api;
    struct amqp_connection *connection;
    struct slice id_scope; // this and what follows: in `text`; empty until the device has said who it is
    struct slice registration_id;
    struct slice token;
    struct credential credential; // the chain is the connection's
    struct sasl_tpm *tpm;         // until SASL is over
    const struct quirk *quirk;
    bool judged;                // by SASL, or the certificate; links are accepted without asking from then on
    bool proven;                // it was let in, then or later
    struct amqp_link *receiver; // where answers go; NULL: none
    struct amqp_link *first;    // waits for the certificate to be judged
    bool first_to_peer;
    struct amqp_call calls[AMQP_UNDER_WAY_MAX];
    unsigned refused; // answers since it was let in last
    size_t client_len;
    uint8_t client[64]; // what it says it is: for the log
    size_t api_version_len;
    uint8_t api_version[API_VERSION_MAX]; // of the first link that says it
    uint8_t *text;
};

// […/]{scope}/registrations/{id}. False: it is not that.
bool amqp_identity_split(struct slice text, struct slice *id_scope, struct slice *registration_id);
// Keeps copies. ERR_NO_MEMORY.
struct err amqp_session_identify(struct amqp_session *s, struct slice id_scope, struct slice registration_id,
                                 struct slice token);
// All but the verb's own fields.
struct err amqp_request_fill(struct amqp_session *s, enum flow_verb verb, struct flow_request *request);
// The session that a request was made for; NULL: gone.
struct amqp_session *amqp_session_of(const struct flow_request *request);
// Asks the flow whether the device is let in; until `done` nothing more comes from it.
struct err amqp_authenticate(struct amqp_session *s,
                             void (*done)(struct flow_request *request, const struct flow_outcome *outcome));
// Reads s->token and asks whether it lets the device in; SASL then ends by itself.
struct err amqp_take_token(struct amqp_session *s, struct why *why);
// Ends SASL as the outcome says.
void amqp_sasl_decided(struct amqp_session *s, const struct flow_outcome *outcome);

// ---- amqp_reply.c

// What is known of a request when it is answered; kept with it.
struct amqp_origin {
    size_t call; // index
    struct amqp_correlation correlation;
};

struct amqp_answer {
    struct amqp_origin origin;
    struct err e;       // then the body is the error's
    const char *status; // else
    uint32_t retry_after_s;
};
// Takes over the body, whose bytes may be broken.
void amqp_reply(struct amqp_session *s, const struct amqp_answer *answer, struct buf *body);
void amqp_reply_error(struct amqp_session *s, const struct amqp_origin *origin, struct err e,
                      const struct why *why, const char *tracking_id);
// For a message of which nothing is kept: not delayed either.
void amqp_reply_reject(struct amqp_session *s, struct amqp_delivery *delivery, struct err e,
                       const struct why *why);
// Counts a refusal that the device was told of; the connection is closed after too many in a row.
void amqp_session_refused(struct amqp_session *s);

// ---- sasl_tpm.c: the mechanism TPM (device-protocol 4.3). An error ends SASL.

struct err sasl_tpm_begin(struct amqp_session *s, const struct amqp_event *event, struct why *why);
struct err sasl_tpm_response(struct amqp_session *s, struct slice bytes, struct why *why);
void sasl_tpm_free(struct sasl_tpm *tpm); // NULL is fine

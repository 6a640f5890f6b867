// One MQTT connection of a device: what mqtt.c, mqtt_reply.c and mqtt_tpm.c share. Private to api/device.
#pragma once

#include "api/device/api.h"
#include "api/device/quirks.h"

enum {
    MESSAGE_MAX = 100 * 1024, // 96 KB of payload, and the topic
    REPLY_MAX = 256 * 1024,
    REFUSED_MAX = 8, // answers in a row after which the connection is closed
};

struct mqtt_proof;

// Devices stay connected for hours between two calls, so there is nothing in it but this.
struct session {
    size_t size; // bytes, `text` included
    struct device_api *api;
    struct mqtt_link *link;
    struct slice id_scope; // this and what follows: in `text`
    struct slice registration_id;
    struct slice client;
    struct slice api_version;
    struct credential credential; // the chain is the link's
    const struct quirk *quirk;
    bool tpm;                 // it proves itself by its TPM, when it registers (docs/tpm-over-mqtt.md)
    struct mqtt_proof *proof; // and then so, as long as it polls; or NULL
    struct poll_timer silent; // since a CONNECT that proved nothing
    bool proven;              // it was let in, at CONNECT or later
    bool judging;             // whether it is let in, without its having asked
    bool large;               // a message waits that only a proven device may send
    bool subscribed;
    uint8_t qos; // granted for replies
    unsigned under_way;
    unsigned refused;    // answers since it was let in last
    unsigned challenged; // challenges since then
    uint8_t text[];
};

// The session is let in, from now on.
void mqtt_session_proven(struct session *s);

// ---- mqtt_reply.c

// $dps/registrations/res/{status}/?$rid={rid}[&retry-after={s}] with this body, now or when its client can
// take it (quirks.c).
void mqtt_reply(struct session *s, unsigned status, struct slice rid, uint32_t retry_after_s,
                struct buf *body);
void mqtt_reply_error(struct session *s, struct err e, const struct why *why, struct slice rid,
                      struct slice tracking_id);

// ---- mqtt_tpm.c

// Whether the options of a user name, behind its api-version, ask for it.
bool mqtt_tpm_wanted(struct slice options);
// CONNACK for a device that proves itself later.
void mqtt_tpm_connect(struct session *s);
// The credential of a request of such a session, as the arguments of mqtt_tpm_register say it.
struct err mqtt_tpm_credential(const struct session *s, struct flow_request *request);
// Body and credential of a register call.
struct err mqtt_tpm_register(const struct session *s, struct slice body, struct flow_request *request,
                             struct why *why);
// Sends the challenge.
void mqtt_tpm_challenge(struct session *s, const struct flow_outcome *outcome, struct slice rid);
// The register call was let in: its token is that of the polls.
void mqtt_tpm_admitted(struct session *s, const struct flow_request *request);
void mqtt_tpm_closed(struct session *s);

// What single client families need beyond the protocol: one row each, saying which SDK it is for and why.
#pragma once

#include <stdint.h>

#include "base/slice.h"

struct quirk {
    const char *client;      // the family, for logs
    const char *why;         // which behaviour makes the row needed
    uint32_t reply_delay_ms; // an answer is not sent earlier than this after its request
};

// By what an MQTT client says in its user name: the api-version, and the ClientVersion still percent-encoded
// (empty when absent). Never NULL.
const struct quirk *quirk_of_mqtt(struct slice api_version, struct slice client_version);
// By what an AMQP client says when it attaches a link: its name, and com.microsoft:client-version (empty when
// absent). Never NULL.
const struct quirk *quirk_of_amqp(struct slice link_name, struct slice client_version);
// By the User-Agent (or UserAgent) header. Never NULL.
const struct quirk *quirk_of_http(struct slice user_agent);

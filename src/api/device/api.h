// What the doors of the device API share. Private to api/device.
#pragma once

#include "api/device/device.h"

enum { API_VERSION_MAX = 32 }; // bytes that are kept of what a device says is its API version

struct device_api {
    struct flow *flow;
    struct mqtt_front *mqtt;
    struct amqp_front *amqp;
    struct poller *poller;
    const struct clock *clock;
    const struct log *log;
    struct list delayed; // replies that wait for their time
    size_t delayed_count;
};

// A reply that must not be too fast for its client (quirks.c): a door's own struct begins with it.
struct delayed {
    struct list links;
    struct device_api *api;
    struct poll_timer timer;
    // Its time has come; what it is for may be gone. Followed by free.
    void (*send)(struct delayed *delayed);
    void (*free)(struct delayed *delayed);
};

// api, send and free are set; takes it over. ERR_OVERLOADED: too many wait, this one was freed.
struct err delayed_start(struct delayed *delayed, uint32_t ms);

// What outlives the text that the token was read from.
struct err token_keep(struct arena *arena, const struct sas_token *token, struct sas_token *kept);
// Copies what proves a device to the request, which may outlive the session and the connection.
struct err credential_keep(struct flow_request *request, const struct credential *credential);
// The error to tell a device for this outcome; OK: it has a registration to show.
struct err outcome_error(const struct flow_outcome *outcome);
// How many seconds after this error to ask again; 0: it is of no use.
uint32_t error_retry_s(struct err e);

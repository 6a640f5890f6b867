// The device API: bytes of MQTT, HTTPS and AMQP to flow requests and back (device-protocol 2, 3
// and 4).
#pragma once

#include "api/amqp_connection.h"
#include "api/exchange.h"
#include "api/link.h"
#include "flow/flow.h"

struct device_api;

struct device_api_settings {
    struct flow *flow;
    struct mqtt_front *mqtt;
    struct amqp_front *amqp;
    struct poller *poller; // delays of replies run on it
    const struct clock *clock;
    const struct log *log;
};

// One per loop. What the settings name outlives it.
struct err device_api_new(const struct device_api_settings *settings, struct device_api **out);
void device_api_free(struct device_api *api);

// PUT /{scope}/registrations/{id}/register, GET …/operations/{op}, POST /{scope}/registrations/{id}.
struct http_area device_http_area(struct device_api *api);
// User names {scope}/registrations/{id}/api-version=….
struct mqtt_door device_mqtt_door(struct device_api *api);
// Link addresses […/]{scope}/registrations/{id}.
struct amqp_door device_amqp_door(struct device_api *api);

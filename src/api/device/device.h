// The device API: bytes of MQTT and HTTPS to flow requests and back (device-protocol 2 and 3).
#pragma once

#include "api/exchange.h"
#include "api/link.h"
#include "flow/flow.h"

struct device_api;

// One per loop. `front` and the ports outlive it; delays of replies run on `poller`.
struct err device_api_new(struct flow *flow, struct mqtt_front *front, struct poller *poller,
                          const struct clock *clock, const struct log *log, struct device_api **out);
void device_api_free(struct device_api *api);

// PUT /{scope}/registrations/{id}/register, GET …/operations/{op}, POST /{scope}/registrations/{id}.
struct http_area device_http_area(struct device_api *api);
// User names {scope}/registrations/{id}/api-version=….
struct mqtt_door device_mqtt_door(struct device_api *api);

// For tests: links that stand in place of the MQTT front, and can be looked at.
#pragma once

#include "flow/flow_pki_test.h"

#include "api/device/device.h"

struct mqtt_link {
    struct world *world;
    struct mqtt_door door;
    void *session; // NULL: the link is gone
    struct chain *chain;
    bool accepted;
    uint32_t refused; // enum err_code
    bool closed;
    uint32_t closed_for; // enum err_code
    uint32_t max_packet;
    uint32_t may_ask; // up to so many bytes
    int64_t expires_us;
    size_t published;
    char topic[256];
    char body[4096];
};

enum { MQTT_LINKS = 8 };
extern struct mqtt_link mqtt_links[MQTT_LINKS];
extern size_t mqtt_link_count;

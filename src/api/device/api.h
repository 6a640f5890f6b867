// What the doors of the device API share. Private to api/device.
#pragma once

#include "api/device/device.h"

struct device_api {
    struct flow *flow;
    struct mqtt_front *front;
    struct poller *poller;
    const struct clock *clock;
    const struct log *log;
    struct list delayed; // replies that wait for their time (struct delayed)
    size_t delayed_count;
};

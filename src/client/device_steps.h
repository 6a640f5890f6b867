// What registering and visiting the hub have in common. Private to src/client.
#pragma once

#include "client/device.h"
#include "crypto/sas.h"

enum { DEVICE_TOKEN_S = 3600 };

// Tells settings->step.
void device_step(const struct device_settings *settings, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// A SAS token for the resource, which is percent-encoded here; text in the arena. policy may be empty. NULL
// for a device that proves itself by its certificate.
struct err device_token(const struct device_settings *settings, struct arena *arena, struct slice resource,
                        struct slice policy, const char **token);

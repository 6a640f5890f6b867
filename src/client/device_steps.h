// What registering and visiting the hub have in common. Private to src/client.
#pragma once

#include "client/device.h"
#include "crypto/sas.h"
#include "json/json.h"
#include "json/write.h"

enum { DEVICE_TOKEN_S = 3600 };

// Tells settings->step.
void device_step(const struct device_settings *settings, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// A SAS token for the resource, which is percent-encoded here; text in the arena. policy may be empty. NULL
// for a device that proves itself by its certificate. A TPM signs with the key planted last.
struct err device_token(const struct device_settings *settings, struct arena *arena, struct slice resource,
                        struct slice policy, const char **token, struct why *why);
// Has the TPM take the key that the member "authenticationKey" holds. ERR_PROTOCOL when there is none.
struct err device_take_key(const struct device_settings *settings, struct arena *arena,
                           const struct json *holder, struct why *why);
// The member "tpm" of a register call.
void device_write_tpm(const struct device_settings *settings, struct json_writer *w);

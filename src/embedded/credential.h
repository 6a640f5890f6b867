// What a device showed when it connected, and whether it holds for the identity as the store has it
// (service-api H.4).
#pragma once

#include "domain/device.h"
#include "embedded/session.h"

// device: NULL when the hub has none of that ID, which takes as long. Judges anew each time. Refusals differ
// in error and why only, which are for the log.
struct err credential_judge(struct session *session, const struct device *device, struct why *why);
// When what was shown stops to count by itself, wall clock in microseconds; *awaited: what the device needs
// then.
int64_t credential_ends_us(struct session *session, const char **awaited);

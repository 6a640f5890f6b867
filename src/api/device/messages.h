// The JSON that devices send and get (device-protocol 8), the same on every transport.
#pragma once

#include "flow/flow.h"

// DeviceRegistration: what a device sends to register. `text` may be empty or blank (C# sends nothing over
// MQTT). registrationId, when there, must be `registration_id` without regard to case. *payload receives the
// device's own JSON, compact, in the arena; empty when absent or null. ERR_MALFORMED, ERR_INVALID or
// ERR_CAPPED with a reason.
struct err device_body_read(struct slice text, struct slice registration_id, struct arena *arena,
                            struct slice *payload, struct why *why);

// RegistrationOperationStatus of an outcome that has a registration (device-protocol 8.2).
void device_operation_write(struct buf *out, const struct flow_outcome *outcome);
// DeviceRegistrationResult alone, for the registration status lookup (8.3).
void device_result_write(struct buf *out, const struct flow_outcome *outcome);

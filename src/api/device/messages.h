// The JSON that devices send and get (device-protocol 8), the same on every transport.
#pragma once

#include "crypto/chain.h"
#include "flow/challenges.h"
#include "flow/flow.h"

// Who a client says it is, as logs and answers may show it: a client that mixes up its fields puts its token
// there, and that is left out.
bool device_is_token(struct slice text);
struct slice device_shown(struct slice text);

// DeviceRegistration: what a device sends to register. `text` may be empty or blank (C# sends nothing over
// MQTT). registrationId, when there, must be `registration_id` without regard to case. *payload receives the
// device's own JSON, compact, in the arena; empty when absent or null. ERR_MALFORMED, ERR_INVALID or
// ERR_CAPPED with a reason.
struct err device_body_read(struct slice text, struct slice registration_id, struct arena *arena,
                            struct slice *payload, struct why *why);

// What a device with a TPM sends besides, where its transport has no other place for it.
struct device_tpm {
    struct tpm_identity identity; // in the arena; empty when the body has no member `tpm`
    struct chain *chain;          // tpm.endorsementCertificates, the caller's; or NULL
    struct slice authorization; // the SAS token in the member `authorization` (docs/tpm-over-mqtt.md), in the
                                // arena; empty when there is none
};
enum { DEVICE_TPM_CERTIFICATE_MAX = 4096 }; // bytes of each certificate
// The same as device_body_read with the members `tpm` and `authorization`. Both keys of `tpm` are checked
// (tpm_public_check), and that its certificates are certificates. ERR_INVALID names the member. Its chain is
// there only when it succeeds.
struct err device_body_read_tpm(struct slice text, struct slice registration_id, struct arena *arena,
                                struct slice *payload, struct device_tpm *tpm, struct why *why);

// What asks a device with a TPM for a proof (device-protocol 3.4): {"message","authenticationKey","keyName"},
// without `status`. For an outcome with a challenge.
void device_challenge_write(struct buf *out, const struct flow_outcome *outcome);
// RegistrationOperationStatus of an outcome that has a registration (device-protocol 8.2), as a device of
// that API version knows it.
void device_operation_write(struct buf *out, const struct flow_outcome *outcome, struct slice api_version);
// DeviceRegistrationResult alone, for the registration status lookup (8.3).
void device_result_write(struct buf *out, const struct flow_outcome *outcome, struct slice api_version);

// Plays a device with a symmetric key, a certificate or a TPM: registers with the provisioning service, then
// connects to the hub that it was assigned, reads its twin and sends one message. Blocks; one at a time. Not
// a device SDK.
#pragma once

#include "base/arena.h"
#include "base/secret.h"
#include "client/device_tpm.h"

enum device_transport { DEVICE_MQTT, DEVICE_HTTP };

enum { DEVICE_DEADLINE_S = 60 }; // for registering, and again for the hub

struct device_settings {
    struct slice registration_id;
    struct slice scope;
    struct secret key; // the enrollment's, or derived from the group's; none for a device with a certificate
    const char *certificate_file; // PEM, the leaf first, with or without what is above it; NULL: it has a key
    const char *key_file;         // PEM, of the leaf, not encrypted
    // NULL unless it has one. The key for the hub stays in it (device_tpm_activate).
    struct device_tpm *tpm;
    // DER, the certificate of the TPM's endorsement key first; for a group of TPM devices
    struct slice endorsement_certificates[DEVICE_TPM_CERTIFICATES_MAX];
    size_t endorsement_certificate_count;
    const char *host; // of the provisioning service, without port
    uint16_t port;
    enum device_transport transport;
    const char *ca_file;  // PEM; NULL: the CAs of the system
    struct slice payload; // JSON of the device's own for the register call; empty for none
    uint16_t hub_port;    // 0: the one in the assigned hub's name, else 8883
    // Called before each step, with a line for people.
    void (*step)(void *context, const char *line);
    void *context;
};

// Texts live in the arena; empty until known.
struct device_result {
    struct slice status; // of the registration: "assigned" when all is well
    struct slice substatus;
    struct slice operation_id;
    struct slice assigned_hub;
    struct slice device_id;
    int64_t assigned_us; // from before the TCP connect to the assigned answer
    bool connected;      // to the hub
    bool telemetry_sent; // and acknowledged
    struct slice twin;   // JSON, as the hub sends it
};

// Registers and polls until the outcome. ERR_SYSTEM no connection, ERR_TIMEOUT, ERR_CREDENTIAL_MISSING
// refused at the door (CONNACK), ERR_CONFLICT refused or failed, ERR_PROTOCOL for an answer that makes no
// sense, ERR_INVALID for settings that cannot be used; each with why.
struct err device_register(const struct device_settings *settings, struct arena *arena,
                           struct device_result *result, struct why *why);
// After device_register succeeded. Errors as above.
struct err device_visit_hub(const struct device_settings *settings, struct arena *arena,
                            struct device_result *result, struct why *why);

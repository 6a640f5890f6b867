// The record that admits one device (individual) or a fleet (group): fields, JSON and validation of
// service-api A.5, A.7. Not for matching a device against it: that is match.h.
#pragma once

#include "base/arena.h"
#include "base/secret.h"
#include "domain/names.h"
#include "json/json.h"
#include "json/write.h"

struct attestation {
    enum attestation_type type;
    struct secret primary_key; // symmetricKey: 16..64 bytes; of a group: the master keys
    struct secret secondary_key;
    enum certificate_role certificate_role; // x509
    struct slice primary_certificate;       // DER
    struct slice secondary_certificate;
    struct slice primary_ca; // names of CA certificates, for caReferences
    struct slice secondary_ca;
    struct slice endorsement_key; // tpm: TPM2B_PUBLIC bytes
    struct slice storage_root_key;
};

struct enrollment {
    enum enrollment_kind kind;
    struct slice id; // as the operator wrote it; registrationId or enrollmentGroupId
    struct slice device_id;
    struct attestation attestation;
    enum provisioning_status provisioning_status;
    enum switch_state iot_edge;
    struct slice initial_twin;       // JSON text as stored, or empty
    struct slice device_information; // optionalDeviceInformation: JSON text, or empty
    bool reprovision_set;            // false: the member reprovisionPolicy is absent
    bool update_hub_assignment;
    bool migrate_device_data;
    enum allocation_policy allocation;
    struct slice hubs;          // JSON text of an array of host names, or empty
    struct slice hub_host_name; // the legacy iotHubHostName
    struct slice webhook_url;
    struct slice webhook_api_version;
    struct slice words; // what it is found by besides its ID: see words.h
    int64_t created_us;
    int64_t updated_us;
    uint64_t etag;
};

static inline bool enrollment_disabled(const struct enrollment *e)
{
    return e->provisioning_status == PROVISIONING_DISABLED;
}

// Reads and validates a request body. `id` is the ID in the path, or empty for an item of a bulk call;
// `stored` is the record being updated or NULL: empty keys and certificates sent without their text then keep
// the stored ones. Members that are not known are ignored, null is as good as absent, a word may be in any
// case. All errors are ERR_INVALID (or ERR_NO_MEMORY), and why names the member. Whether the hubs are linked
// is enrollment_check_hubs. Missing keys of a symmetricKey attestation stay empty: the caller generates them
// (enrollment_needs_keys). etag, created_us and updated_us are left 0. Slices are copied to the arena.
struct err enrollment_read(struct arena *arena, const struct json *body, enum enrollment_kind kind,
                           struct slice id, const struct enrollment *stored, struct enrollment *out,
                           struct why *why);
bool enrollment_needs_keys(const struct enrollment *e);
struct service;
// Are all hubs that the enrollment names linked to the service? ERR_INVALID with the one that is not.
struct err enrollment_check_hubs(const struct service *service, const struct enrollment *e, struct why *why);

// What an answer shows: keys only in the answer to PUT and attestationmechanism. A webhook sees none either;
// for it the etag is plain text, and the query of its URL, which lets others call it, is hidden (service-api
// C.1).
enum enrollment_view { ENROLLMENT_WITH_KEYS, ENROLLMENT_WITHOUT_KEYS, ENROLLMENT_FOR_WEBHOOK };
struct registration;
// Field order as recorded from the real service. `state` (individual only) may be NULL: no registrationState
// member; a zeroed one says that the device never registered.
struct err enrollment_write(struct json_writer *w, const struct enrollment *e, enum enrollment_view view,
                            const struct registration *state);
// The AttestationMechanism object, with keys.
struct err attestation_write(struct json_writer *w, const struct attestation *a, enum enrollment_view view);

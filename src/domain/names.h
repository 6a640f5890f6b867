// The closed sets of words of the domain and their text on the wire. Reading ignores case; writing uses the
// text below.
#pragma once

#include "base/slice.h"

// X(CONSTANT, "text"); one row a line, which clang-format would not keep.
// clang-format off
#define ATTESTATION_TYPES(X) \
    X(ATTESTATION_NONE, "none") \
    X(ATTESTATION_SYMMETRIC_KEY, "symmetricKey") \
    X(ATTESTATION_X509, "x509") \
    X(ATTESTATION_TPM, "tpm")
#define ALLOCATION_POLICIES(X) \
    X(ALLOCATION_UNSET, "") \
    X(ALLOCATION_HASHED, "hashed") \
    X(ALLOCATION_GEO_LATENCY, "geoLatency") \
    X(ALLOCATION_STATIC, "static") \
    X(ALLOCATION_CUSTOM, "custom")
// UNSET: the member was absent. NULL: the operator sent null, which is echoed and means enabled (service-api A.5).
#define PROVISIONING_STATUSES(X) \
    X(PROVISIONING_UNSET, "") \
    X(PROVISIONING_NULL, "null") \
    X(PROVISIONING_ENABLED, "enabled") \
    X(PROVISIONING_DISABLED, "disabled")
#define REGISTRATION_STATUSES(X) \
    X(STATUS_UNASSIGNED, "unassigned") \
    X(STATUS_ASSIGNING, "assigning") \
    X(STATUS_ASSIGNED, "assigned") \
    X(STATUS_FAILED, "failed") \
    X(STATUS_DISABLED, "disabled")
#define REGISTRATION_SUBSTATUSES(X) \
    X(SUBSTATUS_NONE, "") \
    X(SUBSTATUS_INITIAL_ASSIGNMENT, "initialAssignment") \
    X(SUBSTATUS_DATA_MIGRATED, "deviceDataMigrated") \
    X(SUBSTATUS_DATA_RESET, "deviceDataReset") \
    X(SUBSTATUS_REPROVISIONED, "reprovisionedToInitialAssignment")
#define ENROLLMENT_KINDS(X) \
    X(ENROLLMENT_INDIVIDUAL, "individual") \
    X(ENROLLMENT_GROUP, "group")
#define SWITCHES(X) \
    X(SWITCH_UNSET, "") \
    X(SWITCH_OFF, "false") \
    X(SWITCH_ON, "true")
#define CERTIFICATE_ROLES(X) \
    X(CERTIFICATE_NONE, "") \
    X(CERTIFICATE_CLIENT, "clientCertificates") \
    X(CERTIFICATE_SIGNING, "signingCertificates") \
    X(CERTIFICATE_CA_REFERENCE, "caReferences")
#define HUB_AUTHENTICATIONS(X) \
    X(HUB_AUTH_SAS, "sas") \
    X(HUB_AUTH_SELF_SIGNED, "selfSigned") \
    X(HUB_AUTH_CA, "certificateAuthority") \
    X(HUB_AUTH_NONE, "none")
#define DEVICE_STATUSES(X) \
    X(DEVICE_ENABLED, "enabled") \
    X(DEVICE_DISABLED, "disabled")
// Of a linked hub. CORDONED: takes no new devices, and keeps its own. DRAINING: and its own leave when they reprovision.
#define HUB_STATES(X) \
    X(HUB_OPEN, "open") \
    X(HUB_CORDONED, "cordoned") \
    X(HUB_DRAINING, "draining")
#define HUB_KINDS(X) \
    X(HUB_KIND_AZURE, "azure") \
    X(HUB_KIND_EMBEDDED, "embedded") \
    X(HUB_KIND_MOSQUITTO, "mosquitto")
// What to do when a device leaves a hub that cannot be reached. UNSET: WAIT when its data is to be migrated, else PROCEED.
#define UNREACHABLE_RULES(X) \
    X(UNREACHABLE_UNSET, "") \
    X(UNREACHABLE_WAIT, "wait") \
    X(UNREACHABLE_PROCEED, "proceed")
// clang-format on

#define NAME_AS_ENUM(constant, text) constant,
enum attestation_type { ATTESTATION_TYPES(NAME_AS_ENUM) };
enum allocation_policy { ALLOCATION_POLICIES(NAME_AS_ENUM) };
enum provisioning_status { PROVISIONING_STATUSES(NAME_AS_ENUM) };
enum registration_status { REGISTRATION_STATUSES(NAME_AS_ENUM) };
enum registration_substatus { REGISTRATION_SUBSTATUSES(NAME_AS_ENUM) };
enum enrollment_kind { ENROLLMENT_KINDS(NAME_AS_ENUM) };
enum switch_state { SWITCHES(NAME_AS_ENUM) }; // an optional boolean
enum certificate_role { CERTIFICATE_ROLES(NAME_AS_ENUM) };
enum hub_authentication { HUB_AUTHENTICATIONS(NAME_AS_ENUM) };
enum device_status { DEVICE_STATUSES(NAME_AS_ENUM) };
enum hub_state { HUB_STATES(NAME_AS_ENUM) };
enum hub_kind { HUB_KINDS(NAME_AS_ENUM) HUB_KIND_COUNT };
enum unreachable_rule { UNREACHABLE_RULES(NAME_AS_ENUM) };
#undef NAME_AS_ENUM

// The words of one set, in the order of its enum.
struct names {
    const char *const *words;
    unsigned count;
};

extern const struct names attestation_type_names, allocation_policy_names, provisioning_status_names,
    registration_status_names, registration_substatus_names, enrollment_kind_names, switch_names,
    certificate_role_names, hub_authentication_names, device_status_names, hub_state_names, hub_kind_names,
    unreachable_rule_names;

// The word of a value; "" when out of range.
struct slice name_of(const struct names *names, unsigned value);
// False when the word is not in the set. The empty word never matches.
bool name_read(const struct names *names, struct slice word, unsigned *value);

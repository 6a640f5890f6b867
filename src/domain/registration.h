// The record of where a device was assigned, and the operation that did it. One per (ID scope, registration
// ID).
#pragma once

#include "base/arena.h"
#include "base/secret.h"
#include "domain/names.h"
#include "json/write.h"

struct registration {
    struct slice id; // as the device wrote it; the record's key is its lower case
    enum registration_status status;
    enum registration_substatus substatus;
    enum enrollment_kind enrollment_kind; // which enrollment admitted it
    struct slice enrollment_id;           // canonical: lower case
    struct slice operation_id;
    struct slice previous_operation_id; // still answered, for a device that polls an older one
    struct slice assigned_hub;          // where the device is, whatever the status; empty: nowhere yet
    struct slice device_id;
    struct slice intended_hub; // where the operation is taking it, durable before the hub is called
    struct slice
        intended_device_id; // (architecture 4). Stays after a failure when the hub may hold the identity, so
    int64_t plan_steps;     // that none there goes unnamed; empty and 0 otherwise. enum plan_step bits
    enum registration_substatus intended_substatus; // what it will be once it is there
    // of an X.509 device: the SHA-256 thumbprints that its identity in the hub has or is being given, 64 hex
    // digits
    struct slice primary_thumbprint;
    struct slice secondary_thumbprint;
    // of a TPM device: the key that its identity in the hub has or is being given; sealed at rest, never
    // shown
    struct secret hub_key;
    struct slice hub_key_tpm; // the TPM that it was made for, as a word (domain/words.h): no other gets it
    struct slice payload;     // JSON object for the device, or empty
    // An identity of the device that is still to be removed there: it moved away. Named until it is gone
    // (I4).
    struct slice left_hub;
    struct slice left_device_id;
    // Of an operation under way, for a restart; empty otherwise.
    struct slice question; // what the device sent for the webhook, which has not answered yet: JSON, or empty
    struct slice twin;     // the initial twin that the webhook gave: JSON text of an InitialTwin, or empty
    struct slice address;  // where the device last registered from: an IP address without a port; or empty
    int64_t error_code;    // 0: none
    struct slice error_message;
    int64_t created_us;
    int64_t updated_us;
    uint64_t etag;
};

// The substatus as a device is told it: before 2019-04-15 there was no reprovisionedToInitialAssignment, and
// clients that old take initialAssignment (service-api D.4). api_version: the device's; empty: not known.
enum registration_substatus registration_substatus_for(const struct registration *r,
                                                       struct slice api_version);

// The same identity at the same hub; a hub's name compares without case.
bool same_identity(struct slice hub, struct slice device_id, struct slice other_hub,
                   struct slice other_device_id);

// A device that is nowhere, and what it left somewhere is being removed: no operation of the device's is
// under way, but none begins before that ended.
bool registration_is_tidied(const struct registration *r);

// DeviceRegistrationState of service-api A.5: what GET /registrations/{id} shows. NULL or a zeroed one means
// never registered: {"registrationId":…,"status":"unassigned"}. `registration_id` is shown as it is given;
// when it is empty, the record's own, in lower case, is.
struct err registration_write(struct json_writer *w, const struct registration *r,
                              struct slice registration_id);
// The same of one that there is, with what Azure does not show: address, intendedHub and intendedDeviceId,
// leftHub and leftDeviceId, each where there is one.
struct err registration_write_all(struct json_writer *w, const struct registration *r);

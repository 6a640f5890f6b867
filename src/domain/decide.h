// The decision core: may this device in, and if so, which hub is it taken to by which steps? Pure functions
// of what is known; every rule applied leaves a line in the trace. No clock, no randomness, no I/O: so that
// explain, dry run and simulation are the same code as the real thing.
//
//   match -> attest -> allocate -> reprovision -> plan
#pragma once

#include "crypto/sas.h"
#include "domain/enrollment.h"
#include "domain/registration.h"
#include "domain/service.h"
#include "domain/trace.h"

// How the device proves itself.
enum credential_kind { CREDENTIAL_NONE, CREDENTIAL_SAS };

struct credential {
    enum credential_kind kind;
    struct sas_token sas;
};

// Everything known about a device at the moment of deciding.
struct admission {
    const struct service *service;
    struct slice registration_id; // as the device wrote it
    const struct enrollment *individual;
    const struct enrollment *const *groups; // candidates when there is no individual enrollment
    size_t group_count;
    const struct registration *prior; // or NULL
    struct credential credential;
    int64_t now_us;
};

// Steps of a plan, carried out in this order; each is idempotent.
enum plan_step {
    PLAN_ASSIGN_IDENTITY = 1 << 0, // the identity exists in the hub with these credentials and capabilities
    PLAN_SET_TWIN = 1 << 1,        // tags and desired properties are those of the enrollment
};

struct decision {
    const struct enrollment *enrollment; // that admitted the device
    struct secret primary_key;           // what the hub will accept from the device
    struct secret secondary_key;
    struct slice device_id;
    const struct linked_hub *hub;
    bool moves;     // the device is to be taken to another hub than the prior one
    uint32_t steps; // enum plan_step bits
    enum registration_substatus substatus;
};

// match and attest: who is this, and is it let in? Fills enrollment and the keys. All failures are of class
// AUTH; ERR_ENROLLMENT_DISABLED only for a device that proved itself. A device unknown to the service costs
// as much time as a known one (threats B6).
struct err decide_admission(const struct admission *admission, struct arena *arena, struct decision *out,
                            struct trace *trace, struct why *why);
// allocate, reprovision and plan, for a device that decide_admission let in. ERR_NO_HUB when there is no
// candidate.
struct err decide_plan(const struct admission *admission, struct arena *arena, struct decision *out,
                       struct trace *trace, struct why *why);
// For an operation that a restart interrupted: the device proved itself then; now only the prior
// registration's intention, and the enrollment that it names, count. Fills all that decide_admission and
// decide_plan do. ERR_ENROLLMENT_NOT_FOUND, ERR_ENROLLMENT_DISABLED or ERR_NO_HUB when it cannot be carried
// on.
struct err decide_resume(const struct admission *admission, struct arena *arena, struct decision *out,
                         struct trace *trace, struct why *why);

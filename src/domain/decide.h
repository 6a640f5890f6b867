// The decision core: may this device in, and if so, which hub is it taken to by which steps? Pure functions
// of what is known; every rule applied leaves a line in the trace. No clock, no randomness, no I/O: so that
// explain, dry run and simulation are the same code as the real thing.
//
//   match -> attest -> reprovision -> allocate -> plan
#pragma once

#include "crypto/path.h"
#include "crypto/sas.h"
#include "crypto/tpm.h"
#include "domain/ca_certificate.h"
#include "domain/enrollment.h"
#include "domain/registration.h"
#include "domain/service.h"
#include "domain/trace.h"

// How the device proves itself.
enum credential_kind { CREDENTIAL_NONE, CREDENTIAL_SAS, CREDENTIAL_X509, CREDENTIAL_TPM };

// What a TPM device says that its TPM is. Its proof is a token made with a key that was sent to it so that
// only this TPM can use it: the challenge.
struct tpm_identity {
    struct slice endorsement_key;  // TPM2B_PUBLIC; passed tpm_public_check
    struct slice storage_root_key; // the same
};

struct credential {
    enum credential_kind kind;
    struct sas_token sas; // SAS; TPM: only when `answered`
    // X509: what the device showed in the handshake. TPM: the certificate of its endorsement key and those
    // above it, or NULL. Held by whoever holds the credential.
    struct chain *chain;
    struct tpm_identity tpm;
    bool answered; // TPM: `sas` is there and `challenge` is the key that was planted
    struct secret challenge;
};

struct hub_condition {
    bool failing;    // it does not answer, or refuses the service
    int64_t devices; // of the service at that hub; counted only for one with a capacity
};

// What the webhook of custom allocation answered, read by custom_answer_read (domain/custom.h).
struct custom_answer {
    struct slice hub;     // host; that it is one of the candidates is for the decision
    bool has_twin;        // it overrides migration, and the enrollment's (service-api C.2)
    struct slice twin;    // JSON text of an InitialTwin, or empty
    struct slice payload; // JSON text, or empty
};

// Everything known about a device at the moment of deciding.
struct admission {
    const struct service *service;
    struct slice registration_id; // as the device wrote it
    const struct enrollment *individual;
    const struct enrollment *const *groups; // candidates when there is no individual enrollment
    size_t group_count;
    const struct registration *prior; // or NULL
    const struct enrollment *former;  // the group that admitted the device before, if it is still there
    // For a device that shows certificates or has a TPM: what was found by the words of its lookup. groups
    // then holds the groups that have or refer to one of the certificates, and may be there beside an
    // individual enrollment.
    const struct ca_certificate *const *certificates;
    size_t certificate_count;
    const struct ca_crl *const *crls;
    size_t crl_count;
    const struct enrollment *const *holders; // disabled individual enrollments with its certificate or TPM
    size_t holder_count;
    bool cut; // there may be more groups or certificates than these, or more should have been looked for
    struct issuers *issuers; // decoded certificates that are kept from one decision to the next
    bool expired_anchors;    // a CA certificate counts although it expired
    struct place place;      // where the device is, if that could be found
    // How each of service->hubs is doing, in that order; NULL: all well, and none counted.
    const struct hub_condition *conditions;
    struct slice api_version;           // the device's, such as "2019-03-31", or empty
    const struct custom_answer *answer; // the webhook's, or NULL: not asked yet
    struct credential credential;
    int64_t now_us;
};

// Steps of a plan, carried out in this order; each is idempotent.
enum plan_step {
    PLAN_ASSIGN_IDENTITY = 1 << 0, // the identity exists in the hub with these credentials and capabilities
    PLAN_SET_TWIN = 1 << 1, // tags and desired properties are those of the enrollment, or of the webhook
    PLAN_RESET = 1 << 2,    // and nothing else stays: an identity that is there already is made anew
    // Tags, desired and reported properties are those that the device has at the hub that it leaves
    // (decision.left); when it has none there, as SET_TWIN. Cleared once they stand at the new hub.
    PLAN_MIGRATE = 1 << 3,
    PLAN_REMOVE_LEFT = 1 << 4, // the identity at decision.left is gone
};

struct decision {
    const struct enrollment *enrollment; // that admitted the device
    // A TPM that is known but has not proved itself: let in no further than to be sent a challenge.
    bool challenge;
    // The hub is to get a key that nobody had before, and the device gets it wrapped for its TPM (service-api
    // H.3): primary_key is empty, whoever carries the plan out makes it and keeps it in registration.hub_key.
    // Of an operation that is resumed, primary_key is the one that is kept there.
    bool fresh_key;
    struct slice tpm;                       // for whom that key is: a word (domain/words.h)
    enum hub_authentication authentication; // what the hub will accept from the device: keys, or thumbprints
    struct secret primary_key;
    struct secret secondary_key;
    struct slice
        primary_thumbprint; // SHA-256 of the certificate that the device showed: 64 hex digits, capitals
    struct slice secondary_thumbprint; // of the other one that it may show; the same when there is none
    struct slice device_id;
    const struct linked_hub *hub;
    bool moves;     // the device is to be taken to another hub than the prior one
    bool held_back; // it would move, but what it left behind before is to be removed first: it stays for now
    const struct linked_hub *const *candidates; // when a hub was or is to be chosen: those it may be
    size_t candidate_count;
    // Custom allocation, and the webhook has not been asked: it is to choose among `candidates`, and
    // decide_plan is called again with its answer. Of what is said about hubs nothing else is filled; what is
    // written down meanwhile has device_id as its intended_device_id, which keeps the device's spelling.
    bool ask;
    const struct linked_hub *left; // what PLAN_MIGRATE and PLAN_REMOVE_LEFT are about; else NULL
    // What the record names as left behind from the intention on, whatever the steps are: also a hub that is
    // no longer linked. Empty: nothing.
    struct slice left_host;
    struct slice left_device_id;
    struct slice twin;    // of PLAN_SET_TWIN: JSON text of an InitialTwin; empty: both empty
    struct slice payload; // what the registration shows the device, from a webhook; or empty
    uint32_t steps;       // enum plan_step bits; 0: all is done
    enum registration_substatus substatus;
};

// What to look up for a device: nothing but its ID when it proves itself by a key; with certificates or a
// TPM, the words of all that may be above the leaf, and of enrollments that block it.
enum { LOOKUP_WORDS_MAX = 12, LOOKUP_CRLS_MAX = 4 };
struct lookup {
    struct slice words[LOOKUP_WORDS_MAX];
    size_t word_count;
    struct slice
        crls[LOOKUP_CRLS_MAX]; // names (lower case) of CA certificates whose revocation list is not kept
    size_t crl_count;
    bool cut; // not all that should be looked for fits
};
// Adds what is still missing: at first what the credential says, and after each look what the certificates
// found say (a device may send its leaf alone). *more is false when nothing was added. Text is made in the
// arena, which lives as long as the lookup.
struct err decide_lookup(const struct admission *admission, struct arena *arena, struct lookup *lookup,
                         bool *more);

// match and attest: who is this, and is it let in? Fills enrollment and the keys. All failures are of class
// AUTH; ERR_ENROLLMENT_DISABLED only for a device that proved itself. OK with out->challenge says of a TPM
// that it may be asked for a proof, and nothing else: decide_plan is not for it. A device unknown to the
// service costs as much time as a known one (threats B6).
struct err decide_admission(const struct admission *admission, struct arena *arena, struct decision *out,
                            struct trace *trace, struct why *why);
// reprovision, allocate and plan, for a device that decide_admission let in, or a decision that was made with
// `ask`. ERR_NO_HUB when there is no candidate; ERR_WEBHOOK when the webhook's answer names none of them.
struct err decide_plan(const struct admission *admission, struct arena *arena, struct decision *out,
                       struct trace *trace, struct why *why);
// For an operation that a restart interrupted: the device proved itself then; now only the prior
// registration's intention, and the enrollment that it names, count, and nothing of the credential. Fills all
// that decide_admission and decide_plan do; the steps are those that were left to do. An operation without an
// intended hub was waiting for a webhook: it is allocated again, from admission->answer, or with `ask`.
// ERR_ENROLLMENT_NOT_FOUND, ERR_ENROLLMENT_DISABLED, ERR_NO_HUB or ERR_WEBHOOK when it cannot be carried on.
struct err decide_resume(const struct admission *admission, struct arena *arena, struct decision *out,
                         struct trace *trace, struct why *why);

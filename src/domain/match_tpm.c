// Which enrollment speaks for a device with a TPM (device-protocol 6): its individual one if there is one,
// by the endorsement key; else the group that refers to the nearest certificate above that of the endorsement
// key. A TPM whose individual enrollment is disabled is of no use under another name either. Whether the
// device has that TPM is attest.c's.
#include "domain/match.h"

#include "domain/ways.h"
#include "domain/words.h"

// ---- the certificate of the endorsement key

static struct err check_certificate(const struct admission *admission, struct why *why)
{
    const struct credential *credential = &admission->credential;
    if (credential->chain == NULL)
        return why_fail(
            why, ERR_CERTIFICATE_REFUSED,
            "the TPM sent no certificate of its endorsement key, which the service requires: send "
            "it in tpm.endorsementCertificates, or set tpmEndorsementCertificates to optional");
    const struct why *problem = chain_problem(credential->chain);
    if (problem != NULL)
        return why_fail(why, ERR_CERTIFICATE_REFUSED, "%s", problem->text);
    return tpm_certificate_is_of(chain_leaf(credential->chain), credential->tpm.endorsement_key, why);
}

struct err match_group_endorses(const struct admission *admission, const struct enrollment *group,
                                struct arena *arena)
{
    TRY(check_certificate(admission, NULL));
    return match_group_vouches(admission, group, arena);
}

// ---- individual enrollments

static struct err wrong_key(const struct admission *admission, const struct enrollment *e, struct why *why)
{
    char name[TPM_REGISTRATION_ID];
    TRY(tpm_registration_id(admission->credential.tpm.endorsement_key, name));
    return why_fail(why, ERR_TPM_KEY,
                    "the endorsement key of the device's TPM (which calls itself %.*s) is not the one that "
                    "individual enrollment %.*s has: enroll that of this TPM, or look which TPM it is",
                    TPM_REGISTRATION_ID, name, SLICE_ARG(slice_to(e->id, 64)));
}

static struct err match_individual(const struct admission *admission, struct decision *out,
                                   struct trace *trace, struct arena *arena, struct why *why)
{
    const struct enrollment *e = admission->individual;
    const struct attestation *a = &e->attestation;
    struct ways ways;
    if (a->type != ATTESTATION_TPM)
        return why_fail(why, ERR_ATTESTATION_TYPE,
                        "individual enrollment %.*s expects %s, and the device proves itself with a TPM",
                        SLICE_ARG(e->id), attestation_type_names.words[a->type]);
    if (a->endorsement_key.len == 0 ||
        !slice_equal(a->endorsement_key, admission->credential.tpm.endorsement_key))
        return wrong_key(admission, e, why);
    if (admission->service->tpm_certificate_required) {
        TRY(check_certificate(admission, why));
        TRY(ways_find(admission, &ways, trace, arena, why));
    }
    trace_add(trace, arena, "match", "the endorsement key is the enrollment's%s",
              admission->service->tpm_certificate_required ? ", and its certificate holds" : "");
    out->enrollment = e;
    return OK;
}

// ---- groups

// One TPM is one device: nobody chooses its name, and no other device can have it.
static struct err check_name(const struct admission *admission, struct why *why)
{
    char own[TPM_REGISTRATION_ID];
    TRY(tpm_own_registration_id(admission->credential.tpm.endorsement_key, own));
    if (slice_equal_nocase(admission->registration_id, slice_of(own, sizeof own)))
        return OK;
    return why_fail(why, ERR_IDENTITY_MISMATCH,
                    "no individual enrollment has the registration ID %.*s, and enrollment groups know this "
                    "TPM only as %.*s: let the device register under that ID, or enroll it individually",
                    SLICE_ARG(slice_to(admission->registration_id, 64)), TPM_REGISTRATION_ID, own);
}

static struct err match_group(const struct admission *admission, struct decision *out, struct trace *trace,
                              struct arena *arena, struct why *why)
{
    if (admission->credential.chain == NULL)
        return why_fail(why, ERR_REGISTRATION_UNKNOWN,
                        "no individual enrollment has the registration ID %.*s, and the TPM sent no "
                        "certificate of its endorsement key for a group: enroll the key, or send "
                        "tpm.endorsementCertificates",
                        SLICE_ARG(slice_to(admission->registration_id, 64)));
    TRY(check_name(admission, why));
    TRY(check_certificate(admission, why));
    return match_nearest_group(admission, &out->enrollment, trace, arena, why);
}

// ---- all of it

// The disabled individual enrollment of this TPM, whatever its ID, or NULL. By the modulus, because the rest
// of the public key can be written otherwise without another TPM (tpm_own_registration_id).
static const struct enrollment *disabled_holder(const struct admission *admission)
{
    struct slice modulus = tpm_modulus(admission->credential.tpm.endorsement_key);
    for (size_t i = 0; i < admission->holder_count; i++) {
        const struct enrollment *e = admission->holders[i];
        if (enrollment_disabled(e) && e->attestation.type == ATTESTATION_TPM &&
            slice_equal(tpm_modulus(e->attestation.endorsement_key), modulus))
            return e;
    }
    return NULL;
}

// Only a TPM that would be let in is stopped by the enrollment of another name: the registration ID is the
// device's to choose, and a stranger that is blocked elsewhere leaves no mark on what has that ID.
struct err match_tpm(const struct admission *admission, struct decision *out, struct trace *trace,
                     struct arena *arena, struct why *why)
{
    static const struct match_rules rules = {match_individual, match_group};
    TRY(match_by_rules(&rules, admission, out, trace, arena, why));
    const struct enrollment *holder = disabled_holder(admission);
    if (holder != NULL && holder != out->enrollment) {
        trace_add(trace, arena, "match", "individual enrollment %.*s, disabled, has this TPM",
                  SLICE_ARG(holder->id));
        out->enrollment = holder;
    }
    out->challenge = !admission->credential.answered;
    out->fresh_key = admission->credential.answered;
    out->authentication = HUB_AUTH_SAS;
    return out->fresh_key
               ? word_of_endorsement_key(arena, admission->credential.tpm.endorsement_key, &out->tpm)
               : OK;
}

// Deciding without a proof: an operation that a restart interrupted goes on for a device that proved itself
// before.
#include "domain/decide.h"

#include "domain/match.h"
#include "domain/reprovision.h"

static const struct enrollment *enrollment_of(const struct admission *admission)
{
    const struct registration *prior = admission->prior;
    if (prior->enrollment_kind == ENROLLMENT_INDIVIDUAL)
        return admission->individual;
    if (admission->former != NULL)
        return admission->former;
    for (size_t i = 0; i < admission->group_count; i++) {
        if (slice_equal_nocase(admission->groups[i]->id, prior->enrollment_id))
            return admission->groups[i];
    }
    return NULL;
}

static struct err take_keys(const struct admission *admission, const struct enrollment *e,
                            struct decision *out)
{
    out->authentication = HUB_AUTH_SAS;
    if (e->kind == ENROLLMENT_GROUP)
        return match_group_keys(e, reprovision_spelling(admission), &out->primary_key, &out->secondary_key);
    out->primary_key = e->attestation.primary_key;
    out->secondary_key = e->attestation.secondary_key;
    return OK;
}

// An enrollment that pins certificates may have been given others meanwhile, as after a breach (service-api
// E.4).
static struct err take_pinned(const struct admission *admission, const struct enrollment *e,
                              struct arena *arena, struct decision *out, struct why *why)
{
    struct slice shown = admission->prior->primary_thumbprint;
    struct slice first, second;
    TRY(match_thumbprint(e->attestation.primary_certificate, arena, &first));
    TRY(match_thumbprint(e->attestation.secondary_certificate, arena, &second));
    bool primary = slice_equal_nocase(first, shown);
    if (!primary && !slice_equal_nocase(second, shown))
        return why_fail(why, ERR_ENROLLMENT_NOT_FOUND,
                        "enrollment %.*s no longer has the certificate with which the device proved itself",
                        SLICE_ARG(e->id));
    out->secondary_thumbprint = primary ? second : first;
    return OK;
}

// What the record says of it: a thumbprint or a key that only this device has was written down with the
// intention.
static enum attestation_type proved_with(const struct registration *prior)
{
    if (prior->primary_thumbprint.len > 0)
        return ATTESTATION_X509;
    return prior->hub_key.len > 0 ? ATTESTATION_TPM : ATTESTATION_SYMMETRIC_KEY;
}

static struct err take_thumbprints(const struct admission *admission, const struct enrollment *e,
                                   struct arena *arena, struct decision *out, struct why *why)
{
    const struct registration *prior = admission->prior;
    out->authentication = HUB_AUTH_SELF_SIGNED;
    out->primary_thumbprint = prior->primary_thumbprint;
    out->secondary_thumbprint =
        prior->secondary_thumbprint.len > 0 ? prior->secondary_thumbprint : prior->primary_thumbprint;
    return e->attestation.certificate_role == CERTIFICATE_CLIENT ? take_pinned(admission, e, arena, out, why)
                                                                 : OK;
}

// What the hub is to be told of the device, as it was when it proved itself.
static struct err take_identity(const struct admission *admission, const struct enrollment *e,
                                struct arena *arena, struct decision *out, struct why *why)
{
    static const char *const words[] = {[ATTESTATION_SYMMETRIC_KEY] = "symmetric keys",
                                        [ATTESTATION_X509] = "certificates",
                                        [ATTESTATION_TPM] = "a TPM"};
    enum attestation_type meant = proved_with(admission->prior);
    if (e->attestation.type != meant)
        return why_fail(why, ERR_ENROLLMENT_NOT_FOUND,
                        "enrollment %.*s no longer has %s, with which the device proved itself",
                        SLICE_ARG(e->id), words[meant]);
    if (meant == ATTESTATION_SYMMETRIC_KEY)
        return take_keys(admission, e, out);
    if (meant == ATTESTATION_X509)
        return take_thumbprints(admission, e, arena, out, why);
    // nobody but its TPM is ever given this key (hub_key_tpm), whatever endorsement key is enrolled by now
    out->authentication = HUB_AUTH_SAS;
    out->fresh_key = true;
    out->primary_key = admission->prior->hub_key;
    out->tpm = admission->prior->hub_key_tpm;
    return OK;
}

struct err match_former(const struct admission *admission, struct decision *out, struct trace *trace,
                        struct arena *arena, struct why *why)
{
    const struct enrollment *e = enrollment_of(admission);
    if (e == NULL)
        return why_fail(why, ERR_ENROLLMENT_NOT_FOUND, "the enrollment that admitted the device is gone");
    trace_add(trace, arena, "match", "enrollment %.*s, which admitted it before", SLICE_ARG(e->id));
    if (enrollment_disabled(e))
        return why_fail(why, ERR_ENROLLMENT_DISABLED, "enrollment %.*s was disabled meanwhile",
                        SLICE_ARG(e->id));
    // one device of a group is blocked by an enrollment of its own, whatever that expects (service-api E.3)
    const struct enrollment *own = admission->individual;
    if (own != NULL && enrollment_disabled(own))
        return why_fail(why, ERR_ENROLLMENT_DISABLED,
                        "the device was blocked meanwhile by its disabled individual enrollment %.*s",
                        SLICE_ARG(own->id));
    out->enrollment = e;
    return OK;
}

static struct err readmit(const struct admission *admission, struct arena *arena, struct decision *out,
                          struct trace *trace, struct why *why)
{
    TRY(match_former(admission, out, trace, arena, why));
    // without an intended hub, a webhook was asked for one: it is asked again
    bool chosen = admission->prior->intended_hub.len > 0;
    if (chosen && reprovision_standing(admission).situation != SITUATION_UNDER_WAY)
        return why_fail(why, ERR_NO_HUB,
                        "the hub %.*s, where the device was being taken, is no longer linked",
                        SLICE_ARG(admission->prior->intended_hub));
    return take_identity(admission, out->enrollment, arena, out, why);
}

struct err decide_resume(const struct admission *admission, struct arena *arena, struct decision *out,
                         struct trace *trace, struct why *why)
{
    *out = (struct decision){0};
    struct admission known = *admission;
    known.credential = (struct credential){0}; // the device is not here
    struct err e = readmit(&known, arena, out, trace, why);
    if (!failed(e))
        e = decide_plan(&known, arena, out, trace, why);
    if (failed(e))
        match_forget(out);
    return e;
}

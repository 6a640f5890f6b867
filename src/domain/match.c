// Which enrollment speaks for a device that signs with a key: its individual one if there is one, even if it
// is disabled or of another type; else the first group whose derived key made the signature.
#include "domain/match.h"

#include "crypto/keys.h"

static struct err match_individual(const struct admission *admission, struct decision *out,
                                   struct trace *trace, struct arena *arena, struct why *why)
{
    const struct enrollment *e = admission->individual;
    const struct attestation *a = &e->attestation;
    trace_add(trace, arena, "match", "individual enrollment %.*s", SLICE_ARG(e->id));
    if (a->type != ATTESTATION_SYMMETRIC_KEY) {
        attest_nothing(&admission->credential);
        return why_fail(
            why, ERR_ATTESTATION_TYPE,
            "individual enrollment %.*s expects %s, and the device proves itself with a symmetric key",
            SLICE_ARG(e->id), attestation_type_names.words[a->type]);
    }
    struct err verified = sas_verify(&admission->credential.sas, &a->primary_key, &a->secondary_key);
    if (verified.code == ERR_SAS_SIGNATURE)
        return why_fail(
            why, ERR_SAS_SIGNATURE,
            "neither key of individual enrollment %.*s made the signature: compare the device's key with the "
            "enrollment's",
            SLICE_ARG(e->id));
    TRY(verified);
    out->enrollment = e;
    out->primary_key = a->primary_key;
    out->secondary_key = a->secondary_key;
    return OK;
}

static struct err derive(const struct secret *key, struct slice registration_id, struct secret *out)
{
    *out = (struct secret){0};
    return key->len == 0 ? OK : key_derive(key, registration_id, out);
}

struct err match_group_keys(const struct enrollment *group, struct slice registration_id,
                            struct secret *primary, struct secret *secondary)
{
    TRY(derive(&group->attestation.primary_key, registration_id, primary));
    return derive(&group->attestation.secondary_key, registration_id, secondary);
}

// ERR_SAS_SIGNATURE when the group's key for this spelling of the registration ID did not make the signature;
// the keys are left in *out only when it did.
static struct err try_group(const struct admission *admission, const struct enrollment *group,
                            struct slice spelling, struct decision *out)
{
    struct err e = match_group_keys(group, spelling, &out->primary_key, &out->secondary_key);
    if (!failed(e))
        e = sas_verify(&admission->credential.sas, &out->primary_key, &out->secondary_key);
    if (failed(e)) {
        secret_wipe(&out->primary_key);
        secret_wipe(&out->secondary_key);
        return e;
    }
    out->enrollment = group;
    return OK;
}

// Why no group matched. That a device signs with the group's own key is the commonest mistake, so it is
// looked for, but among so few groups only that strangers cannot keep us busy with it.
static struct err no_group(const struct admission *admission, struct why *why)
{
    enum { LOOKED_AT = 100 };
    for (size_t i = 0; i < admission->group_count && i < LOOKED_AT; i++) {
        const struct enrollment *group = admission->groups[i];
        const struct attestation *a = &group->attestation;
        if (a->type == ATTESTATION_SYMMETRIC_KEY &&
            !failed(sas_verify(&admission->credential.sas, &a->primary_key, &a->secondary_key))) {
            return why_fail(
                why, ERR_SAS_SIGNATURE,
                "signed with the key of group %.*s itself; derive a device key: `usher key derive --group "
                "%.*s %.*s`",
                SLICE_ARG(slice_to(group->id, 40)), SLICE_ARG(slice_to(group->id, 40)),
                SLICE_ARG(slice_to(admission->registration_id, 40)));
        }
    }
    return why_fail(
        why, ERR_SAS_SIGNATURE,
        "no individual enrollment has this registration ID, and the derived key of none of the %zu groups "
        "made "
        "the signature: enroll the device, or derive its key from the group's and exactly this ID",
        admission->group_count);
}

// The ID as the device spells it, and in small letters: its key was derived from one of them.
static struct err spell(const struct admission *admission, struct arena *arena, struct slice spellings[2],
                        size_t *count)
{
    spellings[0] = admission->registration_id;
    TRY(arena_lower(arena, admission->registration_id, &spellings[1]));
    *count = slice_equal(spellings[0], spellings[1]) ? 1 : 2;
    return OK;
}

static struct err match_group(const struct admission *admission, struct decision *out, struct trace *trace,
                              struct arena *arena, struct why *why)
{
    struct slice spellings[2];
    size_t count = 0;
    TRY(spell(admission, arena, spellings, &count));
    for (size_t i = 0; i < admission->group_count; i++) {
        const struct enrollment *group = admission->groups[i];
        for (size_t k = 0; k < count && group->attestation.type == ATTESTATION_SYMMETRIC_KEY; k++) {
            struct err e = try_group(admission, group, spellings[k], out);
            if (!failed(e))
                trace_add(trace, arena, "match", "enrollment group %.*s, by its derived key",
                          SLICE_ARG(group->id));
            if (e.code != ERR_SAS_SIGNATURE)
                return e;
        }
    }
    trace_add(trace, arena, "match", "none of %zu enrollment groups", admission->group_count);
    return no_group(admission, why);
}

struct err match_key(const struct admission *admission, struct decision *out, struct trace *trace,
                     struct arena *arena, struct why *why)
{
    if (admission->individual != NULL)
        return match_individual(admission, out, trace, arena, why);
    if (admission->group_count > 0)
        return match_group(admission, out, trace, arena, why);
    attest_nothing(&admission->credential);
    return why_fail(why, ERR_REGISTRATION_UNKNOWN,
                    "no enrollment has the registration ID %.*s, and the service has no enrollment group for "
                    "symmetric keys: create one of them",
                    SLICE_ARG(admission->registration_id));
}

struct err match_group_made_it(const struct admission *admission, const struct enrollment *group,
                               struct arena *arena)
{
    struct slice spellings[2];
    size_t count = 0;
    struct err e = FAIL(ERR_SAS_SIGNATURE);
    TRY(spell(admission, arena, spellings, &count));
    for (size_t k = 0; k < count && e.code == ERR_SAS_SIGNATURE; k++) {
        struct decision tried = {0};
        if (group->attestation.type == ATTESTATION_SYMMETRIC_KEY)
            e = try_group(admission, group, spellings[k], &tried);
        secret_wipe(&tried.primary_key);
        secret_wipe(&tried.secondary_key);
    }
    return e;
}

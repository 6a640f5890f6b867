// The TPM of an enrollment: one device is known by its endorsement key, a group by who certified those of its
// TPMs. The latter is ours: Azure has no groups of TPMs.
#include "domain/attestation.h"
#include "domain/want.h"

#include "crypto/tpm.h"

// What is wrong with a key is told to whoever enrolls it, not to the device that comes with it later.
static struct err read_endorsement_key(struct arena *arena, const struct json_in *tpm, struct slice *out,
                                       struct why *why)
{
    struct why problem = {0};
    TRY(want_bytes(tpm, "endorsementKey", JSON_REQUIRED, TPM_PUBLIC_MAX, arena, out, why));
    struct err e = tpm_public_check(*out, TPM_ENDORSEMENT_KEY, &problem);
    return e.code == ERR_INVALID ? json_refuse(tpm, "endorsementKey", why, "is refused: %s", problem.text)
                                 : e;
}

static struct err read_group(struct arena *arena, const struct json_in *in, struct attestation *out,
                             struct why *why)
{
    struct json_in tpm;
    struct json_in pair;
    TRY(json_want_object(in, "tpm", JSON_OPTIONAL, &tpm, why));
    if (!json_given(json_get(tpm.object, "caReferences")))
        return json_refuse(in, "type", why,
                           "must not be tpm in an enrollment group, unless tpm.caReferences names CA "
                           "certificates that vouch for the TPMs' endorsement keys; a single endorsementKey "
                           "is for an individual enrollment");
    if (json_given(json_get(tpm.object, "endorsementKey")))
        return json_refuse(&tpm, "endorsementKey", why,
                           "is for individual enrollments; a group takes caReferences");
    TRY(json_want_object(&tpm, "caReferences", JSON_REQUIRED, &pair, why));
    out->certificate_role = CERTIFICATE_CA_REFERENCE;
    return attestation_read_references(arena, &pair, out, why);
}

struct err attestation_read_tpm(struct arena *arena, const struct json_in *in, enum enrollment_kind kind,
                                const struct attestation *stored, struct attestation *out, struct why *why)
{
    struct json_in tpm;
    (void)stored;
    if (kind == ENROLLMENT_GROUP)
        return read_group(arena, in, out, why);
    TRY(json_want_object(in, "tpm", JSON_REQUIRED, &tpm, why));
    if (json_given(json_get(tpm.object, "caReferences")))
        return json_refuse(&tpm, "caReferences", why,
                           "is for enrollment groups; a single device takes endorsementKey");
    TRY(read_endorsement_key(arena, &tpm, &out->endorsement_key, why));
    // kept and shown; not compared with a device's, because it changes with the TPM's owner
    return want_bytes(&tpm, "storageRootKey", JSON_OPTIONAL, TPM_PUBLIC_MAX, arena, &out->storage_root_key,
                      why);
}

struct err attestation_write_tpm(struct json_writer *w, const struct attestation *a)
{
    json_key(w, "tpm");
    json_object_open(w);
    field_base64_if(w, "endorsementKey", a->endorsement_key);
    field_base64_if(w, "storageRootKey", a->storage_root_key);
    if (a->certificate_role == CERTIFICATE_CA_REFERENCE) {
        json_key(w, certificate_role_names.words[CERTIFICATE_CA_REFERENCE]);
        json_object_open(w);
        json_field_text_if(w, "primary", a->primary_ca);
        json_field_text_if(w, "secondary", a->secondary_ca);
        json_object_close(w);
    }
    json_object_close(w);
    return OK;
}

// How a device of an enrollment proves itself: reading and writing the JSON of service-api A.5. One row per
// type; x509 and tpm have files of their own.
#include "domain/attestation.h"
#include "domain/want.h"

// Keys that the operator leaves out on an update stay as they are.
static struct err read_symmetric_key(struct arena *arena, const struct json_in *in, enum enrollment_kind kind,
                                     const struct attestation *stored, struct attestation *out,
                                     struct why *why)
{
    struct json_in keys;
    (void)arena;
    (void)kind;
    if (stored != NULL && stored->type == ATTESTATION_SYMMETRIC_KEY) {
        out->primary_key = stored->primary_key;
        out->secondary_key = stored->secondary_key;
    }
    TRY(json_want_object(in, "symmetricKey", JSON_OPTIONAL, &keys, why));
    TRY(want_key(&keys, "primaryKey", JSON_OPTIONAL, &out->primary_key, why));
    return want_key(&keys, "secondaryKey", JSON_OPTIONAL, &out->secondary_key, why);
}

static struct err write_symmetric_key(struct json_writer *w, const struct attestation *a)
{
    json_key(w, "symmetricKey");
    json_object_open(w);
    field_base64_if(w, "primaryKey", secret_slice(&a->primary_key));
    field_base64_if(w, "secondaryKey", secret_slice(&a->secondary_key));
    json_object_close(w);
    return OK;
}

static const struct {
    struct err (*read)(struct arena *arena, const struct json_in *in, enum enrollment_kind kind,
                       const struct attestation *stored, struct attestation *out, struct why *why);
    struct err (*write)(struct json_writer *w, const struct attestation *a);
    bool secret; // written only in the view with keys
} types[] = {
    [ATTESTATION_NONE] = {NULL, NULL, false},
    [ATTESTATION_SYMMETRIC_KEY] = {read_symmetric_key, write_symmetric_key, true},
    [ATTESTATION_X509] = {attestation_read_x509, attestation_write_x509, false},
    [ATTESTATION_TPM] = {attestation_read_tpm, attestation_write_tpm, false},
};

struct err attestation_read(struct arena *arena, const struct json_in *in, enum enrollment_kind kind,
                            const struct attestation *stored, struct attestation *out, struct why *why)
{
    unsigned type = ATTESTATION_NONE;
    *out = (struct attestation){0};
    TRY(want_word(in, "type", JSON_REQUIRED, &attestation_type_names, &type, why));
    if (types[type].read == NULL)
        return json_refuse(in, "type", why, "must be symmetricKey, x509 or tpm");
    out->type = (enum attestation_type)type;
    return types[type].read(arena, in, kind, stored, out, why);
}

struct err attestation_write(struct json_writer *w, const struct attestation *a, enum enrollment_view view)
{
    struct err e = OK;
    json_object_open(w);
    field_word_if(w, "type", &attestation_type_names, a->type);
    if (types[a->type].write != NULL && (view == ENROLLMENT_WITH_KEYS || !types[a->type].secret))
        e = types[a->type].write(w, a);
    json_object_close(w);
    return failed(e) ? e : buf_err(w->out);
}

// The certificates of an enrollment: three forms, of which exactly one is given (service-api A.5).
#include "domain/attestation.h"
#include "domain/want.h"

#include "crypto/certificate.h"

enum { CA_NAME_MAX = 256, INFO_ARENA = 64 * 1024 };

// Which kind of enrollment takes which form.
struct form {
    enum certificate_role role;
    enum enrollment_kind kind;
    bool any_kind; // `kind` does not matter
    const char *meant_for;
};

static const struct form forms[] = {
    {CERTIFICATE_CLIENT, ENROLLMENT_INDIVIDUAL, false,
     "individual enrollments; a group takes signingCertificates"},
    {CERTIFICATE_SIGNING, ENROLLMENT_GROUP, false,
     "enrollment groups; a single device takes clientCertificates"},
    {CERTIFICATE_CA_REFERENCE, ENROLLMENT_GROUP, true, "all"},
};
enum { FORMS = sizeof forms / sizeof forms[0] };

static const char *name_of_form(const struct form *form)
{
    return certificate_role_names.words[form->role];
}

// The stored certificate that stays when the operator sends back its `info` without the certificate itself,
// as a client does that reads, changes and writes an enrollment: the one that `info` names, wherever in the
// pair it has been moved to; without a thumbprint the one in this place. One that is not stored cannot stay,
// nor another in its stead.
static struct err find_kept(struct arena *arena, const struct json_in *one, const struct attestation *stored,
                            struct slice in_place, struct slice *out)
{
    const struct json *named = json_get(json_get(one->object, "info"), "sha256Thumbprint");
    const struct slice all[] = {stored->primary_certificate, stored->secondary_certificate};
    *out = json_given(named) ? (struct slice){0} : in_place;
    if (!json_given(named))
        return OK;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct certificate_info info = {0};
        if (all[i].len == 0)
            continue;
        TRY(certificate_describe(arena, all[i], &info, NULL));
        if (slice_equal_nocase(info.sha256_thumbprint, json_as_string(named)))
            *out = all[i];
    }
    return OK;
}

static struct err read_certificate(struct arena *arena, const struct json_in *pair, const char *name,
                                   const struct attestation *stored, struct slice in_place, struct slice *out,
                                   struct why *why)
{
    struct json_in one;
    struct slice text = {0};
    struct why problem = {0};
    TRY(json_want_object(pair, name, JSON_OPTIONAL, &one, why));
    if (one.object == NULL)
        return OK;
    TRY(json_want_string(&one, "certificate", JSON_OPTIONAL, CERTIFICATE_TEXT_MAX, &text, why));
    if (text.len == 0) {
        struct slice kept;
        TRY(find_kept(arena, &one, stored, in_place, &kept));
        return kept.len > 0
                   ? arena_copy(arena, kept, out)
                   : json_refuse(&one, "certificate", why, "is missing, and there is no stored one to keep");
    }
    struct err e = certificate_read(arena, text, out, &problem);
    return e.code == ERR_INVALID ? json_refuse(&one, "certificate", why, "is refused: %s", problem.text) : e;
}

static struct err read_pair(struct arena *arena, const struct json_in *pair, const struct attestation *stored,
                            struct attestation *out, struct why *why)
{
    static const struct attestation nothing;
    if (stored == NULL || stored->type != ATTESTATION_X509 ||
        stored->certificate_role != out->certificate_role)
        stored = &nothing;
    TRY(read_certificate(arena, pair, "primary", stored, stored->primary_certificate,
                         &out->primary_certificate, why));
    TRY(read_certificate(arena, pair, "secondary", stored, stored->secondary_certificate,
                         &out->secondary_certificate, why));
    if (out->primary_certificate.len == 0 && out->secondary_certificate.len == 0)
        return json_refuse(pair, "primary", why, "is missing");
    if (out->secondary_certificate.len == 0)
        out->secondary_certificate = out->primary_certificate;
    return OK;
}

struct err attestation_read_references(struct arena *arena, const struct json_in *pair,
                                       struct attestation *out, struct why *why)
{
    TRY(want_copy(pair, "primary", JSON_OPTIONAL, CA_NAME_MAX, arena, &out->primary_ca, why));
    TRY(want_copy(pair, "secondary", JSON_OPTIONAL, CA_NAME_MAX, arena, &out->secondary_ca, why));
    if (out->primary_ca.len == 0 && out->secondary_ca.len == 0)
        return json_refuse(pair, "primary", why, "is missing: name a CA certificate of the service");
    return OK;
}

struct err attestation_read_x509(struct arena *arena, const struct json_in *in, enum enrollment_kind kind,
                                 const struct attestation *stored, struct attestation *out, struct why *why)
{
    struct json_in x509;
    struct json_in pair;
    const struct form *given = NULL;
    TRY(json_want_object(in, "x509", JSON_REQUIRED, &x509, why));
    for (size_t i = 0; i < FORMS; i++) {
        if (!json_given(json_get(x509.object, name_of_form(&forms[i]))))
            continue;
        if (given != NULL)
            return json_refuse(in, "x509", why, "has both %s and %s; give one", name_of_form(given),
                               name_of_form(&forms[i]));
        given = &forms[i];
    }
    if (given == NULL)
        return json_refuse(in, "x509", why, "needs clientCertificates, signingCertificates or caReferences");
    if (!given->any_kind && given->kind != kind)
        return json_refuse(&x509, name_of_form(given), why, "is for %s", given->meant_for);
    out->certificate_role = given->role;
    TRY(json_want_object(&x509, name_of_form(given), JSON_REQUIRED, &pair, why));
    return given->role == CERTIFICATE_CA_REFERENCE ? attestation_read_references(arena, &pair, out, why)
                                                   : read_pair(arena, &pair, stored, out, why);
}

static struct err write_certificate(struct json_writer *w, const char *name, struct slice der)
{
    struct arena arena = arena_capped(INFO_ARENA);
    struct certificate_info info = {0};
    if (der.len == 0)
        return OK;
    struct err e = certificate_describe(&arena, der, &info, NULL);
    if (!failed(e)) {
        json_key(w, name);
        json_object_open(w);
        json_key(w, "info");
        json_object_open(w);
        json_field_text(w, "subjectName", info.subject_name);
        json_field_text(w, "sha1Thumbprint", info.sha1_thumbprint);
        json_field_text(w, "sha256Thumbprint", info.sha256_thumbprint);
        json_field_text(w, "issuerName", info.issuer_name);
        json_field_text(w, "notBeforeUtc", info.not_before);
        json_field_text(w, "notAfterUtc", info.not_after);
        json_field_text(w, "serialNumber", info.serial_number);
        json_field_number(w, "version", info.version);
        json_object_close(w);
        json_object_close(w);
    }
    arena_release(&arena);
    return e.code == ERR_INVALID ? FAIL(ERR_INTERNAL) : e;
}

struct err attestation_write_x509(struct json_writer *w, const struct attestation *a)
{
    struct err e = OK;
    json_key(w, "x509");
    json_object_open(w);
    if (a->certificate_role != CERTIFICATE_NONE) {
        json_key(w, certificate_role_names.words[a->certificate_role]);
        json_object_open(w);
        json_field_text_if(w, "primary", a->primary_ca);
        json_field_text_if(w, "secondary", a->secondary_ca);
        e = write_certificate(w, "primary", a->primary_certificate);
        if (!failed(e))
            e = write_certificate(w, "secondary", a->secondary_certificate);
        json_object_close(w);
    }
    json_object_close(w);
    return e;
}

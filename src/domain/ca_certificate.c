// CA certificates as the control API takes and shows them, and the proof that their owner holds the key.
#include "domain/ca_certificate.h"

#include "base/instant.h"
#include "base/text.h"
#include "crypto/certificate.h"
#include "crypto/possession.h"
#include "domain/want.h"
#include "domain/words.h"

enum { INFO_ARENA = 64 * 1024, DAY_S = 24 * 3600, CODE_TEXT = 2 * POSSESSION_CODE_SIZE };

// ---- reading

// It stands in paths, so it is made of what needs no escape there (RFC 3986 2.3).
static struct err check_name(struct slice name, struct why *why)
{
    bool fits = name.len >= 1 && name.len <= CA_CERTIFICATE_NAME_MAX;
    for (size_t i = 0; i < name.len && fits; i++) {
        uint8_t c = name.at[i];
        fits = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
               c == '.' || c == '_' || c == '~';
    }
    if (fits)
        return OK;
    return why_fail(why, ERR_INVALID,
                    "the name of a CA certificate has 1 to 256 letters, digits, '-', '.', '_' or '~'");
}

static struct err read_certificate(struct arena *arena, const struct json_in *in, int64_t now_us,
                                   const struct ca_certificate *stored, struct ca_certificate *out,
                                   struct why *why)
{
    struct slice text = {0};
    struct slice der = {0};
    struct authority authority = {0};
    struct why problem = {0};
    TRY(json_want_string(in, "certificate", JSON_OPTIONAL, CERTIFICATE_TEXT_MAX, &text, why));
    if (text.len == 0)
        return stored != NULL ? OK
                              : json_refuse(in, "certificate", why,
                                            "is missing: PEM, or DER in base64 (PEM may be too)");
    struct err e = certificate_read(arena, text, &der, &problem);
    if (!failed(e))
        e = authority_check(der, now_us, &authority, &problem);
    if (e.code == ERR_INVALID)
        return json_refuse(in, "certificate", why, "is refused: %s", problem.text);
    TRY(e);
    if (stored == NULL || !slice_equal(der, stored->certificate))
        *out = (struct ca_certificate){.created_us = out->created_us,
                                       .updated_us = out->updated_us,
                                       .etag = out->etag,
                                       .crl_required = out->crl_required, // fail closed
                                       .certificate = der};
    out->not_after_us = authority.not_after_us;
    return OK;
}

struct err ca_certificate_read(struct arena *arena, const struct json *body, struct slice name,
                               const struct ca_certificate *stored, int64_t now_us,
                               struct ca_certificate *out, struct why *why)
{
    struct json_in root;
    struct json_in properties;
    TRY(check_name(name, why));
    TRY(json_in_root(body, "the CA certificate", &root, why));
    TRY(json_want_object(&root, "properties", JSON_OPTIONAL, &properties, why));
    const struct json_in *in = properties.object != NULL ? &properties : &root;
    struct ca_certificate read = stored != NULL ? *stored : (struct ca_certificate){0};
    read.created_us = out->created_us;
    read.updated_us = out->updated_us;
    read.etag = out->etag;
    TRY(read_certificate(arena, in, now_us, stored, &read, why));
    TRY(json_want_bool(in, "isVerified", JSON_OPTIONAL, &read.verified, why));
    TRY(arena_copy(arena, stored != NULL ? stored->name : name, &read.name));
    TRY(arena_copy(arena, read.certificate, &read.certificate));
    TRY(arena_copy(arena, read.crl_digest, &read.crl_digest));
    struct err e = ca_certificate_words(arena, &read, &read.words);
    if (e.code == ERR_INVALID)
        return json_refuse(in, "certificate", why, "has no name");
    TRY(e);
    *out = read;
    return OK;
}

// ---- writing (service-api B.5)

static void field_date(struct json_writer *w, const char *key, int64_t us)
{
    uint8_t room[40];
    struct buf text = {.at = room, .room = sizeof room, .cap = sizeof room};
    instant_format_http(&text, us);
    json_field_text(w, key, buf_slice(&text));
}

static struct slice code_text(const struct secret *code, uint8_t room[CODE_TEXT])
{
    struct buf hex = {.at = room, .room = CODE_TEXT, .cap = CODE_TEXT};
    hex_encode_upper(&hex, secret_slice(code));
    return buf_slice(&hex);
}

static void write_crl(struct json_writer *w, const struct ca_certificate *c)
{
    if (c->crl_digest.len == 0 && !c->crl_required)
        return;
    json_key(w, "crl");
    json_object_open(w);
    if (c->crl_next_update_us != 0)
        field_date(w, "nextUpdate", c->crl_next_update_us);
    json_field_bool(w, "required", c->crl_required);
    json_object_close(w);
}

static void write_properties(struct json_writer *w, const struct ca_certificate *c,
                             const struct certificate_info *info, bool with_code)
{
    uint8_t code[CODE_TEXT];
    json_object_open(w);
    json_field_text(w, "subject", info->subject_name);
    field_date(w, "expiry", c->not_after_us);
    json_field_text(w, "thumbprint", info->sha1_thumbprint);
    json_field_bool(w, "isVerified", c->verified);
    field_date(w, "created", c->created_us);
    field_date(w, "updated", c->updated_us);
    field_base64_if(w, "certificate", c->certificate);
    if (with_code && c->code.len > 0)
        json_field_text(w, "verificationCode", code_text(&c->code, code));
    write_crl(w, c);
    json_object_close(w);
}

struct err ca_certificate_write(struct json_writer *w, const struct ca_certificate *c, bool with_code)
{
    struct arena arena = arena_capped(INFO_ARENA);
    struct certificate_info info = {0};
    struct err e = certificate_describe(&arena, c->certificate, &info, NULL);
    if (!failed(e)) {
        json_object_open(w);
        json_field_text(w, "name", c->name);
        field_etag(w, c->etag);
        json_key(w, "properties");
        write_properties(w, c, &info, with_code);
        json_object_close(w);
        e = buf_err(w->out);
    }
    arena_release(&arena);
    return e.code == ERR_INVALID ? FAIL(ERR_INTERNAL) : e; // it was read once
}

// ---- possession (service-api E.1, threats B17)

void ca_certificate_make_code(struct ca_certificate *c, const uint8_t random[32], int64_t now_us)
{
    INVARIANT(secret_set(&c->code, slice_of(random, POSSESSION_CODE_SIZE)));
    c->code_until_us = now_us + CA_CODE_LIFE_S * INT64_C(1000000);
}

struct err ca_certificate_prove(struct ca_certificate *c, struct arena *arena, struct slice proof,
                                int64_t now_us, struct why *why)
{
    uint8_t code[CODE_TEXT];
    struct slice der = {0};
    if (c->code.len == 0)
        return why_fail(why, ERR_INVALID,
                        "no verification code is waiting for a proof: make one, and sign a certificate with "
                        "it as common name");
    if (now_us > c->code_until_us)
        return why_fail(why, ERR_INVALID, "the verification code ran out after 7 days: make a new one");
    TRY(certificate_read(arena, proof, &der, why));
    struct err e = possession_check(c->certificate, der, code_text(&c->code, code), now_us, why);
    bytes_wipe(code, sizeof code);
    TRY(e);
    secret_wipe(&c->code);
    c->code_until_us = 0;
    c->verified = true;
    return OK;
}

// ---- the end

enum ca_expiry ca_certificate_expiry(const struct ca_certificate *c, int64_t now_us)
{
    int64_t left_us = c->not_after_us - now_us;
    int64_t day_us = DAY_S * INT64_C(1000000);
    if (left_us < 0)
        return CA_EXPIRY_PAST;
    if (left_us <= day_us)
        return CA_EXPIRY_1_DAY;
    if (left_us <= 7 * day_us)
        return CA_EXPIRY_7_DAYS;
    return left_us <= 30 * day_us ? CA_EXPIRY_30_DAYS : CA_EXPIRY_FAR;
}

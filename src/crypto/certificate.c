// One certificate as data: taken out of its wrapping, and described as .NET would (service-api.md A.5).
#include "crypto/certificate.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include "base/text.h"
#include "crypto/facts.h"
#include "crypto/hmac.h"
#include "crypto/wrapping.h"

static struct err refuse(struct why *why, const char *what)
{
    return why_fail(why, ERR_INVALID, "the certificate %s", what);
}

struct err certificate_read(struct arena *arena, struct slice text, struct slice *der, struct why *why)
{
    static const struct wrapping wrapping = {
        .what = "the certificate",
        .label = "CERTIFICATE",
        .several = "is a chain: send one certificate",
        .text_max = CERTIFICATE_TEXT_MAX,
        .der_max = CERTIFICATE_DER_MAX,
    };
    struct slice found = {0};
    struct certificate_info info;
    *der = found;
    TRY(unwrap(arena, &wrapping, text, &found, why));
    TRY(certificate_describe(arena, found, &info, why)); // one that cannot be shown would spoil every list
    *der = found;
    return OK;
}

struct err certificate_names(struct slice der, uint32_t *subject, uint32_t *issuer)
{
    X509 *certificate = facts_decode(der);
    if (certificate == NULL)
        return FAIL(ERR_INVALID);
    *subject = facts_name(X509_get_subject_name(certificate));
    *issuer = facts_name(X509_get_issuer_name(certificate));
    X509_free(certificate);
    return OK;
}

// Steps into (or over) the element at *at; false when there is none.
static bool next_element(const unsigned char **at, const unsigned char *end, bool into)
{
    long len = 0;
    int tag, class;
    bool there = *at < end && (ASN1_get_object(at, &len, &tag, &class, end - *at) & 0x81) == 0;
    if (there && !into)
        *at += len;
    return there;
}

struct slice certificate_signed_part(struct slice der)
{
    const unsigned char *at = der.at;
    const unsigned char *end = der.at + der.len;
    bool there = next_element(&at, end, true);
    const unsigned char *from = at;
    there = there && next_element(&at, end, false);
    ERR_clear_error();
    return there ? slice_of(from, (size_t)(at - from)) : der;
}

bool certificate_same(struct slice a, struct slice b)
{
    return slice_equal(a, b) || slice_equal(certificate_signed_part(a), certificate_signed_part(b));
}

// The names that .NET prints; every other type is printed as OID.1.2.3.
static const char *type_name(int nid)
{
    switch (nid) {
    case NID_commonName:
        return "CN";
    case NID_organizationName:
        return "O";
    case NID_organizationalUnitName:
        return "OU";
    case NID_countryName:
        return "C";
    case NID_localityName:
        return "L";
    case NID_stateOrProvinceName:
        return "S";
    case NID_streetAddress:
        return "STREET";
    case NID_pkcs9_emailAddress:
        return "E";
    case NID_domainComponent:
        return "DC";
    case NID_serialNumber:
        return "SERIALNUMBER";
    case NID_surname:
        return "SN";
    case NID_givenName:
        return "G";
    case NID_initials:
        return "I";
    case NID_title:
        return "T";
    default:
        return NULL;
    }
}

static void write_type(struct buf *out, const ASN1_OBJECT *type)
{
    const char *name = type_name(OBJ_obj2nid(type));
    char oid[128];
    if (name == NULL) {
        int len = OBJ_obj2txt(oid, sizeof oid, type, 1);
        buf_text(out, "OID.");
        name = len > 0 ? oid : "0";
    }
    buf_text(out, name);
    buf_u8(out, '=');
}

static bool needs_quotes(struct slice value)
{
    if (value.len == 0 || value.at[0] == ' ' || value.at[value.len - 1] == ' ')
        return true;
    for (size_t i = 0; i < value.len; i++) {
        if (memchr(",+=\"\n<>#;", value.at[i], 9) != NULL)
            return true;
    }
    return false;
}

static void write_value(struct buf *out, struct slice value)
{
    if (!needs_quotes(value)) {
        buf_bytes(out, value);
        return;
    }
    buf_u8(out, '"');
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] == '"')
            buf_u8(out, '"');
        buf_u8(out, value.at[i]);
    }
    buf_u8(out, '"');
}

static struct err write_entry(struct buf *out, const X509_NAME_ENTRY *entry)
{
    unsigned char *utf8 = NULL;
    int len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
    if (len < 0)
        return FAIL(ERR_INVALID);
    write_type(out, X509_NAME_ENTRY_get_object(entry));
    write_value(out, slice_of(utf8, (size_t)len));
    OPENSSL_free(utf8);
    return OK;
}

// The last RDN first, the values of one RDN in their order.
static struct err write_name(struct buf *out, const X509_NAME *name)
{
    int end = X509_NAME_entry_count(name);
    while (end > 0) {
        int set = X509_NAME_ENTRY_set(X509_NAME_get_entry(name, end - 1));
        int begin = end - 1;
        while (begin > 0 && X509_NAME_ENTRY_set(X509_NAME_get_entry(name, begin - 1)) == set)
            begin--;
        for (int i = begin; i < end; i++) {
            if (i > begin)
                buf_text(out, " + ");
            TRY(write_entry(out, X509_NAME_get_entry(name, i)));
        }
        if (begin > 0)
            buf_text(out, ", ");
        end = begin;
    }
    return OK;
}

static struct err describe_name(struct arena *arena, const X509_NAME *name, struct slice *out)
{
    struct buf text = buf_capped(CERTIFICATE_DER_MAX);
    struct err e = write_name(&text, name);
    if (!failed(e))
        e = buf_err(&text);
    if (!failed(e))
        e = arena_copy(arena, buf_slice(&text), out);
    buf_release(&text);
    return e;
}

static struct err describe_hex(struct arena *arena, struct slice bytes, struct slice *out)
{
    struct buf text = buf_capped(bytes.len * 2);
    hex_encode_upper(&text, bytes);
    struct err e = buf_err(&text);
    if (!failed(e))
        e = arena_copy(arena, buf_slice(&text), out);
    buf_release(&text);
    return e;
}

static struct err describe_time(struct arena *arena, const ASN1_TIME *time, struct slice *out)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(time, &tm) != 1)
        return FAIL(ERR_INVALID);
    return arena_printf(arena, out, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
                        tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static struct err describe(struct arena *arena, const X509 *certificate, struct slice der,
                           struct certificate_info *out)
{
    uint8_t digest[SHA256_SIZE];
    TRY(sha1(der, digest));
    TRY(describe_hex(arena, slice_of(digest, SHA1_SIZE), &out->sha1_thumbprint));
    TRY(sha256(der, digest));
    TRY(describe_hex(arena, slice_of(digest, SHA256_SIZE), &out->sha256_thumbprint));
    TRY(describe_name(arena, X509_get_subject_name(certificate), &out->subject_name));
    TRY(describe_name(arena, X509_get_issuer_name(certificate), &out->issuer_name));
    TRY(describe_time(arena, X509_get0_notBefore(certificate), &out->not_before));
    TRY(describe_time(arena, X509_get0_notAfter(certificate), &out->not_after));
    const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
    TRY(describe_hex(arena, slice_of(ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial)),
                     &out->serial_number));
    out->version = (int)X509_get_version(certificate) + 1;
    return OK;
}

struct err certificate_describe(struct arena *arena, struct slice der, struct certificate_info *out,
                                struct why *why)
{
    *out = (struct certificate_info){0};
    X509 *certificate = facts_decode(der);
    if (certificate == NULL)
        return refuse(why, "is not well-formed X.509");
    struct err e = describe(arena, certificate, der, out);
    X509_free(certificate);
    ERR_clear_error();
    if (e.code == ERR_INVALID)
        return refuse(why, "has a name or a time that cannot be shown");
    return e;
}

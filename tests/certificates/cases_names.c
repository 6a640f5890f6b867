// Names: who the device says it is, name constraints, and very many of either. Threats A8, B1, B12.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"

static void no_subject(X509 *certificate, const char *name)
{
    (void)name;
    X509_NAME *none = X509_NAME_new();
    X509_set_subject_name(certificate, none);
    X509_NAME_free(none);
}

// The case's name, a NUL, and more: whoever reads it as a C string sees another name than whoever does not.
static void nul_in_common_name(X509 *certificate, const char *name)
{
    unsigned char text[80];
    size_t len = strlen(name);
    memcpy(text, name, len);
    memcpy(text + len, "\0.example.com", 13);
    X509_NAME *subject = X509_NAME_new();
    X509_NAME_add_entry_by_NID(subject, NID_commonName, V_ASN1_UTF8STRING, text, (int)len + 13, -1, 0);
    X509_set_subject_name(certificate, subject);
    X509_NAME_free(subject);
}

// As UTF-16, as old tools write it.
static void common_name_in_16_bits(X509 *certificate, const char *name)
{
    X509_NAME *subject = X509_NAME_new();
    unsigned char text[160];
    size_t len = 0;
    for (const char *at = name; *at; at++) {
        text[len++] = 0;
        text[len++] = (unsigned char)*at;
    }
    X509_NAME_add_entry_by_NID(subject, NID_commonName, V_ASN1_BMPSTRING, text, (int)len, -1, 0);
    X509_set_subject_name(certificate, subject);
    X509_NAME_free(subject);
}

static void add_names(X509 *certificate, int count)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    for (int i = 0; i < count; i++) {
        char text[32];
        snprintf(text, sizeof text, "n%d.a", i);
        ASN1_IA5STRING *string = ASN1_IA5STRING_new();
        ASN1_STRING_set(string, text, -1);
        GENERAL_NAME *name = GENERAL_NAME_new();
        GENERAL_NAME_set0_value(name, GEN_DNS, string);
        sk_GENERAL_NAME_push(names, name);
    }
    X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_APPEND);
    GENERAL_NAMES_free(names);
}

static void add_constraints(X509 *certificate, int count)
{
    NAME_CONSTRAINTS *constraints = NAME_CONSTRAINTS_new();
    constraints->excludedSubtrees = sk_GENERAL_SUBTREE_new_null();
    for (int i = 0; i < count; i++) {
        char text[32];
        snprintf(text, sizeof text, "m%d.b", i);
        GENERAL_SUBTREE *subtree = GENERAL_SUBTREE_new();
        ASN1_IA5STRING *string = ASN1_IA5STRING_new();
        ASN1_STRING_set(string, text, -1);
        GENERAL_NAME_set0_value(subtree->base, GEN_DNS, string);
        sk_GENERAL_SUBTREE_push(constraints->excludedSubtrees, subtree);
    }
    X509_add1_ext_i2d(certificate, NID_name_constraints, constraints, 1, X509V3_ADD_APPEND);
    NAME_CONSTRAINTS_free(constraints);
}

static void many_names(X509 *certificate, const char *name)
{
    (void)name;
    add_names(certificate, 1000);
}

// Both together still fit into a handshake.
static void half_the_names(X509 *certificate, const char *name)
{
    (void)name;
    add_names(certificate, 500);
}

static void half_the_constraints(X509 *certificate, const char *name)
{
    (void)name;
    add_constraints(certificate, 500);
}

static void some_names(X509 *certificate, const char *name)
{
    (void)name;
    add_names(certificate, 8);
}

static void many_constraints(X509 *certificate, const char *name)
{
    (void)name;
    add_constraints(certificate, 1000);
}

static void minimum_of_one(X509 *certificate, const char *name)
{
    (void)name;
    NAME_CONSTRAINTS *constraints = NAME_CONSTRAINTS_new();
    constraints->permittedSubtrees = sk_GENERAL_SUBTREE_new_null();
    GENERAL_SUBTREE *subtree = GENERAL_SUBTREE_new();
    ASN1_IA5STRING *string = ASN1_IA5STRING_new();
    ASN1_STRING_set(string, "example.com", -1);
    GENERAL_NAME_set0_value(subtree->base, GEN_DNS, string);
    subtree->minimum = ASN1_INTEGER_new();
    ASN1_INTEGER_set(subtree->minimum, 1);
    sk_GENERAL_SUBTREE_push(constraints->permittedSubtrees, subtree);
    X509_add1_ext_i2d(certificate, NID_name_constraints, constraints, 1, X509V3_ADD_APPEND);
    NAME_CONSTRAINTS_free(constraints);
}

#define REFUSED(words)  .error = ERR_CERTIFICATE_REFUSED, .phrase = words
#define MISMATCH(words) .error = ERR_IDENTITY_MISMATCH, .phrase = words, .decided = true

const struct bad_case cases_names[] = {
    // Who the device says it is.
    {.name = "leaf-of-another-name",
     .certificates[LEAF] = {.subject = "CN=another-device"},
     MISMATCH("another-device")},
    {.name = "leaf-of-a-longer-name",
     .certificates[LEAF] = {.subject = "CN=$-2"},
     MISMATCH("leaf-of-a-longer-name-2")},
    {.name = "leaf-without-common-name",
     .certificates[LEAF] = {.subject = "O=maker", .alternative = "DNS:$"},
     MISMATCH("common name")},
    {.name = "leaf-without-subject",
     .certificates[LEAF] = {.edit = no_subject, .alternative = "critical,DNS:$"},
     MISMATCH("common name")},
    {.name = "leaf-with-two-common-names",
     .certificates[LEAF] = {.subject = "CN=$/CN=second"},
     MISMATCH("common name")},
    {.name = "leaf-with-one-common-name-twice",
     .certificates[LEAF] = {.subject = "CN=$/CN=$"},
     MISMATCH("common name")},
    {.name = "leaf-with-nul-in-its-name",
     .certificates[LEAF] = {.edit = nul_in_common_name},
     MISMATCH("common name")},
    {.name = "leaf-with-blank-behind-its-name",
     .certificates[LEAF] = {.subject = "CN=$ "},
     MISMATCH("common name")},
    {.name = "leaf-named-in-dns-only",
     .certificates[LEAF] = {.subject = "CN=another-device", .alternative = "DNS:$"},
     MISMATCH("another-device")},
    {.name = "good-name-in-capitals", .certificates[LEAF] = {.subject = "CN=GOOD-NAME-IN-CAPITALS"}},
    {.name = "good-name-with-organisation", .certificates[LEAF] = {.subject = "C=SE/O=maker/OU=$/CN=$"}},
    {.name = "good-name-in-16-bits", .certificates[LEAF] = {.edit = common_name_in_16_bits}},

    // Name constraints: RFC 5280 4.2.1.10.
    {.name = "dn-not-permitted",
     .certificates = {[MIDDLE] = {.constraints = "critical,permitted;dirName:inside"},
                      [LEAF] = {.subject = "O=Outside/CN=$"}},
     REFUSED("name constraints")},
    {.name = "dn-excluded",
     .certificates = {[MIDDLE] = {.constraints = "critical,excluded;dirName:outside"},
                      [LEAF] = {.subject = "O=OUTSIDE/CN=$"}},
     REFUSED("name constraints")},
    {.name = "dn-excluded-deeper",
     .certificates = {[MIDDLE] = {.constraints =
                                      "critical,permitted;dirName:inside,excluded;dirName:inside_deep"},
                      [LEAF] = {.subject = "O=Inside/OU=Deep/CN=$"}},
     REFUSED("name constraints")},
    {.name = "dn-in-alternative-name-not-permitted",
     .certificates = {[MIDDLE] = {.constraints = "critical,permitted;dirName:inside"},
                      [LEAF] = {.subject = "O=Inside/CN=$", .alternative = "dirName:outside"}},
     REFUSED("name constraints")},
    {.name = "dn-of-a-ca-not-permitted", // holds for the CAs below too
     .certificates = {[MIDDLE] = {.constraints = "critical,permitted;dirName:inside"},
                      [SECOND] = {.signer = MIDDLE, .subject = "O=Outside/CN=$ second"},
                      [LEAF] = {.signer = SECOND, .subject = "O=Inside/CN=$"}},
     .shown = {LEAF, SECOND, MIDDLE},
     REFUSED("name constraints")},
    {.name = "dn-permitted-by-one-ca-only", // what two CAs permit is what both permit
     .certificates = {[MIDDLE] = {.constraints = "critical,permitted;dirName:inside"},
                      [SECOND] = {.signer = MIDDLE,
                                  .subject = "O=Inside/CN=$ second",
                                  .constraints = "critical,permitted;dirName:inside_deep"},
                      [LEAF] = {.signer = SECOND, .subject = "O=Inside/CN=$"}},
     .shown = {LEAF, SECOND, MIDDLE},
     REFUSED("name constraints")},
    {.name = "root-constrains-too",
     .certificates = {[ROOT] = {.constraints = "critical,permitted;dirName:inside"},
                      [MIDDLE] = {.subject = "O=Inside/CN=$ middle"}},
     REFUSED("name constraints")},
    {.name = "constraints-not-critical-hold-too",
     .certificates = {[MIDDLE] = {.constraints = "permitted;dirName:inside"}},
     REFUSED("name constraints")},
    {.name = "dns-not-permitted",
     .certificates = {[MIDDLE] = {.constraints = "critical,permitted;DNS:example.com"},
                      [LEAF] = {.alternative = "DNS:device.example.org"}},
     REFUSED("name constraints")},
    {.name = "dns-looks-permitted",
     .certificates = {[MIDDLE] = {.constraints = "critical,permitted;DNS:example.com"},
                      [LEAF] = {.alternative = "DNS:notexample.com"}},
     REFUSED("name constraints")},
    {.name = "dns-excluded",
     .certificates = {[MIDDLE] = {.constraints = "critical,excluded;DNS:example.com"},
                      [LEAF] = {.alternative = "DNS:device.EXAMPLE.com"}},
     REFUSED("name constraints")},
    {.name = "dns-excluded-among-others",
     .certificates = {[MIDDLE] = {.constraints = "critical,excluded;DNS:example.com"},
                      [LEAF] = {.alternative = "DNS:a.example.org,DNS:b.example.com,DNS:c.example.org"}},
     REFUSED("name constraints")},
    {.name = "email-not-permitted",
     .certificates = {[MIDDLE] = {.constraints = "critical,permitted;email:.example.com"},
                      [LEAF] = {.alternative =
                                    "email:device@example.com"}}, // the host itself is not below itself
     REFUSED("name constraints")},
    {.name = "email-excluded",
     .certificates = {[MIDDLE] = {.constraints = "critical,excluded;email:example.com"},
                      [LEAF] = {.alternative = "email:device@example.com"}},
     REFUSED("name constraints")},
    {.name = "email-in-subject-excluded",
     .certificates = {[MIDDLE] = {.constraints = "critical,excluded;email:example.com"},
                      [LEAF] = {.subject = "CN=$/emailAddress=device@example.com"}},
     REFUSED("name constraints")},
    {.name = "uri-not-permitted",
     .certificates = {[MIDDLE] = {.constraints = "critical,permitted;URI:.example.com"},
                      [LEAF] = {.alternative = "URI:https://example.org/device"}},
     REFUSED("name constraints")},
    {.name = "uri-excluded",
     .certificates = {[MIDDLE] = {.constraints = "critical,excluded;URI:.example.com"},
                      [LEAF] = {.alternative = "URI:https://a.example.com/device"}},
     REFUSED("name constraints")},
    {.name = "ip-not-permitted",
     .certificates = {[MIDDLE] = {.constraints = "critical,permitted;IP:10.0.0.0/255.0.0.0"},
                      [LEAF] = {.alternative = "IP:11.0.0.1"}},
     REFUSED("name constraints")},
    {.name = "ip-excluded",
     .certificates = {[MIDDLE] = {.constraints = "critical,excluded;IP:10.0.0.0/255.0.0.0"},
                      [LEAF] = {.alternative = "IP:10.1.2.3"}},
     REFUSED("name constraints")},
    {.name = "constraint-of-an-unknown-kind", // what cannot be checked does not hold
     .certificates = {[MIDDLE] = {.constraints = "critical,permitted;otherName:1.2.3.4;UTF8:x"},
                      [LEAF] = {.alternative = "otherName:1.2.3.4;UTF8:y"}},
     REFUSED("name constraints")},
    {.name = "constraint-with-a-minimum", // RFC 5280: minimum is 0, always
     .certificates = {[MIDDLE] = {.edit = minimum_of_one}, [LEAF] = {.alternative = "DNS:example.com"}},
     REFUSED("name constraints")},
    {.name = "good-name-constraints",
     .certificates = {[MIDDLE] = {.constraints =
                                      "critical,permitted;dirName:inside,permitted;DNS:example.com,"
                                      "permitted;IP:10.0.0.0/255.0.0.0,excluded;email:example.org"},
                      [LEAF] = {.subject = "O=Inside/CN=$",
                                .alternative = "DNS:a.example.com,IP:10.9.8.7,email:a@example.com"}}},
    {.name = "good-self-issued-is-not-constrained", // RFC 5280 6.1.3 (b)
     .certificates = {[ROOT] = {.subject = "CN=$ one name",
                                .constraints = "critical,permitted;dirName:inside"},
                      [MIDDLE] = {.subject = "CN=$ one name"},
                      [LEAF] = {.subject = "O=Inside/CN=$"}}},

    // Very many.
    {.name = "leaf-with-1000-names",
     .certificates[LEAF] = {.edit = many_names},
     REFUSED("64 alternative names")},
    {.name = "middle-with-1000-names",
     .certificates[MIDDLE] = {.edit = many_names},
     REFUSED("64 alternative names")},
    {.name = "middle-with-1000-constraints",
     .certificates[MIDDLE] = {.edit = many_constraints},
     REFUSED("64 name constraints")},
    {.name = "names-times-constraints",
     .certificates = {[MIDDLE] = {.edit = half_the_constraints}, [LEAF] = {.edit = half_the_names}},
     REFUSED("64 alternative names")},
    {.name = "more-bytes-than-are-taken",
     .certificates = {[MIDDLE] = {.edit = many_constraints}, [LEAF] = {.edit = many_names}},
     REFUSED("64 alternative names"),
     .where = BY_TLS,
     .because = "all certificates together may have 16 KB, which OpenSSL sees to before it decodes any"},
    {.name = "good-some-names", .certificates[LEAF] = {.edit = some_names}},
};
const size_t cases_names_count = sizeof cases_names / sizeof *cases_names;

// Certificates in every wrapping that clients send, and described as the API shows them (service-api.md A.5).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <stdio.h>

#include "base/text.h"
#include "crypto/certificate.h"

// Made with the openssl command, which also gave the figures that are expected below.
static const char pem[] = "-----BEGIN CERTIFICATE-----\n"
                          "MIICTzCCAfWgAwIBAgIJAKGyw9Tl9gcYMAoGCCqGSM49BAMCMIGVMQswCQYDVQQG\n"
                          "EwJERTEPMA0GA1UECAwGQmF5ZXJuMRwwGgYDVQQKDBNUb29scywgQm9sdHMgJiBO\n"
                          "dXRzMTAwEAYDVQQLDAlXZXJrIFPDvGQwHAYJKoZIhvcNAQkBFg9kZXZAZXhhbXBs\n"
                          "ZS5jb20xFzAVBgNVBAMMDmJlbmNoLWRldmljZS03MQwwCgYDVQRhDANYLTEwHhcN\n"
                          "MjYxMTIzMDEyNzMzWhcNMzYxMTIwMDEyNzMzWjCBlTELMAkGA1UEBhMCREUxDzAN\n"
                          "BgNVBAgMBkJheWVybjEcMBoGA1UECgwTVG9vbHMsIEJvbHRzICYgTnV0czEwMBAG\n"
                          "A1UECwwJV2VyayBTw7xkMBwGCSqGSIb3DQEJARYPZGV2QGV4YW1wbGUuY29tMRcw\n"
                          "FQYDVQQDDA5iZW5jaC1kZXZpY2UtNzEMMAoGA1UEYQwDWC0xMFkwEwYHKoZIzj0C\n"
                          "AQYIKoZIzj0DAQcDQgAEMMBjZaJFNE5LVS7hdHyGlslyodHt1mZ1VeKulMyIyfAs\n"
                          "XVJEdD3m29A+Sj1VhgWs73NWUZ5S0rZCjDLy3TqlrqMsMCowCQYDVR0TBAIwADAd\n"
                          "BgNVHQ4EFgQU/61egY8vcFNugElR1BjkqAuDOKEwCgYIKoZIzj0EAwIDSAAwRQIh\n"
                          "ALuukwSFnUnIW/NI7Rivi4g9GVofReUEJIkIFlXqONRGAiBI7jfLbBqMB+Ty4USN\n"
                          "AFHAHKamax8B8Od/6C6m0ygfog==\n"
                          "-----END CERTIFICATE-----\n";
static const char base64[] =
    "MIICTzCCAfWgAwIBAgIJAKGyw9Tl9gcYMAoGCCqGSM49BAMCMIGVMQswCQYDVQQGEwJERTEPMA0GA1UECAwGQmF5ZXJuMRwwGgYD"
    "VQQKDBNUb29scywgQm9sdHMgJiBOdXRzMTAwEAYDVQQLDAlXZXJrIFPDvGQwHAYJKoZIhvcNAQkBFg9kZXZAZXhhbXBsZS5jb20x"
    "FzAVBgNVBAMMDmJlbmNoLWRldmljZS03MQwwCgYDVQRhDANYLTEwHhcNMjYxMTIzMDEyNzMzWhcNMzYxMTIwMDEyNzMzWjCBlTEL"
    "MAkGA1UEBhMCREUxDzANBgNVBAgMBkJheWVybjEcMBoGA1UECgwTVG9vbHMsIEJvbHRzICYgTnV0czEwMBAGA1UECwwJV2VyayBT"
    "w7xkMBwGCSqGSIb3DQEJARYPZGV2QGV4YW1wbGUuY29tMRcwFQYDVQQDDA5iZW5jaC1kZXZpY2UtNzEMMAoGA1UEYQwDWC0xMFkw"
    "EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMMBjZaJFNE5LVS7hdHyGlslyodHt1mZ1VeKulMyIyfAsXVJEdD3m29A+Sj1VhgWs73NW"
    "UZ5S0rZCjDLy3TqlrqMsMCowCQYDVR0TBAIwADAdBgNVHQ4EFgQU/61egY8vcFNugElR1BjkqAuDOKEwCgYIKoZIzj0EAwIDSAAw"
    "RQIhALuukwSFnUnIW/NI7Rivi4g9GVofReUEJIkIFlXqONRGAiBI7jfLbBqMB+Ty4USNAFHAHKamax8B8Od/6C6m0ygfog==";

static struct arena arena;
static struct buf text;
static struct why why;

static int set_up(void **state)
{
    (void)state;
    arena = arena_capped(1000000);
    text = buf_capped(100000);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    buf_release(&text);
    assert_int_equal(ERR_peek_error(), 0); // nothing is left that a TLS call would trip over
    return 0;
}

static void assert_same(struct slice wrapped)
{
    struct slice der;
    struct slice wanted;
    assert_false(failed(b64_decode_arena(&arena, slice_text(base64), &wanted)));
    why.text[0] = '\0';
    struct err e = certificate_read(&arena, wrapped, &der, &why);
    if (failed(e))
        fail_msg("%s: %s", err_info(e)->name, why.text);
    assert_true(slice_equal(der, wanted));
}

static void pem_is_taken(void **state)
{
    (void)state;
    assert_same(slice_text(pem));
}

static void pem_with_crlf_blanks_and_text_around_is_taken(void **state)
{
    (void)state;
    buf_text(&text, "Certificate:\r\n    Data: whatever\r\n\r\n");
    for (const char *at = pem; *at != '\0'; at++) {
        if (*at == '\n')
            buf_text(&text, " \r");
        buf_u8(&text, (uint8_t)*at);
    }
    buf_text(&text, "\r\n \t\r\n");
    assert_same(buf_slice(&text));
}

static void base64_of_der_is_taken(void **state)
{
    (void)state;
    assert_same(slice_text(base64));
    buf_printf(&text, "  %.64s\r\n%s\r\n", base64, base64 + 64);
    assert_same(buf_slice(&text));
}

static void base64_of_the_pem_text_is_taken(void **state)
{
    (void)state;
    b64_encode(&text, slice_text(pem));
    assert_true(slice_starts_with(buf_slice(&text), SLICE("LS0tLS1CRUdJTi"))); // azure-iot-sdk-c#1844
    assert_same(buf_slice(&text));
}

static void der_is_taken(void **state)
{
    (void)state;
    struct slice der;
    assert_false(failed(b64_decode_arena(&arena, slice_text(base64), &der)));
    assert_same(der);
}

static void assert_refused(struct slice wrapped, const char *reason)
{
    struct slice der;
    why.text[0] = '\0';
    struct err e = certificate_read(&arena, wrapped, &der, &why);
    if (e.code != ERR_INVALID || strstr(why.text, reason) == NULL || der.len != 0)
        fail_msg("%s: \"%s\", wanted \"%s\"", err_info(e)->name, why.text, reason);
}

static void what_is_no_certificate_is_refused_with_a_reason(void **state)
{
    (void)state;
    assert_refused((struct slice){0}, "empty");
    assert_refused(SLICE(" \r\n"), "empty");
    assert_refused(SLICE("hello"), "neither PEM nor base64");
    assert_refused(SLICE("aGVsbG8gd29ybGQh"), "not well-formed X.509");
    assert_refused(SLICE("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----"), "not well-formed X.509");
    assert_refused(SLICE("-----BEGIN CERTIFICATE-----\nMIIC"), "no END");
    assert_refused(SLICE("-----BEGIN DH PARAMETERS-----\nMIIC\n-----END DH PARAMETERS-----"),
                   "no BEGIN CERTIFICATE");
    assert_refused(SLICE("0\x82"), "not well-formed X.509");
}

static void a_wrong_file_is_told_by_what_it_is(void **state)
{
    static const char pkcs7[] = "0\x82\x02\x00\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x82";
    (void)state;
    assert_refused(SLICE("-----BEGIN CERTIFICATE REQUEST-----\nMIIC\n-----END CERTIFICATE REQUEST-----"),
                   "only a request");
    assert_refused(SLICE("-----BEGIN TRUSTED CERTIFICATE-----\nMIIC\n-----END TRUSTED CERTIFICATE-----"),
                   "openssl x509 -in");
    assert_refused(SLICE("-----BEGIN PKCS7-----\nMIIC\n-----END PKCS7-----"), "PKCS#7");
    assert_refused(SLICE("-----BEGIN PUBLIC KEY-----\nMIIC\n-----END PUBLIC KEY-----"), "bare public key");
    assert_refused(SLICE("-----BEGIN X509 CRL-----\nMIIC\n-----END X509 CRL-----"), "a revocation list");
    assert_refused(SLICE("-----BEGIN PRIVATE KEY-----\nMIIC\n-----END PRIVATE KEY-----"),
                   "is a private key: hand in the certificate");
    assert_refused(SLICE("0\x82\x09\x1f\x02\x01\x03\x30\x82\x08"), "PKCS#12");
    assert_refused(slice_of(pkcs7, sizeof pkcs7 - 1), "PKCS#7");
}

static void a_private_key_beside_the_certificate_is_refused(void **state)
{
    (void)state;
    buf_text(&text, pem);
    buf_text(&text, "-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----\n");
    assert_refused(buf_slice(&text), "private key");
}

static void a_chain_is_refused(void **state)
{
    (void)state;
    buf_text(&text, pem);
    buf_text(&text, pem);
    assert_refused(buf_slice(&text), "chain");
}

static void damaged_der_is_refused(void **state)
{
    (void)state;
    struct slice der;
    assert_false(failed(b64_decode_arena(&arena, slice_text(base64), &der)));
    assert_refused(slice_to(der, der.len - 1), "not well-formed X.509");
    buf_bytes(&text, der);
    buf_u8(&text, 0);
    assert_refused(buf_slice(&text), "not well-formed X.509");
}

// Its common name is of a type that is no text. Taken, it could not be shown, nor the list it is in.
static void a_certificate_that_cannot_be_shown_is_refused(void **state)
{
    (void)state;
    static const char unnamed[] =
        "MIIBlTCCATugAwIBAgIUIIvn5NyFKzSJ+RLzRlzykjRW2E0wCgYIKoZIzj0EAwIwFzEVMBMGA1UEAwwMRmFjdG9yeS"
        "JSb290MCAXDTI2MTEyMzA0NDE0NloYDzIxMjYxMDMwMDQ0MTQ2WjAXMRUwEwYDVQQDDQxGYWN0b3J5IFJvb3QwWTAT"
        "BgcqhkjOPQIBBggqhkjOPQMBBwNCAAS+miuUv3ZsvNMywzYCKThkSq6XQEXT3kgiUZGvdD1cskmkqC1i0My3v9xCy3"
        "0ebBQqoV4D/H2uCt34Sn9qMHIRo2MwYTAdBgNVHQ4EFgQUyqLJuTXpJ1m1/O54tciChmYc4tgwHwYDVR0jBBgwFoAU"
        "yqLJuTXpJ1m1/O54tciChmYc4tgwDwYDVR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAQYwCgYIKoZIzj0EAwIDSA"
        "AwRQIhAKYlKS6PkYyj2d9cCy4IrAIMn7PwHzZx1ZpDN+AlSsreAiAcT1OxhfSt3+WrFXXzverMGAbAaC09AbZ+Ubkd"
        "rLk3Iw==";
    assert_refused(slice_text(unnamed), "cannot be shown");
}

static void endless_text_is_refused(void **state)
{
    (void)state;
    buf_text(&text, pem);
    while (text.len <= CERTIFICATE_TEXT_MAX)
        buf_u8(&text, '\n');
    assert_refused(buf_slice(&text), "too long");
}

#define ASSERT_TEXT(member, wanted)                                                                          \
    do {                                                                                                     \
        if (!slice_equal((member), slice_text(wanted)))                                                      \
            fail_msg("%.*s, wanted %s", SLICE_ARG(member), (wanted));                                        \
    } while (0)

static void a_certificate_is_described_as_the_api_shows_it(void **state)
{
    (void)state;
    struct slice der;
    struct certificate_info info;
    assert_false(failed(certificate_read(&arena, slice_text(pem), &der, &why)));
    assert_false(failed(certificate_describe(&arena, der, &info, &why)));
    ASSERT_TEXT(info.subject_name,
                "OID.2.5.4.97=X-1, CN=bench-device-7, OU=Werk S\u00fcd + E=dev@example.com, "
                "O=\"Tools, Bolts & Nuts\", S=Bayern, C=DE");
    ASSERT_TEXT(info.issuer_name,
                "OID.2.5.4.97=X-1, CN=bench-device-7, OU=Werk S\u00fcd + E=dev@example.com, "
                "O=\"Tools, Bolts & Nuts\", S=Bayern, C=DE");
    ASSERT_TEXT(info.sha1_thumbprint, "7440D1646AD3565463E2D9D7893073188B793C12");
    ASSERT_TEXT(info.sha256_thumbprint, "AE5152447C67BC3D46464A138F1010E6BA90E9142F297B32FE2B5B57C86A1B46");
    ASSERT_TEXT(info.not_before, "2026-11-23T01:27:33Z");
    ASSERT_TEXT(info.not_after, "2036-11-20T01:27:33Z");
    ASSERT_TEXT(info.serial_number, "A1B2C3D4E5F60718"); // in DER it begins with 00
    assert_int_equal(info.version, 3);
}

static void describing_what_is_no_certificate_is_refused(void **state)
{
    (void)state;
    struct certificate_info info;
    assert_int_equal(certificate_describe(&arena, SLICE("0"), &info, &why).code, ERR_INVALID);
    assert_int_equal(certificate_describe(&arena, (struct slice){0}, &info, &why).code, ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pem_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pem_with_crlf_blanks_and_text_around_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(base64_of_der_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(base64_of_the_pem_text_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(der_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_certificate_is_refused_with_a_reason, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_file_is_told_by_what_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_private_key_beside_the_certificate_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_chain_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_der_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_certificate_that_cannot_be_shown_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(endless_text_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_certificate_is_described_as_the_api_shows_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(describing_what_is_no_certificate_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

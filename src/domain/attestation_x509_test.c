// Certificates of enrollments: the forms they come in, and what an update keeps.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/bench_pki.h"
#include "crypto/certificate.h"
#include "domain/enrollment.h"

enum { NOW_S = 1700000000, THUMBPRINT_DIGITS = 64 };

struct fixture {
    struct arena arena;
    struct slice first; // PEM
    struct slice second;
    struct enrollment stored; // first as primary, second as secondary
};

static struct slice make_pem(struct arena *arena, const char *name)
{
    struct buf certificate = buf_capped(BENCH_PEM_MAX);
    struct buf key = buf_capped(BENCH_PEM_MAX);
    struct slice pem;
    const struct bench_spec spec = {
        .role = BENCH_ROOT, .common_name = slice_text(name), .now_us = NOW_S * INT64_C(1000000)};
    assert_false(failed(bench_make(&spec, &certificate, &key, NULL)));
    assert_false(failed(arena_copy(arena, buf_slice(&certificate), &pem)));
    buf_release(&certificate);
    buf_release(&key);
    return pem;
}

// One member of the pair: PEM text, or info only: with a thumbprint of 64 digits, or without one when empty;
// nothing at all for NULL.
static void write_one(struct json_writer *w, const char *name, const struct slice *pem)
{
    if (pem == NULL)
        return;
    json_key(w, name);
    json_object_open(w);
    if (pem->len > THUMBPRINT_DIGITS) {
        json_field_text(w, "certificate", *pem);
    } else {
        json_key(w, "info");
        json_object_open(w);
        json_field_text(w, "subjectName", SLICE("CN=whatever a client echoes"));
        if (pem->len == THUMBPRINT_DIGITS)
            json_field_text(w, "sha256Thumbprint", *pem);
        json_object_close(w);
    }
    json_object_close(w);
}

static struct err put(struct fixture *f, const struct slice *primary, const struct slice *secondary,
                      const struct enrollment *stored, struct enrollment *out)
{
    struct buf body = buf_capped(65536);
    struct json_writer w;
    struct json_doc doc = {0};
    json_begin(&w, &body);
    json_object_open(&w);
    json_field_text(&w, "enrollmentGroupId", SLICE("g"));
    json_key(&w, "attestation");
    json_object_open(&w);
    json_field_text(&w, "type", SLICE("x509"));
    json_key(&w, "x509");
    json_object_open(&w);
    json_key(&w, "signingCertificates");
    json_object_open(&w);
    write_one(&w, "primary", primary);
    write_one(&w, "secondary", secondary);
    for (int i = 0; i < 4; i++)
        json_object_close(&w);
    assert_false(failed(json_read(buf_slice(&body), JSON_LIMITS_DEFAULT, &doc, NULL)));
    struct err e =
        enrollment_read(&f->arena, json_root(&doc), ENROLLMENT_GROUP, SLICE("g"), stored, out, NULL);
    json_doc_release(&doc);
    buf_release(&body);
    return e;
}

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){.arena = arena_capped(1 << 20)};
    f.first = make_pem(&f.arena, "first");
    f.second = make_pem(&f.arena, "second");
    assert_false(failed(put(&f, &f.first, &f.second, NULL, &f.stored)));
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    arena_release(&f->arena);
    return 0;
}

static void a_single_certificate_is_the_secondary_too(void **state)
{
    struct fixture *f = *state;
    struct enrollment e;
    assert_false(failed(put(f, &f->first, NULL, NULL, &e)));
    assert_true(e.attestation.primary_certificate.len > 0);
    assert_true(slice_equal(e.attestation.primary_certificate, e.attestation.secondary_certificate));
}

static void info_without_certificate_keeps_the_stored_one(void **state)
{
    struct fixture *f = *state;
    struct slice info_only = {0};
    struct enrollment e;
    const struct attestation *stored = &f->stored.attestation;
    assert_false(slice_equal(stored->primary_certificate, stored->secondary_certificate));

    assert_false(failed(put(f, &info_only, &info_only, &f->stored, &e)));
    assert_true(slice_equal(e.attestation.primary_certificate, stored->primary_certificate));
    assert_true(slice_equal(e.attestation.secondary_certificate, stored->secondary_certificate));

    // rolling the primary
    assert_false(failed(put(f, &f->second, &info_only, &f->stored, &e)));
    assert_true(slice_equal(e.attestation.primary_certificate, stored->secondary_certificate));
    assert_true(slice_equal(e.attestation.secondary_certificate, stored->secondary_certificate));

    // removing the primary
    assert_false(failed(put(f, NULL, &info_only, &f->stored, &e)));
    assert_int_equal(e.attestation.primary_certificate.len, 0);
    assert_true(slice_equal(e.attestation.secondary_certificate, stored->secondary_certificate));

    // what was stored was of another kind
    struct enrollment other = {.attestation.type = ATTESTATION_SYMMETRIC_KEY};
    assert_int_equal(put(f, &info_only, NULL, &other, &e).code, ERR_INVALID);
}

static struct slice thumbprint(struct fixture *f, struct slice der)
{
    struct certificate_info info;
    assert_false(failed(certificate_describe(&f->arena, der, &info, NULL)));
    return info.sha256_thumbprint;
}

static void info_that_was_moved_takes_its_certificate_along(void **state)
{
    struct fixture *f = *state;
    struct enrollment e;
    const struct attestation *stored = &f->stored.attestation;
    struct slice first = thumbprint(f, stored->primary_certificate);
    struct slice second = thumbprint(f, stored->secondary_certificate);

    assert_false(failed(put(f, &second, NULL, &f->stored, &e)));
    assert_true(slice_equal(e.attestation.primary_certificate, stored->secondary_certificate));
    assert_true(slice_equal(e.attestation.secondary_certificate, stored->secondary_certificate));

    assert_false(failed(put(f, &second, &first, &f->stored, &e)));
    assert_true(slice_equal(e.attestation.primary_certificate, stored->secondary_certificate));
    assert_true(slice_equal(e.attestation.secondary_certificate, stored->primary_certificate));

    // a certificate that is not there cannot be kept, and none must be kept in its stead
    struct slice unknown = SLICE("00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF");
    assert_int_equal(put(f, &unknown, NULL, &f->stored, &e).code, ERR_INVALID);
}

static void an_answer_shows_the_info_and_not_the_certificate(void **state)
{
    struct fixture *f = *state;
    struct buf out = buf_capped(65536);
    struct json_writer w;
    struct json_doc doc = {0};
    json_begin(&w, &out);
    assert_false(failed(attestation_write(&w, &f->stored.attestation, ENROLLMENT_WITH_KEYS)));
    assert_false(failed(json_read(buf_slice(&out), JSON_LIMITS_DEFAULT, &doc, NULL)));
    const struct json *pair = json_get(json_get(json_root(&doc), "x509"), "signingCertificates");
    const struct json *primary = json_get(pair, "primary");
    const struct json *info = json_get(primary, "info");
    int64_t version = 0;
    assert_int_equal(json_count(primary), 1);
    assert_int_equal(json_count(info), 8);
    assert_true(slice_equal(json_as_string(json_get(info, "subjectName")), SLICE("CN=first")));
    assert_true(slice_equal(json_as_string(json_get(info, "issuerName")), SLICE("CN=first")));
    assert_int_equal(json_as_string(json_get(info, "sha1Thumbprint")).len, 40);
    assert_int_equal(json_as_string(json_get(info, "sha256Thumbprint")).len, 64);
    assert_true(slice_equal(json_as_string(json_get(info, "notBeforeUtc")), SLICE("2023-11-14T21:13:20Z")));
    assert_true(json_as_string(json_get(info, "notAfterUtc")).len > 0);
    assert_true(json_as_string(json_get(info, "serialNumber")).len > 0);
    assert_true(json_as_int(json_get(info, "version"), &version) && version == 3);
    struct slice second =
        json_as_string(json_get(json_get(json_get(pair, "secondary"), "info"), "subjectName"));
    assert_true(slice_equal(second, SLICE("CN=second")));
    json_doc_release(&doc);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_single_certificate_is_the_secondary_too),
        cmocka_unit_test(info_without_certificate_keeps_the_stored_one),
        cmocka_unit_test(info_that_was_moved_takes_its_certificate_along),
        cmocka_unit_test(an_answer_shows_the_info_and_not_the_certificate),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

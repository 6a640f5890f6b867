// Revocation lists as an operator hands them in: small and large, replaced, removed, gone with their
// certificate.
#include "api/control/certificates_test.h"

#include "api/call.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

static int64_t const day_us = INT64_C(86400000000);

static X509 *certificate_of(const struct pair *pair)
{
    BIO *bio = BIO_new_mem_buf(pair->certificate.at, (int)pair->certificate.len);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(certificate);
    return certificate;
}

static EVP_PKEY *key_of(const struct pair *pair)
{
    BIO *bio = BIO_new_mem_buf(pair->key.at, (int)pair->key.len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(key);
    return key;
}

static void revoke(X509_CRL *crl, long number, const ASN1_TIME *when)
{
    uint8_t serial[20] = {0x40, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
    BIGNUM *bn = BN_bin2bn(serial, sizeof serial, NULL);
    ASN1_INTEGER *integer = BN_to_ASN1_INTEGER(bn, NULL);
    X509_REVOKED *entry = X509_REVOKED_new();
    assert_int_equal(X509_REVOKED_set_serialNumber(entry, integer), 1);
    assert_int_equal(X509_REVOKED_set_revocationDate(entry, (ASN1_TIME *)when), 1);
    assert_int_equal(X509_CRL_add0_revoked(crl, entry), 1);
    ASN1_INTEGER_free(integer);
    BN_free(bn);
}

// A list of `ca` with so many entries, from now on for so many days, as DER.
static struct buf make_list(const struct pair *ca, long entries, int days)
{
    X509_CRL *crl = X509_CRL_new();
    X509 *certificate = certificate_of(ca);
    EVP_PKEY *key = key_of(ca);
    ASN1_TIME *begin = ASN1_TIME_set(NULL, bench.now_us / 1000000 - 60);
    ASN1_TIME *end = ASN1_TIME_set(NULL, bench.now_us / 1000000 + days * 86400L);
    struct buf out = buf_capped(4 << 20);
    unsigned char *der = NULL;
    assert_int_equal(X509_CRL_set_version(crl, X509_CRL_VERSION_2), 1);
    assert_int_equal(X509_CRL_set_issuer_name(crl, X509_get_subject_name(certificate)), 1);
    assert_int_equal(X509_CRL_set1_lastUpdate(crl, begin), 1);
    assert_int_equal(X509_CRL_set1_nextUpdate(crl, end), 1);
    for (long i = 0; i < entries; i++)
        revoke(crl, i, begin);
    assert_int_not_equal(X509_CRL_sign(crl, key, EVP_sha256()), 0);
    int len = i2d_X509_CRL(crl, &der);
    assert_true(len > 0);
    buf_bytes(&out, slice_of(der, (size_t)len));
    OPENSSL_free(der);
    ASN1_TIME_free(begin);
    ASN1_TIME_free(end);
    EVP_PKEY_free(key);
    X509_free(certificate);
    X509_CRL_free(crl);
    return out;
}

// {"crl":…} and maybe "required"; to be freed.
static char *list_body(const struct buf *der, const char *required)
{
    struct buf text = buf_capped(4 << 20);
    buf_text(&text, "{\"crl\":\"");
    b64_encode(&text, slice_of(der->at, der->len));
    buf_printf(&text, "\"%s%s}", required != NULL ? ",\"required\":" : "", required != NULL ? required : "");
    buf_u8(&text, 0);
    assert_false(failed(buf_err(&text)));
    return (char *)text.at;
}

static unsigned put_list(const char *path, const char *more, const struct buf *der, const char *required,
                         struct reply *reply)
{
    char *body = list_body(der, required);
    unsigned status = bench_local(&bench, "PUT", path, more, body, reply);
    free(body);
    return status;
}

static bool required_now(const char *path)
{
    struct reply reply;
    bool required = false;
    assert_int_equal(bench_local(&bench, "GET", path, "", NULL, &reply), 200);
    assert_true(json_as_bool(json_get(json_root(&reply.json), "required"), &required));
    reply_release(&reply);
    return required;
}

static void noted(struct store_request *request)
{
    *(bool *)request->context = true;
}

// How many lists the store holds, used or not.
static size_t lists_stored(void)
{
    struct arena arena = arena_capped(16 << 20);
    bool done = false;
    struct store_request count = {
        .verb = STORE_COUNT, .table = STORE_CRL, .arena = &arena, .done = noted, .context = &done};
    store_submit(bench.client, &count);
    bench_run_until(&bench, &done);
    assert_false(failed(count.result));
    arena_release(&arena);
    return count.count;
}

static void a_list_is_taken_shown_and_removed(void **state)
{
    (void)state;
    struct reply made, put, shown, reply;
    const char *path = ALL "/listed/crl";
    struct buf list = make_list(&factory, 3, 7);
    assert_int_equal(number_of("GET", path, "", NULL), 404206);
    assert_int_equal(upload(ALL "/listed", "", &factory, true, &made), 200);
    assert_int_equal(number_of("GET", path, "", NULL), 404206);
    assert_int_equal(number_of("DELETE", path, "", NULL), 404206);
    assert_int_equal(put_list(path, if_match(&made).text, &list, NULL, &put), 200);
    assert_true(is_verified(&put));
    assert_string_not_equal(reply_text(&made, "etag"), reply_text(&put, "etag"));
    assert_non_null(json_get(property(&put, "crl"), "nextUpdate"));
    assert_int_equal(put_list(path, if_match(&made).text, &list, NULL, &reply), 412);
    reply_release(&reply);
    assert_int_equal(bench_local(&bench, "GET", path, "", NULL, &shown), 200);
    uint8_t der[4096];
    size_t len = 0;
    assert_true(b64_decode(slice_text(reply_text(&shown, "crl")), der, sizeof der, &len));
    assert_true(slice_equal(slice_of(der, len), buf_slice(&list)));
    assert_non_null(json_get(json_root(&shown.json), "nextUpdate"));
    assert_false(required_now(path));
    assert_int_equal(lists_stored(), 1);
    assert_int_equal(number_of("DELETE", path, if_match(&made).text, NULL), 412201);
    assert_int_equal(bench_local(&bench, "DELETE", path, "", NULL, &reply), 204);
    reply_release(&reply);
    assert_int_equal(number_of("GET", path, "", NULL), 404206);
    assert_int_equal(lists_stored(), 0);
    reply_release(&made);
    reply_release(&put);
    reply_release(&shown);
    buf_release(&list);
    assert_int_equal(bench_count_lines(&bench, "\"event\":\"crl.updated\""), 1);
    assert_int_equal(bench_count_lines(&bench, "\"event\":\"crl.deleted\""), 1);
}

static void whether_it_is_required_stays_until_it_is_said(void **state)
{
    (void)state;
    struct reply reply;
    const char *path = ALL "/needed/crl";
    struct buf list = make_list(&factory, 1, 7);
    struct buf newer = make_list(&factory, 2, 8);
    assert_int_equal(upload(ALL "/needed", "", &factory, true, NULL), 200);
    assert_int_equal(number_of("PUT", path, "", "{\"required\":true}"), 400004);
    assert_int_equal(put_list(path, "", &list, "true", &reply), 200);
    reply_release(&reply);
    assert_true(required_now(path));
    assert_int_equal(put_list(path, "", &newer, NULL, &reply), 200);
    reply_release(&reply);
    assert_true(required_now(path));
    assert_int_equal(number_of("PUT", path, "", "{\"required\":false}"), 0);
    assert_false(required_now(path));
    assert_int_equal(number_of("PUT", path, "", "{\"required\":1}"), 400004);
    assert_int_equal(lists_stored(), 1);
    assert_int_equal(number_of("DELETE", ALL "/needed", ANY, NULL), 0);
    buf_release(&list);
    buf_release(&newer);
}

static void a_list_goes_with_its_certificate(void **state)
{
    (void)state;
    const char *path = ALL "/together/crl";
    struct buf list = make_list(&factory, 1, 7);
    assert_int_equal(lists_stored(), 0);
    assert_int_equal(upload(ALL "/together", "", &factory, true, NULL), 200);
    assert_int_equal(put_list(path, "", &list, "true", NULL), 200);
    assert_int_equal(lists_stored(), 1);
    // sent again: it stays. Another one: the list was not for it.
    assert_int_equal(upload(ALL "/together", ANY, &factory, true, NULL), 200);
    assert_true(required_now(path));
    assert_int_equal(upload(ALL "/together", ANY, &other, true, NULL), 200);
    assert_int_equal(number_of("GET", path, "", NULL), 404206);
    assert_int_equal(lists_stored(), 0);
    assert_int_equal(upload(ALL "/together", ANY, &factory, true, NULL), 200);
    assert_int_equal(put_list(path, "", &list, NULL, NULL), 200);
    assert_true(required_now(path));
    assert_int_equal(lists_stored(), 1);
    assert_int_equal(number_of("DELETE", ALL "/together", ANY, NULL), 0);
    assert_int_equal(lists_stored(), 0);
    buf_release(&list);
}

static bool shown_required(const char *path, bool *required)
{
    struct reply reply;
    assert_int_equal(bench_local(&bench, "GET", path, "", NULL, &reply), 200);
    bool said = json_as_bool(json_get(property(&reply, "crl"), "required"), required);
    reply_release(&reply);
    return said;
}

static void a_renewed_ca_that_requires_a_list_still_does(void **state)
{
    (void)state;
    struct reply reply;
    bool required = false;
    const char *path = ALL "/renewed";
    struct buf list = make_list(&factory, 1, 7);
    assert_int_equal(upload(path, "", &factory, true, NULL), 200);
    assert_int_equal(put_list(ALL "/renewed/crl", "", &list, "true", NULL), 200);
    assert_int_equal(upload(path, ANY, &other, true, &reply), 200);
    assert_true(json_as_bool(json_get(property(&reply, "crl"), "required"), &required));
    assert_true(required);
    char *warning = reply_header(&reply, "x-usher-warning");
    assert_non_null(warning);
    assert_non_null(strstr(warning, "is refused until"));
    free(warning);
    reply_release(&reply);
    assert_int_equal(bench_count_lines(&bench, "is refused until"), 1);
    // an operator who wants no list any more says so
    assert_int_equal(number_of("PUT", ALL "/renewed/crl", "", "{\"required\":false}"), 0);
    assert_false(shown_required(path, &required) && required);
    assert_int_equal(upload(path, ANY, &factory, true, NULL), 200);
    assert_int_equal(put_list(ALL "/renewed/crl", "", &list, "true", NULL), 200);
    assert_int_equal(upload(path, ANY, &other, true, NULL), 200);
    assert_int_equal(number_of("DELETE", ALL "/renewed/crl", "", NULL), 0);
    assert_false(shown_required(path, &required));
    assert_int_equal(number_of("DELETE", path, ANY, NULL), 0);
    buf_release(&list);
}

static void a_list_that_is_none_of_this_ca_or_stale_is_refused(void **state)
{
    (void)state;
    struct reply reply;
    const char *path = ALL "/strict/crl";
    int64_t started_us = bench.now_us;
    struct buf foreign = make_list(&other, 1, 7);
    struct buf list = make_list(&factory, 1, 7);
    assert_int_equal(upload(ALL "/strict", "", &factory, true, NULL), 200);
    assert_int_equal(put_list(path, "", &foreign, NULL, &reply), 400);
    assert_non_null(strstr(reply_text(&reply, "message"), "Other CA"));
    reply_release(&reply);
    bench.now_us += 8 * day_us;
    assert_int_equal(put_list(path, "", &list, NULL, &reply), 400);
    assert_non_null(strstr(reply_text(&reply, "message"), "stale"));
    reply_release(&reply);
    bench.now_us = started_us;
    assert_int_equal(number_of("PUT", path, "", "{\"crl\":\"bm90aGluZw==\"}"), 400004);
    assert_int_equal(number_of("PUT", path, "", "{\"crl\":\"\"}"), 400004);
    assert_int_equal(number_of("PUT", path, "", "{\"crl\":7}"), 400004);
    assert_int_equal(number_of("GET", path, "", NULL), 404206);
    assert_int_equal(lists_stored(), 0);
    buf_release(&foreign);
    buf_release(&list);
}

// Twenty-five thousand entries: what 1 MiB holds.
static void a_large_list_is_taken_over_the_control_socket(void **state)
{
    (void)state;
    struct reply reply;
    const char *path = ALL "/large/crl";
    struct buf list = make_list(&factory, 25000, 7);
    assert_true(list.len > 900000 && list.len < CRL_MAX);
    assert_int_equal(upload(ALL "/large", "", &factory, true, NULL), 200);
    assert_int_equal(put_list(path, "", &list, NULL, NULL), 200);
    assert_int_equal(bench_local(&bench, "GET", path, "", NULL, &reply), 200);
    assert_int_equal(strlen(reply_text(&reply, "crl")), (list.len + 2) / 3 * 4);
    reply_release(&reply);
    buf_release(&list);
    // nothing else takes as much
    list = make_list(&factory, 3000, 7);
    char *body = list_body(&list, NULL);
    assert_true(strlen(body) > CALL_BODY_MAX);
    assert_int_equal(number_of("PUT", ALL "/large", ANY, body), 413001);
    assert_int_equal(number_of("PUT", path, "", body), 0);
    free(body);
    buf_release(&list);
    assert_int_equal(number_of("DELETE", ALL "/large", ANY, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_taken_shown_and_removed),
        cmocka_unit_test(a_renewed_ca_that_requires_a_list_still_does),
        cmocka_unit_test(whether_it_is_required_stays_until_it_is_said),
        cmocka_unit_test(a_list_goes_with_its_certificate),
        cmocka_unit_test(a_list_that_is_none_of_this_ca_or_stale_is_refused),
        cmocka_unit_test(a_large_list_is_taken_over_the_control_socket),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

// What an operator sees of CA certificates (service-api B.5): upload, list, replace, delete, who may.
#include "api/control/certificates_test.h"

#include "domain/words.h"

static void a_certificate_is_uploaded_shown_and_listed_in_the_shape_of_arm(void **state)
{
    (void)state;
    struct reply made, shown, listed;
    assert_int_equal(upload(CA, "", &factory, false, &made), 200);
    assert_string_equal(reply_text(&made, "name"), "Factory-CA");
    assert_slice(json_as_string(property(&made, "subject")), "CN=Factory CA");
    assert_int_equal(json_as_string(property(&made, "thumbprint")).len, 40);
    assert_false(is_verified(&made));
    assert_true(json_as_string(property(&made, "certificate")).len > 300);
    assert_null(property(&made, "verificationCode"));
    assert_null(property(&made, "crl"));
    assert_int_equal(bench_local(&bench, "GET", ALL "/FACTORY-ca", "", NULL, &shown), 200);
    assert_string_equal(shown.body, made.body);
    assert_int_equal(bench_local(&bench, "GET", ALL, "", NULL, &listed), 200);
    const struct json *value = json_get(json_root(&listed.json), "value");
    assert_int_equal(json_count(value), 1);
    assert_true(json_same(json_at(value, 0), json_root(&made.json)));
    assert_null(json_get(json_root(&listed.json), "nextLink"));
    reply_release(&made);
    reply_release(&shown);
    reply_release(&listed);
    assert_int_equal(bench_count_lines(&bench, "\"event\":\"certificate.created\""), 1);
    assert_int_equal(bench_count_lines(&bench, "\"certificate\":\"Factory-CA\""), 1);
    assert_int_equal(number_of("GET", "/control/services/two/certificates/factory-ca", "", NULL), 404206);
    assert_int_equal(number_of("GET", "/control/services/none/certificates", "", NULL), 404205);
    assert_int_equal(number_of("PUT", "/control/services/none/certificates/x", "", "{}"), 404205);
}

static void what_is_there_is_replaced_only_by_who_says_so(void **state)
{
    (void)state;
    struct reply first, second, reply;
    assert_int_equal(upload(ALL "/replaced", "", &factory, true, &first), 200);
    assert_true(is_verified(&first));
    assert_int_equal(upload(ALL "/replaced", "", &other, false, &reply), 409);
    assert_non_null(strstr(reply_text(&reply, "message"), "it exists: send If-Match with its etag, or *"));
    reply_release(&reply);
    // the same certificate keeps what is known of it
    assert_int_equal(upload(ALL "/replaced", if_match(&first).text, &factory, false, &second), 200);
    assert_true(is_verified(&second));
    assert_string_not_equal(reply_text(&first, "etag"), reply_text(&second, "etag"));
    assert_int_equal(upload(ALL "/replaced", if_match(&first).text, &other, false, &reply), 412);
    assert_int_equal(reply_number(&reply, "errorCode"), 412201);
    reply_release(&reply);
    // another one vouches for nobody until it is proved
    char quoted[160];
    (void)snprintf(quoted, sizeof quoted, "If-Match: \"%s\"\r\n", reply_text(&second, "etag"));
    assert_int_equal(upload(ALL "/replaced", quoted, &other, false, &reply), 200);
    assert_false(is_verified(&reply));
    assert_slice(json_as_string(property(&reply, "subject")), "CN=Other CA");
    reply_release(&reply);
    assert_int_equal(upload(ALL "/replaced", ANY, &factory, false, &reply), 200);
    reply_release(&reply);
    assert_int_equal(upload(ALL "/absent", ANY, &factory, false, &reply), 404);
    reply_release(&reply);
    assert_int_equal(upload(ALL "/absent", if_match(&first).text, &factory, false, &reply), 404);
    reply_release(&first);
    reply_release(&second);
    reply_release(&reply);
}

static void deleting_needs_to_say_what_and_is_final(void **state)
{
    (void)state;
    struct reply made, reply;
    assert_int_equal(upload(ALL "/gone", "", &factory, true, &made), 200);
    assert_int_equal(bench_local(&bench, "DELETE", ALL "/gone", "", NULL, &reply), 400);
    assert_non_null(strstr(reply_text(&reply, "message"), "send If-Match with its etag, or *"));
    reply_release(&reply);
    struct condition old = if_match(&made);
    reply_release(&made);
    assert_int_equal(upload(ALL "/gone", ANY, &factory, true, &made), 200);
    assert_int_equal(number_of("DELETE", ALL "/gone", old.text, NULL), 412201);
    assert_int_equal(number_of("GET", ALL "/gone", "", NULL), 0);
    size_t before = bench_count_lines(&bench, "\"event\":\"certificate.deleted\"");
    assert_int_equal(bench_local(&bench, "DELETE", ALL "/GONE", if_match(&made).text, NULL, &reply), 204);
    assert_string_equal(reply.body, "");
    assert_null(reply_header(&reply, "x-usher-warning"));
    reply_release(&reply);
    reply_release(&made);
    assert_int_equal(bench_count_lines(&bench, "\"event\":\"certificate.deleted\""), before + 1);
    assert_int_equal(number_of("GET", ALL "/gone", "", NULL), 404206);
    assert_int_equal(number_of("DELETE", ALL "/gone", ANY, NULL), 404206);
}

static void put_group(const char *id, const char *primary, const char *secondary)
{
    struct enrollment group = {.kind = ENROLLMENT_GROUP,
                               .id = slice_text(id),
                               .attestation = {.type = ATTESTATION_X509,
                                               .certificate_role = CERTIFICATE_CA_REFERENCE,
                                               .primary_ca = slice_text(primary),
                                               .secondary_ca = slice_text(secondary)},
                               .etag = 3};
    struct arena arena = arena_capped(1 << 16);
    assert_false(failed(enrollment_words(&arena, &group, &group.words)));
    bench_put(&bench, STORE_GROUP, "0neAAAAAAAA", id, &group);
    arena_release(&arena);
}

// After a breach it must go at once; who else is hit is told.
static void a_certificate_in_use_is_deleted_with_a_warning(void **state)
{
    (void)state;
    struct reply reply;
    put_group("g1", "Breached", "");
    put_group("g2", "else", "BREACHED");
    put_group("g3", "breached-not", "");
    assert_int_equal(upload(ALL "/breached", "", &factory, true, &reply), 200);
    reply_release(&reply);
    assert_int_equal(bench_local(&bench, "DELETE", ALL "/breached", ANY, NULL, &reply), 204);
    char *warning = reply_header(&reply, "x-usher-warning");
    assert_non_null(warning);
    assert_string_equal(warning, "2 enrollment groups referred to it");
    free(warning);
    reply_release(&reply);
    assert_int_equal(bench_count_lines(&bench, "\"detail\":\"2 enrollment groups referred to it\""), 1);
}

static void what_cannot_be_a_ca_certificate_is_refused_with_the_reason(void **state)
{
    (void)state;
    struct pair device;
    struct reply reply;
    make_pair(&device, BENCH_DEVICE, "device-1", &factory, 0);
    assert_int_equal(upload(ALL "/bad", "", &device, true, &reply), 400);
    assert_int_equal(reply_number(&reply, "errorCode"), 400004);
    assert_non_null(strstr(reply_text(&reply, "message"), "certificate"));
    reply_release(&reply);
    release_pair(&device);
    static const char *const bad[] = {"{}", "[]", "{\"certificate\":\"\"}",
                                      "{\"certificate\":\"bm90aGluZw==\"}",
                                      "{\"properties\":{\"certificate\":7}}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(number_of("PUT", ALL "/bad", "", bad[i]), 400004);
    assert_int_equal(upload(ALL "/a%20name", "", &factory, true, &reply), 400);
    reply_release(&reply);
    char path[400] = ALL "/";
    memset(path + strlen(path), 'n', 257);
    assert_int_equal(upload(path, "", &factory, true, &reply), 400);
    reply_release(&reply);
    assert_int_equal(number_of("GET", ALL "/bad", "", NULL), 404206);
}

// Both replace what is there: one of the two is told that somebody else was faster.
static void of_two_replacements_of_one_state_only_one_wins(void **state)
{
    (void)state;
    struct reply made, a, b;
    char head[256];
    assert_int_equal(upload(ALL "/raced", "", &factory, true, &made), 200);
    (void)snprintf(head, sizeof head, "PUT " ALL "/raced HTTP/1.1\r\nHost: localhost\r\n%s",
                   if_match(&made).text);
    char *body = body_of(&other, true);
    bench_send(&bench, true, head, body, &a);
    bench_send(&bench, true, head, body, &b);
    bench_run_until(&bench, &a.done);
    bench_run_until(&bench, &b.done);
    assert_int_equal(a.status + b.status, 200 + 412);
    reply_release(&a);
    reply_release(&b);
    // and of two that make the same one, too
    bench_send(&bench, true, "PUT " ALL "/raced-new HTTP/1.1\r\nHost: localhost\r\n", body, &a);
    bench_send(&bench, true, "PUT " ALL "/raced-new HTTP/1.1\r\nHost: localhost\r\n", body, &b);
    bench_run_until(&bench, &a.done);
    bench_run_until(&bench, &b.done);
    assert_int_equal(a.status + b.status, 200 + 409);
    reply_release(&a);
    reply_release(&b);
    reply_release(&made);
    free(body);
}

// A service with as many as it may have: pages lead through all of them, and one more is refused.
static void a_service_has_at_most_ten_thousand_and_lists_them_in_pages(void **state)
{
    (void)state;
    enum { MANY = 10000 };
    struct reply made, reply;
    size_t found = 0;
    char path[256] = "/control/services/many/certificates";
    char last[64] = "";
    assert_int_equal(bench_local(&bench, "PUT", "/control/services/many", "", NULL, &made), 200);
    char scope[16];
    (void)snprintf(scope, sizeof scope, "%s", reply_text(&made, "idScope"));
    reply_release(&made);
    struct arena arena = arena_capped(1 << 20);
    char *pem = body_of(&factory, true);
    struct json_doc doc = {0};
    struct ca_certificate c = {0};
    assert_false(failed(json_read(slice_text(pem), JSON_LIMITS_DEFAULT, &doc, NULL)));
    assert_false(
        failed(ca_certificate_read(&arena, json_root(&doc), SLICE("ca"), NULL, bench.now_us, &c, NULL)));
    for (int i = 0; i < MANY; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "ca-%05d", i);
        c.name = slice_text(name);
        c.etag = (uint64_t)i + 1;
        bench_put(&bench, STORE_CERTIFICATE, scope, name, &c);
    }
    json_doc_release(&doc);
    arena_release(&arena);
    free(pem);
    for (size_t pages = 1; path[0] != '\0'; pages++) {
        assert_int_equal(bench_local(&bench, "GET", path, "", NULL, &reply), 200);
        const struct json *value = json_get(json_root(&reply.json), "value");
        for (size_t i = 0; i < json_count(value); i++, found++) {
            struct slice name = json_as_string(json_get(json_at(value, i), "name"));
            assert_true(slice_compare(slice_text(last), name) < 0);
            (void)snprintf(last, sizeof last, "%.*s", SLICE_ARG(name));
        }
        (void)snprintf(path, sizeof path, "%s", reply_text(&reply, "nextLink"));
        reply_release(&reply);
        assert_true(pages < 20);
    }
    assert_int_equal(found, MANY);
    assert_int_equal(upload("/control/services/many/certificates/one-more", "", &factory, true, &reply), 400);
    assert_non_null(strstr(reply_text(&reply, "message"), "at most 10000 CA certificates"));
    reply_release(&reply);
    assert_int_equal(upload("/control/services/many/certificates/ca-00000", ANY, &factory, true, &reply),
                     200);
    reply_release(&reply);
    assert_int_equal(bench_local(&bench, "DELETE", "/control/services/many", "", NULL, &reply), 409);
    assert_non_null(strstr(reply_text(&reply, "message"), "10000 CA certificates"));
    reply_release(&reply);
}

static void over_https_a_policy_with_serviceconfig_does_all_of_it(void **state)
{
    (void)state;
    struct reply reply;
    char *body = body_of(&factory, false);
    const char *path = ALL "/remote";
    assert_int_equal(bench_call(&bench, "one", "PUT", path, "", body, &reply), 200);
    reply_release(&reply);
    assert_int_equal(bench_call(&bench, "two", "PUT", path, ANY, body, NULL), 401);
    assert_int_equal(
        bench_call(&bench, "one", "POST", ALL "/remote/generateVerificationCode", ANY, NULL, NULL), 200);
    assert_int_equal(bench_call(&bench, "two", "DELETE", path, ANY, NULL, NULL), 401);
    assert_int_equal(bench_call(&bench, "one", "DELETE", path, ANY, NULL, NULL), 204);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_is_uploaded_shown_and_listed_in_the_shape_of_arm),
        cmocka_unit_test(what_is_there_is_replaced_only_by_who_says_so),
        cmocka_unit_test(deleting_needs_to_say_what_and_is_final),
        cmocka_unit_test(a_certificate_in_use_is_deleted_with_a_warning),
        cmocka_unit_test(what_cannot_be_a_ca_certificate_is_refused_with_the_reason),
        cmocka_unit_test(of_two_replacements_of_one_state_only_one_wins),
        cmocka_unit_test(a_service_has_at_most_ten_thousand_and_lists_them_in_pages),
        cmocka_unit_test(over_https_a_policy_with_serviceconfig_does_all_of_it),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

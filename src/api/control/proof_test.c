// Proof of possession as an operator meets it (service-api E.1, threats B17): the right proof, and all that
// are none.
#include "api/control/certificates_test.h"

static int64_t const day_us = INT64_C(86400000000);

struct code {
    char text[2 * POSSESSION_CODE_SIZE + 1];
};

static struct code make_code(const char *path)
{
    char target[256];
    struct reply reply;
    struct code code;
    (void)snprintf(target, sizeof target, "%s/generateVerificationCode", path);
    assert_int_equal(bench_local(&bench, "POST", target, ANY, NULL, &reply), 200);
    struct slice text = json_as_string(property(&reply, "verificationCode"));
    assert_int_equal(text.len, sizeof code.text - 1);
    (void)snprintf(code.text, sizeof code.text, "%.*s", SLICE_ARG(text));
    reply_release(&reply);
    return code;
}

static unsigned verify(const char *path, const char *more, const struct pair *issuer, const char *name,
                       struct reply *reply)
{
    char target[256];
    struct pair proof;
    (void)snprintf(target, sizeof target, "%s/verify", path);
    make_pair(&proof, BENCH_VERIFICATION, name, issuer, 30);
    char *body = body_of(&proof, false);
    unsigned status = bench_local(&bench, "POST", target, more, body, reply);
    free(body);
    release_pair(&proof);
    return status;
}

static void new_certificate(const char *path)
{
    struct reply reply;
    assert_int_equal(upload(path, "", &factory, false, &reply), 200);
    reply_release(&reply);
}

static bool verified_now(const char *path)
{
    struct reply reply;
    assert_int_equal(bench_local(&bench, "GET", path, "", NULL, &reply), 200);
    bool verified = is_verified(&reply);
    assert_null(strstr(reply.body, "verificationCode"));
    reply_release(&reply);
    return verified;
}

static void refused(const char *path, const struct pair *issuer, const char *name, const char *because)
{
    struct reply reply;
    size_t before = bench_count_lines(&bench, "\"event\":\"certificate.proof_refused\"");
    size_t requests = bench_count_lines(&bench, "\"event\":\"request.refused\"");
    assert_int_equal(verify(path, ANY, issuer, name, &reply), 400);
    if (strstr(reply_text(&reply, "message"), because) == NULL)
        fail_msg("'%s' does not say '%s'", reply_text(&reply, "message"), because);
    reply_release(&reply);
    assert_int_equal(bench_count_lines(&bench, "\"event\":\"certificate.proof_refused\""), before + 1);
    assert_int_equal(bench_count_lines(&bench, "\"event\":\"request.refused\""), requests);
    assert_false(verified_now(path));
}

static void the_right_proof_verifies_once_and_its_code_is_nowhere(void **state)
{
    (void)state;
    const char *path = ALL "/right";
    struct reply reply;
    new_certificate(path);
    struct code code = make_code(path);
    assert_false(verified_now(path));
    assert_int_equal(verify(path, ANY, &factory, code.text, &reply), 200);
    assert_true(is_verified(&reply));
    reply_release(&reply);
    assert_true(verified_now(path));
    assert_int_equal(bench_count_lines(&bench, code.text), 0);
    assert_true(bench_count_lines(&bench, "\"event\":\"certificate.code_made\"") > 0);
    assert_int_equal(bench_count_lines(&bench, "\"event\":\"certificate.verified\""), 1);
}

static void a_wrong_code_and_another_ca_prove_nothing_and_use_nothing_up(void **state)
{
    (void)state;
    const char *path = ALL "/wrong";
    struct reply reply;
    new_certificate(path);
    refused(path, &factory, "0000000000000000000000000000000000000000000000000000000000000000",
            "no verification code");
    struct code code = make_code(path);
    refused(path, &factory, "0000000000000000000000000000000000000000000000000000000000000000", "code");
    refused(path, &factory, "Factory CA", "code");
    refused(path, &other, code.text, "Other CA");
    struct pair impostor; // the same name, another key
    make_pair(&impostor, BENCH_ROOT, "Factory CA", NULL, 0);
    refused(path, &impostor, code.text, "not signed with the key");
    release_pair(&impostor);
    assert_int_equal(number_of("POST", ALL "/wrong/verify", ANY, "{}"), 400004);
    assert_int_equal(number_of("POST", ALL "/wrong/verify", ANY, "{\"certificate\":\"x\"}"), 400004);
    assert_int_equal(verify(path, ANY, &factory, code.text, &reply), 200);
    reply_release(&reply);
}

static void a_code_is_good_for_one_proof_and_the_newest_only(void **state)
{
    (void)state;
    const char *path = ALL "/replay";
    struct reply reply;
    new_certificate(path);
    struct code first = make_code(path);
    struct code second = make_code(path);
    assert_string_not_equal(first.text, second.text);
    refused(path, &factory, first.text, "code");
    assert_int_equal(verify(path, ANY, &factory, second.text, &reply), 200);
    reply_release(&reply);
    // replayed, after another certificate and then the same one came back under this name
    assert_int_equal(upload(path, ANY, &other, false, &reply), 200);
    reply_release(&reply);
    assert_int_equal(upload(path, ANY, &factory, false, &reply), 200);
    assert_false(is_verified(&reply));
    reply_release(&reply);
    refused(path, &factory, second.text, "no verification code");
}

// A proof for the certificate that was there is none for the one that took its place.
static void a_code_goes_with_the_certificate_it_was_made_for(void **state)
{
    (void)state;
    const char *path = ALL "/swapped";
    struct reply reply;
    new_certificate(path);
    struct code code = make_code(path);
    assert_int_equal(upload(path, ANY, &other, false, &reply), 200);
    reply_release(&reply);
    refused(path, &other, code.text, "no verification code");
    // but it survives the same certificate being sent again
    assert_int_equal(upload(path, ANY, &factory, false, &reply), 200);
    reply_release(&reply);
    code = make_code(path);
    assert_int_equal(upload(path, ANY, &factory, false, &reply), 200);
    reply_release(&reply);
    assert_int_equal(verify(path, ANY, &factory, code.text, &reply), 200);
    reply_release(&reply);
}

static void a_code_runs_out_after_seven_days(void **state)
{
    (void)state;
    const char *path = ALL "/late";
    struct reply reply;
    int64_t started_us = bench.now_us;
    new_certificate(path);
    struct code code = make_code(path);
    bench.now_us = started_us + 7 * day_us + 1000000;
    refused(path, &factory, code.text, "ran out");
    code = make_code(path);
    bench.now_us += 7 * day_us - 1000000;
    assert_int_equal(verify(path, ANY, &factory, code.text, &reply), 200);
    reply_release(&reply);
    bench.now_us = started_us;
}

// Somebody makes a new code while the proof of the old one is on its way: by etag, one of the two is refused,
// whatever comes first; the certificate is never verified by a code that was replaced before.
static void of_a_code_and_a_proof_at_the_same_time_one_wins(void **state)
{
    (void)state;
    const char *path = ALL "/race";
    struct reply shown, a, b;
    struct pair proof;
    char make[256], check[256];
    new_certificate(path);
    struct code code = make_code(path);
    make_pair(&proof, BENCH_VERIFICATION, code.text, &factory, 0);
    char *body = body_of(&proof, false);
    assert_int_equal(bench_local(&bench, "GET", path, "", NULL, &shown), 200);
    (void)snprintf(make, sizeof make,
                   "POST " ALL "/race/generateVerificationCode HTTP/1.1\r\nHost: localhost\r\n%s",
                   if_match(&shown).text);
    (void)snprintf(check, sizeof check, "POST " ALL "/race/verify HTTP/1.1\r\nHost: localhost\r\n%s",
                   if_match(&shown).text);
    bench_send(&bench, true, make, NULL, &a);
    bench_send(&bench, true, check, body, &b);
    bench_run_until(&bench, &a.done);
    bench_run_until(&bench, &b.done);
    assert_int_equal(a.status + b.status, 200 + 412);
    assert_int_equal(verified_now(path), b.status == 200);
    reply_release(&a);
    reply_release(&b);
    // without an etag the proof is judged anew by the code that is there then
    free(body);
    release_pair(&proof);
    assert_int_equal(upload(path, ANY, &other, false, NULL), 200);
    assert_int_equal(upload(path, ANY, &factory, false, NULL), 200);
    code = make_code(path);
    make_pair(&proof, BENCH_VERIFICATION, code.text, &factory, 0);
    body = body_of(&proof, false);
    bench_send(&bench, true, "POST " ALL "/race/generateVerificationCode HTTP/1.1\r\nHost: localhost\r\n",
               NULL, &a);
    bench_send(&bench, true, "POST " ALL "/race/verify HTTP/1.1\r\nHost: localhost\r\n", body, &b);
    bench_run_until(&bench, &a.done);
    bench_run_until(&bench, &b.done);
    assert_int_equal(a.status, 200);
    assert_int_equal(b.status, 400);
    assert_false(verified_now(path));
    reply_release(&a);
    reply_release(&b);
    reply_release(&shown);
    release_pair(&proof);
    free(body);
}

static void codes_and_proofs_are_for_certificates_that_are_there(void **state)
{
    (void)state;
    struct reply reply;
    assert_int_equal(number_of("POST", ALL "/none/generateVerificationCode", "", NULL), 404206);
    assert_int_equal(verify(ALL "/none", "", &factory, "x", &reply), 404);
    reply_release(&reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_proof_verifies_once_and_its_code_is_nowhere),
        cmocka_unit_test(a_wrong_code_and_another_ca_prove_nothing_and_use_nothing_up),
        cmocka_unit_test(a_code_is_good_for_one_proof_and_the_newest_only),
        cmocka_unit_test(a_code_goes_with_the_certificate_it_was_made_for),
        cmocka_unit_test(a_code_runs_out_after_seven_days),
        cmocka_unit_test(of_a_code_and_a_proof_at_the_same_time_one_wins),
        cmocka_unit_test(codes_and_proofs_are_for_certificates_that_are_there),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

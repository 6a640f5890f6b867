// usher certificate and the certificate options of enrollments: what is asked, what is printed.
#include "cli/run_test.h"

#include "base/instant.h"
#include "base/text.h"
#include "crypto/bench_pki.h"
#include "crypto/certificate.h"

#define RECORD(expiry, verified)                                                                             \
    "{\"name\":\"root 1\",\"etag\":\"AAAA\",\"properties\":{\"subject\":\"CN=Acme "                          \
    "root\",\"expiry\":\"" expiry                                                                            \
    "\",\"thumbprint\":\"97388663832D0393C9246CAB4FBA2C8677185A25\",\"isVerified\":" verified                \
    ",\"created\":\"Thu, 12 Oct 2017 19:23:50 GMT\",\"updated\":\"Thu, 12 Oct 2017 19:23:51 GMT\"}}"
#define FAR "Sat, 31 Dec 2039 23:59:59 GMT"

static char folder[64], ca_path[96], key_path[96], both_path[96];
static struct buf certificate, key, der_text;

static void write_file(const char *path, struct slice first, struct slice second)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(first.at, 1, first.len, file), first.len);
    assert_int_equal(fwrite(second.at, 1, second.len, file), second.len);
    assert_int_equal(fclose(file), 0);
}

// A folder with ca.pem, ca.key and both.pem, which holds two certificates.
static int make_files(void **state)
{
    (void)state;
    const struct bench_spec spec = {
        .role = BENCH_ROOT, .common_name = SLICE("Acme root"), .now_us = INT64_C(1800000000000000)};
    struct arena arena = arena_capped(1 << 20);
    struct slice der;
    certificate = key = der_text = buf_capped(BENCH_PEM_MAX);
    snprintf(folder, sizeof folder, "/tmp/usher-certificate-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(ca_path, sizeof ca_path, "%s/ca.pem", folder);
    snprintf(key_path, sizeof key_path, "%s/ca.key", folder);
    snprintf(both_path, sizeof both_path, "%s/both.pem", folder);
    assert_false(failed(bench_make(&spec, &certificate, &key, NULL)));
    assert_false(failed(certificate_read(&arena, buf_slice(&certificate), &der, NULL)));
    b64_encode(&der_text, der);
    buf_u8(&der_text, '\0');
    write_file(ca_path, buf_slice(&certificate), SLICE(""));
    write_file(key_path, buf_slice(&key), SLICE(""));
    write_file(both_path, buf_slice(&certificate), buf_slice(&certificate));
    arena_release(&arena);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    unlink(ca_path);
    unlink(key_path);
    unlink(both_path);
    buf_release(&certificate);
    buf_release(&key);
    buf_release(&der_text);
    return rmdir(folder);
}

static const char *base64(void)
{
    return (const char *)der_text.at;
}

// The body of the request of that index is this JSON, with DER for the certificate in base64.
static void assert_body(size_t index, const char *before, const char *after)
{
    char want[4096];
    snprintf(want, sizeof want, "\r\n\r\n%s%s%s", before, base64(), after);
    const char *have = strstr(fake.requests[index], "\r\n\r\n");
    assert_non_null(have);
    assert_string_equal(have, want);
}

static void an_upload_sends_the_certificate_and_makes_no_claim(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("200 OK", "", RECORD(FAR, "false"));
    assert_int_equal(RUN("certificate", "create", "root 1", "--file", ca_path, "--service", "dev"), 0);
    assert_has(fake.requests[0], "PUT /control/services/dev/certificates/root%201?");
    assert_has(fake.requests[0], "If-None-Match: *\r\n");
    assert_body(0, "{\"properties\":{\"certificate\":\"", "\"}}");
    assert_has(printed(), "verified    no\n");
    assert_has(printed(), "  usher certificate code 'root 1'\n");
}

static void an_upload_may_be_said_to_be_verified(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("200 OK", "", RECORD(FAR, "true"));
    assert_int_equal(RUN("certificate", "create", "r", "--file", ca_path, "--verified", "--service", "dev"),
                     0);
    assert_body(0, "{\"properties\":{\"certificate\":\"", "\",\"isVerified\":true}}");
    assert_null(strstr(printed(), "usher certificate code"));
}

static void files_that_are_no_single_certificate_are_refused_before_anything_is_asked(void **state)
{
    (void)state;
    assert_int_equal(RUN("certificate", "create", "r", "--service", "dev"), 2);
    assert_trouble("--file is needed");
    const char *const bad[] = {key_path, both_path, "/dev/null"};
    for (size_t i = 0; i < CLI_COUNT(bad); i++) {
        buf_clear(&trouble);
        assert_int_equal(RUN("certificate", "create", "r", "--file", bad[i], "--service", "dev"), 2);
        assert_trouble(bad[i]);
        assert_int_equal(RUN("certificate", "verify", "r", "--file", bad[i], "--service", "dev"), 2);
    }
    buf_clear(&trouble);
    assert_int_equal(RUN("certificate", "create", "r", "--file", "/nonexistent", "--service", "dev"), 1);
    assert_trouble("/nonexistent: cannot be opened");
    assert_int_equal(fake.served, 0);
}

static void changes_are_unconditional_unless_an_etag_is_given(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("200 OK", "", RECORD(FAR, "true"));
    assert_int_equal(RUN("certificate", "update", "r", "--file", ca_path, "--service", "dev"), 0);
    assert_has(fake.requests[0], "PUT /control/services/dev/certificates/r?");
    assert_has(fake.requests[0], "If-Match: *\r\n");
    fake.answers[0] = ANSWER("200 OK", "", RECORD(FAR, "true"));
    assert_int_equal(
        RUN("certificate", "update", "r", "--file", ca_path, "--etag", "AAAA", "--service", "dev"), 0);
    assert_has(fake.requests[0], "If-Match: AAAA\r\n");
    fake.answers[0] = ANSWER("204 No Content", "", "");
    assert_int_equal(RUN("certificate", "delete", "r", "--service", "dev"), 0);
    assert_has(fake.requests[0], "DELETE /control/services/dev/certificates/r?");
    assert_has(fake.requests[0], "If-Match: *\r\n");
    assert_int_equal(RUN("certificate", "delete", "r", "--service", "dev", "--etag", "BBBB"), 0);
    assert_has(fake.requests[0], "If-Match: BBBB\r\n");
}

static void whom_a_deletion_shuts_out_is_told(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("204 No Content", "x-usher-warning: 2 enrollment groups referred to it\r\n", "");
    assert_int_equal(RUN("certificate", "delete", "r", "--service", "dev"), 0);
    assert_slice(buf_slice(&cli.out), "warning: 2 enrollment groups referred to it\n");
}

static void the_days_until_it_expires_are_counted(void **state)
{
    (void)state;
    char body[1024];
    struct buf date = buf_capped(64);
    instant_format_http(&date, ((int64_t)time(NULL) + 10 * 86400 + 43200) * 1000000);
    snprintf(body, sizeof body, "{\"name\":\"r\",\"properties\":{\"expiry\":\"%.*s\"}}", (int)date.len,
             (const char *)date.at);
    buf_release(&date);
    fake.answers[0] = ANSWER("200 OK", "", body);
    assert_int_equal(RUN("certificate", "show", "r", "--service", "dev"), 0);
    assert_has(printed(), " GMT (10 days left)\n");
    buf_clear(&cli.out);
    fake.answers[0] = ANSWER("200 OK", "", RECORD("Thu, 12 Oct 2017 19:23:50 GMT", "true"));
    assert_int_equal(RUN("certificate", "show", "r", "--service", "dev"), 0);
    assert_has(printed(), "Thu, 12 Oct 2017 19:23:50 GMT (expired)\n");
}

static void a_list_follows_the_link_to_its_next_page(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("200 OK", "",
                             "{\"value\":[{\"name\":\"a\"}],\"nextLink\":\"/control/services/dev/"
                             "certificates?after=a\"}");
    fake.answers[1] =
        ANSWER("200 OK", "", "{\"value\":[{\"name\":\"b\",\"properties\":{\"isVerified\":true}}]}");
    assert_int_equal(RUN("certificate", "list", "--service", "dev"), 0);
    assert_has(fake.requests[1], "GET /control/services/dev/certificates?after=a HTTP/1.1\r\n");
    assert_slice(buf_slice(&cli.out), "NAME  SUBJECT  EXPIRES  VERIFIED  THUMBPRINT\n"
                                      "a                       no\n"
                                      "b                       yes\n");
    buf_clear(&cli.out);
    assert_int_equal(RUN("certificate", "list", "--service", "dev", "--json"), 0);
    assert_slice(buf_slice(&cli.out),
                 "{\"value\":[{\"name\":\"a\"},{\"name\":\"b\",\"properties\":{\"isVerified\":true}}]}\n");
}

static void a_code_comes_with_the_commands_that_use_it(void **state)
{
    (void)state;
    fake.answers[0] =
        ANSWER("200 OK", "", "{\"name\":\"r\",\"properties\":{\"verificationCode\":\"0123456789AB\"}}");
    assert_int_equal(RUN("certificate", "code", "r", "--service", "dev"), 0);
    assert_has(fake.requests[0], "POST /control/services/dev/certificates/r/generateVerificationCode?");
    assert_has(fake.requests[0], "If-Match: *\r\n");
    assert_has(printed(), "code  0123456789AB\n");
    assert_has(printed(), "  usher pki verification DIR 0123456789AB\n"
                          "  usher certificate verify r --file DIR/verification-01234567.pem\n");
    assert_has(printed(), " -subj /CN=0123456789AB -out proof.pem\n"
                          "  usher certificate verify r --file proof.pem\n");
}

static void a_proof_is_handed_in(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("200 OK", "", RECORD(FAR, "true"));
    assert_int_equal(RUN("certificate", "verify", "r", "--file", ca_path, "--service", "dev"), 0);
    assert_has(fake.requests[0], "POST /control/services/dev/certificates/r/verify?");
    assert_has(fake.requests[0], "If-Match: *\r\n");
    assert_body(0, "{\"certificate\":\"", "\"}");
    assert_has(printed(), "verified    yes\n");
}

static void a_revocation_list_is_set_and_removed(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("200 OK", "", RECORD(FAR, "true"));
    write_file(both_path, SLICE("-----BEGIN X509 CRL-----\nAA==\n"), SLICE("-----END X509 CRL-----\n"));
    assert_int_equal(RUN("certificate", "crl", "r", "--file", both_path, "--required", "--service", "dev"),
                     0);
    assert_has(fake.requests[0], "PUT /control/services/dev/certificates/r/crl?");
    assert_has(fake.requests[0], "{\"crl\":\"-----BEGIN X509 CRL-----\\nAA==\\n-----END X509 CRL-----\\n\","
                                 "\"required\":true}");
    write_file(both_path, SLICE("\x30\x00"), SLICE("")); // DER
    assert_int_equal(RUN("certificate", "crl", "r", "--file", both_path, "--service", "dev"), 0);
    assert_has(fake.requests[0], "{\"crl\":\"MAA=\",\"required\":false}");
    fake.answers[0] = ANSWER("204 No Content", "", "");
    assert_int_equal(RUN("certificate", "crl", "r", "--remove", "--service", "dev"), 0);
    assert_has(fake.requests[0], "DELETE /control/services/dev/certificates/r/crl?");
    assert_int_equal(RUN("certificate", "crl", "r", "--service", "dev"), 2);
    assert_int_equal(RUN("certificate", "crl", "r", "--remove", "--required", "--service", "dev"), 2);
    assert_int_equal(RUN("certificate", "crl", "r", "--remove", "--file", both_path, "--service", "dev"), 2);
    write_file(both_path, buf_slice(&certificate), buf_slice(&certificate));
}

static void an_enrollment_takes_a_certificate_from_a_file(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("200 OK", "",
                             "{\"registrationId\":\"dev1\",\"attestation\":{\"type\":\"x509\",\"x509\":{"
                             "\"clientCertificates\":{\"primary\":{\"info\":{\"subjectName\":\"CN=dev1\","
                             "\"issuerName\":\"CN=Acme\",\"sha256Thumbprint\":\"AB\",\"notAfterUtc\":"
                             "\"2030-01-01T00:00:00Z\"}}}}}}");
    assert_int_equal(RUN("enrollment", "create", "dev1", "--certificate", ca_path), 0);
    assert_body(0,
                "{\"registrationId\":\"dev1\",\"attestation\":{\"type\":\"x509\",\"x509\":{"
                "\"clientCertificates\":{\"primary\":{\"certificate\":\"",
                "\"}}}}}");
    assert_slice(buf_slice(&cli.out),
                 "warning: --certificate: the certificate's common name is 'Acme root', and "
                 "the registration ID dev1: they must be the same, or the device will be "
                 "refused\n"
                 "registration ID  dev1\n"
                 "attestation      x509\n"
                 "certificate      CN=dev1\n"
                 "  issuer         CN=Acme\n"
                 "  thumbprint     AB\n"
                 "  expires        2030-01-01T00:00:00Z\n"
                 "provisioning     enabled\n");
}

static void a_group_takes_a_ca_from_a_file_or_by_name(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("200 OK", "", "{}");
    assert_int_equal(RUN("group", "create", "g", "--certificate", ca_path), 0);
    assert_body(0,
                "{\"enrollmentGroupId\":\"g\",\"attestation\":{\"type\":\"x509\",\"x509\":{"
                "\"signingCertificates\":{\"primary\":{\"certificate\":\"",
                "\"}}}}}");
    assert_int_equal(RUN("group", "create", "g", "--ca", "root 1", "--secondary-ca", "root2"), 0);
    assert_has(fake.requests[0],
               "\"x509\":{\"caReferences\":{\"primary\":\"root 1\",\"secondary\":\"root2\"}}");
}

static void a_group_by_a_certificate_that_is_no_ca_is_warned_of(void **state)
{
    (void)state;
    const struct bench_spec spec = {
        .role = BENCH_DEVICE, .common_name = SLICE("dev1"), .now_us = INT64_C(1800000000000000)};
    struct buf device = buf_capped(BENCH_PEM_MAX), its_key = buf_capped(BENCH_PEM_MAX);
    assert_false(failed(bench_make(&spec, &device, &its_key, NULL)));
    write_file(both_path, buf_slice(&device), SLICE(""));
    fake.answers[0] = ANSWER("200 OK", "", "{}");
    assert_int_equal(RUN("group", "create", "g", "--certificate", both_path), 0);
    assert_has(printed(), "warning: --certificate: the certificate CN=dev1 is no CA");
    assert_has(printed(), "no device will be let in by it\n");
    buf_clear(&cli.out);
    assert_int_equal(RUN("group", "create", "g", "--certificate", ca_path), 0);
    assert_null(strstr(printed(), "warning"));
    buf_clear(&cli.out);
    assert_int_equal(RUN("group", "create", "g", "--certificate", both_path, "--json"), 0);
    assert_null(strstr(printed(), "warning"));
    write_file(both_path, buf_slice(&certificate), buf_slice(&certificate));
    buf_release(&device);
    buf_release(&its_key);
}

static void proofs_of_different_kinds_do_not_mix(void **state)
{
    (void)state;
    assert_int_equal(RUN("enrollment", "create", "r", "--certificate", ca_path, "--primary-key", "cA=="), 2);
    assert_trouble("by key or by certificate: --primary-key and --secondary-key do not go together with "
                   "--certificate and --secondary-certificate");
    buf_clear(&trouble);
    assert_int_equal(RUN("group", "update", "r", "--ca", "root", "--secondary-key", "cA=="), 2);
    assert_trouble("do not go together with --ca and --secondary-ca");
    buf_clear(&trouble);
    assert_int_equal(RUN("group", "create", "r", "--ca", "root", "--secondary-certificate", ca_path), 2);
    assert_trouble("give one of the two");
    buf_clear(&trouble);
    assert_int_equal(RUN("enrollment", "create", "r", "--secondary-certificate", ca_path), 2);
    assert_trouble("enrollment create: the first certificate is given by --certificate");
    buf_clear(&trouble);
    assert_int_equal(RUN("enrollment", "update", "r", "--secondary-certificate", ca_path,
                         "--remove-secondary-certificate"),
                     2);
    assert_trouble("exclude each other");
    buf_clear(&trouble);
    assert_int_equal(RUN("enrollment", "create", "r", "--certificate", key_path), 2);
    assert_trouble(key_path);
    assert_int_equal(fake.served, 0);
}

// What GET answers: two certificates with these thumbprints.
#define STORED(primary, secondary)                                                                           \
    "{\"registrationId\":\"r\",\"attestation\":{\"type\":\"x509\",\"x509\":{\"clientCertificates\":{"        \
    "\"primary\":{\"info\":{\"sha256Thumbprint\":\"" primary "\"}},\"secondary\":{\"info\":{"                \
    "\"sha256Thumbprint\":\"" secondary "\"}}}}},\"etag\":\"IjEi\"}"
#define PUT_BEGIN                                                                                            \
    "{\"registrationId\":\"r\",\"attestation\":{\"type\":\"x509\",\"x509\":{\"clientCertificates\":{"

static void answer_update(const char *stored)
{
    fake.answers[0] = ANSWER("200 OK", "", stored);
    fake.answers[1] = ANSWER("200 OK", "", "{\"type\":\"x509\",\"x509\":{}}");
    fake.answers[2] = ANSWER("200 OK", "", "{}");
    fake.served = 0;
}

static void a_new_secondary_leaves_the_primary_as_it_is(void **state)
{
    (void)state;
    answer_update(STORED("AA", "AA"));
    assert_int_equal(RUN("enrollment", "update", "r", "--secondary-certificate", ca_path), 0);
    assert_body(
        2, PUT_BEGIN "\"primary\":{\"info\":{\"sha256Thumbprint\":\"AA\"}},\"secondary\":{\"certificate\":\"",
        "\"}}}}}");
}

static void a_new_primary_leaves_a_secondary_that_was_given(void **state)
{
    (void)state;
    answer_update(STORED("AA", "BB"));
    assert_int_equal(RUN("enrollment", "update", "r", "--certificate", ca_path), 0);
    assert_body(2, PUT_BEGIN "\"primary\":{\"certificate\":\"",
                "\"},\"secondary\":{\"info\":{\"sha256Thumbprint\":\"BB\"}}}}}}");
}

static void a_replaced_primary_does_not_live_on_as_its_own_secondary(void **state)
{
    (void)state;
    answer_update(STORED("AA", "AA"));
    assert_int_equal(RUN("enrollment", "update", "r", "--certificate", ca_path), 0);
    assert_body(2, PUT_BEGIN "\"primary\":{\"certificate\":\"", "\"}}}}}");
}

static void the_secondary_can_be_removed(void **state)
{
    (void)state;
    answer_update(STORED("AA", "BB"));
    assert_int_equal(RUN("enrollment", "update", "r", "--remove-secondary-certificate"), 0);
    assert_has(fake.requests[2],
               "\r\n\r\n" PUT_BEGIN "\"primary\":{\"info\":{\"sha256Thumbprint\":\"AA\"}}}}}}");
}

static void a_group_moves_from_a_file_to_a_name(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("200 OK", "",
                             "{\"enrollmentGroupId\":\"g\",\"attestation\":{\"type\":\"x509\",\"x509\":{"
                             "\"signingCertificates\":{\"primary\":{\"info\":{}}}}},\"etag\":\"IjEi\"}");
    fake.answers[1] = ANSWER("200 OK", "", "{\"type\":\"x509\",\"x509\":{}}");
    fake.answers[2] = ANSWER("200 OK", "", "{}");
    assert_int_equal(RUN("group", "update", "g", "--ca", "root"), 0);
    assert_has(fake.requests[2], "\"attestation\":{\"type\":\"x509\",\"x509\":{\"caReferences\":{\"primary\":"
                                 "\"root\"}}}}");
}

static void a_proof_of_another_kind_than_the_record_has_is_refused(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("200 OK", "", "{\"registrationId\":\"r\",\"etag\":\"IjEi\"}");
    fake.answers[1] = ANSWER("200 OK", "", "{\"type\":\"symmetricKey\",\"symmetricKey\":{}}");
    assert_int_equal(RUN("enrollment", "update", "r", "--certificate", ca_path), 1);
    assert_trouble("does not attest by certificate");
    assert_int_equal(fake.served, 2);
}

static void a_device_has_a_key_or_a_certificate(void **state)
{
    (void)state;
    assert_int_equal(RUN("device", "register", "x", "--scope", "s"), 2);
    assert_trouble("give one of --key, --certificate with --key-file, and --tpm");
    buf_clear(&trouble);
    assert_int_equal(
        RUN("device", "register", "x", "--scope", "s", "--key", "cA==", "--certificate", ca_path), 2);
    assert_trouble("give one of --key, --certificate with --key-file, and --tpm");
    buf_clear(&trouble);
    assert_int_equal(RUN("device", "register", "x", "--scope", "s", "--certificate", ca_path), 2);
    assert_trouble("--certificate and --key-file go together");
    buf_clear(&trouble);
    assert_int_equal(RUN("device", "register", "x", "--scope", "s", "--certificate", ca_path, "--key-file",
                         "/nonexistent"),
                     1);
    assert_trouble("/nonexistent: cannot be opened");
}

// Nobody listens on port 1: what counts is what is said before.
static void a_name_that_the_service_would_refuse_is_warned_of(void **state)
{
    (void)state;
    assert_int_equal(RUN("device", "register", "press-1", "--scope", "s", "--certificate", both_path,
                         "--key-file", key_path, "--host", "127.0.0.1", "--port", "1", "--transport", "http"),
                     1);
    assert_has(printed(),
               "warning: the registration ID is press-1, but the certificate's common name is Acme "
               "root: the service will refuse it\nregistering press-1 with 127.0.0.1:1 over HTTPS\n");
    buf_clear(&cli.out);
    assert_int_equal(RUN("device", "register", "ACME ROOT", "--scope", "s", "--certificate", both_path,
                         "--key-file", key_path, "--host", "127.0.0.1", "--port", "1", "--transport", "http"),
                     1);
    assert_null(strstr(printed(), "warning"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_upload_sends_the_certificate_and_makes_no_claim),
        TEST(an_upload_may_be_said_to_be_verified),
        TEST(files_that_are_no_single_certificate_are_refused_before_anything_is_asked),
        TEST(changes_are_unconditional_unless_an_etag_is_given),
        TEST(whom_a_deletion_shuts_out_is_told),
        TEST(the_days_until_it_expires_are_counted),
        TEST(a_list_follows_the_link_to_its_next_page),
        TEST(a_code_comes_with_the_commands_that_use_it),
        TEST(a_proof_is_handed_in),
        TEST(a_revocation_list_is_set_and_removed),
        TEST(an_enrollment_takes_a_certificate_from_a_file),
        TEST(a_group_takes_a_ca_from_a_file_or_by_name),
        TEST(a_group_by_a_certificate_that_is_no_ca_is_warned_of),
        TEST(proofs_of_different_kinds_do_not_mix),
        TEST(a_new_secondary_leaves_the_primary_as_it_is),
        TEST(a_new_primary_leaves_a_secondary_that_was_given),
        TEST(a_replaced_primary_does_not_live_on_as_its_own_secondary),
        TEST(the_secondary_can_be_removed),
        TEST(a_group_moves_from_a_file_to_a_name),
        TEST(a_proof_of_another_kind_than_the_record_has_is_refused),
        TEST(a_device_has_a_key_or_a_certificate),
        TEST(a_name_that_the_service_would_refuse_is_warned_of),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}

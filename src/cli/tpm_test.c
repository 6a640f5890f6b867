// The TPM options of enrollments, groups and services, and `usher device` without a TPM: what is asked, what
// is printed. With one: tests/tpm-devices.
#include "cli/run_test.h"

#include "base/text.h"

#define TCTI_NOBODY "swtpm:host=127.0.0.1,port=1"

enum { KEY_SIZE = 316 };

static char key_text[1024], folder[64], binary_path[96], text_path[96];

// What the service would check; here it is so many bytes.
static int make_files(void **state)
{
    (void)state;
    uint8_t key[KEY_SIZE];
    struct buf text = {.at = (uint8_t *)key_text, .room = sizeof key_text - 1, .cap = sizeof key_text - 1};
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(i * 7);
    b64_encode(&text, slice_of(key, sizeof key));
    snprintf(folder, sizeof folder, "/tmp/usher-tpm-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(binary_path, sizeof binary_path, "%s/ek.pub", folder);
    snprintf(text_path, sizeof text_path, "%s/ek.txt", folder);
    FILE *file = fopen(binary_path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(key, 1, sizeof key, file), sizeof key);
    assert_int_equal(fclose(file), 0);
    file = fopen(text_path, "w");
    assert_non_null(file);
    assert_true(fprintf(file, "%s\n", key_text) > 0);
    assert_int_equal(fclose(file), 0);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    unlink(binary_path);
    unlink(text_path);
    return rmdir(folder);
}

static void assert_sent(size_t index, const char *format)
{
    char want[4096];
    const char *at = strchr(format, '@');
    snprintf(want, sizeof want, "\r\n\r\n%.*s%s%s",
             (int)(at != NULL ? at - format : (ptrdiff_t)strlen(format)), format, at != NULL ? key_text : "",
             at != NULL ? at + 1 : "");
    const char *have = strstr(fake.requests[index], "\r\n\r\n");
    assert_non_null(have);
    assert_string_equal(have, want);
}

// ---- enrollments

static void an_endorsement_key_is_taken_as_text_and_out_of_a_file_of_either_form(void **state)
{
    (void)state;
    const char *const given[] = {key_text, text_path, binary_path};
    for (size_t i = 0; i < CLI_COUNT(given); i++) {
        buf_clear(&cli.out);
        fake.answers[0] = ANSWER("200 OK", "",
                                 "{\"registrationId\":\"pump\",\"attestation\":{\"type\":\"tpm\",\"tpm\":"
                                 "{\"endorsementKey\":\"AToA\"}}}");
        assert_int_equal(RUN("enrollment", "create", "pump", "--endorsement-key", given[i]), 0);
        assert_sent(0, "{\"registrationId\":\"pump\",\"attestation\":{\"type\":\"tpm\",\"tpm\":"
                       "{\"endorsementKey\":\"@\"}}}");
        assert_slice(buf_slice(&cli.out), "registration ID  pump\n"
                                          "attestation      tpm\n"
                                          "endorsement key  AToA\n"
                                          "provisioning     enabled\n");
    }
}

static void what_is_neither_a_key_nor_a_file_is_told_before_anything_is_asked(void **state)
{
    (void)state;
    assert_int_equal(RUN("enrollment", "create", "pump", "--endorsement-key", "AToA"), 1);
    assert_trouble("--endorsement-key is neither base64 of a key nor a file: AToA: cannot be opened");
    assert_int_equal(fake.served, 0);
}

static void another_tpm_takes_the_place_of_the_one_before_and_the_rest_stays(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("200 OK", "",
                             "{\"registrationId\":\"pump\",\"attestation\":{\"type\":\"tpm\",\"tpm\":"
                             "{\"endorsementKey\":\"b2xk\",\"storageRootKey\":\"b2xk\"}},\"etag\":\"IjEi\","
                             "\"deviceId\":\"gate\",\"provisioningStatus\":\"enabled\"}");
    fake.answers[1] = ANSWER(
        "200 OK", "", "{\"type\":\"tpm\",\"tpm\":{\"endorsementKey\":\"b2xk\",\"storageRootKey\":\"b2xk\"}}");
    fake.answers[2] = ANSWER("200 OK", "", "{\"registrationId\":\"pump\"}");
    assert_int_equal(RUN("enrollment", "update", "pump", "--endorsement-key", key_text), 0);
    assert_has(fake.requests[2], "If-Match: IjEi\r\n");
    assert_sent(2, "{\"registrationId\":\"pump\",\"attestation\":{\"type\":\"tpm\",\"tpm\":"
                   "{\"endorsementKey\":\"@\"}},\"deviceId\":\"gate\",\"provisioningStatus\":\"enabled\"}");
}

static void a_change_of_something_else_leaves_the_key_alone(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("200 OK", "",
                             "{\"registrationId\":\"pump\",\"attestation\":{\"type\":\"tpm\",\"tpm\":"
                             "{\"endorsementKey\":\"b2xk\",\"storageRootKey\":\"c3Jr\"}},\"etag\":\"IjEi\"}");
    fake.answers[1] = ANSWER("200 OK", "", "{\"type\":\"tpm\",\"tpm\":{\"endorsementKey\":\"b2xk\"}}");
    fake.answers[2] = ANSWER("200 OK", "", "{\"registrationId\":\"pump\"}");
    assert_int_equal(RUN("enrollment", "update", "pump", "--disabled"), 0);
    assert_sent(2, "{\"registrationId\":\"pump\",\"attestation\":{\"type\":\"tpm\",\"tpm\":"
                   "{\"endorsementKey\":\"b2xk\",\"storageRootKey\":\"c3Jr\"}},"
                   "\"provisioningStatus\":\"disabled\"}");
}

// ---- groups

static void a_group_of_tpms_refers_to_ca_certificates_by_name(void **state)
{
    (void)state;
    fake.answers[0] =
        ANSWER("200 OK", "",
               "{\"enrollmentGroupId\":\"fleet\",\"attestation\":{\"type\":\"tpm\",\"tpm\":{\"caReferences\":"
               "{\"primary\":\"maker\",\"secondary\":\"maker 2\"}}}}");
    assert_int_equal(RUN("group", "create", "fleet", "--tpm-ca", "maker", "--secondary-tpm-ca", "maker 2"),
                     0);
    assert_sent(0, "{\"enrollmentGroupId\":\"fleet\",\"attestation\":{\"type\":\"tpm\",\"tpm\":"
                   "{\"caReferences\":{\"primary\":\"maker\",\"secondary\":\"maker 2\"}}}}");
    assert_slice(buf_slice(&cli.out), "group                 fleet\n"
                                      "attestation           tpm\n"
                                      "CA of TPMs            maker\n"
                                      "secondary CA of TPMs  maker 2\n"
                                      "provisioning          enabled\n");
}

static void a_groups_second_ca_is_changed_without_touching_the_first(void **state)
{
    (void)state;
    fake.answers[0] =
        ANSWER("200 OK", "",
               "{\"enrollmentGroupId\":\"fleet\",\"attestation\":{\"type\":\"tpm\",\"tpm\":{\"caReferences\":"
               "{\"primary\":\"maker\"}}},\"etag\":\"IjEi\"}");
    fake.answers[1] =
        ANSWER("200 OK", "", "{\"type\":\"tpm\",\"tpm\":{\"caReferences\":{\"primary\":\"maker\"}}}");
    fake.answers[2] = ANSWER("200 OK", "", "{\"enrollmentGroupId\":\"fleet\"}");
    assert_int_equal(RUN("group", "update", "fleet", "--secondary-tpm-ca", "next"), 0);
    assert_sent(2, "{\"enrollmentGroupId\":\"fleet\",\"attestation\":{\"type\":\"tpm\",\"tpm\":"
                   "{\"caReferences\":{\"primary\":\"maker\",\"secondary\":\"next\"}}}}");
}

static void a_group_of_another_kind_does_not_become_one_of_tpms(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("200 OK", "",
                             "{\"enrollmentGroupId\":\"fleet\",\"attestation\":{\"type\":\"x509\",\"x509\":"
                             "{\"caReferences\":{\"primary\":\"root\"}}},\"etag\":\"IjEi\"}");
    fake.answers[1] =
        ANSWER("200 OK", "", "{\"type\":\"x509\",\"x509\":{\"caReferences\":{\"primary\":\"root\"}}}");
    assert_int_equal(RUN("group", "update", "fleet", "--tpm-ca", "maker"), 1);
    assert_trouble("does not attest by TPM: delete it and make it anew");
    assert_int_equal(fake.served, 2);
}

static void a_device_proves_itself_in_one_way(void **state)
{
    (void)state;
    assert_int_equal(RUN("enrollment", "create", "x", "--endorsement-key", key_text, "--primary-key", "AAAA"),
                     2);
    assert_trouble("by key, by certificate or by TPM");
    buf_clear(&trouble);
    assert_int_equal(RUN("group", "create", "x", "--tpm-ca", "a", "--ca", "b"), 2);
    assert_trouble("by key, by certificate or by TPM");
    buf_clear(&trouble);
    assert_int_equal(RUN("group", "create", "x", "--secondary-tpm-ca", "b"), 2);
    assert_trouble("the first certificate is given by --tpm-ca");
    buf_clear(&trouble);
    assert_int_equal(RUN("group", "create", "x", "--endorsement-key", key_text), 2); // not of groups
    assert_int_equal(RUN("enrollment", "create", "x", "--tpm-ca", "a"), 2);          // nor of these
    assert_int_equal(fake.served, 0);
}

// ---- services

static void a_service_may_ask_tpms_for_their_certificates(void **state)
{
    (void)state;
    fake.answers[0] =
        ANSWER("200 OK", "", "{\"name\":\"line-3\",\"tpmEndorsementCertificates\":\"required\"}");
    assert_int_equal(RUN("service", "create", "line-3", "--tpm-certificates", "required"), 0);
    assert_has(fake.requests[0], "If-None-Match: *\r\n");
    assert_sent(0, "{\"name\":\"line-3\",\"tpmEndorsementCertificates\":\"required\"}");
    assert_has(printed(), "certificates of TPMs  required\n");
}

static void a_service_that_runs_is_changed_in_what_is_given_only(void **state)
{
    (void)state;
    fake.answers[0] =
        ANSWER("200 OK", "", "{\"name\":\"line-3\",\"tpmEndorsementCertificates\":\"optional\"}");
    assert_int_equal(RUN("service", "update", "line-3", "--tpm-certificates", "optional"), 0);
    assert_has(fake.requests[0], "PUT /control/services/line-3?");
    assert_has(fake.requests[0], "If-Match: *\r\n"); // one that is not there is not made
    assert_null(strstr(fake.requests[0], "If-None-Match"));
    assert_sent(0, "{\"name\":\"line-3\",\"tpmEndorsementCertificates\":\"optional\"}");
    fake.answers[0] = ANSWER("200 OK", "", "{\"name\":\"line-3\"}");
    assert_int_equal(RUN("service", "update", "line-3", "--host", "b.example.com", "--allocation", "static"),
                     0);
    assert_sent(0, "{\"name\":\"line-3\",\"serviceOperationsHostName\":\"b.example.com\","
                   "\"allocationPolicy\":\"Static\"}");
}

static void a_word_that_the_setting_does_not_have_is_refused(void **state)
{
    (void)state;
    assert_int_equal(RUN("service", "update", "dev", "--tpm-certificates", "maybe"), 2);
    assert_trouble("--tpm-certificates is required or optional, not 'maybe'");
    buf_clear(&trouble);
    assert_int_equal(RUN("service", "update", "dev"), 2);
    assert_trouble("nothing to change is given");
    assert_int_equal(fake.served, 0);
}

// ---- devices

static void a_device_that_is_played_has_one_proof(void **state)
{
    (void)state;
    static const char *const lines[][12] = {
        {"usher", "device", "register", "--scope", "S", NULL},
        {"usher", "device", "register", "x", "--scope", "S", "--tpm", TCTI_NOBODY, "--key", "AAAA", NULL},
        {"usher", "device", "register", "x", "--scope", "S", "--tpm", TCTI_NOBODY, "--certificate", "c",
         NULL},
        {"usher", "device", "register", "--tpm", TCTI_NOBODY, NULL}, // no scope
        {"usher", "device", "register", "--scope", "S", "--tpm", TCTI_NOBODY, "--transport", "amqp", NULL},
        {"usher", "device", "register", "--scope", "S", "--key", "AAAAAAAAAAAAAAAAAAAAAA==", NULL}, // no ID
    };
    for (size_t i = 0; i < CLI_COUNT(lines); i++) {
        int count = 0;
        while (lines[i][count] != NULL)
            count++;
        buf_clear(&trouble);
        assert_int_equal(cli_run(&cli, count, lines[i], &trouble), 2);
        assert_true(trouble.len > 0);
    }
    assert_trouble("the registration ID is needed; only a TPM has one of its own");
}

static void without_a_tpm_the_line_says_where_it_was_looked_for(void **state)
{
    (void)state;
    assert_int_equal(RUN("device", "tpm"), 2);
    assert_trouble("--tpm is needed");
    buf_clear(&trouble);
    assert_int_equal(RUN("device", "tpm", "--tpm", TCTI_NOBODY), 1);
    assert_trouble("no TPM at '" TCTI_NOBODY "'");
    buf_clear(&trouble);
    assert_int_equal(RUN("device", "tpm", "--tpm", "device:/nonexistent"), 1);
    assert_trouble("no TPM at 'device:/nonexistent'");
    buf_clear(&trouble);
    assert_int_equal(RUN("device", "register", "--scope", "S", "--tpm", TCTI_NOBODY), 1);
    assert_trouble("no TPM at '" TCTI_NOBODY "'");
    assert_int_equal(cli.out.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_endorsement_key_is_taken_as_text_and_out_of_a_file_of_either_form),
        TEST(what_is_neither_a_key_nor_a_file_is_told_before_anything_is_asked),
        TEST(another_tpm_takes_the_place_of_the_one_before_and_the_rest_stays),
        TEST(a_change_of_something_else_leaves_the_key_alone),
        TEST(a_group_of_tpms_refers_to_ca_certificates_by_name),
        TEST(a_groups_second_ca_is_changed_without_touching_the_first),
        TEST(a_group_of_another_kind_does_not_become_one_of_tpms),
        TEST(a_device_proves_itself_in_one_way),
        TEST(a_service_may_ask_tpms_for_their_certificates),
        TEST(a_service_that_runs_is_changed_in_what_is_given_only),
        TEST(a_word_that_the_setting_does_not_have_is_refused),
        TEST(a_device_that_is_played_has_one_proof),
        TEST(without_a_tpm_the_line_says_where_it_was_looked_for),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}

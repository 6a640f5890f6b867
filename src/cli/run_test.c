// The whole program in one process, against a server that answers by script: what is asked, what is printed,
// which exit code.
#include "cli/run_test.h"

#define GROUP_KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="

static void a_refusal_is_one_line_with_code_and_tracking_id(void **state)
{
    (void)state;
    fake.answers[0] =
        ANSWER("409 Conflict", "",
               "{\"errorCode\":409201,\"trackingId\":\"2e298c80-0974-493c-9fd9-6253fb055ade\","
               "\"message\":\"Enrollment\\nalready exists.\",\"timestampUtc\":\"2020-04-10T05:24:22Z\"}");
    assert_int_equal(RUN("enrollment", "create", "dev1"), 1);
    assert_slice(
        buf_slice(&trouble),
        "Enrollment?already exists. (error 409201, tracking ID 2e298c80-0974-493c-9fd9-6253fb055ade)");
    assert_int_equal(cli.out.len, 0);
}

static void a_refusal_without_a_body_still_says_something(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("503 Service Unavailable", "", "");
    assert_int_equal(RUN("status"), 1);
    assert_trouble("503");
}

static void an_answer_that_is_not_http_is_refused(void **state)
{
    (void)state;
    fake.answers[0] = (struct fake_answer){.raw = "SSH-2.0-OpenSSH_9.2\r\n\r\n"};
    assert_int_equal(RUN("status"), 1);
    assert_trouble("cannot be read");
}

static void a_connection_closed_without_an_answer_is_noticed(void **state)
{
    (void)state;
    fake.answers[0] = (struct fake_answer){.raw = ""};
    assert_int_equal(RUN("status"), 1);
    assert_trouble("without an answer");
}

static void without_usherd_the_line_says_what_to_do(void **state)
{
    (void)state;
    const char *words[] = {"usher", "--socket", "/nonexistent/control.sock", "status", NULL};
    assert_int_equal(cli_run(&cli, 4, words, &trouble), 1);
    assert_trouble("/nonexistent/control.sock: usherd is not running, or give --socket");
}

static void wrong_use_is_told_apart_from_failure(void **state)
{
    (void)state;
    static const char *const lines[][6] = {
        {"usher", NULL},
        {"usher", "enrolment", "create", "x", NULL},
        {"usher", "enrollment", NULL},
        {"usher", "enrollment", "create", NULL},
        {"usher", "enrollment", "create", "x", "--tags", NULL},
        {"usher", "hub", "link", "h", NULL},
        {"usher", "policy", "create", "p", NULL},
        {"usher", "key", "derive", "x", NULL},
        {"usher", "registration", "list", NULL},
        {"usher", "device", "register", "x", NULL},
        {"usher", "--nothing", "status", NULL},
    };
    for (size_t i = 0; i < CLI_COUNT(lines); i++) {
        int count = 0;
        while (lines[i][count] != NULL)
            count++;
        buf_clear(&trouble);
        assert_int_equal(cli_run(&cli, count, lines[i], &trouble), 2);
        assert_true(trouble.len > 0);
    }
}

static void options_that_are_not_json_objects_are_refused_before_anything_is_asked(void **state)
{
    (void)state;
    assert_int_equal(RUN("enrollment", "create", "dev1", "--tags", "[1]"), 2);
    assert_trouble("--tags: must be a JSON object");
    assert_int_equal(fake.served, 0);
}

static void a_new_enrollment_is_put_once_and_its_keys_are_printed(void **state)
{
    (void)state;
    fake.answers[0] =
        ANSWER("200 OK", "",
               "{\"registrationId\":\"dev:1\",\"attestation\":{\"type\":\"symmetricKey\",\"symmetricKey\":"
               "{\"primaryKey\":\"cA==\",\"secondaryKey\":\"cw==\"}}}");
    assert_int_equal(RUN("enrollment", "create", "dev:1", "--hub", "localhost", "--desired", "{\"a\":null}",
                         "--edge", "--disabled", "--device-id", "D 1", "--service", "dev"),
                     0);
    assert_slice(buf_slice(&cli.out), "registration ID  dev:1\n"
                                      "attestation      symmetricKey\n"
                                      "primary key      cA==\n"
                                      "secondary key    cw==\n"
                                      "provisioning     enabled\n");
    assert_has(fake.requests[0], "PUT /enrollments/dev%3A1?api-version=2021-10-01 HTTP/1.1\r\n");
    assert_has(fake.requests[0], "If-None-Match: *\r\n");
    assert_has(fake.requests[0], "x-usher-service: dev\r\n");
    assert_has(
        fake.requests[0],
        "\r\n\r\n{\"registrationId\":\"dev:1\",\"attestation\":{\"type\":\"symmetricKey\"},\"deviceId\":\"D "
        "1\","
        "\"capabilities\":{\"iotEdge\":true},\"initialTwin\":{\"properties\":{\"desired\":{\"a\":null}}},"
        "\"provisioningStatus\":\"disabled\",\"allocationPolicy\":\"static\",\"iotHubs\":[\"localhost\"]}");
}

static void a_webhook_means_custom_allocation_and_has_an_api_version(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("200 OK", "", "{\"enrollmentGroupId\":\"g\"}");
    assert_int_equal(
        RUN("group", "create", "g", "--webhook", "https://f.test/a?code=1", "--reprovision", "reset"), 0);
    assert_has(fake.requests[0],
               "\r\n\r\n{\"enrollmentGroupId\":\"g\",\"attestation\":{\"type\":\"symmetricKey\"},"
               "\"allocationPolicy\":\"custom\",\"customAllocationDefinition\":{\"webhookUrl\":"
               "\"https://f.test/a?code=1\",\"apiVersion\":\"2021-10-01\"},\"reprovisionPolicy\":"
               "{\"updateHubAssignment\":true,\"migrateDeviceData\":false}}");
}

static void another_webhook_keeps_the_api_version_that_was_said(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("200 OK", "",
                             "{\"enrollmentGroupId\":\"g\",\"attestation\":{\"type\":\"x509\"},"
                             "\"allocationPolicy\":\"custom\",\"customAllocationDefinition\":"
                             "{\"webhookUrl\":\"https://old.test/\",\"apiVersion\":\"2018-11-01\"},"
                             "\"etag\":\"IjEi\"}");
    fake.answers[1] = ANSWER("200 OK", "", "{\"type\":\"x509\"}");
    fake.answers[2] = ANSWER("200 OK", "", "{\"enrollmentGroupId\":\"g\"}");
    assert_int_equal(RUN("group", "update", "g", "--webhook", "https://new.test/"), 0);
    assert_has(fake.requests[2], "\"customAllocationDefinition\":{\"webhookUrl\":\"https://new.test/\","
                                 "\"apiVersion\":\"2018-11-01\"}");
}

static void a_webhook_goes_with_no_other_policy(void **state)
{
    (void)state;
    assert_int_not_equal(
        RUN("group", "create", "g", "--webhook", "https://f.test/", "--allocation", "hashed"), 0);
    assert_int_not_equal(RUN("group", "create", "g", "--reprovision", "sometimes"), 0);
    assert_int_equal(fake.served, 0); // nothing was sent
}

static void an_update_sends_back_what_was_there_with_the_change(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER(
        "200 OK", "",
        "{\"registrationId\":\"dev1\",\"registrationState\":{\"status\":\"assigned\"},"
        "\"attestation\":{\"type\":\"symmetricKey\"},\"initialTwin\":{\"tags\":{\"old\":1},"
        "\"properties\":{\"desired\":{\"keep\":2}}},\"etag\":\"IjEi\",\"provisioningStatus\":\"enabled\","
        "\"createdDateTimeUtc\":\"2020\"}");
    fake.answers[1] = ANSWER(
        "200 OK", "",
        "{\"type\":\"symmetricKey\",\"symmetricKey\":{\"primaryKey\":\"cA==\",\"secondaryKey\":\"cw==\"}}");
    fake.answers[2] = ANSWER("200 OK", "", "{\"registrationId\":\"dev1\"}");
    assert_int_equal(RUN("enrollment", "update", "dev1", "--tags", "{\"new\":3}", "--secondary-key", "dA=="),
                     0);
    assert_int_equal(fake.served, 3);
    assert_has(fake.requests[1], "POST /enrollments/dev1/attestationmechanism?");
    assert_has(fake.requests[2], "If-Match: IjEi\r\n");
    assert_null(strstr(fake.requests[2], "If-None-Match"));
    assert_has(
        fake.requests[2],
        "\r\n\r\n{\"registrationId\":\"dev1\",\"attestation\":{\"type\":\"symmetricKey\",\"symmetricKey\":"
        "{\"primaryKey\":\"cA==\",\"secondaryKey\":\"dA==\"}},\"initialTwin\":{\"properties\":{\"desired\":"
        "{\"keep\":2}},\"tags\":{\"new\":3}},\"provisioningStatus\":\"enabled\"}");
}

static void a_list_follows_its_pages_and_stops_at_top(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("200 OK", "x-ms-continuation: next\r\n",
                             "[{\"registrationId\":\"a\"},{\"registrationId\":\"second\"}]");
    fake.answers[1] = ANSWER("200 OK", "x-ms-continuation: more\r\n", "[{\"registrationId\":\"c\"}]");
    assert_int_equal(RUN("enrollment", "list", "--top", "3", "--query", "SELECT * FROM enrollments"), 0);
    assert_int_equal(fake.served, 2);
    assert_has(fake.requests[0], "x-ms-max-item-count: 3\r\n");
    assert_has(fake.requests[0], "{\"query\":\"SELECT * FROM enrollments\"}");
    assert_has(fake.requests[1], "x-ms-continuation: next\r\n");
    assert_has(fake.requests[1], "x-ms-max-item-count: 1\r\n");
    assert_slice(buf_slice(&cli.out),
                 "REGISTRATION ID  DEVICE ID  ATTESTATION  PROVISIONING  ALLOCATION  UPDATED\n"
                 "a                                        enabled\n"
                 "second                                   enabled\n"
                 "c                                        enabled\n");
}

static void a_list_for_programs_is_one_array(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("200 OK", "x-ms-continuation: next\r\n", "[{\"a\":1}]");
    fake.answers[1] = ANSWER("200 OK", "", "[{\"a\":2}]");
    assert_int_equal(RUN("--json", "group", "list"), 0);
    assert_slice(buf_slice(&cli.out), "[{\"a\":1},{\"a\":2}]\n");
}

static void the_only_service_need_not_be_named(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("200 OK", "", "{\"value\":[{\"name\":\"dev\"}]}");
    fake.answers[1] = ANSWER("200 OK", "", "{\"name\":\"dev\",\"serviceOperationsHostName\":\"localhost\"}");
    fake.answers[2] = ANSWER("200 OK", "", "{\"value\":[{\"name\":\"dev\"}]}");
    fake.answers[3] =
        ANSWER("200 OK", "", "{\"keyName\":\"provisioningserviceowner\",\"primaryKey\":\"cA==\"}");
    assert_int_equal(RUN("connection-string"), 0);
    assert_slice(buf_slice(&cli.out),
                 "HostName=localhost;SharedAccessKeyName=provisioningserviceowner;SharedAccessKey=cA==\n");
    assert_has(fake.requests[1], "GET /control/services/dev?");
    assert_has(fake.requests[3], "POST /control/services/dev/policies/provisioningserviceowner/listkeys?");
}

static void among_several_services_one_must_be_named(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("200 OK", "", "{\"value\":[{\"name\":\"a\"},{\"name\":\"b\"}]}");
    assert_int_equal(RUN("policy", "list"), 2);
    assert_trouble("--service");
}

static void a_hubs_connection_string_is_of_the_policy_asked_for(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER("200 OK", "",
                             "{\"value\":[{\"keyName\":\"iothubowner\",\"primaryKey\":\"bw==\"},"
                             "{\"keyName\":\"service\",\"primaryKey\":\"cw==\"}]}");
    assert_int_equal(RUN("connection-string", "service", "--hub", "localhost:1883"), 0);
    assert_slice(buf_slice(&cli.out),
                 "HostName=localhost;SharedAccessKeyName=service;SharedAccessKey=cw==\n");
    assert_has(fake.requests[0], "POST /control/hubs/localhost%3A1883/listkeys?");
}

static void a_derived_key_is_that_of_the_protocol_reference(void **state)
{
    (void)state;
    assert_int_equal(RUN("key", "derive", "--key", GROUP_KEY, "device-001"), 0);
    assert_int_equal(RUN("key", "derive", "--key", GROUP_KEY, "Device-001"), 0);
    assert_int_equal(fake.served, 0);
    assert_slice(buf_slice(&cli.out), "Tz4Wtei6uHSGQm0NiJy0Ijsh6/sJcnyJYOAfzqC4oKM=\n"
                                      "YXibH+z6O23cIvcGa1LmUYe11nxKx5NIWN5vy1MNplc=\n");
}

static void a_key_is_derived_from_a_groups_primary_key(void **state)
{
    (void)state;
    fake.answers[0] = ANSWER(
        "200 OK", "", "{\"type\":\"symmetricKey\",\"symmetricKey\":{\"primaryKey\":\"" GROUP_KEY "\"}}");
    assert_int_equal(RUN("key", "derive", "--group", "fleet 1", "device-001"), 0);
    assert_slice(buf_slice(&cli.out), "Tz4Wtei6uHSGQm0NiJy0Ijsh6/sJcnyJYOAfzqC4oKM=\n");
    assert_has(fake.requests[0], "POST /enrollmentGroups/fleet%201/attestationmechanism?");
}

static void help_and_version_ask_nobody(void **state)
{
    (void)state;
    assert_int_equal(RUN("--help"), 0);
    assert_int_equal(RUN("group", "--help"), 0);
    assert_int_equal(RUN("hub", "link", "--help"), 0);
    assert_int_equal(RUN("--version"), 0);
    buf_u8(&cli.out, '\0');
    assert_has((const char *)cli.out.at, "device register [ID]");
    assert_has((const char *)cli.out.at, "usher hub link HOST [options]");
    assert_int_equal(fake.served, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_refusal_is_one_line_with_code_and_tracking_id),
        TEST(a_refusal_without_a_body_still_says_something),
        TEST(an_answer_that_is_not_http_is_refused),
        TEST(a_connection_closed_without_an_answer_is_noticed),
        TEST(without_usherd_the_line_says_what_to_do),
        TEST(wrong_use_is_told_apart_from_failure),
        TEST(options_that_are_not_json_objects_are_refused_before_anything_is_asked),
        TEST(a_new_enrollment_is_put_once_and_its_keys_are_printed),
        TEST(a_webhook_means_custom_allocation_and_has_an_api_version),
        TEST(another_webhook_keeps_the_api_version_that_was_said),
        TEST(a_webhook_goes_with_no_other_policy),
        TEST(an_update_sends_back_what_was_there_with_the_change),
        TEST(a_list_follows_its_pages_and_stops_at_top),
        TEST(a_list_for_programs_is_one_array),
        TEST(the_only_service_need_not_be_named),
        TEST(among_several_services_one_must_be_named),
        TEST(a_hubs_connection_string_is_of_the_policy_asked_for),
        TEST(a_derived_key_is_that_of_the_protocol_reference),
        TEST(a_key_is_derived_from_a_groups_primary_key),
        TEST(help_and_version_ask_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

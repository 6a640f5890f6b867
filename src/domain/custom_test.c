// What a webhook is asked, compared member by member with the documentation's sample, and what is made of the
// answers that functions give.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "crypto/certificate.h"
#include "crypto/making_test.h"
#include "domain/custom.h"
#include "json/json.h"

static struct linked_hub hubs[] = {
    {.host = {(const uint8_t *)"custom-allocation-toasters-hub.azure-devices.net", 48}},
    {.host = {(const uint8_t *)"custom-allocation-heatpumps-hub.azure-devices.net", 49}},
};
static const struct linked_hub *const both[] = {&hubs[0], &hubs[1]};

// The enrollment group of the sample in service-api C.1, with keys that nobody may see.
static struct enrollment group_of_the_sample(void)
{
    return (struct enrollment){
        .kind = ENROLLMENT_GROUP,
        .id = SLICE("contoso-custom-allocated-devices"),
        .attestation = {.type = ATTESTATION_SYMMETRIC_KEY,
                        .primary_key = {.bytes = "secret secret secret", .len = 20},
                        .secondary_key = {.bytes = "secret secret secret", .len = 20}},
        .iot_edge = SWITCH_OFF,
        .etag = UINT64_C(0x13003fea62d1d5e5),
        .provisioning_status = PROVISIONING_ENABLED,
        .reprovision_set = true,
        .update_hub_assignment = true,
        .migrate_device_data = true,
        .created_us = INT64_C(1657056436812323), // 2022-07-05T21:27:16.812323Z
        .updated_us = INT64_C(1657918949592225), // 2022-07-15T21:02:29.592225Z
        .allocation = ALLOCATION_CUSTOM,
        .hubs = SLICE("[\"custom-allocation-toasters-hub.azure-devices.net\","
                      "\"custom-allocation-heatpumps-hub.azure-devices.net\"]"),
        .webhook_url =
            SLICE("https://custom-allocation-function-app-3.azurewebsites.net/api/HttpTrigger1?code=secret"),
        .webhook_api_version = SLICE("2021-10-01")};
}

struct question {
    struct enrollment enrollment;
    struct admission admission;
    struct decision decision;
    struct slice payload;
    struct buf text;
};

static struct question question_set_up(void)
{
    return (struct question){.enrollment = group_of_the_sample(),
                             .admission = {.registration_id = SLICE("breakroom499-contoso-tstrsd-007"),
                                           .credential.kind = CREDENTIAL_SAS},
                             .decision = {.candidates = both, .candidate_count = 2},
                             .text = buf_capped(65536)};
}

static struct slice ask(struct question *q)
{
    q->decision.enrollment = &q->enrollment;
    buf_clear(&q->text);
    assert_false(failed(custom_question_write(&q->admission, &q->decision, q->payload, &q->text)));
    assert_int_equal(slice_find(buf_slice(&q->text), SLICE("secret")), q->text.len);
    return buf_slice(&q->text);
}

// The sample of service-api C.1, but for what of an etag is always the same, and times that count
// microseconds.
static void a_webhook_is_asked_as_the_documentation_shows(void **state)
{
    (void)state;
    struct question q = question_set_up();
    static const char expected[] =
        "{\"enrollmentGroup\":{\"enrollmentGroupId\":\"contoso-custom-allocated-devices\","
        "\"attestation\":{\"type\":\"symmetricKey\"},"
        "\"capabilities\":{\"iotEdge\":false},"
        "\"etag\":\"\\\"13003fea-0000-0800-0000-62d1d5e50000\\\"\","
        "\"provisioningStatus\":\"enabled\","
        "\"reprovisionPolicy\":{\"updateHubAssignment\":true,\"migrateDeviceData\":true},"
        "\"createdDateTimeUtc\":\"2022-07-05T21:27:16.8123230Z\","
        "\"lastUpdatedDateTimeUtc\":\"2022-07-15T21:02:29.5922250Z\","
        "\"allocationPolicy\":\"custom\","
        "\"iotHubs\":[\"custom-allocation-toasters-hub.azure-devices.net\","
        "\"custom-allocation-heatpumps-hub.azure-devices.net\"],"
        "\"customAllocationDefinition\":{\"webhookUrl\":"
        "\"https://custom-allocation-function-app-3.azurewebsites.net/api/HttpTrigger1?****\","
        "\"apiVersion\":\"2021-10-01\"}},"
        "\"deviceRuntimeContext\":{\"registrationId\":\"breakroom499-contoso-tstrsd-007\","
        "\"symmetricKey\":{}},"
        "\"linkedHubs\":[\"custom-allocation-toasters-hub.azure-devices.net\","
        "\"custom-allocation-heatpumps-hub.azure-devices.net\"]}";
    struct slice text = ask(&q);
    if (!slice_equal(text, slice_text(expected)))
        fail_msg("asked %.*s", (int)text.len, (const char *)text.at);
    buf_release(&q.text);
}

static bool asked(struct question *q, const char *part)
{
    struct slice text = ask(q);
    return slice_find(text, slice_text(part)) < text.len;
}

static void a_webhook_learns_where_the_device_is_and_what_it_sent(void **state)
{
    (void)state;
    struct question q = question_set_up();
    struct registration prior = {
        .id = SLICE("x"), .assigned_hub = SLICE("old.example.com"), .device_id = SLICE("toaster-7")};
    q.admission.prior = &prior;
    q.payload = SLICE("{\"model\":[1,null]}");
    assert_true(asked(&q, "\"currentIotHubHostName\":\"old.example.com\",\"currentDeviceId\":\"toaster-7\","
                          "\"symmetricKey\":{},\"payload\":{\"model\":[1,null]}}"));
    prior.assigned_hub = (struct slice){0}; // it failed before
    assert_false(asked(&q, "currentIotHubHostName"));
    assert_false(asked(&q, "currentDeviceId"));
    buf_release(&q.text);
}

static void an_individual_enrollment_is_shown_as_one(void **state)
{
    (void)state;
    struct question q = question_set_up();
    q.enrollment.kind = ENROLLMENT_INDIVIDUAL;
    q.enrollment.webhook_url = SLICE("https://example.com/hook");
    assert_true(asked(&q, "{\"individualEnrollment\":{\"registrationId\":\"contoso-custom-"));
    assert_true(asked(&q, "\"webhookUrl\":\"https://example.com/hook\""));
    assert_false(asked(&q, "enrollmentGroup"));
    assert_false(asked(&q, "registrationState"));
    buf_release(&q.text);
}

static void a_device_with_a_certificate_is_shown_by_it(void **state)
{
    (void)state;
    struct question q = question_set_up();
    struct arena arena = arena_capped(65536);
    struct certificate_info info = {0};
    const struct made *leaf = make_device("breakroom499", NULL);
    struct chain *chain = NULL;
    char expected[512];
    assert_false(failed(chain_new(&leaf->der, 1, &chain)));
    assert_false(failed(certificate_describe(&arena, leaf->der, &info, NULL)));
    q.admission.credential = (struct credential){.kind = CREDENTIAL_X509, .chain = chain};
    q.decision.authentication = HUB_AUTH_SELF_SIGNED;
    q.decision.primary_thumbprint = info.sha256_thumbprint;
    (void)snprintf(expected, sizeof expected,
                   "\"x509\":{\"clientCertificates\":{\"primary\":{\"info\":{\"subjectName\":"
                   "\"CN=breakroom499\",\"sha1Thumbprint\":\"%.*s\",\"sha256Thumbprint\":\"%.*s\",",
                   SLICE_ARG(info.sha1_thumbprint), SLICE_ARG(info.sha256_thumbprint));
    assert_int_equal(info.sha1_thumbprint.len, 40);
    assert_int_equal(info.sha256_thumbprint.len, 64);
    assert_true(asked(&q, expected));
    assert_false(asked(&q, "BEGIN CERTIFICATE"));
    // after a restart only the thumbprint is known
    q.admission.credential = (struct credential){0};
    (void)snprintf(expected, sizeof expected,
                   "\"x509\":{\"clientCertificates\":{\"primary\":{\"info\":{\"sha256Thumbprint\":"
                   "\"%.*s\"}}}}}",
                   SLICE_ARG(info.sha256_thumbprint));
    assert_true(asked(&q, expected));
    chain_release(chain);
    arena_release(&arena);
    buf_release(&q.text);
    made_release();
}

static void a_device_with_a_tpm_is_shown_by_its_public_keys(void **state)
{
    (void)state;
    struct question q = question_set_up();
    q.admission.credential = (struct credential){
        .kind = CREDENTIAL_TPM, .tpm = {.endorsement_key = SLICE("EK"), .storage_root_key = SLICE("SRK")}};
    q.decision.fresh_key = true;
    q.decision.primary_key = (struct secret){.bytes = "secret secret secret", .len = 20};
    assert_true(asked(&q, "\"tpm\":{\"endorsementKey\":\"RUs=\",\"storageRootKey\":\"U1JL\"}}"));
    buf_release(&q.text);
}

// ---- answers
// ------------------------------------------------------------------------------------------------------------

#define HOST "\"iotHubHostName\":\"a.example.com\""
static const struct answer_case {
    const char *says;
    const char *text;
    const char *twin; // NULL: none
    const char *payload;
} answers[] = {
    {"the documentation's sample",
     "{" HOST ",\"initialTwin\":{\"properties\":{\"desired\":{\"state\":\"ready\"}},"
     "\"tags\":{\"deviceType\":\"toaster\"}},\"payload\":{\"anything\":\"x\"}}",
     "{\"tags\":{\"deviceType\":\"toaster\"},\"properties\":{\"desired\":{\"state\":\"ready\"}}}",
     "{\"anything\":\"x\"}"},
    {"a hub and nothing else", "{" HOST "}", NULL, ""},
    {"the documentation's other spelling", "{\"iotHubHostname\":\"a.example.com\"}", NULL, ""},
    {"members as C# writes them",
     "{\"IotHubHostName\":\"a.example.com\",\"InitialTwin\":{\"Tags\":{\"a\":1},\"Properties\":{\"Desired\":"
     "{\"B\":2}}},\"Payload\":{\"C\":3}}",
     "{\"tags\":{\"a\":1},\"properties\":{\"desired\":{\"B\":2}}}", "{\"C\":3}"},
    {"null for what is not there", "{" HOST ",\"initialTwin\":null,\"payload\":null}", NULL, ""},
    {"null parts of a twin", "{" HOST ",\"initialTwin\":{\"tags\":null,\"properties\":{\"desired\":null}}}",
     "{\"properties\":{}}", ""},
    {"an empty twin is one", "{" HOST ",\"initialTwin\":{}}", "{}", ""},
    {"a string that holds the object", "\"{\\r\\n  \\\"iotHubHostName\\\": \\\"a.example.com\\\"\\r\\n}\"",
     NULL, ""},
    {"a byte order mark and blank lines", "\xEF\xBB\xBF\r\n {" HOST "}\r\n\r\n", NULL, ""},
    {"a string with a byte order mark in it",
     "\"\xEF\xBB\xBF{\\\"iotHubHostName\\\":\\\"a.example.com\\\"}\"", NULL, ""},
    {"blanks around the host", "{\"iotHubHostName\":\" a.example.com\\n\"}", NULL, ""},
    {"members that nobody knows", "{" HOST ",\"statusCode\":200,\"initialTwin\":{\"version\":7}}", "{}", ""},
    {"a payload that is no object", "{" HOST ",\"payload\":[1,\"two\"]}", NULL, "[1,\"two\"]"},
};

static void answers_that_work_elsewhere_work(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const struct answer_case *c = &answers[i];
        struct arena arena = arena_capped(1 << 20);
        struct custom_answer out;
        struct why why = {0};
        struct err e = custom_answer_read(&arena, slice_text(c->text), &out, &why);
        if (failed(e) || !slice_equal(out.hub, SLICE("a.example.com")) || out.has_twin != (c->twin != NULL) ||
            !slice_equal(out.twin, slice_text(c->twin)) || !slice_equal(out.payload, slice_text(c->payload)))
            fail_msg("%s: %s hub %.*s twin %.*s payload %.*s", c->says, why.text, SLICE_ARG(out.hub),
                     SLICE_ARG(out.twin), SLICE_ARG(out.payload));
        arena_release(&arena);
    }
}

static const struct {
    const char *text;
    const char *says;
} refusals[] = {
    {"", "is empty"},
    {" \r\n", "is empty"},
    {"\xEF\xBB\xBF", "is empty"},
    {"\"\"", "is empty"},
    {"hub.example.com", "is not JSON"},
    {"{" HOST, "is not JSON"},
    {"{" HOST "}{}", "is not JSON"},
    {"{" HOST "," HOST "}", "is not JSON"},
    {"<html>busy</html>", "is not JSON"},
    {"\"a.example.com\"", "is not JSON"},
    {"\"\\\"{}\\\"\"", "is no JSON object"},
    {"null", "is no JSON object"},
    {"[{" HOST "}]", "is no JSON object"},
    {"200", "is no JSON object"},
    {"{}", "has no iotHubHostName"},
    {"{\"iotHubHostName\":null}", "has no iotHubHostName"},
    {"{\"iotHubHostName\":\" \"}", "no host name"},
    {"{\"iotHubHostName\":7}", "no host name"},
    {"{" HOST ",\"initialTwin\":\"{}\"}", "initialTwin that is no object"},
    {"{" HOST ",\"initialTwin\":{\"tags\":[]}}", "tags are no object"},
    {"{" HOST ",\"initialTwin\":{\"properties\":1}}", "properties.desired is no object"},
    {"{" HOST ",\"initialTwin\":{\"properties\":{\"desired\":[]}}}", "properties.desired is no object"},
};

static void answers_of_no_use_are_refused_in_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct arena arena = arena_capped(1 << 20);
        struct custom_answer out;
        struct why why = {0};
        struct err e = custom_answer_read(&arena, slice_text(refusals[i].text), &out, &why);
        if (e.code != ERR_WEBHOOK || strstr(why.text, refusals[i].says) == NULL || out.hub.len > 0)
            fail_msg("%s: %u %s", refusals[i].text, e.code, why.text);
        arena_release(&arena);
    }
}

static void an_answer_may_have_64_kb_and_no_more(void **state)
{
    (void)state;
    static char text[CUSTOM_ANSWER_MAX + 1];
    static const char begin[] = "{" HOST ",\"payload\":\"";
    struct arena arena = arena_capped(1 << 20);
    struct custom_answer out;
    struct why why = {0};
    memset(text, 'x', sizeof text);
    memcpy(text, begin, sizeof begin - 1);
    memcpy(text + CUSTOM_ANSWER_MAX - 2, "\"}", 2);
    assert_false(failed(custom_answer_read(&arena, slice_of(text, CUSTOM_ANSWER_MAX), &out, &why)));
    memcpy(text + CUSTOM_ANSWER_MAX - 2, "x\"}", 3);
    assert_int_equal(custom_answer_read(&arena, slice_of(text, sizeof text), &out, &why).code, ERR_WEBHOOK);
    assert_non_null(strstr(why.text, "longer than 64 KB"));
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_webhook_is_asked_as_the_documentation_shows),
        cmocka_unit_test(a_webhook_learns_where_the_device_is_and_what_it_sent),
        cmocka_unit_test(an_individual_enrollment_is_shown_as_one),
        cmocka_unit_test(a_device_with_a_certificate_is_shown_by_it),
        cmocka_unit_test(a_device_with_a_tpm_is_shown_by_its_public_keys),
        cmocka_unit_test(answers_that_work_elsewhere_work),
        cmocka_unit_test(answers_of_no_use_are_refused_in_words),
        cmocka_unit_test(an_answer_may_have_64_kb_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

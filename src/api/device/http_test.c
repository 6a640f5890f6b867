// Devices with certificates at the HTTPS door. In place of the front stand exchanges whose answers can be
// looked at.
#include "flow/flow_pki_test.h"
#include "flow/flow_tpm_test.h"

#include <stdio.h>

#include "api/device/device.h"
#include "api/error_body.h"
#include "base/text.h"

// ---- the front
// --------------------------------------------------------------------------------------------------------

static struct answer {
    unsigned status; // 0: not yet
    bool challenges;
    bool error_code; // has the header of an error
    char body[4096];
} answered;
static struct chain *shown;

void exchange_header(struct exchange *x, const char *name, struct slice value)
{
    (void)x, (void)value;
    answered.error_code |= strcmp(name, "x-ms-error-code") == 0;
}

void exchange_answer(struct exchange *x, unsigned status)
{
    assert_int_equal(answered.status, 0);
    answered.status = status;
    answered.challenges = x->challenges;
    assert_true(x->body.len < sizeof answered.body);
    memcpy(answered.body, x->body.at, x->body.len);
    answered.body[x->body.len] = 0;
}

void exchange_refuse(struct exchange *x, struct err e, const struct why *why)
{
    error_body_write(&x->body, e, why, slice_of(x->tracking_id, GUID_TEXT), x->started_us);
    exchange_answer(x, err_info(e)->http);
}

struct chain *exchange_chain(struct exchange *x)
{
    (void)x;
    return shown;
}

// ---- devices
// ----------------------------------------------------------------------------------------------------------

static struct device_api *api;
static const char *api_version = "2019-03-31";

static unsigned send(struct world *w, const char *method, const char *id, const char *rest, const char *more,
                     const char *body)
{
    static char text[64 * 1024];
    struct http_decoder decoder;
    struct http_request request = {0};
    struct exchange x = {.peer = SLICE("192.0.2.1:50000"), .connection = 7};
    (void)snprintf(text, sizeof text,
                   "%s /" SCOPE "/registrations/%s%s?api-version=%s HTTP/1.1\r\nHost: localhost\r\n"
                   "Content-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s",
                   method, id, rest, api_version, more, strlen(body), body);
    struct slice in = slice_text(text);
    http_decoder_init(&decoder);
    assert_int_equal(http_decode(&decoder, &in, &request, NULL), HTTP_REQUEST);
    x.arena = arena_capped(EXCHANGE_ARENA_CAP);
    x.body = buf_capped(EXCHANGE_BODY_CAP);
    assert_false(failed(http_request_copy(&x.request, &request, &x.arena)));
    http_decoder_release(&decoder);
    struct http_path path = http_path_of(x.request.path);
    struct slice segment = {0};
    while (!failed(http_path_next(&path, &x.arena, &segment)) && segment.at != NULL)
        x.segments[x.segment_count++] = segment;
    answered = (struct answer){0};
    struct http_area area = device_http_area(api);
    assert_true(area.claims(area.context, &x));
    area.handle(area.context, &x);
    for (int i = 0; i < 2000 && answered.status == 0; i++)
        deliver(w, 2);
    arena_release(&x.arena);
    buf_release(&x.body);
    return answered.status;
}

static unsigned call(struct world *w, const char *method, const char *id, const char *rest, const char *more)
{
    return send(w, method, id, rest, more, "");
}

static int setup(void **state)
{
    if (world_setup(state) != 0)
        return -1;
    struct world *w = *state;
    struct device_api_settings settings = {.flow = w->flow, .poller = &w->poller, .clock = &w->clock};
    return failed(device_api_new(&settings, &api)) ? -1 : 0;
}

static int teardown(void **state)
{
    until_idle(*state);
    chain_release(shown);
    shown = NULL;
    device_api_free(api);
    return pki_teardown(state);
}

static void assert_holds(const char *part)
{
    if (strstr(answered.body, part) == NULL)
        fail_msg("%s is not in %s", part, answered.body);
}

static void a_device_with_a_certificate_needs_no_token(void **state)
{
    struct world *w = *state;
    shown = chain_of(device(w, "dev3", fleet(w)), NULL, NULL);
    assert_int_equal(call(w, "PUT", "dev3", "/register", ""), 202); // as C# wants it (device-protocol 3.3)
    assert_holds("\"status\":\"assigned\"");
    assert_holds("\"x509\":{\"enrollmentGroupId\":\"Fleet\"}");
    assert_int_equal(call(w, "POST", "dev3", "", ""), 200);
    assert_holds("\"assignedHub\":\"" HUB_HOST "\"");
}

// Its hub is chosen anew, and is the one that it has; that there is a word for this, not all devices know.
static void a_device_that_registers_again_hears_what_its_version_knows(void **state)
{
    struct world *w = *state;
    shown = chain_of(device(w, "dev3", fleet(w)), NULL, NULL);
    assert_int_equal(call(w, "PUT", "dev3", "/register", ""), 202);
    assert_holds("\"substatus\":\"initialAssignment\"");
    assert_int_equal(call(w, "PUT", "dev3", "/register", ""), 202);
    assert_holds("\"substatus\":\"initialAssignment\"");
    api_version = "2021-06-01";
    assert_int_equal(call(w, "POST", "dev3", "", ""), 200);
    assert_holds("\"substatus\":\"reprovisionedToInitialAssignment\"");
    assert_int_equal(call(w, "PUT", "dev3", "/register", ""), 202);
    assert_holds("\"substatus\":\"reprovisionedToInitialAssignment\"");
    api_version = "2019-03-31";
    assert_int_equal(call(w, "POST", "dev3", "", ""), 200);
    assert_holds("\"substatus\":\"initialAssignment\"");
}

static void a_certificate_that_is_not_let_in_hears_401002_and_no_more(void **state)
{
    struct world *w = *state;
    (void)fleet(w);
    shown = chain_of(device(w, "dev3", root_of(w, "Somebody")), NULL, NULL);
    assert_int_equal(call(w, "PUT", "dev3", "/register", ""), 401);
    assert_holds("\"errorCode\":401002");
    assert_null(strstr(answered.body, "Somebody"));
    assert_int_equal(call(w, "POST", "dev3", "", ""), 401);
    assert_int_equal(call(w, "GET", "dev3", "/operations/5.0.0", ""), 401);
}

static void a_token_counts_whatever_certificate_is_shown(void **state)
{
    struct world *w = *state;
    shown = chain_of(device(w, "dev3", fleet(w)), NULL, NULL);
    assert_int_equal(call(w, "PUT", "dev3", "/register", "Authorization: SharedAccessSignature nothing\r\n"),
                     401);
    assert_true(chain_rests(shown)); // an idle connection keeps no more of it than it needs
    assert_int_equal(call(w, "PUT", "dev3", "/register", ""), 202);
}

static void a_device_that_shows_nothing_is_refused(void **state)
{
    struct world *w = *state;
    (void)fleet(w);
    assert_int_equal(call(w, "PUT", "dev3", "/register", ""), 401);
    assert_holds("\"errorCode\":401002");
    assert_null(stored_registration(w, SLICE("dev3")));
}

// ---- with a TPM
// --------------------------------------------------------------------------------------------------------

static void told(struct challenge_request *request)
{
    *(bool *)request->context = true;
}

static const char *authorization(struct world *w, const struct secret *key)
{
    struct slice line = {0};
    assert_false(
        failed(arena_printf(&w->arena, &line, "Authorization: %s\r\n%c", token_of(w, "tpm1", key), 0)));
    return (const char *)line.at;
}

static void assert_challenged(void)
{
    assert_int_equal(answered.status, 401);
    assert_true(answered.challenges);
    assert_false(answered.error_code);
    assert_holds("{\"message\":\"Authorization required\",\"authenticationKey\":\"");
    assert_holds("\",\"keyName\":\"registration\"}");
    assert_null(strstr(answered.body, "status")); // the C SDK looks for it
}

static void a_tpm_is_challenged_and_its_answer_may_come_without_its_keys(void **state)
{
    struct world *w = *state;
    put_tpm_enrollment(w, "tpm1", tpm_of(0));
    (void)send(w, "PUT", "tpm1", "/register", "", tpm_json(w, "\"registrationId\":\"tpm1\",", tpm_of(0)));
    assert_challenged();
    struct secret key = planted(w, "tpm1", 0);
    const char *token = authorization(w, &key);
    assert_int_equal(send(w, "PUT", "tpm1", "/register", token, "{\"registrationId\":\"tpm1\"}"), 202);
    assert_holds("\"status\":\"assigned\"");
    assert_holds("\"tpm\":{\"authenticationKey\":\"");
    // the same call again
    (void)send(w, "PUT", "tpm1", "/register", token, tpm_json(w, "", tpm_of(0)));
    assert_challenged();
    assert_int_equal(send(w, "PUT", "tpm1", "/register", token, ""), 401);
    assert_holds("\"errorCode\":401002");
    assert_false(answered.challenges);
}

static void polls_need_the_token_only(void **state)
{
    struct world *w = *state;
    char path[200];
    put_tpm_enrollment(w, "tpm1", tpm_of(0));
    (void)send(w, "PUT", "tpm1", "/register", "", tpm_json(w, "", tpm_of(0)));
    struct secret key = planted(w, "tpm1", 0);
    const char *token = authorization(w, &key);
    assert_int_equal(send(w, "PUT", "tpm1", "/register", token, tpm_json(w, "", tpm_of(0))), 202);
    const char *operation = strstr(answered.body, "\"operationId\":\"") + strlen("\"operationId\":\"");
    (void)snprintf(path, sizeof path, "/operations/%.*s", (int)strcspn(operation, "\""), operation);
    assert_int_equal(send(w, "GET", "tpm1", path, token, "{}"), 200);
    assert_holds("\"tpm\":{\"authenticationKey\":\"");
    assert_int_equal(send(w, "POST", "tpm1", "", token, "{}"), 200);
    assert_holds("\"tpm\":{\"authenticationKey\":\"");
    (void)send(w, "POST", "tpm1", "", "", tpm_json(w, "", tpm_of(0)));
    assert_challenged();
}

static void whatever_token_a_tpm_sends_that_does_not_hold_gets_it_a_challenge(void **state)
{
    struct world *w = *state;
    struct secret key = device_key();
    put_tpm_enrollment(w, "tpm1", tpm_of(0));
    const char *tokens[] = {"Authorization: nothing\r\n", authorization(w, &key),
                            "Authorization: SharedAccessSignature sr=" SCOPE
                            "%2fregistrations%2ftpm1&sig=MDEyMzQ1Njc4OTAxMj"
                            "M0NTY3ODkwMTIzNDU2Nzg5MDE%3D&se=1&skn=registration\r\n"};
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
        (void)send(w, "PUT", "tpm1", "/register", tokens[i], tpm_json(w, "", tpm_of(0)));
        assert_challenged();
    }
    (void)send(w, "PUT", "tpm1", "/register", "", tpm_json(w, "", tpm_of(1))); // but not another TPM
    assert_int_equal(answered.status, 401);
    assert_false(answered.challenges);
    assert_holds("\"errorCode\":401002");
}

static void certificates_that_nobody_asked_for_are_not_kept_with_the_challenge(void **state)
{
    struct world *w = *state;
    struct certificate *ca = root_of(w, "TPMs of Acme");
    struct certificate *leaf = device(w, "tpm", ca);
    struct buf text = buf_capped(16384);
    bool done = false;
    put_tpm_enrollment(w, "tpm1", tpm_of(0));
    const char *keys = tpm_json(w, "", tpm_of(0));
    buf_bytes(&text, slice_of(keys, strlen(keys) - 2));
    buf_text(&text, ",\"endorsementCertificates\":[\"");
    b64_encode(&text, leaf->der);
    buf_text(&text, "\",\"");
    b64_encode(&text, ca->der);
    buf_text(&text, "\"]}}");
    buf_u8(&text, 0);
    (void)send(w, "PUT", "tpm1", "/register", "", (const char *)text.at);
    assert_challenged();
    buf_release(&text);
    struct challenge_request r = {.verb = CHALLENGE_RECALL,
                                  .id_scope = SLICE(SCOPE),
                                  .registration_id = SLICE("tpm1"),
                                  .arena = &w->arena,
                                  .done = told,
                                  .context = &done};
    challenges_submit(w->asking, &r);
    for (int i = 0; i < 100 && !done; i++)
        deliver(w, 2);
    assert_false(failed(r.result));
    assert_int_equal(r.challenge.certificate_count, 0); // the enrollment has the key itself
    const char *token = authorization(w, &r.challenge.key);
    assert_int_equal(send(w, "PUT", "tpm1", "/register", token, ""), 202);
    assert_holds("\"tpm\":{\"authenticationKey\":\"");
}

static void what_is_no_tpm_is_told_which_member_is_wrong(void **state)
{
    struct world *w = *state;
    const char *good = tpm_json(w, "", tpm_of(0));
    const char *srk = strstr(good, ",\"storageRootKey");
    const int ek_len = (int)(srk - good);
    struct slice text[10];
    const char *names[] = {"tpm",
                           "endorsementKey",
                           "endorsementKey",
                           "endorsementKey",
                           "endorsementKey",
                           "storageRootKey",
                           "storageRootKey",
                           "endorsementCertificates",
                           "endorsementCertificates",
                           "endorsementCertificates"};
    struct arena *a = &w->arena;
    struct err e[] = {
        arena_printf(a, &text[0], "{\"tpm\":7}%c", 0),
        arena_printf(a, &text[1], "{\"tpm\":{}}%c", 0),
        arena_printf(a, &text[2], "{\"tpm\":{\"endorsementKey\":\"%%%%%%\"%s%c", srk, 0),
        arena_printf(a, &text[3], "{\"tpm\":{\"endorsementKey\":\"AToAAQALAAMA\"%s%c", srk, 0),
        arena_printf(a, &text[4], "{\"tpm\":{\"endorsementKey\":\"%0700d\"%s%c", 0, srk, 0),
        arena_printf(a, &text[5], "%.*s}}%c", ek_len, good, 0),
        arena_printf(a, &text[6], "%.*s,\"storageRootKey\":\"AAAA\"}}%c", ek_len, good, 0),
        arena_printf(a, &text[7], "%.*s,\"endorsementCertificates\":[\"!\"]}}%c", (int)strlen(good) - 2, good,
                     0),
        arena_printf(a, &text[8], "%.*s,\"endorsementCertificates\":[\"AAAA\"]}}%c", (int)strlen(good) - 2,
                     good, 0),
        arena_printf(a, &text[9], "%.*s,\"endorsementCertificates\":[\"\",\"\",\"\",\"\",\"\"]}}%c",
                     (int)strlen(good) - 2, good, 0),
    };
    put_tpm_enrollment(w, "tpm1", tpm_of(0));
    for (size_t i = 0; i < sizeof e / sizeof e[0]; i++) {
        assert_false(failed(e[i]));
        if (send(w, "PUT", "tpm1", "/register", "", (const char *)text[i].at) != 400 ||
            strstr(answered.body, names[i]) == NULL)
            fail_msg("row %zu: %u %s", i, answered.status, answered.body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(a_device_with_a_certificate_needs_no_token),
        TEST(a_device_that_registers_again_hears_what_its_version_knows),
        TEST(a_certificate_that_is_not_let_in_hears_401002_and_no_more),
        TEST(a_token_counts_whatever_certificate_is_shown),
        TEST(a_device_that_shows_nothing_is_refused),
        TEST(a_tpm_is_challenged_and_its_answer_may_come_without_its_keys),
        TEST(polls_need_the_token_only),
        TEST(whatever_token_a_tpm_sends_that_does_not_hold_gets_it_a_challenge),
        TEST(certificates_that_nobody_asked_for_are_not_kept_with_the_challenge),
        TEST(what_is_no_tpm_is_told_which_member_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Who may do what: every path, every method and every kind of caller, against a table written from
// service-api A.1 and not from the code (threats D7); tokens that count and tokens that do not (service-api
// A.3).
#include "api/fake_front_test.h"

#include "api/service/service.h"
#include "base/text.h"
#include "crypto/sas.h"

#define VERSION "?api-version=2021-10-01"

static struct bench bench;
static struct service_api *api;

static const struct {
    const char *policy;
    uint32_t rights;
} policies[] = {
    {"config", RIGHT_SERVICE_CONFIG},
    {"reader", RIGHT_ENROLLMENT_READ},
    {"writer", RIGHT_ENROLLMENT_WRITE},
    {"device", RIGHT_DEVICE_CONNECT},
    {"states", RIGHT_REGISTRATION_READ},
    {"forgetter", RIGHT_REGISTRATION_WRITE},
    {"owner", RIGHT_ALL},
};
enum { POLICIES = sizeof policies / sizeof policies[0] };

static int start(void **state)
{
    (void)state;
    struct policy more[POLICIES - 1] = {0};
    for (size_t i = 0; i < POLICIES - 1; i++)
        more[i] = (struct policy){.name = slice_text(policies[i].policy), .rights = policies[i].rights};
    bench_start(&bench);
    bench_put_service(&bench, "one", "0neAAAAAAAA", more, POLICIES - 1);
    bench_put_service(&bench, "two", "0neBBBBBBBB", NULL, 0);
    bench_reload(&bench);
    struct service_api_settings settings = {.store = bench.client,
                                            .directory = bench.directory,
                                            .clock = &bench.clock,
                                            .random = &bench.random,
                                            .log = &bench.log,
                                            .continuation_key = bench_key("continuation", "key", false)};
    assert_false(failed(service_api_new(&settings, &api)));
    bench.area = service_http_area(api);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    service_api_free(api);
    bench_stop(&bench);
    return 0;
}

// Per path: what each method needs. "-": 405. Else the policies that may, besides the owner.
static const struct {
    const char *path;
    const char *get, *put, *post, *delete;
} table[] = {
    {"/enrollments", "-", "-", "writer", "-"},
    {"/enrollments/", "-", "-", "writer", "-"},
    {"/enrollments/x", "reader writer", "writer", "-", "writer"},
    {"/enrollments/query", "reader writer", "writer", "reader writer", "writer"},
    {"/enrollments/x/attestationmechanism", "-", "-", "writer", "-"},
    {"/enrollmentGroups", "-", "-", "writer", "-"},
    {"/enrollmentGroups/x", "reader writer", "writer", "-", "writer"},
    {"/enrollmentgroups/query", "reader writer", "writer", "reader writer", "writer"},
    {"/ENROLLMENTGROUPS/x/AttestationMechanism", "-", "-", "writer", "-"},
    {"/registrations/x", "states forgetter", "-", "-", "forgetter"},
    {"/registrations/x/query", "-", "-", "states forgetter", "-"},
    {"/registrations", "-", "-", "-", "-"},
};
// Paths at which there is nothing, whoever asks.
static const char *const nowhere[] = {"/enrollments/x/y", "/enrollments/x/attestationmechanism/y",
                                      "/registrations/x/y", "/enrollments/x/attestationmechanism/y/z",
                                      "/registrations/x/query/y"};

static bool listed(const char *names, const char *name)
{
    struct slice rest = slice_text(names);
    struct slice word;
    while (slice_cut(&rest, ' ', &word)) {
        if (slice_equal(word, slice_text(name)))
            return true;
    }
    return false;
}

static unsigned status_of(const char *host, const char *token, const char *method, const char *path,
                          const char *body)
{
    struct buf head = buf_capped(65536);
    struct reply reply;
    buf_printf(&head, "%s %s" VERSION " HTTP/1.1\r\nHost: %s\r\n", method, path, host);
    if (token != NULL)
        buf_printf(&head, "Authorization: %s\r\n", token);
    buf_u8(&head, 0);
    bench_send(&bench, false, (const char *)head.at, body, &reply);
    bench_run_until(&bench, &reply.done);
    unsigned status = reply.status;
    reply_release(&reply);
    buf_release(&head);
    return status;
}

static const char *needed(size_t row, const char *method)
{
    if (strcmp(method, "GET") == 0)
        return table[row].get;
    if (strcmp(method, "PUT") == 0)
        return table[row].put;
    if (strcmp(method, "POST") == 0)
        return table[row].post;
    return strcmp(method, "DELETE") == 0 ? table[row].delete : "-";
}

static const char *const methods[] = {"GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS", "PROPFIND"};
enum { METHODS = sizeof methods / sizeof methods[0] };

static void every_route_asks_for_its_right_and_nothing_else_is_there(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (size_t row = 0; row < sizeof table / sizeof table[0]; row++) {
        for (size_t m = 0; m < METHODS; m++) {
            const char *may = needed(row, methods[m]);
            for (size_t p = 0; p < POLICIES; p++) {
                char *token = bench_token(&bench, "one", policies[p].policy, "one.test", 3600);
                unsigned status = status_of("one.test", token, methods[m], table[row].path, "{}");
                bool allowed = strcmp(policies[p].policy, "owner") == 0 || listed(may, policies[p].policy);
                // past the right there may be 200, 204, 400 or 404, but nothing that speaks of rights or
                // methods
                bool right = strcmp(may, "-") == 0 ? status == 405
                             : allowed ? status == 200 || status == 204 || status == 400 || status == 404
                                       : status == 401;
                if (!right)
                    print_message("%s %s as %s: %u\n", methods[m], table[row].path, policies[p].policy,
                                  status);
                wrong += !right;
                free(token);
            }
        }
    }
    assert_int_equal(wrong, 0);
}

static void a_caller_without_a_good_token_may_do_nothing(void **state)
{
    (void)state;
    char *foreign =
        bench_token(&bench, "two", "owner", "one.test", 3600); // signed with the other service's key
    char *elsewhere = bench_token(&bench, "two", "owner", "two.test", 3600);
    char *late = bench_token(&bench, "one", "owner", "one.test", -301);
    const char *const tokens[] = {
        NULL, "SharedAccessSignature nonsense", "Bearer x", "Basic eDp5", foreign, elsewhere,
        late, "SharedAccessSignature"};
    for (size_t row = 0; row < sizeof table / sizeof table[0]; row++) {
        for (size_t m = 0; m < METHODS; m++) {
            bool there = strcmp(needed(row, methods[m]), "-") != 0;
            for (size_t t = 0; t < sizeof tokens / sizeof tokens[0]; t++)
                assert_int_equal(status_of("one.test", tokens[t], methods[m], table[row].path, "{}"),
                                 there ? 401 : 405);
        }
    }
    free(foreign);
    free(elsewhere);
    free(late);
}

static void paths_that_are_not_ours_are_404_for_the_owner_too(void **state)
{
    (void)state;
    char *token = bench_token(&bench, "one", "owner", "one.test", 3600);
    for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++) {
        for (size_t m = 0; m < METHODS; m++)
            assert_int_equal(status_of("one.test", token, methods[m], nowhere[i], "{}"), 404);
    }
    free(token);
}

static void the_audience_is_the_host_whatever_its_case_port_and_coding(void **state)
{
    (void)state;
    static const struct {
        const char *resource, *host;
        unsigned status;
    } rows[] = {
        {"one.test", "one.test", 404},
        {"ONE.Test", "one.test", 404},
        {"one.test", "One.Test:443", 404},
        {"one.test:8443", "one.test", 404},
        {"one.test%3A8443", "one.test:8443", 404},
        {"one.test%2fenrollments", "one.test", 404},
        {"one.test/enrollments/x", "one.test", 404},
        {"one.test/enrollments/xy", "one.test", 401},
        {"one.test/enrollment", "one.test", 401},
        {"one.test/registrations", "one.test", 401},
        {"two.test", "one.test", 401},
        {"one.tes", "one.test", 401},
        {"one.test.example", "one.test", 401},
        {"https://one.test", "one.test", 401},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *token = bench_token(&bench, "one", "owner", rows[i].resource, 3600);
        unsigned status = status_of(rows[i].host, token, "GET", "/enrollments/x", NULL);
        if (status != rows[i].status)
            fail_msg("%s at %s: %u", rows[i].resource, rows[i].host, status);
        free(token);
    }
}

static void both_keys_count_and_a_few_minutes_of_skew_do_not_matter(void **state)
{
    (void)state;
    struct buf text = buf_capped(4096);
    struct secret second = bench_key("one", "owner", true);
    sas_sign(&text, SLICE("one.test"), bench.now_us / 1000000 + 60, &second, SLICE("owner"));
    buf_u8(&text, 0);
    assert_int_equal(status_of("one.test", (const char *)text.at, "GET", "/enrollments/x", NULL), 404);
    buf_release(&text);
    char *token = bench_token(&bench, "one", "owner", "one.test", -299);
    assert_int_equal(status_of("one.test", token, "GET", "/enrollments/x", NULL), 404);
    free(token);
}

static void refusals_read_the_same_and_the_log_tells_them_apart(void **state)
{
    (void)state;
    char *wrong = bench_token(&bench, "two", "owner", "one.test", 3600);
    char *unknown = bench_token(&bench, "one", "nobody", "one.test", 3600);
    char *late = bench_token(&bench, "one", "owner", "one.test", -4000);
    const struct {
        const char *token, *logged;
    } rows[] = {{wrong, "sas_signature"}, {unknown, "policy_unknown"}, {late, "sas_expired"}};
    for (size_t i = 0; i < 3; i++) {
        struct buf head = buf_capped(4096);
        struct reply reply;
        size_t before = bench_count_lines(&bench, rows[i].logged);
        buf_printf(&head, "GET /enrollments/x" VERSION " HTTP/1.1\r\nHost: one.test\r\nAuthorization: %s\r\n",
                   rows[i].token);
        buf_u8(&head, 0);
        bench_send(&bench, false, (const char *)head.at, NULL, &reply);
        bench_run_until(&bench, &reply.done);
        assert_int_equal(reply.status, 401);
        assert_int_equal(reply_number(&reply, "errorCode"), 401002);
        assert_string_equal(reply_text(&reply, "message"), "Unauthorized");
        assert_int_equal(bench_count_lines(&bench, rows[i].logged), before + 1);
        reply_release(&reply);
        buf_release(&head);
    }
    free(wrong);
    free(unknown);
    free(late);
}

static void over_the_control_socket_no_token_is_needed_and_the_service_is_named(void **state)
{
    (void)state;
    const char *body = "{\"registrationId\":\"mine\",\"attestation\":{\"type\":\"symmetricKey\"}}";
    assert_int_equal(
        bench_local(&bench, "PUT", "/enrollments/mine" VERSION, "x-usher-service: two\r\n", body, NULL), 200);
    assert_int_equal(bench_call(&bench, "two", "GET", "/enrollments/mine" VERSION, "", NULL, NULL), 200);
    assert_int_equal(bench_call(&bench, "one", "GET", "/enrollments/mine" VERSION, "", NULL, NULL), 404);
    assert_int_equal(
        bench_local(&bench, "GET", "/enrollments/mine" VERSION, "x-usher-service: none\r\n", NULL, NULL),
        404);
    // over HTTPS the header means nothing
    assert_int_equal(
        bench_call(&bench, "one", "GET", "/enrollments/mine" VERSION, "x-usher-service: two\r\n", NULL, NULL),
        404);
}

static void the_api_version_is_asked_for(void **state)
{
    (void)state;
    assert_int_equal(bench_call(&bench, "one", "GET", "/enrollments/x", "", NULL, NULL), 400);
    assert_int_equal(bench_call(&bench, "one", "GET", "/enrollments/x?api-version=new", "", NULL, NULL), 400);
    assert_int_equal(
        bench_call(&bench, "one", "GET", "/enrollments/x?api-version=2025-07-01-preview", "", NULL, NULL),
        404);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_asks_for_its_right_and_nothing_else_is_there),
        cmocka_unit_test(a_caller_without_a_good_token_may_do_nothing),
        cmocka_unit_test(paths_that_are_not_ours_are_404_for_the_owner_too),
        cmocka_unit_test(the_audience_is_the_host_whatever_its_case_port_and_coding),
        cmocka_unit_test(both_keys_count_and_a_few_minutes_of_skew_do_not_matter),
        cmocka_unit_test(refusals_read_the_same_and_the_log_tells_them_apart),
        cmocka_unit_test(over_the_control_socket_no_token_is_needed_and_the_service_is_named),
        cmocka_unit_test(the_api_version_is_asked_for),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

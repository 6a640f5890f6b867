// Devices with certificates at the HTTPS door. In place of the front stand exchanges whose answers can be
// looked at.
#include "flow/flow_pki_test.h"

#include <stdio.h>

#include "api/device/device.h"
#include "api/error_body.h"

// ---- the front
// --------------------------------------------------------------------------------------------------------

static struct answer {
    unsigned status; // 0: not yet
    char body[4096];
} answered;
static struct chain *shown;

void exchange_header(struct exchange *x, const char *name, struct slice value)
{
    (void)x, (void)name, (void)value;
}

void exchange_answer(struct exchange *x, unsigned status)
{
    assert_int_equal(answered.status, 0);
    answered.status = status;
    (void)snprintf(answered.body, sizeof answered.body, "%.*s", SLICE_ARG(buf_slice(&x->body)));
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

static unsigned call(struct world *w, const char *method, const char *id, const char *rest, const char *more)
{
    char text[1000];
    struct http_decoder decoder;
    struct http_request request = {0};
    struct exchange x = {.peer = SLICE("192.0.2.1:50000"), .connection = 7};
    (void)snprintf(text, sizeof text,
                   "%s /" SCOPE "/registrations/%s%s?api-version=2019-03-31 HTTP/1.1\r\nHost: localhost\r\n"
                   "Content-Type: application/json\r\n%sContent-Length: 0\r\n\r\n",
                   method, id, rest, more);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(a_device_with_a_certificate_needs_no_token),
        TEST(a_certificate_that_is_not_let_in_hears_401002_and_no_more),
        TEST(a_token_counts_whatever_certificate_is_shown),
        TEST(a_device_that_shows_nothing_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

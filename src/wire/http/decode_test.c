// The stream of requests: cut right however it arrives, bounded, and telling the pump what it is waiting for.
#include "wire/http/http_test.h"

static const char put[] = "PUT /0ne00000001/registrations/dev1/register?api-version=2021-06-01 HTTP/1.1\r\n"
                          "Host: localhost:443\r\nUserAgent: prov_device_client/1.0\r\n"
                          "Authorization: SharedAccessSignature sr=a\r\nContent-Length: 25\r\n\r\n"
                          "{\"registrationId\":\"dev1\"}";

static void check_put(const struct http_request *r)
{
    assert_int_equal(r->method, HTTP_METHOD_PUT);
    assert_slice(r->method_text, "PUT");
    assert_slice(r->target, "/0ne00000001/registrations/dev1/register?api-version=2021-06-01");
    assert_slice(r->path, "/0ne00000001/registrations/dev1/register");
    assert_slice(r->query, "api-version=2021-06-01");
    assert_slice(r->host, "localhost:443");
    assert_int_equal(r->field_count, 4);
    assert_slice(r->fields[1].name, "UserAgent");
    assert_slice(http_header(r, SLICE("authorization")), "SharedAccessSignature sr=a");
    assert_slice(r->body, "{\"registrationId\":\"dev1\"}");
    assert_true(r->keep_alive);
    assert_true(r->has_body);
    assert_false(r->length_missing);
    assert_false(r->websocket);
}

static void requests_are_the_same_however_they_arrive(void **state)
{
    (void)state;
    struct buf stream = buf_capped(4096);
    buf_text(&stream, put);
    buf_text(&stream, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    buf_text(&stream, put);
    for (size_t step = 1; step <= stream.len; step++) {
        struct http_decoder d;
        http_decoder_init(&d);
        size_t count = 0;
        for (size_t at = 0; at < stream.len; at += step) {
            struct slice in = slice_to(slice_from(buf_slice(&stream), at), step);
            struct http_request r;
            struct why why = {0};
            enum http_result result;
            while ((result = http_decode(&d, &in, &r, &why)) == HTTP_REQUEST) {
                if (count++ == 1)
                    assert_slice(r.path, "/x");
                else
                    check_put(&r);
            }
            if (result != HTTP_MORE)
                fail_msg("step %zu: %s", step, why.text);
            assert_int_equal(in.len, 0);
        }
        assert_int_equal(count, 3);
        http_decoder_release(&d);
    }
    buf_release(&stream);
}

static void a_whole_request_is_not_copied_and_the_next_one_is_left_alone(void **state)
{
    (void)state;
    struct buf two = buf_capped(4096);
    buf_text(&two, put);
    buf_text(&two, put);
    struct http_decoder d;
    struct http_request r;
    http_decoder_init(&d);
    struct slice in = buf_slice(&two);
    assert_int_equal(http_decode(&d, &in, &r, NULL), HTTP_REQUEST);
    assert_int_equal(in.len, sizeof put - 1);
    assert_ptr_equal(r.method_text.at, two.at);
    assert_null(d.head.at);
    assert_null(d.body.at);
    buf_release(&two);
}

static void the_pump_sees_which_part_the_peer_owes(void **state)
{
    (void)state;
    struct http_decoder d;
    struct http_request r;
    http_decoder_init(&d);
    assert_int_equal(d.phase, HTTP_PHASE_IDLE);
    static const struct {
        const char *text;
        enum http_phase phase;
        enum http_result result;
    } steps[] = {
        {"G", HTTP_PHASE_LINE, HTTP_MORE},
        {"ET / HTTP/1.1", HTTP_PHASE_LINE, HTTP_MORE},
        {"\r\nHost: h", HTTP_PHASE_HEADERS, HTTP_MORE},
        {"\r\nContent-Length: 2\r\n\r", HTTP_PHASE_HEADERS, HTTP_MORE},
        {"\n", HTTP_PHASE_BODY, HTTP_MORE},
        {"{", HTTP_PHASE_BODY, HTTP_MORE},
        {"}", HTTP_PHASE_WHOLE, HTTP_REQUEST},
        {"", HTTP_PHASE_IDLE, HTTP_MORE},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct slice in = slice_text(steps[i].text);
        assert_int_equal(http_decode(&d, &in, &r, NULL), steps[i].result);
        assert_int_equal(d.phase, steps[i].phase);
    }
    assert_null(d.head.at); // idle connections hold nothing
    assert_null(d.body.at);
    http_decoder_release(&d);
}

static void a_client_that_waits_for_100_continue_is_told_once(void **state)
{
    (void)state;
    struct http_decoder d;
    struct http_request r;
    http_decoder_init(&d);
    struct slice head =
        SLICE("PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-Continue\r\n\r\n");
    assert_int_equal(http_decode(&d, &head, &r, NULL), HTTP_CONTINUE);
    assert_slice(r.path, "/a");
    struct slice nothing = {0};
    assert_int_equal(http_decode(&d, &nothing, &r, NULL), HTTP_MORE);
    struct slice half = SLICE("bo");
    assert_int_equal(http_decode(&d, &half, &r, NULL), HTTP_MORE);
    struct slice rest = SLICE("dyGET");
    assert_int_equal(http_decode(&d, &rest, &r, NULL), HTTP_REQUEST);
    assert_slice(r.body, "body");
    assert_slice(r.path, "/a");
    assert_slice(rest, "GET");
    http_decoder_release(&d);
    // with the body at hand there is nothing to wait for (RFC 9110 10.1.1)
    decode_text(&d, "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nok", &r);
    assert_slice(r.body, "ok");
}

static void a_client_of_another_protocol_is_told_apart_in_the_reason(void **state)
{
    (void)state;
    static const struct {
        struct slice bytes;
        const char *words;
    } rows[] = {
        {SLICE("\x10\x10\x00\x04MQTT"), "MQTT begins like this"},
        {SLICE("AMQP\x00\x01\x00\x00"), "AMQP begins like this"},
        {SLICE("AMQP\x03\x01\x00\x00"), "AMQP begins like this"},
        {SLICE("GET\x03"), "byte 0x03 in the request line"},
        {SLICE("GET /\x10"), "byte 0x10 in the request line"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t step = 1; step < 10; step += 8) {
            struct http_decoder d;
            struct http_request r;
            struct why why = {0};
            size_t fed = 0;
            http_decoder_init(&d);
            assert_int_equal(feed(&d, rows[i].bytes, step, &r, &fed, &why), HTTP_BAD);
            assert_int_equal(d.status, 400);
            assert_non_null(strstr(why.text, rows[i].words));
            http_decoder_release(&d);
        }
    }
}

static void endless_request_lines_and_headers_are_cut_off_at_the_limit(void **state)
{
    (void)state;
    struct buf text = buf_capped(64 * 1024);
    for (int headers = 0; headers < 2; headers++) {
        buf_clear(&text);
        buf_text(&text, headers ? "GET / HTTP/1.1\r\nHost: h\r\nX: " : "GET /");
        while (text.len < HTTP_MAX_HEAD + 1)
            buf_text(&text, "a");
        for (size_t step = 1; step < 70000; step *= 41) {
            struct http_decoder d;
            struct http_request r;
            size_t fed = 0;
            http_decoder_init(&d);
            assert_int_equal(feed(&d, slice_to(buf_slice(&text), HTTP_MAX_HEAD), step, &r, &fed, NULL),
                             HTTP_MORE);
            struct slice one = SLICE("a");
            assert_int_equal(http_decode(&d, &one, &r, NULL), HTTP_BAD);
            assert_int_equal(d.status, headers ? 431 : 414);
            http_decoder_release(&d);
        }
    }
    buf_release(&text);
}

static void sixty_four_headers_are_taken_and_no_more(void **state)
{
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        struct buf text = buf_capped(16 * 1024);
        buf_text(&text, "GET / HTTP/1.1\r\nHost: h\r\n");
        for (int i = 1; i < HTTP_MAX_HEADERS + extra; i++)
            buf_printf(&text, "X-%d: %d\r\n", i, i);
        buf_text(&text, "\r\n");
        struct http_decoder d;
        struct http_request r;
        http_decoder_init(&d);
        struct slice in = buf_slice(&text);
        assert_int_equal(http_decode(&d, &in, &r, NULL), extra ? HTTP_BAD : HTTP_REQUEST);
        if (extra)
            assert_int_equal(d.status, 431);
        else
            assert_slice(http_header(&r, SLICE("x-63")), "63");
        buf_release(&text);
    }
}

static void a_declared_body_costs_no_memory_until_its_bytes_come(void **state)
{
    (void)state;
    struct http_decoder d;
    struct http_request r;
    http_decoder_init(&d);
    struct slice in = SLICE("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nx");
    assert_int_equal(http_decode(&d, &in, &r, NULL), HTTP_MORE);
    assert_true(d.head.room + d.body.room <= 1024);
    http_decoder_release(&d);
}

static void the_body_limit_is_exact_and_can_be_set(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "Content-Length: 4\r\n\r\nabcd", "Content-Length: 5\r\n\r\nabcde",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"};
    for (size_t i = 0; i < 4; i++) {
        struct buf text = buf_capped(4096);
        buf_printf(&text, "PUT / HTTP/1.1\r\nHost: h\r\n%s", bodies[i]);
        struct http_decoder d;
        struct http_request r;
        http_decoder_init(&d);
        http_decoder_limit(&d, 4);
        struct slice in = buf_slice(&text);
        assert_int_equal(http_decode(&d, &in, &r, NULL), i % 2 == 0 ? HTTP_REQUEST : HTTP_BAD);
        if (i % 2 == 0)
            assert_slice(r.body, "abcd");
        else
            assert_int_equal(d.status, 413);
        http_decoder_release(&d);
        buf_release(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_the_same_however_they_arrive),
        cmocka_unit_test(a_whole_request_is_not_copied_and_the_next_one_is_left_alone),
        cmocka_unit_test(the_pump_sees_which_part_the_peer_owes),
        cmocka_unit_test(a_client_that_waits_for_100_continue_is_told_once),
        cmocka_unit_test(a_client_of_another_protocol_is_told_apart_in_the_reason),
        cmocka_unit_test(endless_request_lines_and_headers_are_cut_off_at_the_limit),
        cmocka_unit_test(sixty_four_headers_are_taken_and_no_more),
        cmocka_unit_test(a_declared_body_costs_no_memory_until_its_bytes_come),
        cmocka_unit_test(the_body_limit_is_exact_and_can_be_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

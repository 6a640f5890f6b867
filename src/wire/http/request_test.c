// What a request says about itself.
#include "wire/http/http_test.h"

#include <stdio.h>

static void every_method_is_known_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum http_method method;
    } rows[] = {
        {"GET", HTTP_METHOD_GET},         {"HEAD", HTTP_METHOD_HEAD},   {"POST", HTTP_METHOD_POST},
        {"PUT", HTTP_METHOD_PUT},         {"PATCH", HTTP_METHOD_PATCH}, {"DELETE", HTTP_METHOD_DELETE},
        {"OPTIONS", HTTP_METHOD_OPTIONS}, {"TRACE", HTTP_METHOD_OTHER}, {"PROPFIND", HTTP_METHOD_OTHER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[100];
        (void)snprintf(text, sizeof text, "%s /x HTTP/1.1\r\nHost: h\r\n\r\n", rows[i].text);
        struct http_decoder d;
        struct http_request r;
        decode_text(&d, text, &r);
        assert_int_equal(r.method, rows[i].method);
        assert_slice(r.method_text, rows[i].text);
    }
}

static void only_a_writing_method_without_any_length_lacks_one(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool missing;
    } rows[] = {
        {"PUT / HTTP/1.1\r\nHost: h\r\n\r\n", true},
        {"POST / HTTP/1.1\r\nHost: h\r\n\r\n", true},
        {"PATCH / HTTP/1.1\r\nHost: h\r\n\r\n", true},
        {"DELETE / HTTP/1.1\r\nHost: h\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", false},
        {"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", false},
        {"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_decoder d;
        struct http_request r;
        decode_text(&d, rows[i].text, &r);
        assert_int_equal(r.length_missing, rows[i].missing);
        http_decoder_release(&d);
    }
}

static void the_connection_stays_open_only_as_the_client_says(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool keep_alive;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_decoder d;
        struct http_request r;
        decode_text(&d, rows[i].text, &r);
        assert_int_equal(r.keep_alive, rows[i].keep_alive);
    }
}

static void a_websocket_upgrade_is_seen_and_nothing_else_is_taken_for_one(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool websocket;
    } rows[] = {
        {"GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", true},
        {"GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: WebSocket\r\nConnection: keep-alive, upgrade\r\n\r\n",
         true},
        {"GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n", false},
        {"GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", false},
        {"PUT /mqtt HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nUpgrade: websocket\r\nConnection: "
         "Upgrade\r\n\r\n",
         false},
        {"GET /mqtt HTTP/1.0\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_decoder d;
        struct http_request r;
        decode_text(&d, rows[i].text, &r);
        if (r.websocket != rows[i].websocket)
            fail_msg("%s", rows[i].text);
    }
    struct slice in =
        SLICE("GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x82\x80");
    struct http_decoder d;
    struct http_request r;
    http_decoder_init(&d);
    assert_int_equal(http_decode(&d, &in, &r, NULL), HTTP_REQUEST);
    assert_int_equal(in.len, 2); // the first frame is left for whoever speaks WebSocket
}

static void headers_are_found_without_case_and_trimmed(void **state)
{
    (void)state;
    struct http_decoder d;
    struct http_request r;
    decode_text(&d, "GET /? HTTP/1.1\r\nHost: h\r\nX-Empty:\r\nX-Blank: \t \r\nx-CASE:  a b \t\r\n\r\n", &r);
    assert_slice(http_header(&r, SLICE("X-Case")), "a b");
    assert_null(http_header(&r, SLICE("x-none")).at);
    assert_non_null(http_header(&r, SLICE("x-empty")).at);
    assert_int_equal(http_header(&r, SLICE("x-empty")).len, 0);
    assert_non_null(http_header(&r, SLICE("x-blank")).at);
    assert_int_equal(http_header(&r, SLICE("x-blank")).len, 0);
    assert_non_null(r.query.at);
    assert_int_equal(r.query.len, 0);
}

static void the_target_is_taken_apart(void **state)
{
    (void)state;
    struct http_decoder d;
    struct http_request r;
    decode_text(&d, "GET https://Localhost:8443/a//b%2Fc?x=1?y HTTP/1.1\r\nHost: localhost:8443\r\n\r\n", &r);
    assert_slice(r.path, "/a//b%2Fc");
    assert_slice(r.query, "x=1?y");
    assert_slice(r.host, "localhost:8443");
    decode_text(&d, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", &r);
    assert_null(r.query.at);
    decode_text(&d, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", &r);
    assert_slice(r.path, "*");
}

static void a_copy_outlives_the_connection(void **state)
{
    (void)state;
    char text[] = "PUT /a/b?q=1 HTTP/1.1\r\nHost: h\r\nX-Y: z\r\nContent-Length: 4\r\n\r\nbody";
    struct http_decoder d;
    struct http_request r;
    struct http_request copy;
    struct arena a = arena_capped(4096);
    decode_text(&d, text, &r);
    assert_false(failed(http_request_copy(&copy, &r, &a)));
    memset(text, '!', sizeof text);
    assert_slice(copy.method_text, "PUT");
    assert_slice(copy.target, "/a/b?q=1");
    assert_slice(copy.path, "/a/b");
    assert_slice(copy.query, "q=1");
    assert_slice(copy.host, "h");
    assert_slice(copy.body, "body");
    assert_int_equal(copy.field_count, 3);
    assert_slice(copy.fields[1].name, "X-Y");
    assert_slice(http_header(&copy, SLICE("x-y")), "z");
    arena_release(&a);
    struct arena tiny = arena_capped(16);
    assert_int_equal(http_request_copy(&copy, &r, &tiny).code, ERR_NO_MEMORY);
    assert_int_equal(copy.field_count, 0);
    arena_release(&tiny);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_method_is_known_by_name),
        cmocka_unit_test(only_a_writing_method_without_any_length_lacks_one),
        cmocka_unit_test(the_connection_stays_open_only_as_the_client_says),
        cmocka_unit_test(a_websocket_upgrade_is_seen_and_nothing_else_is_taken_for_one),
        cmocka_unit_test(headers_are_found_without_case_and_trimmed),
        cmocka_unit_test(the_target_is_taken_apart),
        cmocka_unit_test(a_copy_outlives_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

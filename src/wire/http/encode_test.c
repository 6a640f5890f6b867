// Responses and requests on the wire, byte for byte.
#include "wire/http/http_test.h"

static void assert_written(const struct buf *out, const char *want)
{
    assert_false(failed(buf_err(out)));
    assert_slice(buf_slice(out), want);
}

static void a_response_has_date_connection_fields_and_length(void **state)
{
    (void)state;
    struct http_field fields[] = {{SLICE("Content-Type"), SLICE("application/json; charset=utf-8")},
                                  {SLICE("Retry-After"), SLICE("3")}};
    struct buf out = buf_capped(4096);
    http_encode_response(&out, &(struct http_response){.status = 202,
                                                       .fields = fields,
                                                       .field_count = 2,
                                                       .body = SLICE("{}"),
                                                       .date = SLICE("Sun, 06 Nov 1994 08:49:37 GMT")});
    assert_written(
        &out,
        "HTTP/1.1 202 Accepted\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: keep-alive\r\n"
        "Content-Type: application/json; charset=utf-8\r\nRetry-After: 3\r\nContent-Length: 2\r\n\r\n{}");
    buf_release(&out);
}

static void answers_without_a_body_announce_none(void **state)
{
    (void)state;
    struct buf out = buf_capped(4096);
    http_encode_response(&out, &(struct http_response){.status = 204, .body = SLICE("not sent")});
    assert_written(&out, "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n");
    buf_clear(&out);
    http_encode_response(&out, &(struct http_response){.status = 100});
    assert_written(&out, "HTTP/1.1 100 Continue\r\n\r\n");
    buf_clear(&out);
    http_encode_response(&out, &(struct http_response){.status = 400, .close = true});
    assert_written(&out, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    buf_clear(&out);
    http_encode_response(&out,
                         &(struct http_response){.status = 200, .body = SLICE("four"), .to_head = true});
    assert_written(&out, "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\n");
    buf_clear(&out);
    struct http_field upgrade[] = {{SLICE("Connection"), SLICE("Upgrade")},
                                   {SLICE("Upgrade"), SLICE("websocket")}};
    http_encode_response(&out, &(struct http_response){.status = 101, .fields = upgrade, .field_count = 2});
    assert_written(&out,
                   "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    buf_release(&out);
}

static void no_value_can_start_another_line(void **state)
{
    (void)state;
    const struct http_field bad[] = {
        {SLICE("X"), SLICE("a\r\nSet-Cookie: b")},
        {SLICE("X"), SLICE("a\nb")},
        {SLICE("X"), SLICE("a\rb")},
        {SLICE("X"), SLICE("a\0b")},
        {SLICE("X\r\nY"), SLICE("a")},
        {SLICE("X:"), SLICE("a")},
        {SLICE(""), SLICE("a")},
        {SLICE("X Y"), SLICE("a")},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf out = buf_capped(4096);
        buf_text(&out, "before");
        http_encode_response(&out,
                             &(struct http_response){.status = 200, .fields = &bad[i], .field_count = 1});
        assert_int_equal(buf_err(&out).code, ERR_INVALID);
        assert_int_equal(out.len, 6);
        buf_clear(&out);
        http_encode_request(&out, &(struct http_outgoing){.method = SLICE("GET"),
                                                          .target = SLICE("/"),
                                                          .host = SLICE("h"),
                                                          .fields = &bad[i],
                                                          .field_count = 1});
        assert_int_equal(buf_err(&out).code, ERR_INVALID);
        assert_int_equal(out.len, 0);
        buf_release(&out);
    }
    struct buf out = buf_capped(4096);
    http_encode_response(&out, &(struct http_response){.status = 200, .date = SLICE("x\r\ny")});
    assert_int_equal(buf_err(&out).code, ERR_INVALID);
    buf_clear(&out);
    http_encode_request(
        &out, &(struct http_outgoing){.method = SLICE("GET"), .target = SLICE("/ x"), .host = SLICE("h")});
    assert_int_equal(buf_err(&out).code, ERR_INVALID);
    buf_clear(&out);
    http_encode_request(&out, &(struct http_outgoing){
                                  .method = SLICE("GET"), .target = SLICE("/"), .host = SLICE("h\r\nX: y")});
    assert_int_equal(buf_err(&out).code, ERR_INVALID);
    buf_release(&out);
}

static void a_response_that_does_not_fit_is_not_begun(void **state)
{
    (void)state;
    struct buf out = buf_capped(100);
    buf_text(&out, "before");
    http_encode_response(
        &out, &(struct http_response){.status = 200, .body = SLICE("0123456789012345678901234567890123")});
    assert_int_equal(buf_err(&out).code, ERR_CAPPED);
    assert_int_equal(out.len, 6);
    buf_release(&out);
}

static void the_server_understands_what_the_client_writes(void **state)
{
    (void)state;
    struct http_field fields[] = {{SLICE("Authorization"), SLICE("SharedAccessSignature sr=x")}};
    struct buf out = buf_capped(4096);
    http_encode_request(&out, &(struct http_outgoing){.method = SLICE("PUT"),
                                                      .target = SLICE("/a?b=c"),
                                                      .host = SLICE("localhost:443"),
                                                      .fields = fields,
                                                      .field_count = 1,
                                                      .body = SLICE("{}"),
                                                      .close = true});
    buf_u8(&out, 0); // decode_text takes text
    struct http_decoder d;
    struct http_request r;
    decode_text(&d, (const char *)out.at, &r);
    assert_slice(r.target, "/a?b=c");
    assert_slice(r.host, "localhost:443");
    assert_slice(r.body, "{}");
    assert_false(r.keep_alive);
    assert_slice(http_header(&r, SLICE("authorization")), "SharedAccessSignature sr=x");
    buf_clear(&out);
    http_encode_request(
        &out, &(struct http_outgoing){
                  .method = SLICE("POST"), .target = SLICE("/"), .host = SLICE("h"), .has_body = true});
    assert_written(&out, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_has_date_connection_fields_and_length),
        cmocka_unit_test(answers_without_a_body_announce_none),
        cmocka_unit_test(no_value_can_start_another_line),
        cmocka_unit_test(a_response_that_does_not_fit_is_not_begun),
        cmocka_unit_test(the_server_understands_what_the_client_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

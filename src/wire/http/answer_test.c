// The client reads what servers answer.
#include "wire/http/http_test.h"

static enum http_result read_answer(const char *text, size_t step, struct http_decoder *d,
                                    struct http_answer *out)
{
    struct slice bytes = slice_text(text);
    http_decoder_init(d);
    for (size_t at = 0; at < bytes.len; at += step) {
        struct slice in = slice_to(slice_from(bytes, at), step);
        enum http_result result = http_decode_answer(d, &in, out, NULL);
        if (result != HTTP_MORE)
            return result;
    }
    return HTTP_MORE;
}

static void answers_are_read_however_they_arrive(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint16_t status;
        const char *body;
        bool keep_alive;
    } rows[] = {
        {"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}", 202, "{}", true},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 200, "", false},
        {"HTTP/1.1 204 No Content\r\n\r\n", 204, "", true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200, "abc", true},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 Unauthorized\r\nContent-Length: 1\r\n\r\nx", 401, "x",
         true},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 101, "",
         true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t step = 1; step <= strlen(rows[i].text); step++) {
            struct http_decoder d;
            struct http_answer a;
            assert_int_equal(read_answer(rows[i].text, step, &d, &a), HTTP_REQUEST);
            assert_int_equal(a.status, rows[i].status);
            assert_slice(a.body, rows[i].body);
            assert_int_equal(a.keep_alive, rows[i].keep_alive);
            http_decoder_release(&d);
        }
    }
}

static void an_answer_without_a_certain_end_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "SSH-2.0-x\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_decoder d;
        struct http_answer a;
        if (read_answer(rows[i], 1000, &d, &a) != HTTP_BAD)
            fail_msg("%s", rows[i]);
    }
}

static void the_client_finds_a_header(void **state)
{
    (void)state;
    struct http_decoder d;
    struct http_answer a;
    assert_int_equal(
        read_answer("HTTP/1.1 429 \r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n", 1000, &d, &a),
        HTTP_REQUEST);
    assert_slice(http_answer_header(&a, SLICE("retry-after")), "5");
    assert_null(http_answer_header(&a, SLICE("x")).at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_read_however_they_arrive),
        cmocka_unit_test(an_answer_without_a_certain_end_is_refused),
        cmocka_unit_test(the_client_finds_a_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Requests that two readers could understand differently are refused and end the connection, however they
// arrive (threats A11); what clients really send is not.
#include "wire/http/http_test.h"

#define GET   "GET / HTTP/1.1\r\n"
#define POST  "POST / HTTP/1.1\r\n"
#define HOST  "Host: h\r\n"
#define END   "\r\n"
#define CHUNK POST HOST "Transfer-Encoding: chunked\r\n\r\n"
// A literal with its own length, so that it may hold NUL.
#define ROW(status, text)                                                                                    \
    {                                                                                                        \
        status, text, sizeof(text) - 1                                                                       \
    }

static const struct {
    int status;
    const char *text;
    size_t len;
} refused[] = {
    // two lengths
    ROW(400, POST HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ROW(400, POST HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
    ROW(400, POST HOST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n"),
    ROW(400, POST HOST "Content-Length: 5\r\ntransfer-encoding: CHUNKED\r\n\r\nhello"),
    ROW(400, POST HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
    ROW(400, POST HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    ROW(400, POST HOST "Content-Length: 5\r\ncontent-length: 5\r\n\r\nhello"),
    ROW(400, POST HOST "Content-Length: 5, 5\r\n\r\nhello"),
    ROW(400, POST HOST "Content-Length: 5,6\r\n\r\nhello"),
    // lengths that are no numbers
    ROW(400, POST HOST "Content-Length: +5\r\n\r\nhello"),
    ROW(400, POST HOST "Content-Length: -5\r\n\r\nhello"),
    ROW(400, POST HOST "Content-Length: 5.0\r\n\r\nhello"),
    ROW(400, POST HOST "Content-Length: 0x5\r\n\r\nhello"),
    ROW(400, POST HOST "Content-Length: 5 5\r\n\r\nhello"),
    ROW(400, POST HOST "Content-Length: five\r\n\r\nhello"),
    ROW(400, POST HOST "Content-Length: \r\n\r\nhello"),
    ROW(400, POST HOST "Content-Length:\r\n\r\nhello"),
    ROW(400, POST HOST "Content-Length: 18446744073709551616\r\n\r\n"),
    ROW(400, POST HOST "Content-Length: 99999999999999999999999\r\n\r\n"),
    ROW(400, POST HOST "Content-Length: 5;\r\n\r\nhello"),
    ROW(400, POST HOST "Content-Length: \"5\"\r\n\r\nhello"),
    // lengths over the limit, refused before the body
    ROW(413, POST HOST "Content-Length: 4294967296\r\n\r\n"),
    ROW(413, POST HOST "Content-Length: 18446744073709551615\r\n\r\n"),
    ROW(413, POST HOST "Content-Length: 102401\r\n\r\n"),
    // transfer codings
    ROW(501, POST HOST "Transfer-Encoding: gzip\r\n\r\n"),
    ROW(501, POST HOST "Transfer-Encoding: identity\r\n\r\n"),
    ROW(501, POST HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ROW(400, POST HOST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    ROW(400, POST HOST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    ROW(400, POST HOST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    ROW(501, POST HOST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ROW(501, POST HOST "Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n"),
    ROW(501, POST HOST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
    ROW(501, POST HOST "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"),
    ROW(400, POST HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ROW(400, POST HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    ROW(501, POST HOST "Transfer-Encoding:\r\n\r\n0\r\n\r\n"),
    ROW(400, POST HOST "Transfer-Encoding: \x0b"
                       "chunked\r\n\r\n0\r\n\r\n"),
    ROW(400, POST HOST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    ROW(400, POST HOST "Transfer\xc2\xad-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ROW(400, POST HOST "X: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ROW(400, POST HOST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    // where lines end
    ROW(400, "GET / HTTP/1.1\nHost: h\n\n"),
    ROW(400, "GET / HTTP/1.1\r\nHost: h\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\nHost: h\r\n\n"),
    ROW(400, "GET / HTTP/1.1\r\nHost: h\r\nX: y\nContent-Length: 5\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\nHost: h\r\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\rHost: h\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\nHost: h\r\n\rContent-Length: 5\r\n\r\nhello"), // CVE-2023-30589
    ROW(400, POST HOST "X:\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\r\nHost: h\r\n\r\r"),
    ROW(400, "GET / HTTP/1.1\r\nHost: h\rX"), // at once, not at the end of the head
    ROW(400, "GET / HTTP/1.1\r\nHost: h\n"),
    ROW(400, GET HOST "X: a\r\n b\r\n\r\n"),
    ROW(400, GET HOST "X: a\r\n\tb\r\n\r\n"),
    ROW(400, GET " Host: h\r\n\r\n"),
    ROW(400, GET "\tHost: h\r\n\r\n"),
    ROW(400, "\r\n\r\n" GET HOST END),
    ROW(400, "\n" GET HOST END),
    // names and values of fields
    ROW(400, GET "Host : h\r\n\r\n"),
    ROW(400, GET "Host\t: h\r\n\r\n"),
    ROW(400, GET HOST "Content-Length : 5\r\n\r\nhello"),
    ROW(400, GET HOST "X Y: z\r\n\r\n"),
    ROW(400, GET HOST "X(Y): z\r\n\r\n"),
    ROW(400, GET HOST ": z\r\n\r\n"),
    ROW(400, GET HOST "no colon\r\n\r\n"),
    ROW(400, GET HOST "X\xff: z\r\n\r\n"),
    ROW(400, GET HOST "X: a\0b\r\n\r\n"),
    ROW(400, GET HOST "X\0: a\r\n\r\n"),
    ROW(400, GET HOST "X: a\x01"
                      "b\r\n\r\n"),
    ROW(400, GET HOST "X: a\x7f"
                      "b\r\n\r\n"),
    ROW(400, GET HOST "Authorization: a\r\nAuthorization: b\r\n\r\n"),
    ROW(400, POST HOST "Content-Type: a/b\r\ncontent-type: c/d\r\nContent-Length: 1\r\n\r\nx"),
    ROW(417, POST HOST "Content-Length: 1\r\nExpect: 200-ok\r\n\r\n"),
    // Host
    ROW(400, GET END),
    ROW(400, GET "X: y\r\n\r\n"),
    ROW(400, GET HOST HOST END),
    ROW(400, GET HOST "host: other\r\n\r\n"),
    ROW(400, GET "Host:\r\n\r\n"),
    ROW(400, GET "Host: a b\r\n\r\n"),
    ROW(400, GET "Host: a/b\r\n\r\n"),
    ROW(400, GET "Host: a@b\r\n\r\n"),
    ROW(400, GET "Host: a,b\r\n\r\n"),
    ROW(400, GET "Host: a:b\r\n\r\n"),
    ROW(400, GET "Host: a:99999\r\n\r\n"),
    ROW(400, GET "Host: a:1:2\r\n\r\n"),
    ROW(400, GET "Host: http://a\r\n\r\n"),
    ROW(400, GET "Host: [::1\r\n\r\n"),
    ROW(400, GET "Host: []\r\n\r\n"),
    ROW(400, GET "Host: a%00\r\n\r\n"),
    ROW(400, "GET http://other/ HTTP/1.1\r\n" HOST END),
    ROW(400, "GET http://h:80/ HTTP/1.1\r\n" HOST END),
    ROW(400, "GET http://user@h/ HTTP/1.1\r\n" HOST END),
    ROW(400, "GET http:/// HTTP/1.1\r\n" HOST END),
    ROW(400, "GET ftp://h/ HTTP/1.1\r\n" HOST END),
    // the request line
    ROW(400, "GET  / HTTP/1.1\r\n" HOST END),
    ROW(400, "GET /  HTTP/1.1\r\n" HOST END),
    ROW(400, "GET / HTTP/1.1 \r\n" HOST END),
    ROW(400, "GET / x HTTP/1.1\r\n" HOST END),
    ROW(400, "GET\t/\tHTTP/1.1\r\n" HOST END),
    ROW(400, " GET / HTTP/1.1\r\n" HOST END),
    ROW(400, "GET /\0 HTTP/1.1\r\n" HOST END),
    ROW(400, "GET /\xc3\xa9 HTTP/1.1\r\n" HOST END),
    ROW(400, "GET /#x HTTP/1.1\r\n" HOST END),
    ROW(400, "GET x HTTP/1.1\r\n" HOST END),
    ROW(400, "GET * HTTP/1.1\r\n" HOST END),
    ROW(400, "GET /\r\n" HOST END),
    ROW(400, "GET / http/1.1\r\n" HOST END),
    ROW(400, "GET / HTTP/1.1x\r\n" HOST END),
    ROW(400, "get / HTTP/1.1\r\n" HOST END),
    ROW(400, "G<T / HTTP/1.1\r\n" HOST END),
    ROW(400, "Content-Length: 2\r\n" GET HOST END),
    ROW(400, "EHLO localhost\r\n"), // at once, not at the end of the head
    ROW(400, "GET /\r\n"),
    ROW(501, "FROB / HTTP/1.1\r\n" HOST END),
    ROW(501, "CONNECT h:443 HTTP/1.1\r\n" HOST END),
    ROW(505, "GET / HTTP/1.2\r\n" HOST END),
    ROW(505, "GET / HTTP/2.0\r\n" HOST END),
    ROW(505, "GET / HTTP/0.9\r\n" HOST END),
    ROW(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ROW(400, "SETUP / RTSP/1.0\r\n" HOST END),
    // what is not HTTP at all
    ROW(400, "\x16\x03\x01\x02\x00\x01\x00"),
    ROW(400, "\x10\x20\x00\x04MQTT\x04"),
    ROW(400, "AMQP\0\x01\x00\x00"),
    // chunks
    ROW(400, CHUNK "\r\n"),
    ROW(400, CHUNK "g\r\n"),
    ROW(400, CHUNK "-1\r\n"),
    ROW(400, CHUNK "+1\r\na\r\n0\r\n\r\n"),
    ROW(400, CHUNK "0x1\r\na\r\n0\r\n\r\n"),
    ROW(400, CHUNK " 1\r\na\r\n0\r\n\r\n"),
    ROW(400, CHUNK "1 \r\na\r\n0\r\n\r\n"),
    ROW(400, CHUNK "1;x=y\r\na\r\n0\r\n\r\n"),
    ROW(400, CHUNK "1;\r\na\r\n0\r\n\r\n"),
    ROW(400, CHUNK "1\na\r\n0\r\n\r\n"),
    ROW(400, CHUNK "1\r\na\n0\r\n\r\n"),
    ROW(400, CHUNK "1\r\naX0\r\n\r\n"),
    ROW(400, CHUNK "1\r\nab\r\n0\r\n\r\n"),
    ROW(400, CHUNK "2\r\na\r\n0\r\n\r\n"),
    ROW(400, CHUNK "0\n\n"),
    ROW(400, CHUNK "0\r\n\n"),
    ROW(400, CHUNK "0\r\nX: y\r\n\r\n"),
    ROW(400, CHUNK "0\r\nGET / HTTP/1.1\r\n"),
    ROW(400, CHUNK "0\r\n\rX"),
    ROW(400, CHUNK "000000001\r\na\r\n0\r\n\r\n"),
    ROW(400, CHUNK "10000000000000001\r\n"),
    ROW(413, CHUNK "ffffffff\r\n"),
    ROW(413, CHUNK "19001\r\n"),
};

static void what_is_ambiguous_is_refused_and_ends_the_connection(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        for (int piecewise = 0; piecewise < 2; piecewise++) {
            struct slice bytes = slice_of(refused[i].text, refused[i].len);
            struct http_decoder d;
            struct http_request r;
            struct why why = {0};
            size_t fed = 0;
            http_decoder_init(&d);
            enum http_result result = feed(&d, bytes, piecewise ? 1 : bytes.len, &r, &fed, &why);
            if (result != HTTP_BAD || d.status != refused[i].status || why.text[0] == 0)
                fail_msg("row %zu: result %d, status %u, want %d (%s): %s", i, result, d.status,
                         refused[i].status, why.text, refused[i].text);
            struct slice more = SLICE("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
            assert_int_equal(http_decode(&d, &more, &r, NULL), HTTP_BAD);
            http_decoder_release(&d);
        }
    }
}

static const struct {
    const char *text;
    const char *body;
} taken[] = {
    {GET HOST END, ""},
    {"\r\n" GET HOST END, ""},
    {"GET / HTTP/1.0\r\n\r\n", ""},
    {POST HOST "Content-Length: 5\r\n\r\nhello", "hello"},
    {POST HOST "Content-Length:5  \r\n\r\nhello", "hello"},
    {POST HOST "Content-Length: 0005\r\n\r\nhello", "hello"},
    {POST HOST "Content-Length: 0\r\n\r\n", ""},
    {GET HOST "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", "{}"}, // the Node SDK polls so
    {GET HOST "Content-Encoding: utf-8\r\n\r\n", ""}, // so do the docs' examples
    {CHUNK "0\r\n\r\n", ""},
    {CHUNK "5\r\nhello\r\n0\r\n\r\n", "hello"},
    {CHUNK "2\r\nhe\r\n00000003\r\nllo\r\n000\r\n\r\n", "hello"},
    {CHUNK "A\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
    {POST HOST "transfer-encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", "x"},
    {GET "Host: hub.example:443\r\n\r\n", ""},
    {GET "Host: 127.0.0.1:8443\r\n\r\n", ""},
    {GET "Host: [::1]:443\r\n\r\n", ""},
    {"GET http://h HTTP/1.1\r\nHost: h\r\n\r\n", NULL},
    {"GET https://H/a?b HTTP/1.1\r\nHost: h\r\n\r\n", ""},
    {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", ""},
    {GET HOST "X: caf\xc3\xa9\tx\r\n\r\n", ""},
    {GET HOST "X:\r\n\r\n", ""},
    {GET HOST "Expect: 100-continue\r\n\r\n", ""},
    {"DELETE /enrollments/a:b HTTP/1.1\r\nHost: h\r\n\r\n", ""},
};

static void what_clients_send_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        for (int piecewise = 0; piecewise < 2; piecewise++) {
            struct slice bytes = slice_text(taken[i].text);
            struct http_decoder d;
            struct http_request r;
            struct why why = {0};
            size_t fed = 0;
            http_decoder_init(&d);
            enum http_result result = feed(&d, bytes, piecewise ? 1 : bytes.len, &r, &fed, &why);
            if (taken[i].body == NULL) {
                assert_int_equal(result, HTTP_BAD); // a URL without a path
            } else {
                if (result != HTTP_REQUEST || fed != bytes.len)
                    fail_msg("row %zu: result %d (%s): %s", i, result, why.text, taken[i].text);
                assert_slice(r.body, taken[i].body);
            }
            http_decoder_release(&d);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_ambiguous_is_refused_and_ends_the_connection),
        cmocka_unit_test(what_clients_send_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

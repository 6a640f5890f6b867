// What makes a complete head a request: the request line, the target, Host, and which framing it may
// announce.
#include "wire/http/message.h"

#include <stdlib.h>

static const struct {
    const char *text;
    enum http_method method;
} methods[] = {
    {"GET", HTTP_METHOD_GET},         {"PUT", HTTP_METHOD_PUT},   {"POST", HTTP_METHOD_POST},
    {"PATCH", HTTP_METHOD_PATCH},     {"HEAD", HTTP_METHOD_HEAD}, {"DELETE", HTTP_METHOD_DELETE},
    {"OPTIONS", HTTP_METHOD_OPTIONS},
};

static enum http_method method_of(struct slice text)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (slice_equal(text, slice_text(methods[i].text)))
            return methods[i].method;
    }
    return HTTP_METHOD_OTHER;
}

// Exactly `method SP target SP HTTP/1.x CRLF` (RFC 9112 3), nothing more between or around.
static bool line_is_exact(struct slice bytes, const struct http_head *head)
{
    const uint8_t *line = bytes.at;
    if (bytes.len >= 2 && line[0] == '\r')
        line += 2; // the blank line that was let pass
    return head->method.at == line && head->target.at == line + head->method.len + 1 &&
           head->target.len + head->method.len + 13 <= bytes.len &&
           head->target.at[head->target.len] == ' ' &&
           memcmp(head->target.at + head->target.len + 1, "HTTP/1.", 7) == 0 &&
           memcmp(head->target.at + head->target.len + 9, "\r\n", 2) == 0;
}

static bool host_char(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '.' || c == '-' ||
           c == '_';
}

// A name, an IPv4 address or an IPv6 address in brackets, then an optional port: what RFC 3986 3.2.2 allows,
// without percent-encoding and sub-delimiters, which no host name has.
static bool host_valid(struct slice host)
{
    size_t name = 0;
    if (host.len > 0 && host.at[0] == '[') {
        size_t end = slice_find_byte(host, ']');
        for (size_t i = 1; i < end && end < host.len; i++) {
            uint8_t c = host.at[i] | 0x20;
            if (!(c >= 'a' && c <= 'f') && !(host.at[i] >= '0' && host.at[i] <= ':') && host.at[i] != '.')
                return false;
        }
        name = end < host.len && end > 1 ? end + 1 : 0;
    } else {
        while (name < host.len && host_char(host.at[name]))
            name++;
    }
    if (name == 0)
        return false;
    struct slice port = slice_from(host, name);
    uint64_t number = 0;
    return port.len == 0 || (port.at[0] == ':' && port.len <= 6 &&
                             slice_to_u64(slice_from(port, 1), &number) && number <= 65535);
}

// At most one of each, or readers pick different ones.
static struct err judge_repetition(struct http_decoder *d, const struct http_head *head, struct why *why)
{
    static const char *const once[] = {"Host",          "Content-Length", "Transfer-Encoding",
                                       "Authorization", "Content-Type",   "Expect"};
    unsigned seen = 0;
    for (size_t i = 0; i < head->field_count; i++) {
        for (size_t j = 0; j < sizeof once / sizeof *once; j++) {
            if (!slice_equal_nocase(head->fields[i].name, slice_text(once[j])))
                continue;
            if (seen >> j & 1)
                return http_refuse(d, 400, why, "%s is there twice", once[j]);
            seen |= 1u << j;
        }
    }
    return OK;
}

// RFC 9112 6.1, 6.3.
static struct err judge_framing(struct http_decoder *d, const struct http_head *head, struct why *why)
{
    struct slice coding = http_field_of(head->fields, head->field_count, SLICE("transfer-encoding"));
    if (coding.at == NULL)
        return OK;
    if (head->has_length)
        return http_refuse(d, 400, why, "both Content-Length and Transfer-Encoding are there (RFC 9112 6.3)");
    if (head->minor == 0)
        return http_refuse(d, 400, why, "Transfer-Encoding in HTTP/1.0 (RFC 9112 6.1)");
    if (!slice_equal_nocase(coding, SLICE("chunked")) || !head->chunked)
        return http_refuse(d, 501, why,
                           "the transfer coding '%.*s' is not known: only chunked is (RFC 9112 6.1)",
                           coding.len > 40 ? 40 : (int)coding.len, (const char *)coding.at);
    return OK;
}

static struct err judge_host(struct http_decoder *d, struct http_request *r, struct why *why)
{
    r->host = http_header(r, SLICE("host"));
    if (r->host.at == NULL && r->minor == 0)
        return OK;
    if (r->host.at == NULL)
        return http_refuse(d, 400, why, "Host is missing (RFC 9112 3.2)");
    if (!host_valid(r->host))
        return http_refuse(d, 400, why, "Host is not a host name (RFC 9112 3.2)");
    return OK;
}

// Origin form, absolute form whose authority is Host, or * for OPTIONS (RFC 9112 3.2).
static struct err judge_target(struct http_decoder *d, struct http_request *r, struct why *why)
{
    struct slice t = r->target;
    if (slice_find_byte(t, '#') != t.len)
        return http_refuse(d, 400, why, "the request target has a fragment (RFC 9112 3.2)");
    bool https = slice_starts_with_nocase(t, SLICE("https://"));
    if (https || slice_starts_with_nocase(t, SLICE("http://"))) {
        t = slice_from(t, https ? 8 : 7);
        size_t end = 0;
        while (end < t.len && t.at[end] != '/' && t.at[end] != '?')
            end++;
        if (!slice_equal_nocase(slice_to(t, end), r->host) || end == 0)
            return http_refuse(d, 400, why,
                               "the request target names another host than Host does (RFC 9112 3.2.2)");
        t = slice_from(t, end);
        if (t.len == 0 || t.at[0] != '/')
            return http_refuse(d, 400, why, "the request target has no path");
    } else if (slice_equal(t, SLICE("*")) && r->method == HTTP_METHOD_OPTIONS) {
        r->path = t;
        return OK;
    }
    if (t.len == 0 || t.at[0] != '/')
        return http_refuse(d, 400, why, "the request target is neither a path nor a URL (RFC 9112 3.2)");
    size_t mark = slice_find_byte(t, '?');
    r->path = slice_to(t, mark);
    if (mark < t.len)
        r->query = slice_of(t.at + mark + 1, t.len - mark - 1);
    return OK;
}

static bool has_token(struct slice list, struct slice token)
{
    struct slice item;
    while (slice_cut(&list, ',', &item)) {
        if (slice_equal_nocase(slice_trim(item), token))
            return true;
    }
    return false;
}

static struct err judge_expect(struct http_decoder *d, const struct http_request *r, struct why *why)
{
    struct slice expect = http_header(r, SLICE("expect"));
    if (expect.at != NULL && r->minor == 1 && !slice_equal_nocase(expect, SLICE("100-continue")))
        return http_refuse(d, 417, why, "only Expect: 100-continue is known (RFC 9110 10.1.1)");
    return OK;
}

static struct err judge_line(struct http_decoder *d, struct slice bytes, struct why *why)
{
    struct slice line = slice_from(bytes, slice_starts_with(bytes, SLICE("\r\n")) ? 2 : 0);
    line = slice_to(line, slice_find_byte(line, '\r'));
    static const size_t version = sizeof " HTTP/1.1" - 1;
    if (line.len > version && slice_starts_with(slice_from(line, line.len - version), SLICE(" HTTP/")))
        return OK;
    return http_refuse(d, 400, why, "the request line does not end with a version (RFC 9112 3)");
}

static struct err judge_request(struct http_decoder *d, struct slice bytes, void *out, struct why *why)
{
    struct http_request *r = out;
    // the fields are set as they are read; 2 KB need no zeroing for each request
    memset(r, 0, offsetof(struct http_request, fields));
    r->body = (struct slice){0};
    r->head = bytes;
    struct http_head head = {.fields = r->fields};
    TRY(http_head_parse(d, false, bytes, &head, why));
    if (!line_is_exact(bytes, &head))
        return http_refuse(d, 400, why, "the request line is malformed (RFC 9112 3)");
    r->field_count = head.field_count;
    r->method_text = head.method;
    r->method = method_of(head.method);
    r->target = head.target;
    r->minor = head.minor;
    r->keep_alive = head.keep_alive;
    r->has_body = head.has_length || head.chunked;
    if (slice_equal(head.method, SLICE("CONNECT")))
        return http_refuse(d, 501, why, "this is not a proxy");
    TRY(judge_repetition(d, &head, why));
    TRY(judge_framing(d, &head, why));
    TRY(judge_host(d, r, why));
    TRY(judge_target(d, r, why));
    TRY(judge_expect(d, r, why));
    r->length_missing = !r->has_body && (r->method == HTTP_METHOD_POST || r->method == HTTP_METHOD_PUT ||
                                         r->method == HTTP_METHOD_PATCH);
    r->websocket = head.upgrade && r->method == HTTP_METHOD_GET && r->minor == 1 && !r->has_body &&
                   has_token(http_header(r, SLICE("upgrade")), SLICE("websocket"));
    return http_body_begin(d, &head, why);
}

static void set_body(void *out, struct slice body)
{
    ((struct http_request *)out)->body = body;
}

static bool waits_for_continue(const void *out)
{
    const struct http_request *r = out;
    return r->minor == 1 && r->has_body && http_header(r, SLICE("expect")).at != NULL;
}

enum http_result http_decode(struct http_decoder *d, struct slice *in, struct http_request *out,
                             struct why *why)
{
    static const struct http_kind request = {
        .judge_line = judge_line,
        .judge = judge_request,
        .set_body = set_body,
        .waits_for_continue = waits_for_continue,
    };
    return http_message_decode(d, &request, in, out, why);
}

// Where s, a view of `from`, stands in the copy `to`.
static struct slice moved(struct slice s, struct slice from, const uint8_t *to)
{
    return s.at != NULL ? slice_of(to + (s.at - from.at), s.len) : s;
}

struct err http_request_copy(struct http_request *to, const struct http_request *from, struct arena *a)
{
    memset(to, 0, offsetof(struct http_request, fields));
    to->head = (struct slice){0};
    to->body = (struct slice){0};
    struct slice head;
    struct slice body;
    TRY(arena_copy(a, from->head, &head));
    TRY(arena_copy(a, from->body, &body));
    memcpy(to, from, offsetof(struct http_request, fields));
    to->head = head;
    to->body = body;
    to->method_text = moved(from->method_text, from->head, head.at);
    to->target = moved(from->target, from->head, head.at);
    to->path = moved(from->path, from->head, head.at);
    to->query = moved(from->query, from->head, head.at);
    to->host = moved(from->host, from->head, head.at);
    for (size_t i = 0; i < from->field_count; i++) {
        to->fields[i].name = moved(from->fields[i].name, from->head, head.at);
        to->fields[i].value = moved(from->fields[i].value, from->head, head.at);
    }
    return OK;
}

// Responses and requests to bytes. Nothing is written when a part could break out of its line.
#include "wire/http/message.h"

static const struct {
    uint16_t status;
    const char *reason;
} reasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

const char *http_reason(uint16_t status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "";
}

static bool fields_valid(const struct http_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!http_token_valid(fields[i].name) || !http_value_valid(fields[i].value))
            return false;
    }
    return true;
}

static void put_field(struct buf *out, struct slice name, struct slice value)
{
    buf_bytes(out, name);
    buf_bytes(out, SLICE(": "));
    buf_bytes(out, value);
    buf_bytes(out, SLICE("\r\n"));
}

static void put_fields(struct buf *out, const struct http_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put_field(out, fields[i].name, fields[i].value);
}

static void put_length(struct buf *out, size_t len)
{
    buf_bytes(out, SLICE("Content-Length: "));
    buf_decimal(out, len);
    buf_bytes(out, SLICE("\r\n"));
}

// All or nothing: what was appended since `before` goes when something did not fit.
static void settle(struct buf *out, size_t before)
{
    if (out->broken != 0)
        out->len = before;
}

static void refuse(struct buf *out)
{
    out->broken = out->broken != 0 ? out->broken : ERR_INVALID;
}

void http_encode_response(struct buf *out, const struct http_response *r)
{
    size_t before = out->len;
    if (r->status < 100 || r->status > 999 || !http_value_valid(r->date) ||
        !fields_valid(r->fields, r->field_count)) {
        refuse(out);
        return;
    }
    bool bodyless = r->status < 200 || r->status == 204 || r->status == 304;
    buf_bytes(out, SLICE("HTTP/1.1 "));
    buf_decimal(out, r->status);
    buf_bytes(out, SLICE(" "));
    buf_text(out, http_reason(r->status));
    buf_bytes(out, SLICE("\r\n"));
    if (r->date.len > 0)
        put_field(out, SLICE("Date"), r->date);
    if (r->status >= 200)
        put_field(out, SLICE("Connection"), r->close ? SLICE("close") : SLICE("keep-alive"));
    put_fields(out, r->fields, r->field_count);
    if (!bodyless)
        put_length(out, r->body.len);
    buf_bytes(out, SLICE("\r\n"));
    if (!bodyless && !r->to_head)
        buf_bytes(out, r->body);
    settle(out, before);
}

static bool target_valid(struct slice target)
{
    for (size_t i = 0; i < target.len; i++) {
        if (target.at[i] <= 0x20 || target.at[i] >= 0x7f)
            return false;
    }
    return target.len > 0;
}

void http_encode_request(struct buf *out, const struct http_outgoing *r)
{
    size_t before = out->len;
    if (!http_token_valid(r->method) || !target_valid(r->target) || !target_valid(r->host) ||
        !fields_valid(r->fields, r->field_count)) {
        refuse(out);
        return;
    }
    buf_bytes(out, r->method);
    buf_bytes(out, SLICE(" "));
    buf_bytes(out, r->target);
    buf_bytes(out, SLICE(" HTTP/1.1\r\n"));
    put_field(out, SLICE("Host"), r->host);
    if (r->close)
        put_field(out, SLICE("Connection"), SLICE("close"));
    put_fields(out, r->fields, r->field_count);
    if (r->has_body || r->body.len > 0)
        put_length(out, r->body.len);
    buf_bytes(out, SLICE("\r\n"));
    buf_bytes(out, r->body);
    settle(out, before);
}

// One complete head through llhttp, and the checks that its tokenizer leaves out. The only file that knows
// llhttp.
#include <llhttp/llhttp.h>

// llhttp.h owns these names in this file; http.h's go by others here.
#define HTTP_REQUEST OUR_HTTP_REQUEST
#include "wire/http/message.h"
#undef HTTP_REQUEST

#include <stdarg.h>

struct reading {
    struct http_head *head;
    bool too_many;
    bool torn; // a span came in two pieces that do not touch: never for a head parsed in one go
};

static struct reading *reading_of(llhttp_t *parser)
{
    return parser->data;
}

static void extend(struct reading *r, struct slice *s, const char *at, size_t len)
{
    if (s->at == NULL)
        *s = slice_of(at, len);
    else if (s->at + s->len == (const uint8_t *)at)
        s->len += len;
    else
        r->torn = true;
}

static int on_method(llhttp_t *parser, const char *at, size_t len)
{
    extend(reading_of(parser), &reading_of(parser)->head->method, at, len);
    return 0;
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    extend(reading_of(parser), &reading_of(parser)->head->target, at, len);
    return 0;
}

static int on_field(llhttp_t *parser, const char *at, size_t len)
{
    struct reading *r = reading_of(parser);
    if (r->head->field_count == HTTP_MAX_HEADERS) {
        r->too_many = true;
        return -1;
    }
    extend(r, &r->head->fields[r->head->field_count].name, at, len);
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct reading *r = reading_of(parser);
    extend(r, &r->head->fields[r->head->field_count].value, at, len);
    return 0;
}

static int on_value_complete(llhttp_t *parser)
{
    struct reading *r = reading_of(parser);
    struct http_field *field = &r->head->fields[r->head->field_count++];
    if (field->value.len == 0) // at is NULL only for what is not there
        field->value = slice_of(field->name.at + field->name.len, 0);
    if (r->head->field_count < HTTP_MAX_HEADERS)
        r->head->fields[r->head->field_count] = (struct http_field){0};
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct http_head *head = reading_of(parser)->head;
    head->has_length = parser->flags & F_CONTENT_LENGTH;
    head->chunked = parser->flags & F_CHUNKED;
    head->length = parser->content_length;
    head->upgrade = (parser->flags & F_UPGRADE) && (parser->flags & F_CONNECTION_UPGRADE);
    head->keep_alive = parser->http_minor == 1 && !(parser->flags & F_CONNECTION_CLOSE);
    return HPE_PAUSED; // the body is ours
}

static const llhttp_settings_t settings = {
    .on_method = on_method,
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
};

// The request line is well-formed up to a version that is not ours (RFC 9110 15.6.6).
static bool other_version(struct slice bytes)
{
    struct slice line = slice_to(bytes, slice_find_byte(bytes, '\r'));
    if (line.len < 9)
        return false;
    const uint8_t *v = line.at + line.len - 9;
    return memcmp(v, " HTTP/", 6) == 0 && v[6] >= '0' && v[6] <= '9' && v[7] == '.' && v[8] >= '0' &&
           v[8] <= '9' && !(v[6] == '1' && v[8] <= '1');
}

static struct err refuse_as_llhttp_says(struct http_decoder *d, llhttp_t *parser, llhttp_errno_t e,
                                        struct slice bytes, struct why *why)
{
    // HPE_OK: llhttp waits for more than a head, as it does behind the preface of HTTP/2
    const char *reason = e == HPE_OK ? "it has no end" : llhttp_get_error_reason(parser);
    if (reason == NULL || reason[0] == 0)
        reason = llhttp_errno_name(e);
    if (reading_of(parser)->too_many)
        return http_refuse(d, 431, why, "more than %d header fields", HTTP_MAX_HEADERS);
    if (parser->type == HTTP_REQUEST && other_version(bytes))
        return http_refuse(d, 505, why, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    if (e == HPE_INVALID_METHOD && http_token_valid(slice_to(bytes, slice_find_byte(bytes, ' '))))
        return http_refuse(d, 501, why, "the method is not known (RFC 9110 9.1)");
    return http_refuse(d, 400, why, "the head is malformed: %s", reason);
}

static struct slice without_blanks(struct slice s)
{
    while (s.len > 0 && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
        s.len--;
    return s;
}

struct err http_head_parse(struct http_decoder *d, bool response, struct slice bytes, struct http_head *head,
                           struct why *why)
{
    struct http_field *fields = head->fields;
    *head = (struct http_head){.fields = fields};
    fields[0] = (struct http_field){0};
    struct reading r = {.head = head};
    llhttp_t parser;
    llhttp_init(&parser, response ? HTTP_RESPONSE : HTTP_REQUEST, &settings);
    parser.data = &r;
    llhttp_errno_t e = llhttp_execute(&parser, (const char *)bytes.at, bytes.len);
    if (e != HPE_PAUSED)
        return refuse_as_llhttp_says(d, &parser, e, bytes, why);
    // llhttp pauses on the last LF or behind it; it must not see an earlier end of the head than our scan
    const uint8_t *end = (const uint8_t *)llhttp_get_error_pos(&parser);
    if (r.torn || end == NULL || end + 1 < bytes.at + bytes.len)
        return http_refuse(d, 400, why, "the head is ambiguous");
    if (parser.http_major != 1 || parser.http_minor > 1)
        return http_refuse(d, other_version(bytes) ? 505 : 400, why,
                           "only HTTP/1.1 and HTTP/1.0 are spoken here");
    head->minor = parser.http_minor;
    head->status = parser.status_code;
    for (size_t i = 0; i < head->field_count; i++) {
        // llhttp takes "Host : x" and names outside of RFC 9110 5.6.2
        if (!http_token_valid(fields[i].name))
            return http_refuse(d, 400, why, "a header field's name is not a token (RFC 9112 5.1)");
        fields[i].value = without_blanks(fields[i].value);
    }
    return OK;
}

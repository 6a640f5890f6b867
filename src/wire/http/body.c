// Bodies: by Content-Length, or in chunks. The chunk reader is our own because it is stricter than llhttp's:
// no extensions, no trailers, no bare CR or LF, a size of at most eight digits (threats A11).
#include "wire/http/message.h"

enum chunk_state { SIZE_FIRST, SIZE, SIZE_LF, DATA, DATA_CR, DATA_LF, END_CR, END_LF };
enum { DIGITS_MAX = 8 };

struct err http_body_begin(struct http_decoder *d, const struct http_head *head, struct why *why)
{
    d->body_kind = head->chunked ? HTTP_BODY_CHUNKED : head->has_length ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
    d->chunk_state = SIZE_FIRST;
    d->line_len = 0;
    d->body_left = d->body_kind == HTTP_BODY_LENGTH ? head->length : 0;
    if (d->body_left > d->body_limit)
        return http_refuse(d, 413, why, "a body of %llu bytes is larger than the %zu taken here",
                           (unsigned long long)d->body_left, d->body_limit);
    d->body.cap = d->body_limit;
    return OK;
}

static struct err hold(struct http_decoder *d, struct slice bytes, struct why *why)
{
    buf_bytes(&d->body, bytes);
    if (d->body.broken == 0)
        return OK;
    if (d->body.broken == ERR_CAPPED)
        return http_refuse(d, 413, why, "the body is larger than the %zu bytes taken here", d->body_limit);
    d->status = 500;
    return why_fail(why, d->body.broken, "no memory for the body");
}

static struct err take_length(struct http_decoder *d, struct slice *in, struct slice *body, bool *done,
                              struct why *why)
{
    size_t taken = in->len < d->body_left ? in->len : (size_t)d->body_left;
    struct slice bytes = slice_to(*in, taken);
    bool whole_at_once = d->body.len == 0 && taken == d->body_left;
    *in = slice_from(*in, taken);
    d->body_left -= taken;
    *done = d->body_left == 0;
    *body = bytes;
    if (whole_at_once)
        return OK;
    TRY(hold(d, bytes, why));
    *body = buf_slice(&d->body);
    return OK;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// chunk-size CRLF (RFC 9112 7.1).
static struct err take_size(struct http_decoder *d, uint8_t c, struct why *why)
{
    int digit = hex_value(c);
    if (digit >= 0 && d->line_len < DIGITS_MAX) {
        d->body_left = d->body_left << 4 | (unsigned)digit;
        d->line_len++;
        d->chunk_state = SIZE;
        return OK;
    }
    if (c == '\r' && d->line_len > 0) {
        d->chunk_state = SIZE_LF;
        return OK;
    }
    if ((c == ';' || c == ' ' || c == '\t') && d->line_len > 0)
        return http_refuse(d, 400, why, "chunk extensions are not taken (RFC 9112 7.1.1)");
    return http_refuse(d, 400, why, "the size of a chunk is malformed (RFC 9112 7.1)");
}

static struct err after_size(struct http_decoder *d, struct why *why)
{
    if (d->body_left > d->body_limit - d->body.len)
        return http_refuse(d, 413, why, "the body is larger than the %zu bytes taken here", d->body_limit);
    d->chunk_state = d->body_left == 0 ? END_CR : DATA;
    return OK;
}

static struct err expect(struct http_decoder *d, uint8_t c, uint8_t wanted, uint8_t next, struct why *why)
{
    if (c != wanted)
        return http_refuse(d, 400, why, "%s",
                           d->chunk_state == END_CR
                               ? "trailers are not taken (RFC 9112 7.1.2)"
                               : "a chunk does not end where its size says (RFC 9112 7.1)");
    d->chunk_state = next;
    return OK;
}

static struct err take_chunk_byte(struct http_decoder *d, uint8_t c, bool *done, struct why *why)
{
    switch ((enum chunk_state)d->chunk_state) {
    case SIZE_FIRST:
    case SIZE:
        return take_size(d, c, why);
    case SIZE_LF:
        TRY(expect(d, c, '\n', DATA, why));
        return after_size(d, why);
    case DATA:
        break; // taken in bulk, not here
    case DATA_CR:
        return expect(d, c, '\r', DATA_LF, why);
    case DATA_LF:
        d->line_len = 0;
        return expect(d, c, '\n', SIZE_FIRST, why);
    case END_CR:
        return expect(d, c, '\r', END_LF, why);
    case END_LF:
        *done = c == '\n';
        return expect(d, c, '\n', END_LF, why);
    }
    INVARIANT(false);
}

static struct err take_chunks(struct http_decoder *d, struct slice *in, struct slice *body, bool *done,
                              struct why *why)
{
    while (in->len > 0 && !*done) {
        if (d->chunk_state != DATA) {
            TRY(take_chunk_byte(d, in->at[0], done, why));
            *in = slice_from(*in, 1);
            continue;
        }
        size_t taken = in->len < d->body_left ? in->len : (size_t)d->body_left;
        TRY(hold(d, slice_to(*in, taken), why));
        *in = slice_from(*in, taken);
        d->body_left -= taken;
        if (d->body_left == 0)
            d->chunk_state = DATA_CR;
    }
    *body = buf_slice(&d->body);
    return OK;
}

struct err http_body_take(struct http_decoder *d, struct slice *in, struct slice *body, bool *done,
                          struct why *why)
{
    *done = d->body_kind == HTTP_BODY_NONE;
    *body = (struct slice){0};
    if (d->body_kind == HTTP_BODY_LENGTH)
        return take_length(d, in, body, done, why);
    if (d->body_kind == HTTP_BODY_CHUNKED)
        return take_chunks(d, in, body, done, why);
    return OK;
}

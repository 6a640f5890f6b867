// The order of things in a decoder: head, judgement, body. A message that is whole in the input is never
// copied; of one that comes in pieces the decoder holds what has come.
#include "wire/http/message.h"

void http_decoder_init(struct http_decoder *d)
{
    *d = (struct http_decoder){.body_limit = HTTP_BODY_LIMIT, .head = buf_capped(HTTP_MAX_HEAD)};
}

void http_decoder_release(struct http_decoder *d)
{
    if (d == NULL)
        return;
    buf_release(&d->head);
    buf_release(&d->body);
    *d = (struct http_decoder){0};
}

void http_decoder_limit(struct http_decoder *d, size_t body_limit)
{
    d->body_limit = body_limit;
}

static enum http_result bad(struct http_decoder *d, struct err e)
{
    d->broken = e.code;
    d->status = d->status != 0 ? d->status : 500;
    buf_release(&d->head);
    buf_release(&d->body);
    return HTTP_BAD;
}

static void next_message(struct http_decoder *d)
{
    d->phase = HTTP_PHASE_IDLE;
    d->continued = false;
    d->skipped_blank_line = false;
    d->line_len = 0;
    buf_release(&d->head);
    buf_release(&d->body);
}

static struct err hold_head(struct http_decoder *d, struct slice bytes, struct why *why)
{
    buf_bytes(&d->head, bytes);
    return d->head.broken == 0 ? OK : why_fail(why, d->head.broken, "no memory for the head of a message");
}

// *head is the complete head when *done: a view of what was in *in, or of d->head when it came in pieces.
static struct err take_head(struct http_decoder *d, const struct http_kind *kind, struct slice *in,
                            struct slice *head, bool *done, struct why *why)
{
    size_t len = 0;
    enum http_phase before = d->phase;
    TRY(http_scan(d, *in, &len, done, why));
    *head = slice_to(*in, len);
    *in = slice_from(*in, len);
    if (*done && d->head.len == 0)
        return OK;
    TRY(hold_head(d, *head, why));
    *head = buf_slice(&d->head);
    bool line_ended = before != HTTP_PHASE_HEADERS && d->phase == HTTP_PHASE_HEADERS && !*done;
    return line_ended ? kind->judge_line(d, *head, why) : OK;
}

// The body is not whole yet: whatever *out viewed in the input must be kept.
static struct err wait_for_body(struct http_decoder *d, struct slice head, struct why *why)
{
    return d->head.len == 0 ? hold_head(d, head, why) : OK;
}

static struct err advance(struct http_decoder *d, const struct http_kind *kind, struct slice *in, void *out,
                          enum http_result *result, struct why *why)
{
    struct slice head = {0};
    bool done = false;
    bool resumed = d->phase == HTTP_PHASE_BODY;
    *result = HTTP_MORE;
    if (!resumed) {
        TRY(take_head(d, kind, in, &head, &done, why));
        if (!done)
            return OK;
        TRY(kind->judge(d, head, out, why));
        d->phase = HTTP_PHASE_BODY;
    }
    struct slice body;
    bool nothing_yet = in->len == 0 && d->body.len == 0;
    TRY(http_body_take(d, in, &body, &done, why));
    if (!done) {
        TRY(wait_for_body(d, head, why));
        if (resumed || !nothing_yet || d->continued || !kind->waits_for_continue(out))
            return OK;
        d->continued = true;
        *result = HTTP_CONTINUE;
        return OK;
    }
    if (resumed) {
        struct slice held = buf_slice(&d->head);
        TRY(kind->judge(d, held, out, why));
    }
    kind->set_body(out, body);
    d->phase = HTTP_PHASE_WHOLE;
    *result = HTTP_REQUEST;
    return OK;
}

enum http_result http_message_decode(struct http_decoder *d, const struct http_kind *kind, struct slice *in,
                                     void *out, struct why *why)
{
    if (d->broken != 0)
        return bad(d, why_fail(why, d->broken, "the connection was given up before"));
    if (d->phase == HTTP_PHASE_WHOLE)
        next_message(d);
    enum http_result result = HTTP_MORE;
    struct err e = advance(d, kind, in, out, &result, why);
    return failed(e) ? bad(d, e) : result;
}

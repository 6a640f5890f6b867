// The client's reading of answers.
#include "wire/http/message.h"

static struct err any_line(struct http_decoder *d, struct slice bytes, struct why *why)
{
    (void)d;
    (void)bytes;
    (void)why;
    return OK; // the caller's deadline holds
}

static struct err judge_answer(struct http_decoder *d, struct slice bytes, void *out, struct why *why)
{
    struct http_answer *answer = out;
    struct http_head head = {.fields = answer->fields};
    TRY(http_head_parse(d, true, bytes, &head, why));
    answer->status = head.status;
    answer->minor = head.minor;
    answer->keep_alive = head.keep_alive;
    answer->field_count = head.field_count;
    answer->body = (struct slice){0};
    bool bodyless = head.status < 200 || head.status == 204 || head.status == 304; // RFC 9112 6.3
    struct slice coding = http_answer_header(answer, SLICE("transfer-encoding"));
    if (!bodyless && coding.at != NULL && (head.has_length || !slice_equal_nocase(coding, SLICE("chunked"))))
        return http_refuse(d, 400, why, "the answer's length is ambiguous");
    if (!bodyless && !head.has_length && !head.chunked)
        return http_refuse(d, 400, why, "the answer ends with the connection");
    if (bodyless) {
        head.has_length = false;
        head.chunked = false;
    }
    return http_body_begin(d, &head, why);
}

static void set_body(void *out, struct slice body)
{
    ((struct http_answer *)out)->body = body;
}

static bool never(const void *out)
{
    (void)out;
    return false;
}

enum http_result http_decode_answer(struct http_decoder *d, struct slice *in, struct http_answer *out,
                                    struct why *why)
{
    static const struct http_kind answer = {
        .judge_line = any_line,
        .judge = judge_answer,
        .set_body = set_body,
        .waits_for_continue = never,
    };
    enum http_result result;
    do
        result = http_message_decode(d, &answer, in, out, why);
    while (result == HTTP_REQUEST && out->status < 200 && out->status != 101);
    return result;
}

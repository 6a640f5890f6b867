// Fuzzes the HTTP decoders and the readers of paths and queries: the first byte says whether requests or
// answers come, and in what pieces. Beyond not crashing: messages are the same whole and in pieces, and their
// parts lie in their head.
#include "wire/http/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_LIMIT = 4096 };

static void take_apart(const struct http_request *r)
{
    struct arena a = arena_capped(1 << 20);
    struct slice value;
    struct err e = http_query_get(r->query, SLICE("api-version"), &a, &value);
    struct http_path path = http_path_of(r->path);
    do
        e = http_path_next(&path, &a, &value);
    while (!failed(e) && value.at != NULL);
    struct http_request copy;
    e = http_request_copy(&copy, r, &a);
    INVARIANT(failed(e) || slice_equal(copy.path, r->path));
    arena_release(&a);
}

static void say(struct buf *said, struct slice part)
{
    buf_bytes(said, part);
    buf_u8(said, '|');
}

static void say_fields(struct buf *said, const struct http_field *fields, size_t count)
{
    INVARIANT(count <= HTTP_MAX_HEADERS);
    for (size_t i = 0; i < count; i++) {
        say(said, fields[i].name);
        say(said, fields[i].value);
    }
}

static enum http_result one(struct http_decoder *d, bool answers, struct slice *in, struct buf *said)
{
    if (answers) {
        struct http_answer a;
        enum http_result result = http_decode_answer(d, in, &a, NULL);
        if (result != HTTP_REQUEST)
            return result;
        buf_u16(said, a.status);
        say_fields(said, a.fields, a.field_count);
        say(said, a.body);
        return result;
    }
    struct http_request r;
    enum http_result result = http_decode(d, in, &r, NULL);
    if (result != HTTP_REQUEST)
        return result;
    INVARIANT(r.body.len <= BODY_LIMIT);
    INVARIANT(r.minor == 0 || r.host.len > 0);
    say(said, r.method_text);
    say(said, r.target);
    say(said, r.path);
    say_fields(said, r.fields, r.field_count);
    say(said, r.body);
    take_apart(&r);
    return result;
}

static enum http_result run(struct slice bytes, bool answers, size_t step, struct buf *said)
{
    struct http_decoder d;
    http_decoder_init(&d);
    http_decoder_limit(&d, BODY_LIMIT);
    enum http_result result = HTTP_MORE;
    for (size_t at = 0; at < bytes.len && result != HTTP_BAD; at += step) {
        struct slice in = slice_to(slice_from(bytes, at), step);
        do
            result = one(&d, answers, &in, said);
        while (result == HTTP_REQUEST || result == HTTP_CONTINUE);
        INVARIANT(result == HTTP_BAD || in.len == 0);
        INVARIANT(result != HTTP_BAD || d.status >= 400);
        INVARIANT(d.head.room <= HTTP_MAX_HEAD && d.body.room <= BODY_LIMIT);
    }
    http_decoder_release(&d);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct slice bytes = slice_of(data + 1, size - 1);
    bool answers = data[0] & 1;
    struct buf whole = buf_capped(1 << 24);
    struct buf pieces = buf_capped(1 << 24);
    enum http_result first = run(bytes, answers, bytes.len, &whole);
    enum http_result second = run(bytes, answers, (size_t)(data[0] >> 1) + 1, &pieces);
    INVARIANT(first == second);
    INVARIANT(slice_equal(buf_slice(&whole), buf_slice(&pieces)));
    buf_release(&whole);
    buf_release(&pieces);
    return 0;
}

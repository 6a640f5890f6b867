// JSON texts: what is read keeps to its limits and is written back as the same; merging it anywhere ends. The
// first half of the input, up to a line feed twice, is the target, the rest the patch.
#include "json/merge.h"
#include "json/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned depth_of(const struct json *value)
{
    unsigned deepest = 0;
    for (size_t i = 0; json_kind(value) == JSON_KIND_ARRAY && i < json_count(value); i++) {
        unsigned depth = depth_of(json_at(value, i));
        deepest = depth > deepest ? depth : deepest;
    }
    for (struct json_each m = json_each(value); json_next(&m);) {
        unsigned depth = depth_of(m.value);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + (json_kind(value) == JSON_KIND_ARRAY || json_kind(value) == JSON_KIND_OBJECT);
}

static void read_and_write(struct slice text)
{
    struct json_doc doc;
    struct json_doc again;
    struct why why;
    if (failed(json_read(text, JSON_LIMITS_DEFAULT, &doc, &why)))
        return;
    INVARIANT(depth_of(json_root(&doc)) <= JSON_DEPTH_MAX);
    struct buf out = buf_capped(text.len * 8 + 64);
    struct json_writer w;
    json_begin(&w, &out);
    json_node(&w, json_root(&doc));
    INVARIANT(!failed(buf_err(&out)));
    struct json_limits limits = {.bytes = SIZE_MAX, .depth = JSON_DEPTH_MAX};
    INVARIANT(!failed(json_read(buf_slice(&out), limits, &again, &why)));
    INVARIANT(json_same(json_root(&doc), json_root(&again)));
    json_doc_release(&doc);
    json_doc_release(&again);
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    size_t middle = slice_find(text, SLICE("\n\n"));
    read_and_write(text);
    struct buf merged = buf_capped(size * 8 + 64);
    struct why why;
    if (!failed(
            json_merge(slice_to(text, middle), slice_from(text, middle), JSON_LIMITS_DEFAULT, &merged, &why)))
        read_and_write(buf_slice(&merged));
    buf_release(&merged);
    return 0;
}

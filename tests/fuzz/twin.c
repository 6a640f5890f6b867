// Twins: the first half of the input, up to a line feed twice, replaces the twin of a new device, the rest is
// merged into it. What was refused changed nothing; what was taken is JSON within the limits, can be shown,
// and replaced by itself is the same.
#include "domain/twin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { T0 = 1700000000, TEXT_MAX = 1 << 20 };

static const struct json_limits own_limits = {TEXT_MAX, JSON_DEPTH_MAX};

static void check_object(struct slice text, size_t limit)
{
    struct json_doc doc;
    INVARIANT(text.len <= limit);
    INVARIANT(!failed(json_read(text, own_limits, &doc, NULL)));
    INVARIANT(json_kind(json_root(&doc)) == JSON_KIND_OBJECT);
    json_doc_release(&doc);
}

static void check_shown(const struct device *device)
{
    struct buf out = buf_capped(TEXT_MAX);
    struct json_writer w;
    json_begin(&w, &out);
    twin_write(&w, device, (struct device_presence){0});
    INVARIANT(!failed(buf_err(&out)));
    check_object(buf_slice(&out), TEXT_MAX);
    buf_release(&out);
    out = buf_capped(TEXT_MAX);
    twin_write_for_device(&out, device);
    check_object(buf_slice(&out), TEXT_MAX);
    buf_release(&out);
}

static void check_twin(const struct device *device)
{
    check_object(device->tags, TWIN_TAGS_MAX);
    check_object(device->desired, TWIN_PROPERTIES_MAX);
    check_object(device->reported, TWIN_PROPERTIES_MAX);
    check_object(device->desired_metadata, TEXT_MAX);
    check_object(device->reported_metadata, TEXT_MAX);
    check_shown(device);
}

static void replace_by_itself(struct arena *arena, const struct device *device, enum twin_section which)
{
    struct json_doc doc;
    struct device again = *device;
    const struct slice text[] = {device->tags, device->desired, device->reported};
    INVARIANT(!failed(json_read(text[which], own_limits, &doc, NULL)));
    INVARIANT(!failed(twin_change(arena, &again, which, TWIN_REPLACE, json_root(&doc), T0, NULL)));
    const struct slice after[] = {again.tags, again.desired, again.reported};
    INVARIANT(slice_equal(text[which], after[which]));
    json_doc_release(&doc);
}

static void apply(struct arena *arena, struct device *device, enum twin_how how, struct slice text)
{
    struct json_doc doc;
    struct twin_parts parts;
    struct why why = {0};
    struct device before = *device;
    if (failed(json_read(text, JSON_LIMITS_DEFAULT, &doc, NULL)))
        return;
    struct err e = twin_parts_read(json_root(&doc), &parts, &why);
    if (!failed(e))
        e = twin_apply(arena, device, how, how == TWIN_REPLACE, &parts, T0, &why);
    INVARIANT(!failed(e) || e.code == ERR_INVALID || e.code == ERR_NO_MEMORY);
    INVARIANT(e.code != ERR_INVALID || why.text[0] != '\0');
    if (failed(e))
        INVARIANT(slice_equal(slice_of(&before, sizeof before), slice_of(device, sizeof *device)));
    struct err reported = OK;
    before = *device;
    if (parts.reported != NULL)
        reported = twin_change(arena, device, TWIN_REPORTED, how, parts.reported, T0, &why);
    if (failed(reported))
        INVARIANT(slice_equal(slice_of(&before, sizeof before), slice_of(device, sizeof *device)));
    json_doc_release(&doc);
    check_twin(device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = arena_capped(32 << 20);
    struct device device = {0};
    struct slice text = slice_of(data, size);
    size_t middle = slice_find(text, SLICE("\n\n"));
    INVARIANT(!failed(device_fresh(&arena, SLICE("dev1"), T0, 1, &device)));
    apply(&arena, &device, TWIN_REPLACE, slice_to(text, middle));
    apply(&arena, &device, TWIN_MERGE, slice_from(text, middle));
    for (int which = TWIN_TAGS; which <= TWIN_REPORTED; which++)
        replace_by_itself(&arena, &device, (enum twin_section)which);
    arena_release(&arena);
    return 0;
}

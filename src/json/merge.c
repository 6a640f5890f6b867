// RFC 7396 section 2, on jansson's trees.
#include "json/merge.h"

#include <jansson.h>

#include "json/write.h"

static json_t *merged(json_t *target, const json_t *patch);

// Recurses as deep as the patch, which json_read kept under JSON_DEPTH_MAX.
static bool merge_member(json_t *target, const char *key, size_t len, const json_t *patch)
{
    if (json_is_null(patch)) {
        (void)json_object_deln(target, key, len); // not being there is fine
        return true;
    }
    json_t *old = json_object_getn(target, key, len);
    json_t *value = merged(json_incref(old), patch);
    if (value == NULL)
        return false;
    if (value == old) {
        json_decref(value);
        return true;
    }
    return json_object_setn_new_nocheck(target, key, len, value) == 0;
}

// Takes one reference of target (may be NULL), gives one of the result; NULL when memory ran out.
static json_t *merged(json_t *target, const json_t *patch)
{
    if (!json_is_object(patch)) {
        json_decref(target);
        return json_deep_copy(patch);
    }
    if (!json_is_object(target)) {
        json_decref(target);
        target = json_object();
    }
    json_t *from = (json_t *)(uintptr_t)patch; // iterating takes it without const
    for (void *at = json_object_iter(from); at != NULL && target != NULL;
         at = json_object_iter_next(from, at)) {
        if (merge_member(target, json_object_iter_key(at), json_object_iter_key_len(at),
                         json_object_iter_value(at)))
            continue;
        json_decref(target);
        target = NULL;
    }
    return target;
}

struct err json_doc_merge(struct json_doc *target, const struct json *patch)
{
    INVARIANT(patch != NULL);
    json_t *root = (json_t *)target->root;
    json_t *result = merged(json_incref(root), (const json_t *)patch);
    if (result == NULL)
        return FAIL(ERR_NO_MEMORY);
    json_decref(root);
    target->root = (struct json *)result;
    return OK;
}

struct err json_merge(struct slice target, struct slice patch, struct json_limits limits, struct buf *out,
                      struct why *why)
{
    struct json_doc whole = {0};
    struct json_doc change = {0};
    struct err e = json_read(slice_empty(target) ? SLICE("{}") : target, limits, &whole, why);
    if (!failed(e))
        e = json_read(patch, limits, &change, why);
    if (!failed(e))
        e = json_doc_merge(&whole, json_root(&change));
    if (!failed(e)) {
        struct json_writer w;
        json_begin(&w, out);
        json_node(&w, json_root(&whole));
        e = buf_err(out);
    }
    json_doc_release(&change);
    json_doc_release(&whole);
    return e;
}

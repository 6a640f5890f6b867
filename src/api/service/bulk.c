// Up to ten enrollments or groups in one call. Each item is written on its own: what fails is told per item
// and does not undo the others (service-api A.5, threats D9).
#include "api/service/work.h"

#include "api/error_body.h"
#include "domain/identifier.h"

enum { ITEMS_MAX = 10, ID_TEXT_MAX = 1024, ETAG_TEXT_SENT_MAX = 1024 };
enum { CREATE, UPDATE, UPDATE_IF_MATCH, DELETE };
static const char *const modes[] = {"create", "update", "updateIfMatchETag", "delete"};

static const char *id_name(const struct work *work)
{
    return work->kind == ENROLLMENT_GROUP ? "enrollmentGroupId" : "registrationId";
}

static struct err read_mode(struct call *call, const struct json_in *in, unsigned *mode)
{
    struct slice text = {0};
    TRY(json_want_string(in, "mode", JSON_REQUIRED, 64, &text, &call->why));
    for (*mode = CREATE; *mode <= DELETE; (*mode)++) {
        if (slice_equal_nocase(text, slice_text(modes[*mode])))
            return OK;
    }
    return json_refuse(in, "mode", &call->why, "must be create, update, updateIfMatchETag or delete");
}

struct err bulk_begin(struct call *call)
{
    struct work *work = work_of(call);
    struct bulk *bulk = &work->bulk;
    const char *name = work->kind == ENROLLMENT_GROUP ? "enrollmentGroups" : "enrollments";
    struct json_in in;
    struct json_in item;
    TRY(json_in_root(json_root(&call->body), "the body", &in, &call->why));
    TRY(read_mode(call, &in, &bulk->mode));
    TRY(json_want_array(&in, name, JSON_REQUIRED, ITEMS_MAX, &bulk->items, &call->why));
    for (size_t i = 0; i < json_count(bulk->items); i++)
        TRY(json_want_element(&in, name, i, &item, &call->why));
    json_begin(&bulk->writer, &call->x->body);
    json_object_open(&bulk->writer);
    json_key(&bulk->writer, "errors");
    json_array_open(&bulk->writer);
    return OK;
}

// The item's etag is its If-Match; creating has none, and deleting may do without (service-api A.5).
static struct err read_condition(struct call *call, const struct json_in *in, struct call_condition *out)
{
    unsigned mode = work_of(call)->bulk.mode;
    struct slice etag = {0};
    *out = (struct call_condition){0};
    if (mode == CREATE)
        return OK;
    TRY(json_want_string(in, "etag", JSON_OPTIONAL, ETAG_TEXT_SENT_MAX, &etag, &call->why));
    if (etag.len == 0 && mode == UPDATE_IF_MATCH)
        return json_refuse(in, "etag", &call->why, "is missing, and the mode is updateIfMatchETag");
    out->given = etag.len > 0;
    return out->given ? etag_read(etag, &out->any, &out->etag, &call->why) : OK;
}

static struct err read_item(struct call *call, struct change *change)
{
    const struct work *work = work_of(call);
    struct json_in in;
    unsigned tries = change->tries;
    *change = (struct change){.body = json_at(work->bulk.items, work->bulk.index), .tries = tries};
    TRY(json_in_root(change->body, "the item", &in, &call->why));
    TRY(json_want_string(&in, id_name(work), JSON_REQUIRED, ID_TEXT_MAX, &change->id, &call->why));
    TRY(registration_id_check(change->id, id_name(work), &call->why));
    TRY(arena_lower(&call->x->arena, change->id, &change->key));
    return read_condition(call, &in, &change->condition);
}

static struct err finish(struct call *call)
{
    struct bulk *bulk = &work_of(call)->bulk;
    json_array_close(&bulk->writer);
    json_field_bool(&bulk->writer, "isSuccessful", !bulk->failed);
    json_object_close(&bulk->writer);
    call->step = CALL_STEPS_MAX;
    return buf_err(&call->x->body);
}

// A failure of the item is kept for bulk_note; only a failure to ask is one of the call.
struct err bulk_load(struct call *call)
{
    struct work *work = work_of(call);
    struct bulk *bulk = &work->bulk;
    arena_release(&call->scratch);
    call->why.text[0] = '\0';
    if (bulk->index == json_count(bulk->items))
        return finish(call);
    bulk->failure = read_item(call, &work->change);
    if (failed(bulk->failure) || bulk->mode == DELETE)
        return OK;
    return change_load(call, &work->change);
}

struct err bulk_make(struct call *call)
{
    struct work *work = work_of(call);
    if (!failed(work->bulk.failure) && work->bulk.mode != DELETE)
        work->bulk.failure = change_make(call, &work->change);
    return OK;
}

struct err bulk_apply(struct call *call)
{
    struct work *work = work_of(call);
    bool more = false;
    if (failed(work->bulk.failure))
        return OK;
    if (work->bulk.mode == DELETE)
        return change_delete(call, &work->change);
    work->bulk.failure = change_put(call, &work->change, &more);
    if (more)
        call_go_to(call, bulk_apply);
    return OK;
}

static void write_error(struct call *call, struct err e)
{
    struct work *work = work_of(call);
    struct json_writer *w = &work->bulk.writer;
    struct why sentence = error_sentence(e, &call->why);
    json_object_open(w);
    json_field_text(w, id_name(work), work->change.id);
    json_field_number(w, "errorCode", err_info(e)->number);
    json_field_text(w, "errorStatus", slice_text(sentence.text));
    json_object_close(w);
    work->bulk.failed = true;
}

struct err bulk_note(struct call *call)
{
    struct work *work = work_of(call);
    struct err e = work->bulk.failure;
    bool again = false;
    if (!failed(e))
        e = work->bulk.mode == DELETE ? change_delete_done(call, &work->change)
                                      : change_put_done(call, &work->change, &again);
    if (!again) {
        if (failed(e))
            write_error(call, e);
        work->change.tries = 0;
        work->bulk.index++;
    }
    call_go_to(call, bulk_load);
    return OK;
}

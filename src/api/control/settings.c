// Reading and changing a service's settings: read the record, change it, write it on condition that it is
// still what was read, make all loops use it.
#include "api/control/work.h"

enum { TRIES = 5, DOCUMENT_MAX = 1 << 20, NAME_MAX_LENGTH = 50 };

struct err settings_begin(struct call *call)
{
    struct work *work = work_of(call);
    struct slice none_match = http_header(&call->x->request, SLICE("If-None-Match"));
    work->create_only = slice_equal(slice_trim(none_match), SLICE("*"));
    return call_condition(call, &work->condition);
}

struct err settings_load(struct call *call)
{
    struct work *work = work_of(call);
    work->service = NULL;
    if (work->key.len > NAME_MAX_LENGTH)
        return FAIL(ERR_SERVICE_NOT_FOUND);
    return call_ask(call,
                    (struct store_request){.verb = STORE_GET, .table = STORE_SERVICE, .key = work->key});
}

struct err settings_loaded(struct call *call)
{
    struct work *work = work_of(call);
    const struct service_record *found = call->request.found;
    if (call->request.result.code != ERR_ABSENT)
        TRY(call_asked(call, ERR_ABSENT));
    if (found == NULL)
        return work->condition.given || !call->x->local ? FAIL(ERR_SERVICE_NOT_FOUND) : OK;
    if (work->condition.given && !work->condition.any && work->condition.etag != found->etag)
        return FAIL(ERR_ETAG);
    work->service = arena_take(&call->scratch, sizeof *work->service);
    if (work->service == NULL)
        return FAIL(ERR_NO_MEMORY);
    TRY(service_document_read(&call->scratch, found->document, work->service, &call->why));
    work->service->created_us = found->created_us;
    work->service->updated_us = found->updated_us;
    work->service->etag = found->etag;
    return OK;
}

struct err settings_loaded_required(struct call *call)
{
    TRY(settings_loaded(call));
    return work_of(call)->service != NULL ? OK : FAIL(ERR_SERVICE_NOT_FOUND);
}

struct err settings_check_new(struct call *call, bool exists)
{
    if (!exists || !work_of(call)->create_only)
        return OK;
    return why_fail(&call->why, ERR_CONFLICT, "it exists already");
}

struct err settings_save(struct call *call, const char *event, enum log_key key, struct slice id)
{
    struct work *work = work_of(call);
    struct service *service = work->service;
    struct buf document = buf_capped(DOCUMENT_MAX);
    uint64_t read = service->etag;
    service->updated_us = clock_wall_us(call->area->clock);
    if (read == 0)
        service->created_us = service->updated_us;
    service->etag = random_etag(call->area->random);
    work->event = event;
    work->log_key = key;
    work->log_id = id;
    work->record = (struct service_record){
        .name = service->name,
        .id_scope = service->id_scope,
        .created_us = service->created_us,
        .updated_us = service->updated_us,
        .etag = service->etag,
    };
    struct err e = service_document_write(service, &document);
    if (!failed(e))
        e = arena_copy(&call->scratch, buf_slice(&document), &work->record.document);
    if (document.at != NULL)
        bytes_wipe(document.at, document.len);
    buf_release(&document);
    TRY(e);
    return call_ask(call, (struct store_request){
                              .verb = STORE_PUT,
                              .table = STORE_SERVICE,
                              .key = work->key,
                              .condition = read == 0 ? STORE_IF_ABSENT : STORE_IF_MATCH,
                              .match = read,
                              .record = &work->record,
                          });
}

struct err settings_remove(struct call *call)
{
    struct work *work = work_of(call);
    work->event = "service.deleted";
    work->log_key = LOG_idScope;
    work->log_id = work->service->id_scope;
    return call_ask(call, (struct store_request){
                              .verb = STORE_DELETE,
                              .table = STORE_SERVICE,
                              .key = work->key,
                              .condition = STORE_IF_MATCH,
                              .match = work->service->etag,
                          });
}

static void reloaded(struct directory_wait *wait, struct err result)
{
    struct call *call = wait->context;
    work_of(call)->reloaded = result;
    call_resume(call);
}

struct err settings_saved(struct call *call)
{
    struct work *work = work_of(call);
    struct err e = call->request.result;
    bool overtaken = e.code == ERR_ETAG || e.code == ERR_CONFLICT || e.code == ERR_ABSENT;
    bool exactly = work->condition.given && !work->condition.any;
    if (overtaken && !exactly && ++work->tries < TRIES) {
        arena_release(&call->scratch);
        work->counting = 0;
        call_go_to(call, settings_load);
        return OK;
    }
    TRY(call_asked(call, ERR_SERVICE_NOT_FOUND));
    call->service = work->service; // of a service just made, too
    call_log_change(call, work->event, work->log_key, work->log_id);
    work->wait = (struct directory_wait){.loaded = reloaded, .context = call};
    (void)call_pause(call);
    work->api->settings.settings_changed(work->api->settings.context, &work->wait);
    return OK;
}

// The change is durable; when not all loops could read it the caller had better try again (invariant I11).
struct err settings_told(struct call *call)
{
    return work_of(call)->reloaded;
}

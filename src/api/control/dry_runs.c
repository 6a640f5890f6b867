// Dry runs: what would become of the service's devices if what the body says were so? The changes are applied
// to copies, by what reads the bodies of the PUTs; flow/dry_run.h does the rest.
#include "api/control/work.h"

#include "domain/identifier.h"
#include "json/merge.h"

enum { CHANGES_MAX = 64, ENROLLMENT_TEXT_MAX = 256 * 1024 };

// ---- the body, onto the service

static struct err change_hub(struct call *call, struct slice host, const struct json *changes)
{
    struct service *service = work_of(call)->service;
    struct linked_hub *hub = linked_hub_find(service, host);
    struct json_in in;
    struct slice own;
    TRY(host_check(host, "a name in linkedHubs", &call->why));
    if (!json_given(changes)) {
        if (hub == NULL)
            return why_fail(&call->why, ERR_INVALID, "linkedHubs: %.*s is not linked",
                            SLICE_ARG(slice_to(host, 100)));
        linked_hub_remove(service, hub);
        return OK;
    }
    TRY(json_in_root(changes, "a member of linkedHubs", &in, &call->why));
    TRY(arena_copy(&call->scratch, host, &own));
    if (hub == NULL)
        TRY(linked_hub_add(&call->scratch, service, own, &hub, &call->why));
    // nobody is called: a hub that is not linked yet needs no connection string
    return linked_hub_change(&call->scratch, &in, true, true, hub, &call->why);
}

static struct err change_service(struct call *call, const struct json_in *in)
{
    struct json_in hubs, service;
    TRY(json_want_object(in, "linkedHubs", JSON_OPTIONAL, &hubs, &call->why));
    for (struct json_each each = json_each(hubs.object); json_next(&each);)
        TRY(change_hub(call, each.key, each.value));
    TRY(json_want_object(in, "service", JSON_OPTIONAL, &service, &call->why));
    return service_change(&call->scratch, &service, work_of(call)->service, &call->why);
}

// ---- and onto enrollments, each of which is read first

static struct err list_changes(struct call *call, const struct json_in *in, const char *member,
                               enum enrollment_kind kind)
{
    struct dry_run_work *work = &work_of(call)->dry_run;
    struct json_in records;
    TRY(json_want_object(in, member, JSON_OPTIONAL, &records, &call->why));
    for (struct json_each each = json_each(records.object); json_next(&each);) {
        if (work->count == CHANGES_MAX)
            return why_fail(&call->why, ERR_INVALID, "a dry run changes at most %d enrollments and groups",
                            CHANGES_MAX);
        TRY(registration_id_check(each.key, member, &call->why));
        struct dry_run_change *change = &work->changes[work->count];
        change->kind = kind;
        TRY(arena_lower(&call->scratch, each.key, &change->key));
        work->bodies[work->count++] = each.value;
    }
    return OK;
}

struct err dry_run_read(struct call *call)
{
    struct dry_run_work *work = &work_of(call)->dry_run;
    struct json_in in;
    TRY(settings_loaded_required(call));
    if (work_of(call)->api->settings.dry_runs == NULL)
        return FAIL(ERR_ROUTE);
    work->changes = arena_take_many(&call->scratch, CHANGES_MAX, sizeof *work->changes);
    work->bodies = arena_take_many(&call->scratch, CHANGES_MAX, sizeof *work->bodies);
    if (work->changes == NULL || work->bodies == NULL)
        return FAIL(ERR_NO_MEMORY);
    TRY(json_in_root(json_root(&call->body), "the body", &in, &call->why));
    TRY(change_service(call, &in));
    TRY(list_changes(call, &in, "enrollmentGroups", ENROLLMENT_GROUP));
    return list_changes(call, &in, "enrollments", ENROLLMENT_INDIVIDUAL);
}

static struct err answer_started(struct call *call)
{
    struct work *work = work_of(call);
    struct dry_run_plan plan = {.arena = call->scratch,
                                .service = work->service,
                                .changes = work->dry_run.changes,
                                .change_count = work->dry_run.count};
    char id[DRY_RUN_ID + 1];
    struct json_writer w;
    call->scratch = arena_capped(CALL_SCRATCH_CAP); // what was in it belongs to the run
    call->step = CALL_STEPS_MAX;
    TRY(dry_run_start(work->api->settings.dry_runs, &plan, id, &call->why));
    call->status = 202;
    json_begin(&w, &call->x->body);
    json_object_open(&w);
    json_field_text(&w, "id", slice_text(id));
    json_field_text(&w, "status", SLICE("running"));
    json_object_close(&w);
    return buf_err(&call->x->body);
}

// The next one to be read; when all are, off it goes.
struct err dry_run_ask(struct call *call)
{
    const struct dry_run_work *work = &work_of(call)->dry_run;
    if (work->at == work->count)
        return answer_started(call);
    const struct dry_run_change *change = &work->changes[work->at];
    return call_ask(call, (struct store_request){
                              .verb = STORE_GET,
                              .table = change->kind == ENROLLMENT_GROUP ? STORE_GROUP : STORE_ENROLLMENT,
                              .partition = work_of(call)->service->id_scope,
                              .key = change->key,
                          });
}

static struct err write_stored(const struct enrollment *stored, const struct dry_run_change *change,
                               struct buf *out)
{
    struct json_writer w;
    json_begin(&w, out);
    if (stored != NULL)
        return enrollment_write(&w, stored, ENROLLMENT_WITHOUT_KEYS, NULL);
    json_object_open(&w);
    json_field_text(&w, change->kind == ENROLLMENT_GROUP ? "enrollmentGroupId" : "registrationId",
                    change->key);
    json_object_close(&w);
    return buf_err(out);
}

// What is stored as GET shows it, with the changes merged in.
static struct err merge(struct call *call, const struct enrollment *stored, const struct json *changes,
                        const struct dry_run_change *change, struct json_doc *out)
{
    struct buf before = buf_capped(ENROLLMENT_TEXT_MAX);
    struct json_limits limits = {.bytes = ENROLLMENT_TEXT_MAX, .depth = JSON_DEPTH_MAX};
    struct err e = write_stored(stored, change, &before);
    if (!failed(e))
        e = json_read(buf_slice(&before), limits, out, &call->why);
    if (!failed(e))
        e = json_doc_merge(out, changes);
    buf_release(&before);
    return e;
}

static struct err change_enrollment(struct call *call, const struct enrollment *stored,
                                    const struct json *changes, struct dry_run_change *change)
{
    struct json_doc merged = {0};
    struct enrollment *e = arena_take(&call->scratch, sizeof *e);
    if (e == NULL)
        return FAIL(ERR_NO_MEMORY);
    struct err result = merge(call, stored, changes, change, &merged);
    if (!failed(result))
        result = enrollment_read(&call->scratch, json_root(&merged), change->kind,
                                 stored != NULL ? stored->id : change->key, stored, e, &call->why);
    if (!failed(result))
        result = enrollment_check_hubs(work_of(call)->service, e, &call->why);
    json_doc_release(&merged);
    change->enrollment = e;
    return result;
}

struct err dry_run_take(struct call *call)
{
    struct dry_run_work *work = &work_of(call)->dry_run;
    struct dry_run_change *change = &work->changes[work->at];
    const struct json *changes = work->bodies[work->at++];
    const struct enrollment *stored = call->request.found;
    if (call->request.result.code != ERR_ABSENT)
        TRY(call_asked(call, ERR_ENROLLMENT_NOT_FOUND));
    call_go_to(call, dry_run_ask);
    if (!json_given(changes)) // deleted
        return stored != NULL
                   ? OK
                   : FAIL(change->kind == ENROLLMENT_GROUP ? ERR_GROUP_NOT_FOUND : ERR_ENROLLMENT_NOT_FOUND);
    struct err e = change_enrollment(call, stored, changes, change);
    if (e.code != ERR_INVALID)
        return e;
    struct why reason = call->why;
    return why_fail(&call->why, ERR_INVALID, "%.*s: %s", SLICE_ARG(slice_to(change->key, 64)), reason.text);
}

// ---- how far it is

static void write_hubs(struct json_writer *w, const struct dry_run_report *report)
{
    json_key(w, "hubs");
    json_object_open(w);
    for (size_t i = 0; i < report->hub_count; i++) {
        const struct dry_run_hub *hub = &report->hubs[i];
        json_key_slice(w, hub->host);
        json_object_open(w);
        json_field_number(w, "now", (int64_t)hub->now);
        json_field_number(w, "arrive", (int64_t)hub->arrive);
        json_field_number(w, "leave", (int64_t)hub->leave);
        json_field_number(w, "then", (int64_t)(hub->now + hub->arrive - hub->leave));
        json_object_close(w);
    }
    json_object_close(w);
}

struct err dry_run_show(struct call *call)
{
    static const char *const words[] = {
        [DRY_RUN_RUNNING] = "running", [DRY_RUN_DONE] = "done", [DRY_RUN_FAILED] = "failed"};
    struct json_writer w;
    TRY(settings_loaded_required(call));
    struct work *work = work_of(call);
    struct dry_runs *runs = work->api->settings.dry_runs;
    const struct dry_run_report *report =
        runs == NULL ? NULL : dry_run_find(runs, work->service->id_scope, call->names[1]);
    if (report == NULL)
        return why_fail(&call->why, ERR_SETTING_NOT_FOUND,
                        "there is no such dry run, or it ended more than an hour ago");
    json_begin(&w, &call->x->body);
    json_object_open(&w);
    json_field_text(&w, "id", call->names[1]);
    json_field_text(&w, "status", slice_text(words[report->status]));
    json_field_number(&w, "done", (int64_t)report->done);
    json_field_number(&w, "total", (int64_t)report->total);
    json_field_number(&w, "registrations", (int64_t)report->done);
    json_field_number(&w, "stay", (int64_t)report->stay);
    json_field_number(&w, "move", (int64_t)report->move);
    json_field_number(&w, "assign", (int64_t)report->assign);
    json_field_number(&w, "refused", (int64_t)report->refused);
    json_field_number(&w, "unknown", (int64_t)report->unknown);
    write_hubs(&w, report);
    if (report->status == DRY_RUN_FAILED)
        json_field_text(
            &w, "reason",
            slice_text(report->why.text[0] != '\0' ? report->why.text : err_info(report->result)->sentence));
    json_object_close(&w);
    return buf_err(&call->x->body);
}

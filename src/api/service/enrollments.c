// Reading, writing and deleting one enrollment or group.
#include "api/service/work.h"

#include "domain/identifier.h"
#include "domain/registration.h"

// ---- GET, attestationmechanism

struct err enrollment_load(struct call *call)
{
    struct change *change = &work_of(call)->change;
    TRY(work_key(call, &change->key));
    return change_load(call, change);
}

// Only an individual enrollment shows what became of its device.
struct err enrollment_load_state(struct call *call)
{
    struct work *work = work_of(call);
    TRY(call_asked(call, work_not_found(work)));
    work->shown = call->request.found;
    if (work->kind == ENROLLMENT_GROUP)
        return OK;
    return call_ask(call, (struct store_request){
                              .verb = STORE_GET,
                              .table = STORE_REGISTRATION,
                              .partition = call->service->id_scope,
                              .key = work->change.key,
                          });
}

struct err enrollment_show(struct call *call)
{
    static const struct registration never;
    const struct work *work = work_of(call);
    const struct registration *state = NULL;
    struct json_writer writer;
    if (work->kind == ENROLLMENT_INDIVIDUAL) {
        if (call->request.result.code != ERR_ABSENT)
            TRY(call_asked(call, ERR_ABSENT));
        state = call->request.found != NULL ? call->request.found : &never;
    }
    json_begin(&writer, &call->x->body);
    return enrollment_write(&writer, work->shown, ENROLLMENT_WITHOUT_KEYS, state);
}

struct err enrollment_show_attestation(struct call *call)
{
    const struct enrollment *found = call->request.found;
    struct json_writer writer;
    TRY(call_asked(call, work_not_found(work_of(call))));
    json_begin(&writer, &call->x->body);
    return attestation_write(&writer, &found->attestation, ENROLLMENT_WITH_KEYS);
}

// ---- PUT

struct err enrollment_begin_put(struct call *call)
{
    const struct work *work = work_of(call);
    struct change *change = &work_of(call)->change;
    const char *what = work->kind == ENROLLMENT_GROUP ? "enrollmentGroupId" : "registrationId";
    change->id = call->names[0];
    change->body = json_root(&call->body);
    TRY(registration_id_check(change->id, what, &call->why));
    TRY(call_condition(call, &change->condition));
    return arena_lower(&call->x->arena, change->id, &change->key);
}

struct err enrollment_reload(struct call *call)
{
    return change_load(call, &work_of(call)->change);
}

struct err enrollment_make(struct call *call)
{
    return change_make(call, &work_of(call)->change);
}

struct err enrollment_put(struct call *call)
{
    bool more = false;
    TRY(change_put(call, &work_of(call)->change, &more));
    if (more)
        call_go_to(call, enrollment_put);
    return OK;
}

struct err enrollment_show_written(struct call *call)
{
    struct change *change = &work_of(call)->change;
    struct json_writer writer;
    bool again = false;
    TRY(change_put_done(call, change, &again));
    if (again) {
        arena_release(&call->scratch);
        call_go_to(call, enrollment_reload);
        return OK;
    }
    json_begin(&writer, &call->x->body);
    return enrollment_write(&writer, change->record, ENROLLMENT_WITH_KEYS, NULL);
}

// ---- DELETE

struct err enrollment_delete(struct call *call)
{
    struct change *change = &work_of(call)->change;
    change->id = call->names[0];
    TRY(call_condition(call, &change->condition));
    TRY(work_key(call, &change->key));
    return change_delete(call, change);
}

struct err enrollment_deleted(struct call *call)
{
    call->status = 204;
    return change_delete_done(call, &work_of(call)->change);
}

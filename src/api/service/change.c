// Writing one enrollment or group: read, compare, write on condition that it is still what was read (threats
// D10).
#include "api/service/work.h"

#include "crypto/keys.h"

enum { TRIES = 5 };

static enum err_code exists_already(const struct work *work)
{
    return work->kind == ENROLLMENT_GROUP ? ERR_GROUP_EXISTS : ERR_ENROLLMENT_EXISTS;
}

struct err change_load(struct call *call, struct change *change)
{
    return call_ask(call, (struct store_request){
                              .verb = STORE_GET,
                              .table = work_of(call)->table,
                              .partition = call->service->id_scope,
                              .key = change->key,
                          });
}

// What the caller expects to find (service-api A.4): without If-Match nothing, with one a record, with an
// ETag that record.
static struct err check_expected(const struct work *work, const struct change *change,
                                 const struct enrollment *stored)
{
    if (stored == NULL)
        return change->condition.given ? FAIL(work_not_found(work)) : OK;
    if (!change->condition.given)
        return FAIL(exists_already(work));
    return change->condition.any || change->condition.etag == stored->etag ? OK : FAIL(ERR_ETAG);
}

static void generate_key(struct random *random, struct secret *key)
{
    uint8_t bytes[KEY_GENERATED];
    if (key->len > 0)
        return;
    random_fill_from(random, bytes, sizeof bytes);
    key_from_random(bytes, key);
    bytes_wipe(bytes, sizeof bytes);
}

static struct err make_record(struct call *call, struct change *change, const struct enrollment *stored)
{
    const struct work *work = work_of(call);
    struct enrollment *record = arena_take(&call->scratch, sizeof *record);
    bool in_path = work->bulk.items == NULL;
    if (record == NULL)
        return FAIL(ERR_NO_MEMORY);
    TRY(enrollment_read(&call->scratch, change->body, work->kind, in_path ? change->id : (struct slice){0},
                        stored, record, &call->why));
    TRY(enrollment_check_hubs(call->service, record, &call->why));
    if (enrollment_needs_keys(record)) {
        generate_key(call->area->random, &record->attestation.primary_key);
        generate_key(call->area->random, &record->attestation.secondary_key);
    }
    record->updated_us = clock_wall_us(call->area->clock);
    record->created_us = stored != NULL ? stored->created_us : record->updated_us;
    record->etag = random_etag(call->area->random);
    change->record = record;
    change->created = stored == NULL;
    return OK;
}

// ---- the CA certificates that it refers to

static bool refers(const struct enrollment *e, struct slice name)
{
    return e != NULL && (slice_equal_nocase(e->attestation.primary_ca, name) ||
                         slice_equal_nocase(e->attestation.secondary_ca, name));
}

// One that the stored record refers to already may be gone: deleting it is what one does after a breach, and
// the group must be open to changes then.
static void note_reference(struct change *change, struct slice name)
{
    bool noted = change->unknown_count > 0 && slice_equal_nocase(change->unknown[0], name);
    if (name.len > 0 && !noted && !refers(change->stored, name))
        change->unknown[change->unknown_count++] = name;
}

static struct err ask_reference(struct call *call, struct change *change)
{
    struct slice key = {0};
    TRY(arena_lower(&call->scratch, change->unknown[change->unknown_count - 1], &key));
    change->asked = true;
    return call_ask(call, (struct store_request){
                              .verb = STORE_GET,
                              .table = STORE_CERTIFICATE,
                              .partition = call->service->id_scope,
                              .key = key,
                          });
}

struct err change_make(struct call *call, struct change *change)
{
    change->stored = call->request.found;
    change->unknown_count = 0;
    change->asked = false;
    if (call->request.result.code != ERR_ABSENT)
        TRY(call_asked(call, ERR_ABSENT));
    TRY(check_expected(work_of(call), change, change->stored));
    TRY(make_record(call, change, change->stored));
    note_reference(change, change->record->attestation.secondary_ca);
    note_reference(change, change->record->attestation.primary_ca);
    return change->unknown_count > 0 ? ask_reference(call, change) : OK;
}

static struct err reference_found(struct call *call, struct change *change)
{
    if (call->request.result.code == ERR_ABSENT)
        return why_fail(&call->why, ERR_INVALID,
                        "the service has no CA certificate \"%.*s\": upload it first",
                        SLICE_ARG(slice_to(change->unknown[change->unknown_count - 1], 100)));
    TRY(call_asked(call, ERR_ABSENT));
    change->unknown_count--;
    change->asked = false;
    return OK;
}

struct err change_put(struct call *call, struct change *change, bool *more)
{
    const struct work *work = work_of(call);
    const struct enrollment *stored = change->stored;
    *more = false;
    if (change->asked)
        TRY(reference_found(call, change));
    if (change->unknown_count > 0) {
        *more = true;
        return ask_reference(call, change);
    }
    return call_ask(call, (struct store_request){
                              .verb = STORE_PUT,
                              .table = work->table,
                              .partition = call->service->id_scope,
                              .key = change->key,
                              .condition = stored == NULL ? STORE_IF_ABSENT : STORE_IF_MATCH,
                              .match = stored == NULL ? 0 : stored->etag,
                              .record = change->record,
                          });
}

struct err change_put_done(struct call *call, struct change *change, bool *again)
{
    const struct work *work = work_of(call);
    struct err e = call->request.result;
    bool group = work->kind == ENROLLMENT_GROUP;
    *again = false;
    if (e.code == ERR_CONFLICT)
        return FAIL(exists_already(work));
    if (e.code == ERR_ETAG && change->condition.any && ++change->tries < TRIES) {
        *again = true;
        return OK;
    }
    TRY(call_asked(call, work_not_found(work)));
    const char *event = change->created ? (group ? "group.created" : "enrollment.created")
                                        : (group ? "group.updated" : "enrollment.updated");
    call_log_change(call, event, work_log_key(work), change->record->id);
    return OK;
}

struct err change_delete(struct call *call, struct change *change)
{
    bool exactly = change->condition.given && !change->condition.any;
    return call_ask(call, (struct store_request){
                              .verb = STORE_DELETE,
                              .table = work_of(call)->table,
                              .partition = call->service->id_scope,
                              .key = change->key,
                              .condition = exactly ? STORE_IF_MATCH : STORE_ALWAYS,
                              .match = change->condition.etag,
                          });
}

struct err change_delete_done(struct call *call, const struct change *change)
{
    const struct work *work = work_of(call);
    static const char *const events[] = {[STORE_ENROLLMENT] = "enrollment.deleted",
                                         [STORE_GROUP] = "group.deleted",
                                         [STORE_REGISTRATION] = "registration.deleted"};
    TRY(call_asked(call, work_not_found(work)));
    call_log_change(call, events[work->table], work_log_key(work), change->id);
    return OK;
}

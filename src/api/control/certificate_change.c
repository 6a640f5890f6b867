// Reading and changing one CA certificate: read the record, change it, write it on condition that it is still
// what was read (threats B17, D10). A revocation list is written together with the record that names it, and
// deleted after no record names it any more.
#include "api/control/work.h"

#include "domain/words.h"

enum { TRIES = 5 };

struct err certificate_begin(struct call *call)
{
    if (call->service == NULL)
        return FAIL(ERR_SERVICE_NOT_FOUND);
    if (call->names[1].len > CA_CERTIFICATE_NAME_MAX)
        return why_fail(&call->why, ERR_INVALID, "the name of a certificate has at most %d characters",
                        CA_CERTIFICATE_NAME_MAX);
    TRY(call_condition(call, &work_of(call)->condition));
    return arena_lower(&call->x->arena, call->names[1], &certificate_of(call)->key);
}

static struct store_request request_for(struct call *call, enum store_verb verb, enum store_table table)
{
    return (struct store_request){
        .verb = verb, .table = table, .partition = call->service->id_scope, .key = certificate_of(call)->key};
}

struct err certificate_load(struct call *call)
{
    certificate_of(call)->stored = NULL;
    return call_ask(call, request_for(call, STORE_GET, STORE_CERTIFICATE));
}

struct err certificate_load_list(struct call *call)
{
    return call_ask(call, request_for(call, STORE_GET, STORE_CRL));
}

struct err certificate_loaded(struct call *call)
{
    const struct call_condition *condition = &work_of(call)->condition;
    struct ca_certificate *found = call->request.found;
    if (call->request.result.code != ERR_ABSENT)
        TRY(call_asked(call, ERR_ABSENT));
    if (found == NULL)
        return condition->given ? FAIL(ERR_SETTING_NOT_FOUND) : OK;
    if (condition->given && !condition->any && condition->etag != found->etag)
        return FAIL(ERR_ETAG);
    certificate_of(call)->stored = found;
    return OK;
}

struct err certificate_loaded_required(struct call *call)
{
    TRY(certificate_loaded(call));
    return certificate_of(call)->stored != NULL ? OK : FAIL(ERR_SETTING_NOT_FOUND);
}

struct err certificate_list_loaded(struct call *call)
{
    const struct ca_crl *found = call->request.found;
    if (call->request.result.code != ERR_ABSENT)
        TRY(call_asked(call, ERR_ABSENT));
    certificate_of(call)->list_etag = found != NULL ? found->etag : 0;
    return OK;
}

struct err certificate_save(struct call *call, const char *event, const struct ca_crl *list)
{
    struct certificate_work *c = certificate_of(call);
    struct ca_certificate *record = &c->record;
    struct store_request put = request_for(call, STORE_PUT, STORE_CERTIFICATE);
    record->updated_us = clock_wall_us(call->area->clock);
    record->created_us = c->stored != NULL ? c->stored->created_us : record->updated_us;
    record->etag = random_etag(call->area->random);
    TRY(ca_certificate_words(&call->scratch, record, &record->words));
    c->event = event;
    put.record = record;
    put.condition = c->stored == NULL ? STORE_IF_ABSENT : STORE_IF_MATCH;
    put.match = c->stored == NULL ? 0 : c->stored->etag;
    if (list != NULL) {
        c->list = *list;
        c->list.name = record->name;
        c->list.created_us = c->list.updated_us = record->updated_us;
        c->list.etag = random_etag(call->area->random);
        c->also = request_for(call, STORE_PUT, STORE_CRL);
        c->also.record = &c->list;
        put.also = &c->also;
    }
    return call_ask(call, put);
}

bool certificate_overtaken(struct call *call)
{
    struct work *work = work_of(call);
    bool exactly = work->condition.given && !work->condition.any;
    if (call->request.result.code != ERR_ETAG || exactly || ++work->tries == TRIES)
        return false;
    arena_release(&call->scratch);
    call_go_to(call, certificate_load);
    return true;
}

void certificate_tell(struct call *call, struct slice name)
{
    const struct certificate_work *c = certificate_of(call);
    struct log_line line;
    call_log_begin(call, &line, c->warning.len > 0 ? ERR_LEVEL_WARN : ERR_LEVEL_INFO, c->event,
                   LOG_certificate, name);
    log_text(&line, LOG_detail, c->warning);
    log_end(&line);
    if (c->warning.len > 0)
        exchange_header(call->x, "x-usher-warning", c->warning);
}

struct err certificate_saved(struct call *call, bool *again)
{
    const struct work *work = work_of(call);
    struct err e = call->request.result;
    *again = certificate_overtaken(call);
    if (*again)
        return OK;
    if (e.code == ERR_CONFLICT)
        return why_fail(&call->why, e.code,
                        "there is one of that name: to replace it send If-Match with its etag, or * "
                        "(usher certificate update)");
    TRY(call_asked(call, ERR_SETTING_NOT_FOUND));
    certificate_tell(call, work->certificate.record.name);
    return OK;
}

struct err certificate_drop_list(struct call *call)
{
    struct store_request drop = request_for(call, STORE_DELETE, STORE_CRL);
    drop.condition = STORE_IF_MATCH;
    drop.match = certificate_of(call)->list_etag;
    return drop.match != 0 ? call_ask(call, drop) : OK;
}

struct err certificate_answer(struct call *call, bool with_code)
{
    struct json_writer w;
    json_begin(&w, &call->x->body);
    TRY(ca_certificate_write(&w, &certificate_of(call)->record, with_code));
    return buf_err(&call->x->body);
}

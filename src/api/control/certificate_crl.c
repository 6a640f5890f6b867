// The revocation list of a CA certificate (threats B15): of ours, Azure has none.
#include "api/control/work.h"

#include "base/instant.h"
#include "base/text.h"
#include "crypto/possession.h"

// A renewed CA certificate may need a list before it has one.
static bool has_list_or_needs_it(const struct ca_certificate *c)
{
    return c->crl_digest.len > 0 || c->crl_required;
}

struct err crl_load(struct call *call)
{
    TRY(certificate_loaded_required(call));
    const struct ca_certificate *stored = certificate_of(call)->stored;
    return has_list_or_needs_it(stored) ? certificate_load_list(call) : FAIL(ERR_SETTING_NOT_FOUND);
}

static void field_instant(struct json_writer *w, const char *key, int64_t us)
{
    char text[40];
    struct buf out = {.at = (uint8_t *)text, .room = sizeof text, .cap = sizeof text};
    instant_format_http(&out, us);
    json_field_text(w, key, buf_slice(&out));
}

struct err crl_show(struct call *call)
{
    const struct ca_certificate *stored = certificate_of(call)->stored;
    const struct ca_crl *list = call->request.found;
    struct buf text = buf_capped(EXCHANGE_BODY_CAP);
    struct json_writer w;
    TRY(call_asked(call, ERR_SETTING_NOT_FOUND));
    if (stored->crl_digest.len == 0) // a list that is left over is not its own
        return FAIL(ERR_SETTING_NOT_FOUND);
    b64_encode(&text, list->crl);
    json_begin(&w, &call->x->body);
    json_object_open(&w);
    json_field_text(&w, "name", stored->name);
    json_field_text(&w, "crl", buf_slice(&text));
    json_field_bool(&w, "required", stored->crl_required);
    if (stored->crl_next_update_us != 0)
        field_instant(&w, "nextUpdate", stored->crl_next_update_us);
    field_instant(&w, "updated", list->updated_us);
    json_object_close(&w);
    struct err e = buf_err(&text);
    buf_release(&text);
    return failed(e) ? e : buf_err(&call->x->body);
}

// ---- PUT

// What is left out stays as it is: the list, or whether it is required.
struct err crl_put(struct call *call)
{
    struct certificate_work *c = certificate_of(call);
    struct slice text = {0};
    struct crl_facts facts = {0};
    struct ca_crl list = {0};
    struct json_in in;
    TRY(certificate_loaded_required(call));
    c->record = *c->stored;
    enum json_need need = has_list_or_needs_it(c->stored) ? JSON_OPTIONAL : JSON_REQUIRED;
    TRY(json_in_root(json_root(&call->body), "the body", &in, &call->why));
    TRY(json_want_string(&in, "crl", need, CALL_BODY_LARGE_MAX, &text, &call->why));
    TRY(json_want_bool(&in, "required", JSON_OPTIONAL, &c->record.crl_required, &call->why));
    if (text.at == NULL)
        return certificate_save(call, "crl.updated", NULL);
    TRY(crl_read(&call->scratch, text, c->stored->certificate, clock_wall_us(call->area->clock), &list.crl,
                 &facts, &call->why));
    TRY(arena_copy(&call->scratch, slice_of(facts.digest, sizeof facts.digest), &c->record.crl_digest));
    c->record.crl_next_update_us = facts.next_update_us;
    return certificate_save(call, "crl.updated", &list);
}

struct err crl_put_done(struct call *call)
{
    bool again = false;
    TRY(certificate_saved(call, &again));
    return again ? OK : certificate_answer(call, false);
}

// ---- DELETE

struct err crl_delete(struct call *call)
{
    struct certificate_work *c = certificate_of(call);
    TRY(certificate_list_loaded(call));
    c->record = *c->stored;
    c->record.crl_digest = (struct slice){0};
    c->record.crl_next_update_us = 0;
    c->record.crl_required = false;
    return certificate_save(call, "crl.deleted", NULL);
}

struct err crl_deleted(struct call *call)
{
    bool again = false;
    TRY(certificate_saved(call, &again));
    return again ? OK : certificate_drop_list(call);
}

struct err crl_gone(struct call *call)
{
    call->status = 204;
    return OK;
}

// The CA certificates of a service: list, show, upload, delete (service-api B.5). Proof of possession is in
// certificate_proof.c, revocation lists in certificate_crl.c.
#include "api/control/work.h"

#include "base/text.h"
#include "domain/words.h"

enum { CERTIFICATES_MAX = 10000, PAGE = 32, LIST_BYTES = 3 << 20 };

// ---- GET

struct err certificate_show(struct call *call)
{
    struct certificate_work *c = certificate_of(call);
    TRY(certificate_loaded_required(call));
    c->record = *c->stored;
    return certificate_answer(call, false);
}

static struct err ask_page(struct call *call)
{
    return call_ask(call, (struct store_request){.verb = STORE_QUERY,
                                                 .table = STORE_CERTIFICATE,
                                                 .partition = call->service->id_scope,
                                                 .after = certificate_of(call)->after,
                                                 .limit = PAGE});
}

struct err certificate_list(struct call *call)
{
    struct certificate_work *c = certificate_of(call);
    if (call->service == NULL)
        return FAIL(ERR_SERVICE_NOT_FOUND);
    TRY(http_query_get(call->x->request.query, SLICE("after"), &call->x->arena, &c->after));
    call_list_open(call, &c->writer);
    return ask_page(call);
}

// What does not fit into one answer is at nextLink, as with ARM.
static struct err end_list(struct call *call, bool more)
{
    struct certificate_work *c = certificate_of(call);
    json_array_close(&c->writer);
    if (more) {
        struct buf link = buf_capped(4 * CA_CERTIFICATE_NAME_MAX);
        buf_text(&link, "/control/services/");
        percent_encode(&link, call->service->name);
        buf_text(&link, "/certificates?after=");
        percent_encode(&link, c->after);
        json_field_text(&c->writer, "nextLink", buf_slice(&link));
        buf_release(&link);
    }
    json_object_close(&c->writer);
    return buf_err(&call->x->body);
}

struct err certificate_list_page(struct call *call)
{
    struct certificate_work *c = certificate_of(call);
    TRY(call_asked(call, ERR_SETTING_NOT_FOUND));
    bool more = call->request.more;
    for (size_t i = 0; i < call->request.count; i++)
        TRY(ca_certificate_write(&c->writer, call->request.rows[i], false));
    if (more)
        TRY(arena_copy(&call->x->arena, call->request.last, &c->after));
    if (!more || call->x->body.len > LIST_BYTES)
        return end_list(call, more);
    arena_release(&call->scratch);
    call_go_to(call, certificate_list_page);
    return ask_page(call);
}

// ---- PUT

// A new one is counted first. (Two that are made at the same moment may both be the last.)
struct err certificate_prepare(struct call *call)
{
    struct certificate_work *c = certificate_of(call);
    TRY(certificate_loaded(call));
    if (c->stored == NULL)
        return call_ask(call, (struct store_request){.verb = STORE_COUNT,
                                                     .table = STORE_CERTIFICATE,
                                                     .partition = call->service->id_scope});
    if (!work_of(call)->condition.given)
        return why_fail(&call->why, ERR_CONFLICT, "it exists: send If-Match with its etag, or *");
    return certificate_load_list(call);
}

struct err certificate_put(struct call *call)
{
    struct certificate_work *c = certificate_of(call);
    if (c->stored == NULL) {
        TRY(call_asked(call, ERR_SETTING_NOT_FOUND));
        if (call->request.count >= CERTIFICATES_MAX)
            return why_fail(&call->why, ERR_INVALID, "a service has at most %d CA certificates",
                            CERTIFICATES_MAX);
    } else {
        TRY(certificate_list_loaded(call));
    }
    TRY(ca_certificate_read(&call->scratch, json_root(&call->body), call->names[1], c->stored,
                            clock_wall_us(call->area->clock), &c->record, &call->why));
    bool list_missing = c->record.crl_required && c->record.crl_digest.len == 0;
    c->warning = list_missing ? SLICE("what it issued is refused until its revocation list is handed in")
                              : (struct slice){0};
    return certificate_save(call, c->stored != NULL ? "certificate.updated" : "certificate.created", NULL);
}

struct err certificate_put_saved(struct call *call)
{
    bool again = false;
    TRY(certificate_saved(call, &again));
    if (again || certificate_of(call)->record.crl_digest.len > 0)
        return OK;
    return certificate_drop_list(call); // of the certificate that was replaced
}

struct err certificate_put_done(struct call *call)
{
    return certificate_answer(call, false);
}

// ---- DELETE

struct err certificate_begin_delete(struct call *call)
{
    TRY(certificate_begin(call));
    if (!work_of(call)->condition.given)
        return why_fail(&call->why, ERR_INVALID, "send If-Match with its etag, or *");
    return OK;
}

// It may be deleted while groups refer to it: that is what one does after a breach (service-api E.4). Their
// devices are refused from then on, so the operator is told how many groups that concerns.
struct err certificate_count_groups(struct call *call)
{
    struct certificate_work *c = certificate_of(call);
    TRY(certificate_loaded_required(call));
    TRY(word_of_reference(&call->x->arena, c->key, &c->word));
    return call_ask(call, (struct store_request){.verb = STORE_ADMISSION,
                                                 .table = STORE_REGISTRATION,
                                                 .partition = call->service->id_scope,
                                                 .key = c->key,
                                                 .words = &c->word,
                                                 .word_count = 1});
}

static size_t referring(const struct store_admission *found, struct slice name)
{
    size_t count = 0;
    for (size_t i = 0; i < found->group_count; i++) {
        const struct attestation *a = &found->groups[i]->attestation;
        count += slice_equal_nocase(a->primary_ca, name) || slice_equal_nocase(a->secondary_ca, name);
    }
    return count;
}

struct err certificate_groups_counted(struct call *call)
{
    struct certificate_work *c = certificate_of(call);
    TRY(call_asked(call, ERR_SETTING_NOT_FOUND));
    size_t groups = referring(&call->request.admission, c->key);
    c->warning = (struct slice){0};
    if (groups > 0)
        TRY(arena_printf(&call->x->arena, &c->warning, "%zu%s enrollment group%s referred to it", groups,
                         groups == STORE_FOUND_MAX ? " or more" : "", groups == 1 ? "" : "s"));
    return certificate_load_list(call);
}

struct err certificate_delete(struct call *call)
{
    struct certificate_work *c = certificate_of(call);
    TRY(certificate_list_loaded(call));
    return call_ask(call, (struct store_request){.verb = STORE_DELETE,
                                                 .table = STORE_CERTIFICATE,
                                                 .partition = call->service->id_scope,
                                                 .key = c->key,
                                                 .condition = STORE_IF_MATCH,
                                                 .match = c->stored->etag});
}

struct err certificate_deleted(struct call *call)
{
    struct certificate_work *c = certificate_of(call);
    if (certificate_overtaken(call))
        return OK;
    TRY(call_asked(call, ERR_SETTING_NOT_FOUND));
    c->event = "certificate.deleted";
    certificate_tell(call, c->stored->name);
    return certificate_drop_list(call);
}

struct err certificate_gone(struct call *call)
{
    call->status = 204;
    return OK;
}

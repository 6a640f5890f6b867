// Queries: pages of enrollments, groups or registrations. A page is read from the store in smaller pieces, so
// that no page takes more memory than its text.
#include "api/service/work.h"

#include "domain/identifier.h"
#include "domain/query.h"
#include "domain/registration.h"

enum { PAGE_DEFAULT = 100, PAGE_MAX = 1000, PIECE = 50, PAGE_BYTES = 3 << 20 };

// ---- the request

static struct err read_page_size(struct call *call, size_t *size)
{
    struct slice text = http_header(&call->x->request, SLICE("x-ms-max-item-count"));
    uint64_t count = PAGE_DEFAULT;
    if (text.at != NULL && (!slice_to_u64(text, &count) || count == 0 || count > PAGE_MAX))
        return why_fail(&call->why, ERR_INVALID, "x-ms-max-item-count must be a number from 1 to %d",
                        PAGE_MAX);
    *size = (size_t)count;
    return OK;
}

static struct err read_query(struct call *call, struct query *query)
{
    struct slice text = {0};
    struct json_in in;
    if (json_root(&call->body) != NULL) {
        TRY(json_in_root(json_root(&call->body), "the body", &in, &call->why));
        TRY(json_want_string(&in, "query", JSON_OPTIONAL, QUERY_TEXT_MAX * 2, &text, &call->why));
    }
    return query_parse(&call->x->arena, text, query, &call->why);
}

// enrollmentGroupId = 'group' AND (what was asked for)
static struct err within_group(struct arena *arena, struct slice group, const struct query_node **where)
{
    struct query_node *nodes = arena_take_many(arena, 2, sizeof *nodes);
    struct query_value *value = arena_take(arena, sizeof *value);
    if (nodes == NULL || value == NULL)
        return FAIL(ERR_NO_MEMORY);
    *value = (struct query_value){.kind = QUERY_TEXT, .text = group};
    nodes[0] =
        (struct query_node){.op = QUERY_EQ, .path = SLICE("enrollmentGroupId"), .values = value, .count = 1};
    nodes[1] = (struct query_node){.op = QUERY_AND, .left = &nodes[0], .right = *where};
    *where = *where == NULL ? &nodes[0] : &nodes[1];
    return OK;
}

struct err listing_read(struct call *call, struct slice of_group)
{
    struct work *work = work_of(call);
    struct listing *listing = &work->listing;
    struct query query = {0};
    struct slice token = http_header(&call->x->request, SLICE("x-ms-continuation"));
    work->key = of_group;
    TRY(read_page_size(call, &listing->left));
    TRY(read_query(call, &query));
    if (token.len > 0)
        TRY(continuation_read(call, token, &listing->after));
    listing->where = query.where;
    if (of_group.len > 0)
        TRY(within_group(&call->x->arena, of_group, &listing->where));
    json_begin(&listing->writer, &call->x->body);
    json_array_open(&listing->writer);
    return OK;
}

struct err listing_begin(struct call *call)
{
    return listing_read(call, (struct slice){0});
}

// ---- the pieces

struct err listing_ask(struct call *call)
{
    const struct work *work = work_of(call);
    const struct listing *listing = &work->listing;
    return call_ask(call, (struct store_request){
                              .verb = STORE_QUERY,
                              .table = work->table,
                              .partition = call->service->id_scope,
                              .where = listing->where,
                              .limit = listing->left < PIECE ? listing->left : PIECE,
                              .after = listing->after,
                          });
}

static struct err write_row(struct call *call, const void *row, struct slice *id)
{
    struct work *work = work_of(call);
    if (work->table == STORE_REGISTRATION) {
        *id = ((const struct registration *)row)->id;
        return registration_write(&work->listing.writer, row, *id);
    }
    *id = ((const struct enrollment *)row)->id;
    return enrollment_write(&work->listing.writer, row, ENROLLMENT_WITHOUT_KEYS, NULL);
}

static struct err write_rows(struct call *call)
{
    struct listing *listing = &work_of(call)->listing;
    const struct store_request *request = &call->request;
    struct slice id = {0};
    size_t i = 0;
    while (i < request->count && call->x->body.len < PAGE_BYTES)
        TRY(write_row(call, request->rows[i++], &id));
    listing->left = i < request->count ? 0 : listing->left - i;
    listing->more = request->more || i < request->count;
    return listing->more ? arena_lower(&call->x->arena, id, &listing->after) : OK;
}

static struct err finish(struct call *call)
{
    static const char *const types[STORE_TABLES] = {[STORE_ENROLLMENT] = "Enrollment",
                                                    [STORE_GROUP] = "EnrollmentGroup",
                                                    [STORE_REGISTRATION] = "DeviceRegistration"};
    struct listing *listing = &work_of(call)->listing;
    json_array_close(&listing->writer);
    // in lower case, as .NET looks for them; the last page has no continuation, not an empty one (service-api
    // A.4)
    exchange_header(call->x, "x-ms-item-type", slice_text(types[work_of(call)->table]));
    exchange_header(call->x, "X-Content-Type-Options", SLICE("nosniff"));
    if (listing->more) {
        struct slice token = {0};
        TRY(continuation_write(call, listing->after, &token));
        exchange_header(call->x, "x-ms-continuation", token);
    }
    return buf_err(&call->x->body);
}

struct err listing_write(struct call *call)
{
    struct listing *listing = &work_of(call)->listing;
    TRY(call_asked(call, ERR_ABSENT));
    TRY(write_rows(call));
    arena_release(&call->scratch);
    if (!listing->more || listing->left == 0)
        return finish(call);
    call_go_to(call, listing_ask);
    return OK;
}

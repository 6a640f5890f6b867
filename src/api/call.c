// Routes, admits and steps through operators' calls.
#include "api/call.h"

#include "api/media.h"
#include "domain/identifier.h"

static bool path_fits(const struct call_route *route, const struct exchange *x,
                      struct slice names[CALL_NAMES_MAX])
{
    struct slice path = slice_text(route->path);
    struct slice part;
    size_t at = 0;
    size_t named = 0;
    while (slice_cut(&path, '/', &part)) {
        if (at == x->segment_count)
            return false;
        struct slice segment = x->segments[at++];
        bool any = slice_equal(part, SLICE("{}"));
        if (any ? segment.len == 0 : !slice_equal_nocase(part, segment))
            return false;
        if (any) {
            INVARIANT(named < CALL_NAMES_MAX);
            names[named++] = segment;
        }
    }
    return at == x->segment_count;
}

static struct err find_route(const struct call_area *area, struct call *call)
{
    struct err e = FAIL(ERR_ROUTE);
    for (size_t i = 0; i < area->route_count; i++) {
        const struct call_route *route = &area->routes[i];
        if (!path_fits(route, call->x, call->names))
            continue;
        call->route = route;
        if (slice_equal(call->x->request.method_text, slice_text(route->method)))
            return OK;
        e = FAIL(ERR_METHOD);
    }
    return e;
}

static struct err read_body(struct call *call)
{
    const struct http_request *request = &call->x->request;
    enum call_body body = call->route->body;
    bool large = body == CALL_BODY_LARGE || body == CALL_BODY_LARGE_OPTIONAL;
    bool optional = body == CALL_BODY_OPTIONAL || body == CALL_BODY_LARGE_OPTIONAL;
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    if (large)
        limits.bytes = CALL_BODY_LARGE_MAX;
    if (request->body.len > (large ? CALL_BODY_LARGE_MAX : CALL_BODY_MAX))
        return why_fail(&call->why, ERR_CAPPED, "at most %zu KB", limits.bytes / 1024);
    if ((body == CALL_BODY_NEEDED || body == CALL_BODY_LARGE) && request->length_missing)
        return FAIL(ERR_LENGTH_REQUIRED);
    if (body == CALL_BODY_IGNORED || (optional && slice_empty(slice_trim(request->body))))
        return OK;
    TRY(media_check(request, &call->why));
    return json_read(request->body, limits, &call->body, &call->why);
}

static void end(struct call *call, struct err e)
{
    struct exchange *x = call->x; // the call lies in its arena
    struct why why = call->why;
    unsigned status = call->status;
    json_doc_release(&call->body);
    arena_release(&call->scratch);
    directory_release(call->held);
    if (failed(e))
        exchange_refuse(x, e, &why);
    else
        exchange_answer(x, status);
}

static void run(struct call *call)
{
    while (call->step < CALL_STEPS_MAX && call->route->steps[call->step] != NULL) {
        struct err e = call->route->steps[call->step++](call);
        if (failed(e)) {
            end(call, e);
            return;
        }
        if (call->waiting)
            return;
    }
    end(call, OK);
}

void call_begin(void *context, struct exchange *x)
{
    const struct call_area *area = context;
    x->arena.wipe = true; // keys pass through it
    struct call *call = arena_take(&x->arena, sizeof *call);
    void *state = arena_take(&x->arena, area->state_size);
    if (call == NULL || state == NULL) {
        exchange_refuse(x, FAIL(ERR_NO_MEMORY), NULL);
        return;
    }
    call->area = area;
    call->x = x;
    call->state = state;
    call->status = 200;
    call->scratch = arena_capped(CALL_SCRATCH_CAP);
    call->scratch.wipe = true;
    call->held = directory_hold(area->directory);
    call->now_us = clock_wall_us(area->clock);
    struct err e = find_route(area, call);
    if (!failed(e))
        e = area->admit(call);
    if (!failed(e))
        e = read_body(call);
    if (failed(e))
        end(call, e);
    else
        run(call);
}

static void answered(struct store_request *request)
{
    call_resume(request->context);
}

struct err call_ask(struct call *call, struct store_request request)
{
    request.arena = &call->scratch;
    request.done = answered;
    request.context = call;
    call->request = request;
    call->waiting = true;
    store_submit(call->area->store, &call->request);
    return OK;
}

struct err call_pause(struct call *call)
{
    call->waiting = true;
    return OK;
}

void call_resume(struct call *call)
{
    call->waiting = false;
    run(call);
}

void call_go_to(struct call *call, struct err (*step)(struct call *call))
{
    size_t i = 0;
    while (i < CALL_STEPS_MAX && call->route->steps[i] != step)
        i++;
    INVARIANT(i < CALL_STEPS_MAX);
    call->step = i;
}

struct err call_asked(struct call *call, enum err_code absent)
{
    struct err e = call->request.result;
    if (e.code == ERR_ABSENT)
        return FAIL(absent);
    if (failed(e))
        call->why = call->request.why;
    return e;
}

void call_list_open(struct call *call, struct json_writer *w)
{
    json_begin(w, &call->x->body);
    json_object_open(w);
    json_key(w, "value");
    json_array_open(w);
}

struct err call_list_close(struct call *call, struct json_writer *w)
{
    json_array_close(w);
    json_object_close(w);
    return buf_err(&call->x->body);
}

void call_log_begin(struct call *call, struct log_line *line, enum err_level level, const char *event,
                    enum log_key key, struct slice id)
{
    const struct exchange *x = call->x;
    log_begin(line, call->area->log, level, event);
    log_text(line, LOG_trackingId, slice_of(x->tracking_id, GUID_TEXT));
    if (call->service != NULL)
        log_text(line, LOG_service, call->service->name);
    log_text(line, key, id);
    log_text(line, LOG_policy, x->caller);
    log_number(line, LOG_connection, (int64_t)x->connection);
    log_text(line, LOG_peer, x->peer);
}

void call_log_change(struct call *call, const char *event, enum log_key key, struct slice id)
{
    struct log_line line;
    call_log_begin(call, &line, ERR_LEVEL_INFO, event, key, id);
    log_end(&line);
}

struct err call_condition(struct call *call, struct call_condition *out)
{
    struct slice text = http_header(&call->x->request, SLICE("If-Match"));
    *out = (struct call_condition){.given = text.at != NULL};
    return out->given ? etag_read(text, &out->any, &out->etag, &call->why) : OK;
}

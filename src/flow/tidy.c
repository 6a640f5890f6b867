// What devices left behind at hubs that did not answer is removed later: every registration that names
// something (left_hub), a page at a time. Nothing is removed that the record names as where the device is or
// is going.
#include "flow/hub_health.h"
#include "flow/run.h"

#include <stdlib.h>

enum { TIDY_PAGE = 50, TIDY_MS = 60 * 1000, PAGE_CAP = 16 << 20, PLACE_MAX = 2048 };

// One look through the registrations. Counts as under way in the flow.
struct tidying {
    struct flow *flow;
    struct arena arena; // of one page
    struct store_request request;
    struct query_value nothing;
    struct query_node where;
    struct buf after;
    size_t runs; // of this page
    bool more;
};

// ---- one device
// --------------------------------------------------------------------------------------------------------------

// Whether nothing else is known at that place; an operation under way sees to it itself.
static bool is_leftover(const struct registration *r)
{
    if (r->left_hub.len == 0 || r->status == STATUS_ASSIGNING)
        return false;
    bool is_there = same_identity(r->left_hub, r->left_device_id, r->assigned_hub, r->device_id);
    bool goes_there = same_identity(r->left_hub, r->left_device_id, r->intended_hub, r->intended_device_id);
    return !is_there && !goes_there;
}

static void loaded(struct store_request *request)
{
    struct run *run = request->context;
    if (failed(request->result)) {
        run_end(run);
        return;
    }
    run_loaded(run);
    const struct registration *prior = run->admission.prior;
    run->decision.left = prior != NULL ? service_hub(run->admission.service, prior->left_hub) : NULL;
    if (prior == NULL || !is_leftover(prior) || run->decision.left == NULL) {
        run_end(run);
        return;
    }
    run->decision.left_device_id = prior->left_device_id;
    run->record = *prior;
    run_continue(run);
}

enum step_result step_load_leftover(struct run *run)
{
    struct flow *flow = run->flow;
    run->snapshot = directory_hold(flow->ports.directory);
    run->admission.service = directory_by_scope(run->snapshot, run->request.id_scope);
    run->admission.registration_id = run->request.registration_id;
    if (run->admission.service == NULL)
        return STEP_ENDS;
    if (failed(arena_lower(&run->request.arena, run->request.registration_id, &run->key)))
        return STEP_ENDS;
    return run_load(run, loaded);
}

// Not run_put: the device did nothing, so updated_us stays.
static enum step_result put(struct run *run, void (*done)(struct store_request *request))
{
    run->record.etag = random_etag(run->flow->ports.random);
    run->store = (struct store_request){
        .verb = STORE_PUT,
        .table = STORE_REGISTRATION,
        .condition = STORE_IF_MATCH,
        .match = run->held,
        .record = &run->record,
    };
    return run_ask_store(run, done);
}

static void marked(struct store_request *request)
{
    struct run *run = request->context;
    if (failed(request->result)) { // most likely it registers just now
        run_end(run);
        return;
    }
    run->held = run->record.etag;
    run_continue(run);
}

// A call of the device may come between and take it back to that hub, and what it is given there must not be
// removed: with an intention to stay where it is, or to go elsewhere, it does that (SITUATION_UNDER_WAY).
// Such a call removes what was left itself. One of a device that is nowhere waits (step_join).
enum step_result step_mark_leftover(struct run *run)
{
    struct registration *r = &run->record;
    bool nowhere = r->assigned_hub.len == 0;
    run->marked = r->intended_hub.len == 0 || (!nowhere && r->plan_steps == PLAN_REMOVE_LEFT);
    if (r->intended_hub.len > 0)
        return STEP_DONE;
    if (nowhere) {
        r->status = STATUS_ASSIGNING;
        r->plan_steps = PLAN_REMOVE_LEFT;
        r->updated_us = clock_wall_us(run->flow->ports.clock); // how long it is waited for
        return put(run, marked);
    }
    r->intended_hub = r->assigned_hub;
    r->intended_device_id = r->device_id;
    r->intended_substatus = r->substatus;
    r->plan_steps = PLAN_REMOVE_LEFT;
    return put(run, marked);
}

static void removed(struct hub_request *request)
{
    struct run *run = request->context;
    run->failure = request->result;
    run->why = request->why;
    // without an answer it may be gone all the same
    run->left_removed = !failed(request->result) || request->result.code == ERR_HUB_UNAVAILABLE;
    if (!failed(request->result)) {
        struct log_line line;
        log_begin(&line, run->flow->ports.log, ERR_LEVEL_INFO, "device.removed");
        log_text(&line, LOG_registrationId, run->request.registration_id);
        log_text(&line, LOG_idScope, run->request.id_scope);
        log_text(&line, LOG_hub, run->record.left_hub);
        log_text(&line, LOG_deviceId, run->record.left_device_id);
        log_end(&line);
        run->record.left_hub = run->record.left_device_id = (struct slice){0};
    }
    run_continue(run);
}

enum step_result step_remove_leftover(struct run *run)
{
    run->hub = (struct hub_request){
        .verb = HUB_REMOVE,
        .hub = run->decision.left,
        .id_scope = run->admission.service->id_scope,
        .identity = {.device_id = run->decision.left_device_id},
        .now_us = clock_wall_us(run->flow->ports.clock),
        .deadline_ms = run->flow->settings.hub_call_ms,
        .arena = &run->loaded,
        .done = removed,
        .context = run,
    };
    hub_submit(run->flow->ports.hubs[run->decision.left->kind], &run->hub);
    return STEP_WAITS;
}

static void unmarked(struct store_request *request)
{
    struct run *run = request->context;
    if (run_lost_race(request->result)) { // is the device there again?
        run->failure = OK;
        run_lost(run, request->found);
        return;
    }
    run_end(run); // if it did not hold, the next look finds it again
}

enum step_result step_unmark_leftover(struct run *run)
{
    struct registration *r = &run->record;
    const struct registration *prior = run->admission.prior;
    if (run->marked) {
        r->status = prior->status;
        r->updated_us = prior->updated_us;
        r->intended_hub = r->intended_device_id = (struct slice){0};
        r->intended_substatus = SUBSTATUS_NONE;
        r->plan_steps = 0;
    }
    return put(run, unmarked);
}

// ---- all of them
// -------------------------------------------------------------------------------------------------------------

static void tidy_next(struct tidying *t);

static void tidy_end(struct tidying *t)
{
    struct flow *flow = t->flow;
    arena_release(&t->arena);
    buf_release(&t->after);
    free(t);
    flow->tidying = NULL;
    flow_leave(flow);
}

static void tidy_one(struct tidying *t, const struct registration *r, struct slice id_scope)
{
    const struct hub_health *health = t->flow->ports.health;
    if (!is_leftover(r) || (health != NULL && hub_health_of_link(health, r->left_hub, id_scope).failing))
        return;
    struct flow_request *request = flow_request_new(t->flow);
    if (request == NULL)
        return;
    struct run *run = CONTAINER_OF(request, struct run, request);
    run->tidying = true;
    run->resumed = true; // nobody waits for it
    run->started_us = clock_monotonic_us(t->flow->ports.clock);
    request->protocol = SLICE("tidy");
    t->runs++;
    if (failed(arena_copy(&request->arena, id_scope, &request->id_scope)) ||
        failed(arena_copy(&request->arena, r->id, &request->registration_id)))
        run_end(run);
    else
        run_tidy(run);
}

void flow_tidy_ended(struct flow *flow)
{
    struct tidying *t = flow->tidying;
    INVARIANT(t != NULL && t->runs > 0);
    if (--t->runs == 0)
        tidy_next(t);
}

static void tidy_page(struct store_request *request)
{
    struct tidying *t = request->context;
    t->more = !failed(request->result) && request->more;
    buf_clear(&t->after);
    buf_bytes(&t->after, request->last);
    t->runs = 1; // this one, so that the page does not end while it is gone through
    for (size_t i = 0; i < request->count && !failed(request->result) && !t->flow->stopping; i++)
        tidy_one(t, request->rows[i], request->row_partitions[i]);
    flow_tidy_ended(t->flow);
}

static void tidy_next(struct tidying *t)
{
    if (!t->more || t->flow->stopping || failed(buf_err(&t->after))) {
        tidy_end(t);
        return;
    }
    arena_release(&t->arena);
    t->request = (struct store_request){
        .verb = STORE_QUERY,
        .table = STORE_REGISTRATION,
        .where = &t->where,
        .limit = TIDY_PAGE,
        .after = buf_slice(&t->after),
        .arena = &t->arena,
        .done = tidy_page,
        .context = t,
    };
    store_submit(t->flow->ports.store, &t->request);
}

static void tidy_again(struct poll_timer *timer)
{
    flow_tidy(timer->context);
}

void flow_tidy_stop(struct flow *flow)
{
    poller_timer_release(flow->ports.poller,
                         &flow->tidy_timer); // a look that is under way ends with its page
}

void flow_tidy(struct flow *flow)
{
    if (flow->stopping)
        return;
    flow->tidy_timer.fire = tidy_again;
    flow->tidy_timer.context = flow;
    (void)poller_timer_start(flow->ports.poller, &flow->tidy_timer, TIDY_MS);
    flow_resume_abandoned(flow);
    struct tidying *t = flow->tidying == NULL ? calloc(1, sizeof *t) : NULL;
    if (t == NULL) // one look at a time; or no memory: in a minute
        return;
    t->flow = flow;
    t->arena = arena_capped(PAGE_CAP);
    t->after = buf_capped(PLACE_MAX);
    t->nothing = (struct query_value){.kind = QUERY_TEXT};
    t->where =
        (struct query_node){.op = QUERY_NE, .path = SLICE("leftHub"), .values = &t->nothing, .count = 1};
    t->more = true;
    flow->tidying = t;
    flow->count++;
    tidy_next(t);
}

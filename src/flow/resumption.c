// Taking up what an earlier run of the daemon left unfinished: every registration that is `assigning`, a page
// at a time.
#include "flow/run.h"

#include <stdlib.h>

// Clocks are put right by less than this all the time.
enum { AHEAD_MAX_S = 60 };

// No more at once than keeps the hubs busy: there may be more of them than a flow takes. Those that sleep
// keep none busy: a hub that is away holds up its own operations for as long as they live, and no others.
enum { RESUME_PAGE = 200, RESUME_AT_ONCE = 400, RESUME_PAUSE_MS = 50, PLACE_MAX = 2048 };

// Counts as under way in the flow.
struct resumption {
    struct flow *flow;
    struct arena arena; // of one page
    struct store_request request;
    struct query_value assigning;
    struct query_node where;
    bool at_start;
    int64_t until_us; // what was written later is somebody's still
    struct buf after;
    struct poll_timer timer;
    bool pausing;
    size_t found;
};

bool flow_written_by(const struct flow *flow, int64_t written_us, int64_t until_us)
{
    int64_t ahead_us = written_us - clock_wall_us(flow->ports.clock);
    return written_us <= until_us || ahead_us > AHEAD_MAX_S * (int64_t)1000000;
}

void run_resume(struct flow *flow, const struct registration *registration, struct slice id_scope)
{
    struct flow_request *request = flow_request_new(flow);
    if (request == NULL)
        return;
    struct run *run = CONTAINER_OF(request, struct run, request);
    request->protocol = SLICE("resume");
    if (failed(arena_copy(&request->arena, id_scope, &request->id_scope)) ||
        failed(arena_copy(&request->arena, registration->id, &request->registration_id))) {
        run_end(run);
        return;
    }
    run->resumed = true;
    run_take_up(run);
    run->started_us = clock_monotonic_us(flow->ports.clock);
    run_advance(run);
}

static void resumption_end(struct resumption *r, struct err result, const struct why *why)
{
    struct flow *flow = r->flow;
    if (r->found == 0 && !r->at_start && !failed(result))
        goto out; // as each minute
    struct log_line line;
    log_begin(&line, flow->ports.log, failed(result) ? ERR_LEVEL_ERROR : ERR_LEVEL_INFO,
              "operations.resumed");
    log_number(&line, LOG_count, (int64_t)r->found);
    if (failed(result))
        log_failure(&line, result, why);
    log_end(&line);
out:
    poller_timer_release(flow->ports.poller, &r->timer);
    arena_release(&r->arena);
    buf_release(&r->after);
    free(r);
    flow->resumption = NULL;
    flow_leave(flow);
}

// The next start goes on. A page that is being read comes first.
void flow_resume_stop(struct flow *flow)
{
    if (flow->resumption != NULL && flow->resumption->pausing)
        resumption_end(flow->resumption, OK, NULL);
}

static void resume_page(struct store_request *request);

static void ask_unfinished(struct resumption *r)
{
    arena_release(&r->arena);
    r->request = (struct store_request){
        .verb = STORE_QUERY,
        .table = STORE_REGISTRATION,
        .where = &r->where,
        .limit = RESUME_PAGE,
        .after = buf_slice(&r->after),
        .arena = &r->arena,
        .done = resume_page,
        .context = r,
    };
    store_submit(r->flow->ports.store, &r->request);
}

// For one more page.
static bool has_room(const struct flow *flow)
{
    size_t all = 0, awake = 0;
    LIST_EACH (at, &flow->runs) {
        const struct run *run = CONTAINER_OF(at, struct run, request.links);
        bool counts = run->resumed && !run->tidying;
        all += counts;
        awake += counts && !run->sleeping;
    }
    return awake <= RESUME_AT_ONCE && all + RESUME_PAGE <= flow->resumed_max &&
           flow->count + RESUME_PAGE <= FLOW_UNDER_WAY_MAX;
}

static void resume_next(struct poll_timer *timer)
{
    struct resumption *r = timer->context;
    r->pausing = !r->flow->stopping && !has_room(r->flow) &&
                 !failed(poller_timer_start(r->flow->ports.poller, &r->timer, RESUME_PAUSE_MS));
    if (!r->pausing)
        ask_unfinished(r);
}

static void resume_page(struct store_request *request)
{
    struct resumption *r = request->context;
    struct err result = request->result;
    for (size_t i = 0; i < request->count && !failed(result); i++) {
        const struct registration *registration = request->rows[i];
        if (!flow_written_by(r->flow, registration->updated_us, r->until_us))
            continue;
        run_resume(r->flow, registration, request->row_partitions[i]);
        r->found++;
    }
    bool more = !failed(result) && request->more && !r->flow->stopping;
    if (more) {
        buf_clear(&r->after);
        buf_bytes(&r->after, request->last);
        result = buf_err(&r->after);
    }
    if (more && !failed(result))
        resume_next(&r->timer);
    else
        resumption_end(r, result, &request->why);
}

static void look_for_unfinished(struct flow *flow, bool at_start, int64_t until_us)
{
    struct resumption *r = calloc(1, sizeof *r);
    if (r == NULL) { // there is always another minute
        INVARIANT(!at_start);
        return;
    }
    r->at_start = at_start;
    r->flow = flow;
    r->until_us = until_us;
    r->arena = arena_capped((size_t)64 << 20);
    r->after = buf_capped(PLACE_MAX);
    r->timer = (struct poll_timer){.fire = resume_next, .context = r};
    r->assigning = (struct query_value){.kind = QUERY_TEXT, .text = SLICE("assigning")};
    r->where =
        (struct query_node){.op = QUERY_EQ, .path = SLICE("status"), .values = &r->assigning, .count = 1};
    flow->resumption = r;
    flow->count++;
    resume_next(&r->timer);
}

void flow_resume(struct flow *flow)
{
    look_for_unfinished(flow, true, flow->began_us);
}

void flow_resume_abandoned(struct flow *flow)
{
    if (flow->resumption == NULL)
        look_for_unfinished(flow, false, clock_wall_us(flow->ports.clock) - flow_life_us(flow) - 1);
}

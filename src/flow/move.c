// The steps of a device that goes from one hub to another: its data is fetched, its identity at the new hub
// made with it (carry out, in record.c), and only once that is durable the old one removed. At each moment a
// record names every identity that there is: assigned_hub, intended_hub or left_hub.
#include "flow/hub_health.h"
#include "flow/run.h"

enum {
    TRIES = 3, // of a hub that may be given up: a few seconds
    RETRY_FIRST_MS = 1000,
    REMOVE_MS = 30 * 1000, // once the copy stands nobody waits longer: flow_tidy goes on
};

// ---- which identities are named
// ---------------------------------------------------------------------------------------

// A record names one identity that was left. What is at a hub that is not linked any more goes last
// (plan_fill). A place that may have one too and is named no more is at least in the log.
void run_tell_forgotten(const struct run *run, struct slice hub, struct slice device_id)
{
    struct log_line line;
    log_begin(&line, run->flow->ports.log, ERR_LEVEL_WARN, "device.forgotten");
    log_text(&line, LOG_registrationId, run->request.registration_id);
    log_text(&line, LOG_idScope, run->request.id_scope);
    log_text(&line, LOG_hub, hub);
    log_text(&line, LOG_deviceId, device_id);
    log_text(&line, LOG_reason,
             SLICE("a record names one place that a device left: if it is there, it stays there"));
    log_end(&line);
}

// Where it was or was going, and neither goes to nor left.
static void tell_if_unnamed(const struct run *run, struct slice hub, struct slice device_id)
{
    const struct registration *r = &run->record;
    const struct decision *decision = &run->decision;
    bool stays = !decision->moves && same_identity(hub, device_id, r->assigned_hub, r->device_id);
    if (hub.len > 0 && !stays && !same_identity(hub, device_id, decision->hub->host, decision->device_id) &&
        !same_identity(hub, device_id, decision->left_host, decision->left_device_id))
        run_tell_forgotten(run, hub, device_id);
}

void run_name_left(struct run *run)
{
    struct registration *r = &run->record;
    const struct decision *decision = &run->decision;
    struct slice before = r->left_hub, target = decision->hub->host;
    bool back = before.len > 0 && slice_equal_nocase(before, target);
    bool kept = same_identity(before, r->left_device_id, decision->left_host, decision->left_device_id);
    if (back) // an identity is there whatever comes of this operation
        run->may_be_there = true;
    else if (before.len > 0 && !kept)
        run_tell_forgotten(run, before, r->left_device_id);
    tell_if_unnamed(run, r->intended_hub, r->intended_device_id);
    if (decision->moves)
        tell_if_unnamed(run, r->assigned_hub, r->device_id);
    r->left_hub = decision->left_host;
    r->left_device_id = decision->left_device_id;
}

void run_name_left_at_end(struct run *run)
{
    struct registration *r = &run->record;
    if (same_identity(r->left_hub, r->left_device_id, r->assigned_hub, r->device_id))
        r->left_hub = r->left_device_id = (struct slice){0};
}

// A device that is to move, but left something at another hub before, stays for now (decide_plan): that is
// removed, and then it moves (recorded, in record.c).
enum step_result step_make_room(struct run *run)
{
    const struct registration *prior = run->admission.prior;
    struct decision *decision = &run->decision;
    if (!decision->held_back)
        return STEP_DONE;
    decision->left = service_hub(run->admission.service, prior->left_hub);
    decision->steps |= PLAN_REMOVE_LEFT;
    run->made_room = true;
    return STEP_DONE;
}

// ---- a hub that cannot be reached
// -------------------------------------------------------------------------------------------

static bool must_wait(const struct run *run)
{
    enum unreachable_rule rule = run->admission.service->unreachable;
    bool keeps_data = run->decision.substatus == SUBSTATUS_DATA_MIGRATED;
    return rule == UNREACHABLE_UNSET ? keeps_data : rule == UNREACHABLE_WAIT;
}

// Whether the hub that is left is to be asked no more. Its tries are counted apart: that it answers does not
// begin anew how seldom the hub is tried that the device goes to, for it is asked before each of those tries.
static bool given_up(const struct run *run)
{
    return run_life_is_over(run) || run->made_room || (!must_wait(run) && run->left_attempts >= TRIES);
}

static bool removal_given_up(const struct run *run)
{
    int64_t tried_us = clock_monotonic_us(run->flow->ports.clock) - run->removing_us;
    return given_up(run) || tried_us >= REMOVE_MS * (int64_t)1000;
}

static void ask_left_later(struct run *run, const struct hub_request *request)
{
    int64_t wait_ms = request->retry_after_ms;
    if (wait_ms <= 0)
        wait_ms = RETRY_FIRST_MS / BACKOFF_FIRST_MS * run_backoff_ms(run->left_attempts);
    run_log(run, "hub.unavailable", request->result);
    run_take_up(run); // by then the enrollment may be disabled, or the hub have another key
    if (run_again_after(run, wait_ms < BACKOFF_LAST_MS ? wait_ms : BACKOFF_LAST_MS) == STEP_ENDS)
        run_end(run);
}

static void ask_left(struct run *run, enum hub_verb verb, void (*done)(struct hub_request *request))
{
    const struct decision *decision = &run->decision;
    run->hub = (struct hub_request){
        .verb = verb,
        .hub = decision->left,
        .id_scope = run->admission.service->id_scope,
        .identity = {.device_id = decision->left_device_id},
        .now_us = clock_wall_us(run->flow->ports.clock),
        .deadline_ms = run->flow->settings.hub_call_ms,
        .arena = &run->loaded,
        .done = done,
        .context = run,
    };
    hub_submit(run->flow->ports.hubs[decision->left->kind], &run->hub);
}

// ---- fetch
// -----------------------------------------------------------------------------------------------------------------

static void go_without_data(struct run *run, const char *because)
{
    struct decision *decision = &run->decision;
    decision->steps = (decision->steps & ~(uint32_t)PLAN_MIGRATE) | PLAN_SET_TWIN;
    decision->substatus = SUBSTATUS_DATA_RESET;
    trace_add(&run->trace, &run->loaded, "fetch", "%s: it begins with the initial twin", because);
}

static void fetched(struct hub_request *request)
{
    struct run *run = request->context;
    if (!failed(request->result)) {
        run->left_attempts = 0;
        run->fetched =
            (struct fetched){request->found, request->twin, request->reported, request->identity.iot_edge};
        run->left_empty = !request->found;
        if (run->left_empty) { // somebody else may have moved it and removed it there: how does it stand now?
            run_take_up(run);
            run_advance(run);
            return;
        }
        run_continue(run);
        return;
    }
    run->left_attempts++;
    run->why = request->why;
    if (!given_up(run)) {
        ask_left_later(run, request);
        return;
    }
    run->left_attempts = 0;
    if (must_wait(run)) {
        run->failure = request->result;
    } else {
        run->left_lost = true;
        go_without_data(run, "the hub that it leaves did not answer");
    }
    run_continue(run);
}

// The hub that a device leaves without its data need not be asked; but the device is not to be at two hubs
// for as long as one of them is away, when the operator says that it is waited for.
static bool must_answer_first(const struct run *run)
{
    const struct hub_health *health = run->flow->ports.health;
    const struct decision *decision = &run->decision;
    uint32_t moves = PLAN_ASSIGN_IDENTITY | PLAN_REMOVE_LEFT;
    return !run->made_room && (decision->steps & moves) == moves && must_wait(run) && health != NULL &&
           hub_health_of_link(health, decision->left->host, run->admission.service->id_scope).failing;
}

static void reached(struct hub_request *request)
{
    struct run *run = request->context;
    run->left_attempts++;
    run->why = request->why;
    if (failed(request->result) && !given_up(run)) {
        ask_left_later(run, request);
        return;
    }
    run->left_attempts = 0;
    run->failure = request->result;
    run_continue(run);
}

enum step_result step_fetch(struct run *run)
{
    if (failed(run->store.result)) {
        run->why = run->store.why;
        return run_refuse(run, run->store.result);
    }
    run->fetched = (struct fetched){0};
    if ((run->decision.steps & PLAN_MIGRATE) == 0) {
        if (!must_answer_first(run))
            return STEP_DONE;
        ask_left(run, HUB_READ, reached);
        return STEP_WAITS;
    }
    if (run->left_lost) {
        go_without_data(run, "the hub that it leaves did not answer");
        return STEP_DONE;
    }
    if (run->left_empty) {
        go_without_data(run, "the hub that it leaves does not have it");
        return STEP_DONE;
    }
    ask_left(run, HUB_READ, fetched);
    return STEP_WAITS;
}

// ---- progress
// --------------------------------------------------------------------------------------------------------------

static bool removes(const struct run *run)
{
    return (run->decision.steps & PLAN_REMOVE_LEFT) != 0 && !failed(run->failure);
}

static void progressed(struct store_request *request)
{
    struct run *run = request->context;
    if (!failed(request->result)) {
        run->held = run->record.etag;
        run->attempts = 0;
        run->decision.steps = PLAN_REMOVE_LEFT;
        run_continue(run);
        return;
    }
    if (request->result.code == ERR_ABSENT) { // somebody deleted the record meanwhile
        run->held = 0;
        run_advance(run);
        return;
    }
    if (run_lost_race(request->result)) {
        run_lost(run, request->found);
        return;
    }
    run->attempts++;
    if (run_again_after(run, run_backoff_ms(run->attempts)) == STEP_ENDS)
        run_end(run);
}

// From here on the device is at its new hub, whatever comes of the rest. The intention stays, so that a
// restart goes on.
enum step_result step_progress(struct run *run)
{
    if (!removes(run) || (run->decision.steps & PLAN_ASSIGN_IDENTITY) == 0)
        return STEP_DONE;
    run->record.assigned_hub = run->decision.hub->host;
    run->record.device_id = run->decision.device_id;
    run->record.substatus = run->record.intended_substatus = run->decision.substatus;
    run->record.plan_steps = PLAN_REMOVE_LEFT;
    return run_put(run, NULL, progressed);
}

// ---- remove
// ----------------------------------------------------------------------------------------------------------------

static void removed(struct hub_request *request)
{
    struct run *run = request->context;
    // without an answer it may be gone all the same
    run->left_removed |= !failed(request->result) || request->result.code == ERR_HUB_UNAVAILABLE;
    if (!failed(request->result)) {
        run->left_attempts = 0;
        run->record.left_hub = run->record.left_device_id = (struct slice){0};
        run_continue(run);
        return;
    }
    run->left_attempts++;
    run->why = request->why;
    if (!removal_given_up(run)) {
        ask_left_later(run, request);
        return;
    }
    run->left_attempts = 0;
    run_log(run, "device.left_behind", request->result); // flow_tidy removes it, sooner or later
    run->why = (struct why){0};
    run_continue(run);
}

enum step_result step_remove(struct run *run)
{
    if (!removes(run))
        return STEP_DONE;
    if (run->removing_us == 0)
        run->removing_us = clock_monotonic_us(run->flow->ports.clock);
    ask_left(run, HUB_REMOVE, removed);
    return STEP_WAITS;
}

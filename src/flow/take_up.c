// Carrying on an operation from its record: after a restart, and before each further try, for by then the
// enrollment may be disabled, the hub have another key, or another run carry the operation. How a start finds
// what is to be taken up is in resumption.c.
#include "flow/run.h"

// The store could not say how the operation stands.
static void take_up_later(struct run *run, struct err e)
{
    run->attempts++;
    bool too_late = run_life_is_over(run);
    if (too_late)
        (void)run_refuse(run, e);
    if (too_late || run_again_after(run, run_backoff_ms(run->attempts)) == STEP_ENDS)
        run_end(run);
}

// Somebody deleted the record while this run waited to try again, and what it did at the hub before must be
// named by one (I4).
static bool must_stay_named(const struct run *run)
{
    bool stands = run->record.plan_steps == PLAN_REMOVE_LEFT; // step_progress
    return run->operation.len > 0 && run->record.intended_hub.len > 0 && (run->may_be_there || stands);
}

// As it was, for what was loaded now says nothing: assigned when it is at its hub, else failed.
static void name_again(struct run *run)
{
    arena_release(&run->loading);
    run->held = 0;
    run->named_again = true;
    if (run->record.plan_steps != PLAN_REMOVE_LEFT)
        run->failure = why_fail(&run->why, ERR_REGISTRATION_NOT_FOUND,
                                "the registration was deleted while the device was taken to its hub");
    run_go_to_record(run);
}

static void put_back_as_before(struct store_request *request)
{
    run_end(request->context); // if it did not hold, the next start or the next minute finds it again
}

// What a device left was being removed, and the device was nowhere (tidy.c). That is begun again by itself.
static void put_as_before(struct run *run)
{
    struct registration *r = &run->record;
    r->status = r->error_code != 0 ? STATUS_FAILED : STATUS_DISABLED; // those that are nowhere
    r->plan_steps = 0;
    if (run_put(run, NULL, put_back_as_before) == STEP_ENDS)
        run_end(run);
}

// Not so: the record was deleted and the device registered anew, or another run claimed the operation.
static bool is_ours(const struct run *run, const struct registration *found)
{
    return run->operation.len == 0 ||
           (slice_equal(found->operation_id, run->operation) && found->etag == run->held);
}

static void intention_loaded(struct store_request *request)
{
    struct run *run = request->context;
    if (failed(request->result)) {
        run->why = request->why;
        take_up_later(run, request->result);
        return;
    }
    const struct registration *found = request->admission.registration;
    if (found == NULL && must_stay_named(run)) {
        name_again(run);
        return;
    }
    if (found != NULL && !is_ours(run, found)) { // seen while what this run did is still known
        if (must_stay_named(run))
            run_lost(run, found);
        else
            run_decide_anew(run, found);
        return;
    }
    run_loaded(run);
    const struct registration *prior = run->admission.prior;
    if (run->resumed && prior != NULL) // where the device was then
        (void)places_find(run->flow->ports.places, prior->address, &run->admission.place);
    if (prior == NULL && !run->resumed &&
        !run->answered) { // an operator deleted it: the device has nothing yet
        run->intended = false;
        run_rewind(run);
        run_advance(run);
        return;
    }
    if (prior == NULL || prior->status != STATUS_ASSIGNING) { // somebody finished it, and nobody waits
        run_end(run);
        return;
    }
    run->record = *prior;
    if (registration_is_tidied(prior)) {
        put_as_before(run);
        return;
    }
    run->intended = prior->intended_hub.len > 0; // else its webhook has not answered
    run->ask.noted |= !run->intended;
    run->may_be_there |= run->intended && run->operation.len == 0; // what was done before is not known
    run->fetched = (struct fetched){0};
    struct err e =
        run->operation.len > 0 ? OK : arena_copy(&run->request.arena, prior->operation_id, &run->operation);
    if (!failed(e) && run->from.len == 0 && (prior->plan_steps & PLAN_REMOVE_LEFT) != 0)
        e = arena_copy(&run->request.arena, prior->left_hub, &run->from);
    if (!failed(e))
        e = decide_resume(&run->admission, &run->loaded, &run->decision, &run->trace, &run->why);
    if (failed(e))
        run_abandon(run, e);
    else
        run_continue(run);
}

static void claimed(struct store_request *request)
{
    struct run *run = request->context;
    if (run_lost_race(request->result)) { // whoever was faster carries it on
        run_end(run);
        return;
    }
    if (failed(request->result)) {
        run->why = request->why;
        run->operation = (struct slice){0}; // whether it was written is not known
        run_take_up(run);
        take_up_later(run, request->result);
        return;
    }
    run->claimed = true;
    run->held = run->record.etag;
    run_continue(run);
}

// Another run may carry the operation still: what it writes from now on does not hold, so that it removes
// nothing that this one counts on.
enum step_result step_claim_intention(struct run *run)
{
    return run->resumed && !run->claimed ? run_put(run, NULL, claimed) : STEP_DONE;
}

enum step_result step_load_intention(struct run *run)
{
    struct flow *flow = run->flow;
    if (run->before == NULL)
        run->before = run->snapshot;
    else // of a load that failed
        directory_release(run->snapshot);
    run->snapshot = directory_hold(flow->ports.directory);
    run->admission.service = directory_by_scope(run->snapshot, run->request.id_scope);
    run->admission.registration_id = run->request.registration_id;
    run->admission.now_us = clock_wall_us(flow->ports.clock);
    if (run->admission.service == NULL)
        return run_refuse(run, why_fail(&run->why, ERR_SCOPE_UNKNOWN, "its service is gone"));
    struct err e =
        run->key.len > 0 ? OK : arena_lower(&run->request.arena, run->request.registration_id, &run->key);
    return failed(e) ? run_refuse(run, e) : run_load(run, intention_loaded);
}

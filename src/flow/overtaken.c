// Another call wrote the record while this one was at the hub: whose end holds, and what becomes of what this
// one did there.
#include "flow/run.h"

// Another call finished meanwhile. Whether its end may be told to this device is for the decision: the record
// may have been deleted, and be another group's now. If it may, the answers are equal (step_join).
void run_decide_anew(struct run *run, const struct registration *found)
{
    enum { RACES_MAX = 3 };
    if (run->answered || run->resumed) { // nobody waits
        run_end(run);
        return;
    }
    struct err e =
        run->races++ < RACES_MAX
            ? OK
            : why_fail(&run->why, ERR_TIMEOUT, "other calls for the device were faster, again and again");
    run->joined = (struct slice){0};
    if (!failed(e) && found != NULL)
        e = arena_copy(&run->request.arena, found->operation_id, &run->joined);
    if (failed(e)) {
        (void)run_refuse(run, e);
        run_end(run);
        return;
    }
    run->failure = OK;
    run->intended = false;
    run_rewind(run);
    run_advance(run);
}

// Whether the hub may know the device by what this call brought there, and the record that holds says
// otherwise: the device would be told a key that its hub does not have, or another one let in.
static bool hub_has_ours_instead(const struct run *run, const struct registration *found)
{
    const struct registration *ours = &run->record;
    if (found == NULL || run->tidying || (failed(run->failure) && !run->may_be_there))
        return false;
    bool underway = found->status == STATUS_ASSIGNING;
    bool here =
        slice_equal_nocase(underway ? found->intended_hub : found->assigned_hub, run->decision.hub->host);
    bool same = secret_equal(&ours->hub_key, &found->hub_key) &&
                slice_equal(ours->primary_thumbprint, found->primary_thumbprint) &&
                slice_equal(ours->secondary_thumbprint, found->secondary_thumbprint);
    return here && !same && (underway || found->status == STATUS_ASSIGNED);
}

// The device was taken to the hub that this call just removed it from, or is being taken there.
static bool removed_theirs(const struct run *run, const struct registration *found)
{
    if (!run->left_removed || found == NULL || run->decision.left == NULL)
        return false;
    struct slice host = run->decision.left->host, id = run->decision.left_device_id;
    bool there = same_identity(found->assigned_hub, found->device_id, host, id);
    bool goes_there = found->status == STATUS_ASSIGNING &&
                      same_identity(found->intended_hub, found->intended_device_id, host, id);
    return there || goes_there;
}

// The registration was deleted meanwhile, and the device registered anew at another hub.
static bool nobody_names_ours(const struct run *run, const struct registration *found)
{
    if (found == NULL || run->tidying || (failed(run->failure) && !run->may_be_there))
        return false;
    struct slice hub = run->decision.hub->host, id = run->decision.device_id;
    return !same_identity(found->assigned_hub, found->device_id, hub, id) &&
           !same_identity(found->intended_hub, found->intended_device_id, hub, id) &&
           !same_identity(found->left_hub, found->left_device_id, hub, id);
}

// ---- putting it right
// -------------------------------------------------------------------------------------------------------

static void put_right(struct store_request *request)
{
    struct run *run = request->context;
    if (run_lost_race(request->result)) {
        run_lost(run, request->found);
        return;
    }
    if (failed(request->result)) { // asks again for the record that holds
        run->attempts++;
        if (run_again_after(run, run_backoff_ms(run->attempts)) == STEP_ENDS)
            run_end(run);
        return;
    }
    run_log(run, "operation.overtaken", OK);
    run->attempts = 0;
    if (run->theirs.status == STATUS_ASSIGNING)
        run_resume(run->flow, &run->theirs, run->admission.service->id_scope);
    run_decide_anew(run, &run->theirs);
}

// The operation of that record is under way once more, as after a restart: whoever asks meanwhile waits for
// its end, and it takes its own credentials to the hub.
static void give_back(struct run *run, const struct registration *found)
{
    struct registration *theirs = &run->theirs;
    theirs->status = STATUS_ASSIGNING;
    bool elsewhere = theirs->intended_hub.len > 0 &&
                     !slice_equal_nocase(theirs->intended_hub, found->assigned_hub) &&
                     !slice_equal_nocase(theirs->intended_hub, found->left_hub);
    if (elsewhere)
        run_tell_forgotten(run, theirs->intended_hub, theirs->intended_device_id);
    theirs->intended_hub = found->assigned_hub;
    theirs->intended_device_id = found->device_id;
    theirs->plan_steps = PLAN_ASSIGN_IDENTITY | (removed_theirs(run, found) ? PLAN_SET_TWIN : 0);
    theirs->intended_substatus = found->substatus;
}

static void set_right(struct run *run, const struct registration *found, bool instead, bool unnamed)
{
    run->theirs = *found;
    if (instead)
        give_back(run, found);
    if (unnamed) { // flow_tidy removes it
        run->theirs.left_hub = run->decision.hub->host;
        run->theirs.left_device_id = run->decision.device_id;
    }
    run->theirs.etag = random_etag(run->flow->ports.random);
    run->theirs.updated_us = clock_wall_us(run->flow->ports.clock);
    run->store = (struct store_request){
        .verb = STORE_PUT,
        .table = STORE_REGISTRATION,
        .condition = STORE_IF_MATCH,
        .match = found->etag,
        .record = &run->theirs,
    };
    (void)run_ask_store(run, put_right);
}

// The record is another call's.
void run_lost(struct run *run, const struct registration *found)
{
    run->intended = false; // its operation is in no record any more, and is told to nobody
    bool instead = hub_has_ours_instead(run, found) || removed_theirs(run, found);
    bool unnamed = nobody_names_ours(run, found);
    bool underway = found != NULL && found->status == STATUS_ASSIGNING;
    if (unnamed && !underway && found->left_hub.len > 0) { // there is room for one
        run_tell_forgotten(run, run->decision.hub->host, run->decision.device_id);
        unnamed = false;
    }
    bool too_late = run_life_is_over(run);
    if (unnamed && too_late)
        run_tell_forgotten(run, run->decision.hub->host, run->decision.device_id);
    if ((!instead && !unnamed) || too_late) {
        run_decide_anew(run, found);
        return;
    }
    if (!underway) {
        set_right(run, found, instead, unnamed);
        return;
    }
    // under way: what it takes to the hub may come before ours or after it, which is seen at its end
    if (!run->answered && !run->resumed && run->answer_by_us == 0)
        (void)run_refuse(run, why_fail(&run->why, ERR_TIMEOUT, "another call for the device was faster"));
    run->attempts++;
    if (run_again_after(run, run_backoff_ms(run->attempts)) == STEP_ENDS)
        run_end(run);
}

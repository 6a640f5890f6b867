// The steps that write: intend, carry out, record, and the record of a refusal. What is durable comes before
// what is done, and before what is said (architecture 4).
#include "flow/run.h"

int64_t run_backoff_ms(unsigned attempts)
{
    int64_t ms = BACKOFF_FIRST_MS;
    for (unsigned i = 1; i < attempts && ms < BACKOFF_LAST_MS; i++)
        ms *= 2;
    return ms < BACKOFF_LAST_MS ? ms : BACKOFF_LAST_MS;
}

// `5.<16 hex>.<guid>`: 128 random bits, URL-safe (device-protocol 8.2).
static struct err operation_id_new(struct run *run, struct slice *out)
{
    uint8_t random[24];
    char guid[GUID_TEXT];
    char hex[16];
    struct buf hex_buf = {.at = (uint8_t *)hex, .room = sizeof hex, .cap = sizeof hex};
    random_fill_from(run->flow->ports.random, random, sizeof random);
    guid_format(random, guid);
    hex_encode_lower(&hex_buf, slice_of(random + 16, 8));
    return arena_printf(&run->request.arena, out, "5.%.16s.%.36s", hex, guid);
}

enum step_result run_put(struct run *run, struct store_request *also,
                         void (*done)(struct store_request *request))
{
    run->record.etag = random_etag(run->flow->ports.random);
    run->record.updated_us = clock_wall_us(run->flow->ports.clock);
    run->store = (struct store_request){
        .verb = STORE_PUT,
        .table = STORE_REGISTRATION,
        .condition = run->held != 0 ? STORE_IF_MATCH : STORE_IF_ABSENT,
        .match = run->held,
        .record = &run->record,
        .also = also,
    };
    return run_ask_store(run, done);
}

static enum step_result put(struct run *run, void (*done)(struct store_request *request))
{
    return run_put(run, NULL, done);
}

bool run_lost_race(struct err e)
{
    return e.code == ERR_CONFLICT || e.code == ERR_ETAG || e.code == ERR_ABSENT;
}

// "192.0.2.7:40312", "[2001:db8::7]:40312" -> the address; empty for what is none, such as "uid 1000".
static struct slice address_of(struct slice peer)
{
    bool bracketed = peer.len > 0 && peer.at[0] == '[';
    struct slice from = slice_from(peer, bracketed ? 1 : 0);
    size_t end = slice_find_byte(from, bracketed ? ']' : ':');
    return end < from.len ? slice_to(from, end) : (struct slice){0};
}

struct err run_record_begin(struct run *run)
{
    const struct registration *prior = run->admission.prior;
    const struct enrollment *enrollment = run->decision.enrollment;
    run->record = prior != NULL ? *prior : (struct registration){.created_us = run->admission.now_us};
    run->record.id = run->request.registration_id;
    run->record.enrollment_kind = enrollment->kind;
    TRY(arena_lower(&run->request.arena, enrollment->id, &run->record.enrollment_id));
    run->record.error_code = 0;
    run->record.error_message = (struct slice){0};
    if (run->request.peer.len > 0)
        run->record.address = address_of(run->request.peer);
    run->record.question = (struct slice){0};
    bool told = run->ask.noted; // the device knows the operation by its name already
    if (!told || !slice_equal(run->record.operation_id, run->operation))
        run->record.previous_operation_id = run->record.operation_id;
    run->record.operation_id = run->operation;
    return told ? OK : operation_id_new(run, &run->record.operation_id);
}

// What the hub is told to know the device by, so that a restart needs no device to go on; nothing for one
// whose keys its enrollment has.
void run_record_identity(struct run *run)
{
    run->record.hub_key = run->decision.fresh_key ? run->decision.primary_key : (struct secret){0};
    run->record.hub_key_tpm = run->decision.tpm;
    run->record.primary_thumbprint = run->decision.primary_thumbprint;
    run->record.secondary_thumbprint = run->decision.secondary_thumbprint;
}

// ---- intend
// ----------------------------------------------------------------------------------------------------------------

// Another call of the device began after this one, and was faster: it may even have ended when this one looks
// again, and its end is this one's then too (step_join).
static void join_winner(struct run *run, const struct registration *found)
{
    const struct registration *prior = run->admission.prior;
    if (found == NULL || (prior != NULL && slice_equal(found->operation_id, prior->operation_id)))
        return; // something else was written
    if (found->status != STATUS_ASSIGNING && found->status != STATUS_ASSIGNED)
        return;
    if (failed(arena_copy(&run->request.arena, found->operation_id, &run->joined)))
        run->joined = (struct slice){0};
}

static void intended(struct store_request *request)
{
    struct run *run = request->context;
    if (run_lost_race(request->result)) {
        join_winner(run, request->found);
        run_rewind(run);
        run_advance(run);
        return;
    }
    run->intended = !failed(request->result);
    if (run->intended) {
        run->held = run->record.etag;
        run->operation = run->record.operation_id;
    }
    if (run->intended && (run->flow->settings.strict_polling || run->answer_by_us == 0))
        run_answer(run, &run->record);
    run_continue(run);
}

// What the webhook gave: a restart does not ask it again.
static void record_answer(struct run *run)
{
    const struct custom_answer *answer = run->admission.answer;
    run->record.payload = run->decision.payload;
    if (slice_equal_nocase(run->record.intended_hub, run->decision.hub->host))
        return; // it carries on with what was given then
    run->record.twin = (struct slice){0};
    if (answer != NULL && answer->has_twin)
        run->record.twin = answer->twin.len > 0 ? answer->twin : SLICE("{}");
}

// For the log.
static struct err note_origin(struct run *run)
{
    struct slice home = run->record.assigned_hub;
    if (run->from.len > 0 || home.len == 0 || slice_equal_nocase(home, run->decision.hub->host))
        return OK;
    return arena_copy(&run->request.arena, home, &run->from);
}

enum step_result step_intend(struct run *run)
{
    const struct decision *decision = &run->decision;
    run_make_hub_key(run);
    struct err e = run_record_begin(run);
    if (failed(e))
        return run_refuse(run, e);
    // an earlier operation to the same hub may have got there
    run->may_be_there |= slice_equal_nocase(run->record.intended_hub, decision->hub->host);
    e = note_origin(run);
    if (failed(e))
        return run_refuse(run, e);
    run_name_left(run);
    record_answer(run);
    run->record.status = STATUS_ASSIGNING;
    run->record.intended_hub = decision->hub->host;
    run->record.intended_device_id = decision->device_id;
    run->record.plan_steps = decision->steps;
    run->record.intended_substatus = decision->substatus;
    run_record_identity(run);
    return put(run, intended);
}

enum step_result step_intend_asked(struct run *run)
{
    return run->record.intended_hub.len > 0 ? STEP_DONE : step_intend(run);
}

// ---- carry out
// -------------------------------------------------------------------------------------------------------------

bool run_life_is_over(const struct run *run)
{
    int64_t lived_us = clock_monotonic_us(run->flow->ports.clock) - run->started_us;
    return lived_us > run->flow->settings.operation_ms * 1000;
}

static void carried_out(struct hub_request *request)
{
    struct run *run = request->context;
    run->may_be_there |= request->left_there || request->result.code == ERR_HUB_UNAVAILABLE;
    if (request->result.code != ERR_HUB_UNAVAILABLE) {
        run->failure = request->result;
        run->why = request->why;
        run->attempts = 0;
        run_continue(run);
        return;
    }
    run->attempts++;
    run->why = request->why;
    if (run_life_is_over(run)) {
        run->failure = request->result;
        run_continue(run);
        return;
    }
    run_log(run, "hub.unavailable", request->result);
    int64_t wait_ms = request->retry_after_ms > 0 ? request->retry_after_ms : run_backoff_ms(run->attempts);
    run_take_up(run); // by then the enrollment may be disabled, or the hub have another key
    if (run_again_after(run, wait_ms < BACKOFF_LAST_MS ? wait_ms : BACKOFF_LAST_MS) == STEP_ENDS)
        run_end(run);
}

static enum hub_twin twin_how(uint32_t steps)
{
    if ((steps & PLAN_MIGRATE) != 0)
        return HUB_TWIN_IMPORT;
    if ((steps & PLAN_RESET) != 0)
        return HUB_TWIN_RESET;
    return (steps & PLAN_SET_TWIN) != 0 ? HUB_TWIN_SET : HUB_TWIN_KEEP;
}

// service-api D.3: what the enrollment does not say comes from the hub that the device leaves.
static enum switch_state edge_how(const struct run *run)
{
    enum switch_state said = run->decision.enrollment->iot_edge;
    return said == SWITCH_UNSET && run->fetched.found ? run->fetched.iot_edge : said;
}

static void hub_request_fill(struct run *run)
{
    const struct decision *decision = &run->decision;
    run->hub = (struct hub_request){
        .verb = HUB_ASSIGN,
        .hub = decision->hub,
        .id_scope = run->admission.service->id_scope,
        .identity =
            {
                .device_id = decision->device_id,
                .authentication = decision->authentication,
                .primary_key = decision->primary_key,
                // the device has one key; a hub that wants two of them gets it twice
                .secondary_key = decision->fresh_key ? decision->primary_key : decision->secondary_key,
                .primary_thumbprint = decision->primary_thumbprint,
                .secondary_thumbprint = decision->secondary_thumbprint,
                .iot_edge = edge_how(run),
            },
        .twin_how = twin_how(decision->steps),
        .twin = run->fetched.found ? run->fetched.twin : decision->twin,
        .reported = run->fetched.reported,
        .now_us = clock_wall_us(run->flow->ports.clock),
        .deadline_ms = run->flow->settings.hub_call_ms,
        .arena = &run->loaded,
        .done = carried_out,
        .context = run,
    };
}

enum step_result step_carry_out(struct run *run)
{
    if (failed(run->failure) || (run->decision.steps & PLAN_ASSIGN_IDENTITY) == 0)
        return STEP_DONE;
    hub_request_fill(run);
    hub_submit(run->flow->ports.hubs[run->decision.hub->kind], &run->hub);
    return STEP_WAITS;
}

// ---- record
// ----------------------------------------------------------------------------------------------------------------

static void tell_recorded(struct run *run)
{
    if (failed(run->failure)) {
        run_log(run, "registration.failed", run->failure);
        return;
    }
    const struct registration *prior = run->admission.prior;
    bool new_there = prior == NULL || !slice_equal_nocase(prior->assigned_hub, run->record.assigned_hub);
    if (new_there)
        hub_loads_add(run->flow->loads, run->request.id_scope, run->record.assigned_hub);
    run_log(run, run->from.len > 0 ? "device.moved" : "registration.assigned", OK);
}

// It stayed until what it had left before was gone (step_make_room), or the record was deleted meanwhile and
// names now what may be there (name_again).
static bool may_go_on_now(const struct run *run)
{
    bool has_room = run->made_room && run->record.left_hub.len == 0 && !failed(run->failure);
    bool once_more = run->named_again && failed(run->failure);
    return (has_room || once_more) && !run->answered && !run->resumed && !run->flow->stopping;
}

static void recorded(struct store_request *request)
{
    struct run *run = request->context;
    if (!failed(request->result)) {
        run->held = run->record.etag;
        tell_recorded(run);
        if (may_go_on_now(run)) {
            run->intended = run->named_again = false;
            run->failure = OK;
            run_rewind(run);
            run_advance(run);
            return;
        }
        run->admission.prior = &run->record;
        run_continue(run);
        return;
    }
    if (request->result.code == ERR_ABSENT) {
        // somebody deleted the record meanwhile; the identity in the hub must be named by one (I4)
        run->held = 0;
        run->intended = false;
        (void)step_record(run);
        return;
    }
    if (run_lost_race(request->result)) {
        run_lost(run, request->found);
        return;
    }
    // the hub has the device: the record is tried until it holds. Until then the intention is what the device
    // may know.
    run->record.status = STATUS_ASSIGNING;
    run->record.error_code = 0;
    run->record.error_message = (struct slice){0};
    if (run->intended && run->answer_by_us == 0)
        run_answer(run, &run->record);
    run->attempts++;
    if (run_again_after(run, run_backoff_ms(run->attempts)) == STEP_ENDS)
        run_end(run);
}

static void record_assigned(struct run *run)
{
    run->record.status = STATUS_ASSIGNED;
    run->record.substatus = run->decision.substatus;
    run->record.assigned_hub = run->decision.hub->host;
    run->record.device_id = run->decision.device_id;
}

static void record_no_intention(struct run *run)
{
    run->record.intended_hub = (struct slice){0};
    run->record.intended_device_id = (struct slice){0};
    run->record.plan_steps = 0;
    run->record.intended_substatus = SUBSTATUS_NONE;
    run->record.twin = (struct slice){0};
    run_name_left_at_end(run);
}

// What the device is told of a failure: the number and sentence of the table, and what the hub or the webhook
// said. A reason that says the sentence itself stands alone: clients know "Custom allocation failed with
// status code: 400" as it is (service-api C.3).
static void record_failure(struct run *run)
{
    const struct err_info *info = err_info(run->failure);
    struct slice reason = slice_text(run->why.text);
    struct slice sentence = slice_text(info->sentence);
    bool alone = slice_starts_with(reason, slice_to(sentence, sentence.len - 1)); // without its full stop
    run->record.error_code = info->number;
    struct err e =
        arena_printf(&run->request.arena, &run->record.error_message, "%s%s%.*s", alone ? "" : info->sentence,
                     reason.len > 0 && !alone ? " " : "", SLICE_ARG(reason));
    if (failed(e))
        run->record.error_message = sentence;
}

// An operation that failed stays the one that is carried on when its hub may have the device, so that this is
// named. Where the device is already it is named by that, and is free to leave: a refresh or a reset of it is
// decided anew all the same. Not so the twin of an identity that was taken away there (overtaken.c).
static bool must_be_carried_on(const struct run *run)
{
    const struct registration *r = &run->record;
    bool at_home = same_identity(r->intended_hub, r->intended_device_id, r->assigned_hub, r->device_id);
    bool again = (r->plan_steps & PLAN_RESET) != 0 || (r->plan_steps & (PLAN_SET_TWIN | PLAN_MIGRATE)) == 0;
    return failed(run->failure) && run->may_be_there && !(at_home && again);
}

enum step_result step_record(struct run *run)
{
    if (failed(run->failure)) {
        run->record.status = STATUS_FAILED;
        record_failure(run);
    } else {
        record_assigned(run);
    }
    run->record.question = (struct slice){0};
    if (!must_be_carried_on(run))
        record_no_intention(run);
    return put(run, recorded);
}

// ---- settle
// ----------------------------------------------------------------------------------------------------------------

static void settled(struct store_request *request)
{
    struct run *run = request->context;
    if (!failed(request->result)) {
        run->held = run->record.etag;
        tell_recorded(run);
        run_answer(run, &run->record);
        run_end(run);
        return;
    }
    if (failed(run->also.result)) { // the hub knows the device: adopt it, step by step
        run->settle_refused = true;
        run_advance(run);
        return;
    }
    if (run_lost_race(request->result)) {
        run_rewind(run);
        run_advance(run);
        return;
    }
    run->why = request->why;
    (void)run_refuse(run, request->result);
    run_end(run);
}

// Only for a device that is nowhere yet: what is somewhere, or was being taken somewhere, goes step by step.
enum step_result step_settle(struct run *run)
{
    const struct registration *prior = run->admission.prior;
    bool nowhere = prior == NULL || (prior->assigned_hub.len == 0 && prior->intended_hub.len == 0);
    if (!nowhere || run->settle_refused || run->flow->settings.strict_polling)
        return STEP_DONE;
    run_make_hub_key(run);
    hub_request_fill(run);
    if (!hub_enlist(run->flow->ports.hubs[run->decision.hub->kind], &run->hub, &run->also))
        return STEP_DONE;
    struct err e = run_record_begin(run);
    if (failed(e))
        return run_refuse(run, e);
    record_answer(run);
    record_assigned(run);
    record_no_intention(run);
    run_record_identity(run);
    return run_put(run, &run->also, settled);
}

// ---- refusals that leave a record (service-api A.10)
// -------------------------------------------------------------------------

static void refusal_written(struct store_request *request)
{
    struct run *run = request->context;
    bool disabled = run->failure.code == ERR_ENROLLMENT_DISABLED;
    struct err e = run->failure;
    // losing a race against another request of the device changes nothing about the refusal
    if (failed(request->result) && !run_lost_race(request->result))
        e = request->result;
    if (!disabled && !failed(request->result)) {
        run_log(run, "registration.failed", e);
        run_answer(run, &run->record);
    } else {
        (void)run_refuse(run, e);
    }
    run_end(run);
}

// What refuses a device did not admit it: another group could take it over then (threats B10).
static void record_keeps_its_enrollment(struct run *run)
{
    run->record.enrollment_kind = run->admission.prior->enrollment_kind;
    run->record.enrollment_id = run->admission.prior->enrollment_id;
}

enum step_result step_write_refusal(struct run *run)
{
    bool disabled = run->failure.code == ERR_ENROLLMENT_DISABLED;
    enum registration_status before =
        run->admission.prior != NULL ? run->admission.prior->status : STATUS_UNASSIGNED;
    // the operation under way will write the record; and a disabled device that keeps asking writes it once
    if (before == STATUS_ASSIGNING || (disabled && before == STATUS_DISABLED))
        return run_refuse(run, run->failure);
    struct err e = run_record_begin(run);
    if (failed(e))
        return run_refuse(run, e);
    run->record.status = disabled ? STATUS_DISABLED : STATUS_FAILED;
    if (!disabled)
        record_failure(run);
    if (disabled && run->admission.prior != NULL)
        record_keeps_its_enrollment(run);
    return put(run, refusal_written);
}

// ---- resuming
// --------------------------------------------------------------------------------------------------------------

// Nobody may be let in any more, or the hub is gone; what it may hold stays named by the intention.
void run_abandon(struct run *run, struct err e)
{
    run->failure = e;
    run_log(run, "operation.abandoned", e);
    run->record.status = e.code == ERR_ENROLLMENT_DISABLED ? STATUS_DISABLED : STATUS_FAILED;
    if (run->record.status == STATUS_FAILED)
        record_failure(run);
    bool arrived = slice_equal_nocase(run->record.intended_hub, run->record.assigned_hub);
    if (arrived || !run->may_be_there)
        record_no_intention(run);
    run->record.question = (struct slice){0};
    if (put(run, refusal_written) == STEP_ENDS)
        run_end(run);
}

// Custom allocation: the step that asks the operator's webhook which hub it shall be. A device that waited
// long enough is told `assigning` meanwhile; that is durable first, and a restart asks again. The answer is
// read and judged in domain/.
#include "domain/custom.h"
#include "flow/run.h"

#include <stdio.h>

enum { DEADLINE_MS = 5000, QUESTION_CAP = 256 * 1024, ANSWER_CAP = 256 * 1024 };

static void noted(struct store_request *request);

// ---- the answer
// -------------------------------------------------------------------------------------------------------------

static void fail(struct run *run, struct err e)
{
    run->failure = e;
    if (run->ask.noted) { // the record that holds is this operation's
        run_go_to_record(run);
        return;
    }
    if (step_write_refusal(run) == STEP_ENDS)
        run_end(run);
}

static struct err judge(struct run *run)
{
    const struct webhook_request *request = &run->ask.request;
    run->why = request->why;
    TRY(request->result);
    TRY(custom_answer_read(&run->request.arena, request->answer, &run->ask.answer, &run->why));
    run->admission.answer = &run->ask.answer;
    run->trace.count = 0;
    return decide_plan(&run->admission, &run->loaded, &run->decision, &run->trace, &run->why);
}

static void go_on(struct run *run)
{
    if (run->ask.overtaken) { // another call registers the device: its answer is this one's
        run->ask.overtaken = false;
        run_rewind(run);
        run_advance(run);
        return;
    }
    struct err e = judge(run);
    if (failed(e))
        fail(run, e);
    else
        run_continue(run);
}

static void answered(struct webhook_request *request)
{
    struct run *run = request->context;
    run->ask.under_way = false;
    run->ask.answered = run->ask.noting;
    if (!run->ask.noting)
        go_on(run);
}

// ---- while it is asked
// ------------------------------------------------------------------------------------------------------

static void noted(struct store_request *request)
{
    struct run *run = request->context;
    struct asking *ask = &run->ask;
    ask->noting = false;
    if (!failed(request->result)) {
        ask->noted = true;
        run->held = run->record.etag;
        run->operation = run->record.operation_id;
        run_answer(run, &run->record);
    }
    // what the store could not take now it takes with the intention, and the device is answered then
    ask->overtaken = run_lost_race(request->result);
    if (ask->answered) {
        ask->answered = false;
        go_on(run);
    }
}

void run_note_question(struct run *run)
{
    struct asking *ask = &run->ask;
    if (ask->noting || ask->noted || ask->overtaken || run->resumed)
        return;
    run_make_hub_key(run);
    if (failed(run_record_begin(run)))
        return;
    struct registration *r = &run->record;
    // where an operation was going that was given up when that hub was unlinked
    bool there = r->intended_hub.len > 0 && !slice_equal_nocase(r->intended_hub, r->assigned_hub);
    if (there && r->left_hub.len == 0) {
        r->left_hub = r->intended_hub;
        r->left_device_id = r->intended_device_id;
    } else if (there && !slice_equal_nocase(r->left_hub, r->intended_hub)) {
        run_tell_forgotten(run, r->intended_hub, r->intended_device_id);
    }
    r->status = STATUS_ASSIGNING;
    r->intended_hub = (struct slice){0};
    r->intended_device_id = run->decision.device_id; // as the device spells it
    r->plan_steps = 0;
    r->intended_substatus = SUBSTATUS_NONE;
    r->twin = (struct slice){0};
    r->question = run->request.payload;
    run_record_identity(run);
    ask->noting = true;
    (void)run_put(run, NULL, noted);
}

// ---- the question
// -----------------------------------------------------------------------------------------------------------

// W3C Trace Context: what the operator finds in the function's own log.
static void make_traceparent(struct run *run)
{
    uint8_t random[24];
    char hex[48];
    struct buf out = {.at = (uint8_t *)hex, .room = sizeof hex, .cap = sizeof hex};
    random_fill_from(run->flow->ports.random, random, sizeof random);
    random[0] |= 1; // neither ID may be all zeros
    random[16] |= 1;
    hex_encode_lower(&out, slice_of(random, sizeof random));
    (void)snprintf(run->ask.traceparent, sizeof run->ask.traceparent, "00-%.32s-%.16s-01", hex, hex + 32);
}

static struct err write_question(struct run *run, struct slice *out)
{
    const struct registration *prior = run->admission.prior;
    struct slice payload = run->resumed && prior != NULL ? prior->question : run->request.payload;
    struct buf text = buf_capped(QUESTION_CAP);
    struct err e = custom_question_write(&run->admission, &run->decision, payload, &text);
    if (!failed(e))
        e = buf_err(&text);
    if (!failed(e))
        e = arena_copy(&run->request.arena, buf_slice(&text), out);
    buf_release(&text);
    return e;
}

enum step_result step_ask(struct run *run)
{
    const struct flow *flow = run->flow;
    struct asking *ask = &run->ask;
    if (!run->decision.ask)
        return STEP_DONE;
    struct slice question = {0};
    struct err e = flow->ports.webhook != NULL
                       ? write_question(run, &question)
                       : why_fail(&run->why, ERR_WEBHOOK, "this server has no way to ask a webhook");
    if (e.code == ERR_WEBHOOK && !run->ask.noted) {
        run->failure = e;
        return step_write_refusal(run);
    }
    if (failed(e))
        return run_refuse(run, e);
    make_traceparent(run);
    ask->request = (struct webhook_request){
        .url = run->decision.enrollment->webhook_url,
        .body = question,
        .traceparent = slice_text(ask->traceparent),
        .deadline_ms = flow->settings.webhook_ms > 0 ? flow->settings.webhook_ms : DEADLINE_MS,
        .arena = &ask->arena,
        .done = answered,
        .context = run,
    };
    arena_release(&ask->arena); // of an earlier question
    ask->arena = arena_capped(ANSWER_CAP);
    ask->under_way = true;
    webhook_submit(flow->ports.webhook, &ask->request);
    if (flow->settings.strict_polling || run->answer_by_us == 0)
        run_note_question(run);
    return STEP_WAITS;
}

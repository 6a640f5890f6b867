// The life of a registration on one screen: which steps each verb takes, in order. How a step is done is in
// steps.c and record.c; here is how they follow one another.
#include "flow/run.h"

#include <stdlib.h>

#include "crypto/possession.h"
#include "domain/identifier.h"

// Bytes that an answer of the store may take besides FLOW_ARENA_CAP: what is found by words (of each kind up
// to STORE_FOUND_MAX records with their certificates), and each revocation list.
enum { FOUND_CAP = 8 << 20, CRL_CAP = CRL_MAX + 4096 };

static const struct step authenticate[] = {
    {"load", step_load},
    {"recall", step_recall},
    {"admit", step_admit},
    {"challenge", step_challenge},
    {"let in", step_let_in}, // it may register later, on the same connection
    {0},
};
static const struct step register_device[] = {
    {"load", step_load},           // the service, the enrollments, the prior registration
    {"recall", step_recall},       // a device with a TPM: what was it asked to prove?
    {"admit", step_admit},         // domain: match, attest
    {"challenge", step_challenge}, // ask it, when it has not proved itself; and done
    {"pace", step_pace},           // one device does not ask without end
    {"claim", step_claim},         // its answer counts once
    {"join", step_join},           // wait for another request that registers the same device
    {"weigh", step_weigh},         // how the hubs are doing, and how full those with a limit are
    {"plan", step_plan},           // domain: allocate, reprovision, plan
    {"ask", step_ask},             // custom allocation: the webhook; then domain: plan again
    {"settle", step_settle},       // a hub in the same store: all in one transaction, and done
    {"make room", step_make_room}, // a record names one identity that was left; two moves do not overlap
    {"intend", step_intend},       // durable: which hub this operation is taking the device to, and how
    {"fetch", step_fetch},         // its data, from the hub that it leaves
    {"carry out", step_carry_out}, // the identity at its hub, with that data
    {"progress", step_progress},   // durable: the copy stands; before that nothing is removed
    {"remove", step_remove},       // the identity at the hub that it left
    {"record", step_record},       // durable: the registration; then the answer
    {0},
};
static const struct step find_operation[] = {
    {"load", step_load},
    {"recall", step_recall},
    {"admit", step_admit},
    {"challenge", step_challenge},
    {"pace", step_pace},
    {"find", step_find_operation},
    {0},
};
static const struct step find_registration[] = {
    {"load", step_load},
    {"recall", step_recall},
    {"admit", step_admit},
    {"challenge", step_challenge},
    {"pace", step_pace},
    {"find", step_find_registration},
    {0},
};
// After a restart: the intent is there already, or the question to the webhook.
static const struct step resume[] = {
    {"load intention", step_load_intention},
    {"claim", step_claim_intention}, // durable: nobody else carries it on
    {"weigh", step_weigh},
    {"ask", step_ask},
    {"make room", step_make_room},
    {"intend", step_intend_asked}, // of one that was asked anew
    {"fetch", step_fetch},
    {"carry out", step_carry_out},
    {"progress", step_progress},
    {"remove", step_remove},
    {"record", step_record},
    {0},
};
// An identity that a device left behind.
static const struct step tidy[] = {
    {"load leftover", step_load_leftover},
    {"mark", step_mark_leftover},     // durable: the device does not go back there meanwhile
    {"remove", step_remove_leftover}, // from the hub
    {"unmark", step_unmark_leftover}, // durable: it is gone, or to be tried again later
    {0},
};

static const struct step *const tables[] = {
    [FLOW_AUTHENTICATE] = authenticate,
    [FLOW_REGISTER] = register_device,
    [FLOW_OPERATION] = find_operation,
    [FLOW_LOOKUP] = find_registration,
};

void flow_leave(struct flow *flow)
{
    flow->count--;
    if (flow->count == 0 && flow->idle != NULL) {
        void (*idle)(void *context) = flow->idle;
        flow->idle = NULL;
        idle(flow->idle_context);
    }
}

static void wipe_keys(struct run *run)
{
    secret_wipe(&run->decision.primary_key);
    secret_wipe(&run->decision.secondary_key);
    secret_wipe(&run->hub.identity.primary_key);
    secret_wipe(&run->hub.identity.secondary_key);
    secret_wipe(&run->record.hub_key);
    secret_wipe(&run->theirs.hub_key);
}

static void run_free(struct run *run)
{
    struct flow *flow = run->flow;
    run_claim_end(run, false);
    list_remove(&run->request.links);
    list_remove(&run->request.waiting);
    poller_timer_release(flow->ports.poller, &run->timer);
    directory_release(run->snapshot);
    directory_release(run->before);
    // the device may never ask again: what only judging needs is not kept until it goes
    if (run->request.credential.chain != NULL)
        chain_rest(run->request.credential.chain);
    chain_release(run->request.credential.chain);
    arena_release(&run->request.arena);
    arena_release(&run->loaded);
    arena_release(&run->loading);
    arena_release(&run->ask.arena);
    wipe_keys(run);
    secret_wipe(&run->request.credential.challenge);
    secret_wipe(&run->admission.credential.challenge);
    bool tidying = run->tidying;
    free(run);
    if (tidying)
        flow_tidy_ended(flow);
    flow_leave(flow);
}

void run_end(struct run *run)
{
    run_free(run);
}

static void answer(struct run *run, const struct flow_outcome *outcome)
{
    if (run->answered || run->resumed)
        return;
    run->answered = true;
    list_remove(&run->request.waiting);
    run->request.done(&run->request, outcome);
}

static void refuse_late(struct poll_timer *timer)
{
    struct run *run = timer->context;
    (void)run_refuse(run, run->failure);
    run_free(run);
}

static bool may_log_noise(const struct flow *flow)
{
    return flow->ports.may_log == NULL || flow->ports.may_log(flow->ports.may_log_context);
}

enum step_result run_refuse(struct run *run, struct err e)
{
    if (run->submitting) {
        run->failure = e;
        run->timer.fire = refuse_late;
        if (!failed(poller_timer_start(run->flow->ports.poller, &run->timer, 0)))
            return STEP_WAITS;
    }
    struct flow_outcome outcome = {.result = e, .why = run->why};
    bool trouble = err_info(e)->level > ERR_LEVEL_INFO; // ours; a refusal can be caused without end
    bool proven = run->decision.enrollment != NULL;     // an enrollment speaks for the device only then
    if ((trouble && proven) || run->resumed || may_log_noise(run->flow))
        run_log(run, run->resumed ? "operation.abandoned" : "device.refused", e);
    answer(run, &outcome);
    return STEP_ENDS;
}

void run_answer(struct run *run, const struct registration *registration)
{
    const struct enrollment *enrollment = run->decision.enrollment;
    bool group = enrollment != NULL && enrollment->kind == ENROLLMENT_GROUP;
    struct registration told;
    if (registration != NULL && run->request.verb == FLOW_OPERATION) {
        told = *registration; // a later call may have begun another operation: the answer bears the name it
                              // was asked by
        told.operation_id = run->request.operation_id;
        registration = &told;
    }
    struct flow_outcome outcome = {
        .registration = registration,
        .attestation = enrollment != NULL ? enrollment->attestation.type : ATTESTATION_NONE,
        .group_id = group ? enrollment->id : (struct slice){0},
        .retry_after_s = registration != NULL && registration->status == STATUS_ASSIGNING
                             ? run->flow->settings.retry_after_s
                             : 0,
    };
    if (!run->answered)
        outcome.result = run_wrap_hub_key(run, registration, &outcome.authentication_key);
    if (failed(outcome.result)) {
        outcome.why = run->why;
        outcome.registration = NULL;
    }
    run_claim_end(run, !failed(outcome.result) && registration != NULL);
    answer(run, &outcome);
}

void run_answer_challenge(struct run *run)
{
    struct flow_outcome outcome = {.attestation = ATTESTATION_TPM, .challenge = run->challenge};
    // every registration begins so: it must not take the room of the refusals, of which only so many are
    // written
    const struct log *log = run->flow->ports.log;
    if (log != NULL && log->least <= ERR_LEVEL_DEBUG && may_log_noise(run->flow))
        run_log(run, "device.challenged", OK);
    answer(run, &outcome);
}

// Takes steps until one waits or the table ends.
void run_advance(struct run *run)
{
    while (run->step->take != NULL) {
        const struct step *taken = run->step;
        switch (taken->take(run)) {
        case STEP_DONE:
            if (run->step == taken)
                run->step++;
            break;
        case STEP_WAITS:
            return;
        case STEP_ENDS:
            run_free(run);
            return;
        }
    }
    run_answer(run, run->admission.prior);
    run_free(run);
}

void run_continue(struct run *run)
{
    run->step++;
    run_advance(run);
}

void run_rewind(struct run *run)
{
    run->step = tables[run->request.verb];
    run->trace.count = 0;
    run->removing_us = 0;
    run->left_attempts = 0;
    run->left_lost = run->left_empty = run->left_removed = run->made_room = false;
    run->may_be_there = false; // step_intend sees what a record says of it
}

void run_tidy(struct run *run)
{
    run->step = tidy;
    run_advance(run);
}

void run_go_to_record(struct run *run)
{
    while (run->step->take != step_record)
        run->step++;
    run_advance(run);
}

void run_take_up(struct run *run)
{
    run->step = resume;
    run->trace.count = 0;
    run->lookup.word_count = 0; // the device proved itself: what it showed is not judged again
    run->lookup.crl_count = 0;
}

static void woken(struct poll_timer *timer)
{
    struct run *run = timer->context;
    run->sleeping = false;
    run_advance(run);
}

enum step_result run_again_after(struct run *run, int64_t ms)
{
    run->timer.fire = woken;
    run->timer.context = run;
    if (run->flow->stopping)
        return run_refuse(run,
                          why_fail(&run->why, ERR_STOPPING, "the operation is taken up at the next start"));
    if (failed(poller_timer_start(run->flow->ports.poller, &run->timer, ms)))
        return run_refuse(run, FAIL(ERR_NO_MEMORY));
    run->sleeping = true;
    return STEP_WAITS;
}

enum step_result run_ask_store(struct run *run, void (*done)(struct store_request *request))
{
    run->store.partition = run->admission.service->id_scope;
    run->store.key = run->key;
    run->store.arena = &run->request.arena;
    run->store.done = done;
    run->store.context = run;
    store_submit(run->flow->ports.store, &run->store);
    return STEP_WAITS;
}

enum step_result run_load(struct run *run, void (*done)(struct store_request *request))
{
    const struct lookup *lookup = &run->lookup;
    arena_release(&run->loading); // of a load that failed
    size_t cap = FLOW_ARENA_CAP + lookup->crl_count * CRL_CAP;
    run->loading = arena_capped(lookup->word_count > 0 ? cap + FOUND_CAP : cap);
    run->loading.wipe = true;
    run->store = (struct store_request){
        .verb = STORE_ADMISSION,
        .table = STORE_REGISTRATION,
        .partition = run->admission.service->id_scope,
        .key = run->key,
        .words = lookup->words,
        .word_count = lookup->word_count,
        .crls = lookup->crls,
        .crl_count = lookup->crl_count,
        .arena = &run->loading,
        .done = done,
        .context = run,
    };
    store_submit(run->flow->ports.store, &run->store);
    return STEP_WAITS;
}

void run_loaded(struct run *run)
{
    const struct store_admission *found = &run->store.admission;
    wipe_keys(run);
    run->admission.conditions = NULL;
    arena_release(&run->loaded);
    run->loaded = run->loading;
    run->loading = (struct arena){0};
    run->decision = (struct decision){0};
    run->record = (struct registration){0};
    directory_release(run->before);
    run->before = NULL;
    run->trace.count = 0;
    run->admission.individual = found->individual;
    run->admission.groups = (const struct enrollment *const *)found->groups;
    run->admission.group_count = found->group_count;
    run->admission.certificates = (const struct ca_certificate *const *)found->certificates;
    run->admission.certificate_count = found->certificate_count;
    run->admission.crls = (const struct ca_crl *const *)found->crls;
    run->admission.crl_count = found->crl_count;
    run->admission.holders = (const struct enrollment *const *)found->holders;
    run->admission.holder_count = found->holder_count;
    run->admission.cut = run->lookup.cut || found->group_count == STORE_FOUND_MAX ||
                         found->certificate_count == STORE_FOUND_MAX;
    run->admission.former = found->former;
    run->admission.prior = found->registration;
    run->held = found->registration != NULL ? found->registration->etag : 0;
}

// ---- answering in time
// ---------------------------------------------------------------------------------------------------

static void arm_answer_timer(struct flow *flow);

// Register calls that have waited long enough are told `assigning`. One whose intent is not durable yet has
// no operation to be told about, and is answered as soon as it has.
static void answer_late(struct poll_timer *timer)
{
    struct flow *flow = timer->context;
    int64_t now = clock_monotonic_us(flow->ports.clock);
    flow->answer_timer_runs = false;
    LIST_EACH (at, &flow->waiting) {
        struct run *run = CONTAINER_OF(at, struct run, request.waiting);
        if (run->answer_by_us > now)
            break;
        list_remove(at);
        run->answer_by_us = 0;
        // a record of the end that is being written is not told before it is durable
        if (run->intended && run->record.status == STATUS_ASSIGNING)
            run_answer(run, &run->record);
        else if (run->ask.under_way)
            run_note_question(run);
        else if (run->joined.len > 0 && run->sleeping) // what it looks at now is not judged yet
            run_answer(run, run->admission.prior);
    }
    arm_answer_timer(flow);
}

static void arm_answer_timer(struct flow *flow)
{
    if (flow->answer_timer_runs || list_empty(&flow->waiting))
        return;
    struct run *first = CONTAINER_OF(flow->waiting.next, struct run, request.waiting);
    int64_t left_us = first->answer_by_us - clock_monotonic_us(flow->ports.clock);
    flow->answer_timer.fire = answer_late;
    flow->answer_timer.context = flow;
    // without memory for a timer the calls are answered when their operations end
    flow->answer_timer_runs = !failed(
        poller_timer_start(flow->ports.poller, &flow->answer_timer, left_us > 0 ? left_us / 1000 + 1 : 0));
}

// ---- from outside
// ----------------------------------------------------------------------------------------------------------

static void count_begins(void *context)
{
    ((struct flow *)context)->count++;
}

static void count_ends(void *context)
{
    flow_leave(context);
}

struct err flow_new(const struct flow_settings *settings, const struct flow_ports *ports, struct flow **out)
{
    struct flow *flow = calloc(1, sizeof *flow);
    *out = flow;
    if (flow == NULL)
        return FAIL(ERR_NO_MEMORY);
    flow->settings = *settings;
    flow->ports = *ports;
    flow->resumed_max = FLOW_UNDER_WAY_MAX / 2;
    flow->began_us = clock_wall_us(ports->clock);
    flow->pace_seed = random_etag(ports->random);
    list_init(&flow->runs);
    list_init(&flow->waiting);
    struct hub_loads_watch watch = {count_begins, count_ends, flow};
    flow->loads = hub_loads_new(ports->store, ports->clock, flow->pace_seed, watch);
    if (flow->loads == NULL) {
        free(flow);
        *out = NULL;
        return FAIL(ERR_NO_MEMORY);
    }
    return OK;
}

void flow_free(struct flow *flow)
{
    if (flow == NULL)
        return;
    INVARIANT(flow->count == 0);
    poller_timer_release(flow->ports.poller, &flow->answer_timer);
    poller_timer_release(flow->ports.poller, &flow->tidy_timer);
    hub_loads_free(flow->loads);
    free(flow);
}

struct flow_request *flow_request_new(struct flow *flow)
{
    if (flow->count >= FLOW_UNDER_WAY_MAX || flow->stopping)
        return NULL;
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL)
        return NULL;
    uint8_t random[16];
    random_fill_from(flow->ports.random, random, sizeof random);
    guid_format(random, run->request.tracking_id);
    run->flow = flow;
    run->request.arena = arena_capped(FLOW_ARENA_CAP);
    run->request.arena.wipe = true;
    list_append(&flow->runs, &run->request.links);
    flow->count++;
    return &run->request;
}

void flow_request_free(struct flow *flow, struct flow_request *request)
{
    (void)flow;
    if (request != NULL)
        run_free(CONTAINER_OF(request, struct run, request));
}

void flow_submit(struct flow *flow, struct flow_request *request)
{
    struct run *run = CONTAINER_OF(request, struct run, request);
    run->step = tables[request->verb];
    run->started_us = clock_monotonic_us(flow->ports.clock);
    if (request->verb == FLOW_REGISTER) {
        run->answer_by_us = run->started_us + flow->settings.inline_wait_ms * 1000;
        list_append(&flow->waiting, &request->waiting);
        arm_answer_timer(flow);
    }
    run->timer.context = run;
    run->submitting = true;
    const struct step *first = run->step;
    enum step_result result = first->take(run);
    INVARIANT(result != STEP_DONE); // the first step loads
    run->submitting = false;
    if (result == STEP_ENDS)
        run_free(run);
}

bool flow_expects(const struct flow *flow, struct slice id_scope, struct slice registration_id)
{
    if (flow->count >= FLOW_UNDER_WAY_MAX || flow->stopping)
        return false;
    struct directory_snapshot *snapshot = directory_hold(flow->ports.directory);
    bool known = directory_by_scope(snapshot, id_scope) != NULL;
    directory_release(snapshot);
    return known && !failed(registration_id_check(registration_id, "the registration ID", NULL));
}

int64_t flow_life_us(const struct flow *flow)
{
    return flow->settings.operation_ms * 1000 + 60 * (int64_t)1000000;
}

void flow_stop(struct flow *flow, void (*idle)(void *context), void *context)
{
    flow->stopping = true;
    // what waits for a hub or for somebody else is recorded, and taken up at the next start
    LIST_EACH (at, &flow->runs) {
        struct run *run = CONTAINER_OF(at, struct run, request.links);
        if (!run->sleeping)
            continue;
        (void)run_refuse(run,
                         why_fail(&run->why, ERR_STOPPING, "the operation is taken up at the next start"));
        run_free(run);
    }
    flow_resume_stop(flow);
    flow_tidy_stop(flow);
    if (flow->count == 0) {
        idle(context);
        return;
    }
    flow->idle_context = context;
    flow->idle = idle;
}

size_t flow_under_way(const struct flow *flow)
{
    return flow->count;
}

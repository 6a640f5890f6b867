// The steps that read and decide: load, admit, join, plan, find. Those that write are in record.c.
#include "flow/run.h"

#include "base/bucket.h"
#include "base/map.h"
#include "domain/identifier.h"
#include "flow/hub_health.h"

enum {
    JOIN_FIRST_MS = 5,
    JOIN_LAST_MS = 100,
    // Each certificate above the leaf may be found by the one below it alone, and its list by it.
    LOOKS_MAX = PATH_ABOVE_MAX + 1,
};

static void loaded(struct store_request *request);

// Looks again when what was found says what else to look for. *again: an answer is on its way.
static struct err look_further(struct run *run, bool *again)
{
    TRY(decide_lookup(&run->admission, &run->request.arena, &run->lookup, again));
    if (*again && run->looks == LOOKS_MAX) {
        run->admission.cut = true;
        *again = false;
    }
    if (!*again)
        return OK;
    run->looks++;
    (void)run_load(run, loaded);
    return OK;
}

static void loaded(struct store_request *request)
{
    struct run *run = request->context;
    struct err e = request->result;
    bool again = false;
    if (failed(e)) {
        run->why = request->why;
    } else {
        run_loaded(run);
        e = look_further(run, &again);
    }
    if (again)
        return;
    run->store.result = e;
    run_continue(run);
}

enum step_result step_load(struct run *run)
{
    struct flow *flow = run->flow;
    struct flow_request *request = &run->request;
    if (run->snapshot == NULL)
        run->snapshot = directory_hold(flow->ports.directory);
    run->admission.service = directory_by_scope(run->snapshot, request->id_scope);
    if (run->admission.service == NULL) {
        return run_refuse(run, why_fail(&run->why, ERR_SCOPE_UNKNOWN, "no service has the ID scope \"%.*s\"",
                                        SLICE_ARG(request->id_scope)));
    }
    struct err e = registration_id_check(request->registration_id, "the registration ID", &run->why);
    if (!failed(e) && run->key.len == 0)
        e = arena_lower(&request->arena, request->registration_id, &run->key);
    if (failed(e))
        return run_refuse(run, e);
    run->admission.registration_id = request->registration_id;
    run->admission.credential = request->credential;
    run->admission.issuers = flow->ports.issuers;
    run->admission.expired_anchors = flow->settings.expired_anchors;
    run->admission.now_us = clock_wall_us(flow->ports.clock);
    run->admission.api_version = request->api_version;
    if (request->verb == FLOW_REGISTER)
        (void)places_find(flow->ports.places, request->peer, &run->admission.place);
    // what was looked for before is looked for again at once; which lists are wanted is seen anew
    run->lookup.crl_count = 0;
    run->looks = 1;
    bool more = false;
    e = run->lookup.word_count > 0 ? OK
                                   : decide_lookup(&run->admission, &request->arena, &run->lookup, &more);
    return failed(e) ? run_refuse(run, e) : run_load(run, loaded);
}

// Threats A14. After the proof, and apart for each enrollment that speaks for a device of that name, so that
// nobody can use up what another device may ask; by hash, so that it takes no memory for each device. A run
// that was rewound has been counted already.
enum step_result step_pace(struct run *run)
{
    enum { SAVED_UP_S = 10 };
    struct flow *flow = run->flow;
    int64_t per_s = flow->settings.device_requests_per_s;
    if (per_s == 0 || run->paced)
        return STEP_DONE;
    run->paced = true;
    uint64_t hash = map_hash(map_hash(flow->pace_seed, run->admission.service->id_scope), run->key);
    hash = map_hash(hash, run->decision.enrollment->id);
    if (bucket_take(&flow->paces[hash % PACES], clock_monotonic_us(flow->ports.clock), 1000000 / per_s,
                    SAVED_UP_S * (int64_t)1000000))
        return STEP_DONE;
    return run_refuse(run, why_fail(&run->why, ERR_THROTTLED, "the device asks more than %lld times a second",
                                    (long long)per_s));
}

enum step_result step_admit(struct run *run)
{
    if (failed(run->store.result))
        return run_refuse(run, run->store.result);
    struct err e = decide_admission(&run->admission, &run->loaded, &run->decision, &run->trace, &run->why);
    if (!failed(e))
        return STEP_DONE;
    bool disabled = e.code == ERR_ENROLLMENT_DISABLED;
    bool holds = run->decision.enrollment != NULL; // the proof; it is something else that is wrong
    if (!holds && err_info(e)->class == ERR_CLASS_AUTH && run_may_ask_anew(run)) {
        run_ask_anew(run);
        return STEP_DONE;
    }
    bool connects = run->request.verb == FLOW_AUTHENTICATE;
    if (disabled && connects) // it may, to be told so when it registers
        return STEP_DONE;
    if (holds && err_info(e)->class == ERR_CLASS_AUTH && !connects) {
        enum step_result paced = step_pace(run);
        if (paced != STEP_DONE)
            return paced;
    }
    if (!disabled || run->request.verb != FLOW_REGISTER)
        return run_refuse(run, e);
    run->failure = e;
    return step_write_refusal(run);
}

// Whether the hub knows the device by what this request would tell it, in whatever order. The request that
// was first may have been made with another certificate or TPM, or before the enrollment got another one.
static bool has_our_identity(const struct run *run, const struct registration *registration)
{
    const struct decision *ours = &run->decision;
    bool first = slice_equal(registration->primary_thumbprint, ours->primary_thumbprint);
    struct slice other = first ? registration->secondary_thumbprint : registration->primary_thumbprint;
    struct slice same = first ? registration->primary_thumbprint : registration->secondary_thumbprint;
    return slice_equal(same, ours->primary_thumbprint) && slice_equal(other, ours->secondary_thumbprint) &&
           slice_equal(registration->hub_key_tpm, ours->tpm);
}

// Another request is registering this device: one assignment, equal answers (I2). Waits for its end and
// answers the same. If it does not end within the life of an operation nobody carries it, and this request
// takes it over.
enum step_result step_join(struct run *run)
{
    const struct registration *prior = run->admission.prior;
    struct slice joined = run->joined;
    run->joined = (struct slice){0};
    if (prior == NULL)
        return STEP_DONE;
    bool underway = prior->status == STATUS_ASSIGNING;
    bool tidied = underway && registration_is_tidied(prior);
    bool same = joined.len > 0 && slice_equal(prior->operation_id, joined);
    if (same && !underway && has_our_identity(run, prior)) {
        run_answer(run, prior);
        return STEP_ENDS;
    }
    int64_t outlived_us = run->admission.now_us - flow_life_us(run->flow) - 1;
    if (!underway || flow_written_by(run->flow, prior->updated_us, outlived_us))
        return STEP_DONE;
    if (!tidied && (run->flow->settings.strict_polling || run->answered || run->answer_by_us == 0)) {
        run_answer(run, prior);
        return STEP_ENDS;
    }
    if (tidied)
        joined = (struct slice){0}; // that is no operation of the device's
    struct err e = same || tidied ? OK : arena_copy(&run->request.arena, prior->operation_id, &joined);
    if (failed(e))
        return run_refuse(run, e);
    run->joined = joined;
    run->join_ms = run->join_ms == 0 ? JOIN_FIRST_MS : run->join_ms * 2;
    if (run->join_ms > JOIN_LAST_MS)
        run->join_ms = JOIN_LAST_MS;
    run_rewind(run);
    return run_again_after(run, run->join_ms);
}

// How full the hubs with a limit are is counted in the background; the first time it is waited for.
enum step_result step_weigh(struct run *run)
{
    enum { COUNT_WAIT_MS = 10, COUNT_WAITS = 100 };
    const struct flow *flow = run->flow;
    const struct service *service = run->admission.service;
    if (run->intended)
        return STEP_DONE;
    struct hub_condition *conditions =
        arena_take(&run->loaded, (service->hub_count + 1) * sizeof *conditions);
    if (conditions == NULL)
        return run_refuse(run, FAIL(ERR_NO_MEMORY));
    bool counting = false;
    for (size_t i = 0; i < service->hub_count; i++) {
        const struct linked_hub *hub = &service->hubs[i];
        int64_t devices = hub->capacity > 0 ? hub_loads_of(flow->loads, service->id_scope, hub->host) : 0;
        counting = counting || devices < 0;
        conditions[i] = (struct hub_condition){
            .failing = flow->ports.health != NULL &&
                       hub_health_of_link(flow->ports.health, hub->host, service->id_scope).failing,
            .devices = devices > 0 ? devices : 0,
        };
    }
    if (counting && run->attempts < COUNT_WAITS) {
        run->attempts++;
        return run_again_after(run, COUNT_WAIT_MS);
    }
    run->attempts = 0;
    run->admission.conditions = conditions;
    return STEP_DONE;
}

enum step_result step_plan(struct run *run)
{
    struct err e = decide_plan(&run->admission, &run->loaded, &run->decision, &run->trace, &run->why);
    if (!failed(e))
        return STEP_DONE;
    run->failure = e;
    return step_write_refusal(run);
}

enum step_result step_find_operation(struct run *run)
{
    const struct registration *prior = run->admission.prior;
    struct slice wanted = run->request.operation_id;
    bool known =
        prior != NULL && wanted.len > 0 &&
        (slice_equal(prior->operation_id, wanted) || slice_equal(prior->previous_operation_id, wanted));
    if (known)
        return STEP_DONE;
    return run_refuse(
        run, why_fail(&run->why, ERR_OPERATION_NOT_FOUND, "this device has no operation of that ID"));
}

enum step_result step_find_registration(struct run *run)
{
    if (run->admission.prior != NULL)
        return STEP_DONE;
    return run_refuse(run,
                      why_fail(&run->why, ERR_REGISTRATION_NOT_FOUND, "the device has not registered yet"));
}

void run_log(const struct run *run, const char *event, struct err e)
{
    const struct flow_request *request = &run->request;
    struct log_line line;
    log_begin(&line, run->flow->ports.log, failed(e) ? err_info(e)->level : ERR_LEVEL_INFO, event);
    if (line.dropped)
        return;
    log_text(&line, LOG_registrationId, request->registration_id);
    log_text(&line, LOG_idScope, request->id_scope);
    log_text(&line, LOG_trackingId, slice_of(request->tracking_id, GUID_TEXT));
    if (request->connection != 0)
        log_number(&line, LOG_connection, (int64_t)request->connection);
    log_text(&line, LOG_peer, request->peer);
    log_text(&line, LOG_protocol, request->protocol);
    log_text(&line, LOG_client, request->client);
    if (failed(e))
        log_failure(&line, e, &run->why);
    if (run->decision.enrollment != NULL) {
        bool group = run->decision.enrollment->kind == ENROLLMENT_GROUP;
        log_text(&line, group ? LOG_group : LOG_enrollment, run->decision.enrollment->id);
    }
    if (run->record.operation_id.len > 0) {
        log_text(&line, LOG_operationId, run->record.operation_id);
        bool on_its_way = run->record.intended_hub.len > 0;
        log_text(&line, LOG_hub, on_its_way ? run->record.intended_hub : run->record.assigned_hub);
        log_text(&line, LOG_deviceId, on_its_way ? run->record.intended_device_id : run->record.device_id);
        if (run->from.len > 0) {
            log_text(&line, LOG_from, run->from);
            log_text(&line, LOG_to, on_its_way ? run->record.intended_hub : run->record.assigned_hub);
        }
    }
    if (run->ask.traceparent[0] != '\0')
        log_text(&line, LOG_traceId, slice_of(run->ask.traceparent + 3, 32));
    char text[2048]; // more than the line takes
    struct buf trace = {.at = (uint8_t *)text, .room = sizeof text, .cap = sizeof text};
    for (size_t i = 0; i < run->trace.count; i++) {
        buf_text(&trace, i > 0 ? "; " : "");
        buf_text(&trace, run->trace.lines[i].rule);
        buf_text(&trace, ": ");
        buf_bytes(&trace, run->trace.lines[i].text);
    }
    log_text(&line, LOG_trace, buf_slice(&trace));
    int64_t took_us = clock_monotonic_us(run->flow->ports.clock) - run->started_us;
    log_number(&line, LOG_durationMs, took_us / 1000);
    log_end(&line);
}

// One request on its way through the flow, and what its steps share. Private to flow/.
#pragma once

#include "flow/challenges.h"
#include "flow/flow.h"
#include "flow/hub_loads.h"

struct run;
struct claim;

// What a step came to. A waiting step has arranged for run_continue (or run_goto) to be called later.
enum step_result { STEP_DONE, STEP_WAITS, STEP_ENDS };

struct step {
    const char *name;
    enum step_result (*take)(struct run *run);
};

// Custom allocation.
struct asking {
    struct webhook_request request;
    struct arena arena;          // of the webhook's: the store may be using the request's at the same time
    struct custom_answer answer; // in the request's arena, as admission.answer
    bool under_way;              // the webhook has not answered yet
    bool noting;                 // that it is asked is being written
    bool noted;                  // and is durable: the device may be told the operation
    bool overtaken;              // another call wrote the record meanwhile
    bool answered;               // while it was being written
    char traceparent[56];        // 00-<32 hex>-<16 hex>-01, or ""
};

// What a device has at the hub that it leaves.
struct fetched {
    bool found;
    struct slice twin;
    struct slice reported;
    enum switch_state iot_edge;
};

struct run {
    struct flow_request request; // first: the caller holds a pointer to it
    struct flow *flow;
    const struct step *step; // the one being taken, in the table of its verb
    bool resumed;            // taken up after a restart: nobody waits for an answer
    bool claimed;            // and the record says that it is this run that carries it on
    bool answered;
    bool submitting;   // within flow_submit: nobody may be called back yet
    bool sleeping;     // waits for its timer
    bool paced;        // counted against the device's limit
    bool intended;     // the intent is durable
    bool may_be_there; // whatever comes of it, the hub may hold the identity: the record must go on naming it
    uint64_t held;     // etag of the registration as the store holds it; 0: it holds none
    int64_t started_us;     // monotonic
    int64_t answer_by_us;   // monotonic: a register call is answered by then; 0 when nobody waits
    unsigned attempts;      // of the step that is being tried again
    unsigned left_attempts; // of the hub that it leaves, one after another
    unsigned races;         // lost to other calls when all was done but the record
    struct slice operation; // the one that this run carries, once its intent is durable
    struct slice joined;    // the operation of another request that this one waits for
    int64_t join_ms;        // how long it waited between the last two looks at it
    struct directory_snapshot *snapshot;
    struct directory_snapshot *before; // or NULL; `decision` and `record` point into it until the next load
    struct slice key;                  // canonical registration ID
    // What the store said last and what was decided by it live in `loaded`, until the answer to the next
    // load, which is made in `loading`, takes its place. A run that waits long loads often, and must not grow
    // by it.
    struct arena loaded;
    struct arena loading;
    struct lookup lookup; // what is asked for; its text is in the request's arena
    unsigned looks;       // since the first step was taken
    struct admission admission;
    struct decision decision;
    struct trace trace;
    struct registration record; // what is being written
    struct registration theirs; // another call's, that goes to the hub once more
    struct err failure;         // why the operation failed, when it did
    struct why why;
    struct store_request store;
    struct store_request also; // written together with `store`
    bool named_again;          // after it was deleted (take_up.c)
    bool settle_refused;       // the hub has the device already
    struct hub_request hub;
    struct fetched fetched; // in `loaded`
    bool left_lost;         // the hub that it leaves did not answer, and is not asked for its data any more
    bool left_empty;        // it does not have the device
    bool left_removed;      // it is gone from there, or may be
    int64_t removing_us;    // monotonic: since when it is tried; 0: it is not
    struct slice from;      // the hub that it moves away from; for the log
    bool made_room;         // it stays for this operation, and what it left before is removed first
    struct asking ask;
    bool tidying; // it removes what a device left behind
    bool marked;  // and its record says so
    struct poll_timer timer;
    // Of devices with a TPM.
    bool says_its_tpm;              // with a token: it may be asked anew when the token does not hold
    struct challenge_request table; // what the table of challenges is asked
    struct slice challenge;         // the activation blob
    struct claim *claim;            // or NULL: the challenge is this register call's alone
};

struct resumption;
struct tidying;

enum { PACES = 4096, BACKOFF_FIRST_MS = 50, BACKOFF_LAST_MS = 30000 };

struct flow {
    struct flow_settings settings;
    struct flow_ports ports;
    int64_t began_us;    // wall clock
    struct list runs;    // all, in order of arrival
    struct list waiting; // the register calls that are not answered yet, in the order of answer_by_us
    struct poll_timer answer_timer;
    bool answer_timer_runs;
    size_t count;                  // runs, ends of claims, counts, the resumption, and the tidying
    struct resumption *resumption; // or NULL
    size_t resumed_max;            // of runs that were taken up, so that devices find room beside them
    struct tidying *tidying;       // or NULL
    struct poll_timer tidy_timer;
    struct hub_loads *loads;
    int64_t paces[PACES]; // buckets (base/bucket.h) that devices share by hash
    uint64_t pace_seed;
    bool stopping;
    void (*idle)(void *context);
    void *idle_context;
};

// Goes on with the next step.
void run_continue(struct run *run);
// Goes on with the current step: after run_rewind.
void run_advance(struct run *run);
// Back to the first step of the verb: what was loaded has changed.
void run_rewind(struct run *run);
// To the first step of what a restart does: whether the operation may still be carried on is to be seen anew.
void run_take_up(struct run *run);
// As after a restart: carries on what this record says is under way. Nobody waits for it.
void run_resume(struct flow *flow, const struct registration *registration, struct slice id_scope);
// Takes the current step again after ms.
enum step_result run_again_after(struct run *run, int64_t ms);
// On with the last step: the record of what came of it.
void run_go_to_record(struct run *run);
// Nobody may be let in any more, or the hub is gone: the operation is not carried on, and its record says so.
void run_abandon(struct run *run, struct err e);
// Removes what the device of the request left behind.
void run_tidy(struct run *run);
// Writes run->record over what was loaded, only if that is still so; `also` (or NULL) together with it.
enum step_result run_put(struct run *run, struct store_request *also,
                         void (*done)(struct store_request *request));
bool run_lost_race(struct err e);
// overtaken.c: this run was at a hub, and then the record was another call's (or NULL), as a put that lost
// its race or a further look said. Puts right what it did there, and goes on with run_decide_anew.
void run_lost(struct run *run, const struct registration *found);
// The same where nothing was done at a hub: whether that call's end may be told to this device is decided.
void run_decide_anew(struct run *run, const struct registration *found);
// run->record: as it is before this operation changes it, and the operation's name.
struct err run_record_begin(struct run *run);
// run->record: what the hub is told to know the device by.
void run_record_identity(struct run *run);
// The device is polled for: writes that the webhook is being asked.
void run_note_question(struct run *run);
bool run_life_is_over(const struct run *run);
int64_t run_backoff_ms(unsigned attempts);
// move.c. run->record: where an identity of the device will be that its new hub and its old one do not name.
void run_name_left(struct run *run);
// The same at the end of the operation.
void run_name_left_at_end(struct run *run);
// For the log: an identity may be there, and no record names it any more.
void run_tell_forgotten(const struct run *run, struct slice hub, struct slice device_id);

// The run is over, outside of any step.
void run_end(struct run *run);
// Ends the run with an error that is no registration: refused, or broken.
enum step_result run_refuse(struct run *run, struct err e);
// Answers from this registration, if nobody was answered yet; the run may go on.
void run_answer(struct run *run, const struct registration *registration);
// Submits run->store, which has verb, table and what the verb needs.
enum step_result run_ask_store(struct run *run, void (*done)(struct store_request *request));
// Asks for all that is known about the device, and for what run->lookup names.
enum step_result run_load(struct run *run, void (*done)(struct store_request *request));
// After a load that did not fail: what was known and decided before is forgotten, and the admission filled
// anew.
void run_loaded(struct run *run);

// Answers with run->challenge.
void run_answer_challenge(struct run *run);
// One that is no run is over: see flow.count.
void flow_leave(struct flow *flow);

// A device with a TPM whose token does not hold is not refused but asked anew, if it said what its TPM is:
// from the first step on, as if it had sent no token.
bool run_may_ask_anew(const struct run *run);
void run_ask_anew(struct run *run);
// The register call's challenge, if it has one: used up (the call is answered with its operation), or to be
// had again.
void run_claim_end(struct run *run, bool spent);
// Makes the key of a decision with fresh_key, once.
void run_make_hub_key(struct run *run);
// The hub's key of a registration `assigned`, for the TPM that asks; empty for anything else.
struct err run_wrap_hub_key(struct run *run, const struct registration *registration, struct slice *out);

// The steps, in steps.c, tpm.c, ask.c, record.c, take_up.c, move.c and tidy.c.
enum step_result step_load(struct run *run);
enum step_result step_admit(struct run *run);
enum step_result step_recall(struct run *run);
enum step_result step_challenge(struct run *run);
enum step_result step_let_in(struct run *run);
enum step_result step_claim(struct run *run);
enum step_result step_pace(struct run *run);
enum step_result step_join(struct run *run);
enum step_result step_plan(struct run *run);
enum step_result step_weigh(struct run *run);
enum step_result step_ask(struct run *run);
enum step_result step_settle(struct run *run);
enum step_result step_make_room(struct run *run);
enum step_result step_intend(struct run *run);
enum step_result step_intend_asked(struct run *run);
enum step_result step_fetch(struct run *run);
enum step_result step_carry_out(struct run *run);
enum step_result step_progress(struct run *run);
enum step_result step_remove(struct run *run);
enum step_result step_record(struct run *run);
enum step_result step_find_operation(struct run *run);
enum step_result step_find_registration(struct run *run);
enum step_result step_load_intention(struct run *run);
enum step_result step_claim_intention(struct run *run);
enum step_result step_write_refusal(struct run *run);
enum step_result step_load_leftover(struct run *run);
enum step_result step_mark_leftover(struct run *run);
enum step_result step_remove_leftover(struct run *run);
enum step_result step_unmark_leftover(struct run *run);

// What nobody carries any more, though it was not left by an earlier process: older than any operation lives.
void flow_resume_abandoned(struct flow *flow);
// How long an operation may be under way without another word in its record.
int64_t flow_life_us(const struct flow *flow);
// Whether a record that says it was written at written_us is as old as until_us. One from a minute or more
// ahead of the wall clock is: that was set back, and nobody is to wait until it has caught up.
bool flow_written_by(const struct flow *flow, int64_t written_us, int64_t until_us);
// The next start takes up what is left.
void flow_resume_stop(struct flow *flow);
void flow_tidy_stop(struct flow *flow);
// One of its runs is over.
void flow_tidy_ended(struct flow *flow);

void run_log(const struct run *run, const char *event, struct err e);

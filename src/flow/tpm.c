// The steps that only devices with a TPM need: looking up what they were asked to prove, asking them, and
// seeing to it that an answer counts once (threats C2). What is kept meanwhile is in challenges.c.
#include "flow/run.h"

#include <stdlib.h>

#include "domain/words.h"

enum { FRESH_KEY_SIZE = 32 };

// What a blob carries besides the key: some clients want something there, none looks at it (device-protocol
// 6.2).
#define BLOB_HINT SLICE("usher")

// ---- a credential that is completed, or given up
// ------------------------------------------------------------------------

static void ask_table(struct run *run, enum challenge_verb verb,
                      void (*done)(struct challenge_request *request))
{
    run->table.verb = verb;
    run->table.id_scope = run->admission.service->id_scope;
    run->table.registration_id = run->key;
    run->table.channel = run->request.challenge_channel;
    run->table.arena = &run->request.arena;
    run->table.done = done;
    run->table.context = run;
    challenges_submit(run->flow->ports.challenges, &run->table);
}

static bool has_answered(const struct run *run)
{
    const struct credential *credential = &run->request.credential;
    return credential->kind == CREDENTIAL_TPM && credential->answered;
}

bool run_may_ask_anew(const struct run *run)
{
    const struct credential *credential = &run->request.credential;
    bool asked = credential->kind == CREDENTIAL_TPM && !credential->answered;
    return run->says_its_tpm && !asked;
}

void run_ask_anew(struct run *run)
{
    struct credential *credential = &run->request.credential;
    credential->kind = CREDENTIAL_TPM;
    credential->answered = false;
    secret_wipe(&credential->challenge);
    secret_wipe(&run->admission.credential.challenge);
    run_rewind(run);
}

// ---- recall
// ----------------------------------------------------------------------------------------------------------------

static bool is_of_the_same_tpm(const struct run *run, const struct challenge *kept)
{
    const struct tpm_identity *said = &run->request.credential.tpm;
    return !run->says_its_tpm || (slice_equal(said->endorsement_key, kept->endorsement_key) &&
                                  slice_equal(said->storage_root_key, kept->storage_root_key));
}

static struct err complete(struct run *run, const struct challenge *kept)
{
    struct credential *credential = &run->request.credential;
    if (credential->chain == NULL && kept->certificate_count > 0)
        TRY(chain_new(kept->certificates, kept->certificate_count, &credential->chain));
    credential->kind = CREDENTIAL_TPM;
    credential->tpm.endorsement_key = kept->endorsement_key;
    credential->tpm.storage_root_key = kept->storage_root_key;
    credential->challenge = kept->key;
    credential->answered = true;
    return OK;
}

static void nothing_to_answer(struct run *run)
{
    if (run_may_ask_anew(run)) {
        run_ask_anew(run);
        run_advance(run);
        return;
    }
    if (run->admission.individual == NULL) { // it may be a device with a key after all, that is called so
        run_continue(run);
        return;
    }
    struct err e =
        why_fail(&run->why, ERR_CHALLENGE_UNKNOWN,
                 "no challenge is waiting for the device's answer: it came too late, the challenge "
                 "was replaced by another one, or there never was one");
    (void)run_refuse(run, e);
    run_end(run);
}

static void recalled(struct challenge_request *request)
{
    struct run *run = request->context;
    struct err e = request->result;
    if (!failed(e) && !is_of_the_same_tpm(run, &request->challenge))
        e = FAIL(ERR_ABSENT);
    if (!failed(e))
        e = complete(run, &request->challenge);
    secret_wipe(&request->challenge.key);
    if (!failed(e)) { // what is known of this TPM was not looked up as long as nobody knew which it is
        run_rewind(run);
        run_advance(run);
    } else if (e.code == ERR_ABSENT) {
        nothing_to_answer(run);
    } else {
        (void)run_refuse(run, e);
        run_end(run);
    }
}

// On the loop of the table, while the run waits for it.
static bool made_the_signature(const struct challenge_request *request, const struct challenge *kept)
{
    const struct run *run = request->context;
    return !failed(sas_verify(&run->request.credential.sas, &kept->key, NULL));
}

enum step_result step_recall(struct run *run)
{
    const struct credential *credential = &run->request.credential;
    const struct enrollment *own = run->admission.individual;
    if (failed(run->store.result) || credential->kind != CREDENTIAL_SAS)
        return STEP_DONE;
    bool may_be = own != NULL ? own->attestation.type == ATTESTATION_TPM
                              : tpm_is_registration_id(run->request.registration_id);
    if (!may_be)
        return STEP_DONE;
    run->says_its_tpm = credential->tpm.endorsement_key.len > 0;
    run->table.fits = made_the_signature;
    ask_table(run, CHALLENGE_RECALL, recalled);
    return STEP_WAITS;
}

// ---- challenge
// -------------------------------------------------------------------------------------------------------------

static void fresh_key(struct run *run, struct secret *key)
{
    random_fill_from(run->flow->ports.random, key->bytes, FRESH_KEY_SIZE);
    key->len = FRESH_KEY_SIZE;
}

static struct err wrap(struct run *run, const struct secret *key, struct slice *out)
{
    const struct tpm_identity *tpm = &run->request.credential.tpm;
    struct tpm_seeds seeds;
    struct buf blob = buf_capped(TPM_BLOB_MAX);
    random_fill_from(run->flow->ports.random, &seeds, sizeof seeds);
    struct err e = tpm_activation_blob(tpm->endorsement_key, tpm->storage_root_key, key, BLOB_HINT, &seeds,
                                       &blob, &run->why);
    if (!failed(e))
        e = arena_copy(&run->request.arena, buf_slice(&blob), out);
    bytes_wipe(&seeds, sizeof seeds);
    buf_release(&blob);
    return e;
}

static void kept(struct challenge_request *request)
{
    struct run *run = request->context;
    secret_wipe(&request->challenge.key);
    if (failed(request->result))
        (void)run_refuse(run, request->result);
    else
        run_answer_challenge(run);
    run_end(run);
}

enum step_result step_challenge(struct run *run)
{
    const struct credential *credential = &run->request.credential;
    if (!run->decision.challenge)
        return STEP_DONE;
    struct challenge *challenge = &run->table.challenge;
    *challenge = (struct challenge){.endorsement_key = credential->tpm.endorsement_key,
                                    .storage_root_key = credential->tpm.storage_root_key};
    // an individual enrollment does not look at them else, and what a stranger sends is not kept without need
    bool looked_at = run->admission.individual == NULL || run->admission.service->tpm_certificate_required;
    if (credential->chain != NULL && looked_at)
        challenge->certificate_count =
            chain_shown(credential->chain, challenge->certificates, CHALLENGE_CERTIFICATES_MAX);
    fresh_key(run, &challenge->key);
    struct err e = wrap(run, &challenge->key, &run->challenge);
    if (failed(e)) {
        secret_wipe(&challenge->key);
        return run_refuse(run, e);
    }
    ask_table(run, CHALLENGE_KEEP, kept);
    return STEP_WAITS;
}

// ---- let in, to register later
// ---------------------------------------------------------------------------------------------------------

static void noted(struct challenge_request *request)
{
    struct run *run = request->context;
    struct err e = request->result;
    if (!failed(e)) {
        run_continue(run);
        return;
    }
    if (e.code == ERR_ABSENT)
        e = why_fail(&run->why, ERR_CHALLENGE_UNKNOWN,
                     "the challenge's time was over, or it was replaced, while its answer was looked at");
    (void)run_refuse(run, e);
    run_end(run);
}

enum step_result step_let_in(struct run *run)
{
    if (!has_answered(run))
        return STEP_DONE;
    ask_table(run, CHALLENGE_LET_IN, noted);
    return STEP_WAITS;
}

// ---- claim, and what becomes of it
// ---------------------------------------------------------------------------------------------

// Outlives the run: nobody waits for what becomes of a claim. Counts as under way in the flow.
struct claim {
    struct challenge_request request;
    struct flow *flow;
    uint8_t text[]; // what the request points to
};

static struct claim *claim_new(const struct run *run)
{
    const struct challenge_request *made = &run->table;
    struct claim *claim = malloc(sizeof *claim + made->id_scope.len + made->registration_id.len);
    if (claim == NULL)
        return NULL;
    *claim = (struct claim){.flow = run->flow,
                            .request = {.channel = made->channel, .serial = made->serial, .context = claim}};
    memcpy(claim->text, made->id_scope.at, made->id_scope.len);
    memcpy(claim->text + made->id_scope.len, made->registration_id.at, made->registration_id.len);
    claim->request.id_scope = slice_of(claim->text, made->id_scope.len);
    claim->request.registration_id = slice_of(claim->text + made->id_scope.len, made->registration_id.len);
    return claim;
}

static void claim_over(struct challenge_request *request)
{
    struct claim *claim = request->context;
    struct flow *flow = claim->flow;
    free(claim); // if it was replaced meanwhile there is nothing to give back
    flow_leave(flow);
}

void run_claim_end(struct run *run, bool spent)
{
    struct claim *claim = run->claim;
    if (claim == NULL)
        return;
    run->claim = NULL;
    run->flow->count++;
    claim->request.verb = spent ? CHALLENGE_SPEND : CHALLENGE_GIVE_BACK;
    claim->request.done = claim_over;
    challenges_submit(run->flow->ports.challenges, &claim->request);
}

static void claimed(struct challenge_request *request)
{
    struct run *run = request->context;
    struct err e = request->result;
    if (!failed(e)) {
        run->claim = claim_new(run);
        e = run->claim == NULL ? FAIL(ERR_NO_MEMORY) : OK; // lost: nobody claims it again
    }
    bool used = e.code == ERR_CONFLICT || e.code == ERR_ABSENT;
    if (used)
        e = why_fail(&run->why, ERR_CHALLENGE_UNKNOWN,
                     "the challenge was answered before: an answer is good for one registration");
    if (!failed(e)) {
        run_continue(run);
    } else if (used && run_may_ask_anew(run)) {
        run_ask_anew(run);
        run_advance(run);
    } else {
        (void)run_refuse(run, e);
        run_end(run);
    }
}

enum step_result step_claim(struct run *run)
{
    if (!has_answered(run) || run->claim != NULL)
        return STEP_DONE;
    ask_table(run, CHALLENGE_CLAIM, claimed);
    return STEP_WAITS;
}

// ---- the key for the hub
// --------------------------------------------------------------------------------------------------------

void run_make_hub_key(struct run *run)
{
    struct decision *decision = &run->decision;
    if (decision->fresh_key && decision->primary_key.len == 0)
        fresh_key(run, &decision->primary_key);
}

// Not for a TPM that has taken the place of the one that registered: it gets a key of its own when it does.
struct err run_wrap_hub_key(struct run *run, const struct registration *registration, struct slice *out)
{
    bool wanted = has_answered(run) && registration != NULL && registration->status == STATUS_ASSIGNED;
    struct slice tpm;
    *out = (struct slice){0};
    if (!wanted || registration->hub_key.len == 0)
        return OK;
    TRY(word_of_endorsement_key(&run->request.arena, run->request.credential.tpm.endorsement_key, &tpm));
    return slice_equal(registration->hub_key_tpm, tpm) ? wrap(run, &registration->hub_key, out) : OK;
}

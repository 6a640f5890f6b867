// Devices that prove themselves by a TPM over MQTT, an extension of Usher's own (docs/tpm-over-mqtt.md): the
// CONNECT proves nothing, the first register call is answered by a challenge, and the second one bears the
// token that answers it.
#include "api/device/mqtt_session.h"

#include <stdlib.h>

#include "api/device/messages.h"

enum {
    UNPROVEN_MAX = 32 * 1024, // bytes of a message before the proof: keys, certificates, token, small payload
    CHALLENGED_MAX = 32,      // challenges in a row after which the connection is closed
};

// The token that was let in, copied.
struct mqtt_proof {
    struct sas_token token;
    struct arena arena;
};

enum { PROOF_CAP = 2 * SAS_TOKEN_MAX };

// At the end, or right behind the api-version: what follows ClientVersion= may hold an unencoded '&'.
bool mqtt_tpm_wanted(struct slice options)
{
    struct slice option = SLICE("attestation=tpm");
    return slice_equal(options, option) || slice_ends_with(options, SLICE("&attestation=tpm")) ||
           slice_starts_with(options, SLICE("attestation=tpm&"));
}

void mqtt_tpm_connect(struct session *s)
{
    int64_t now_us = clock_monotonic_us(s->api->clock);
    mqtt_link_expires(s->link, now_us + CHALLENGE_ANSWER_MS * INT64_C(1000),
                      "a register call that answers a challenge");
    mqtt_link_accept(s->link, UNPROVEN_MAX);
}

struct err mqtt_tpm_credential(const struct session *s, struct flow_request *request)
{
    if (s->proof == NULL)
        return OK; // none
    request->credential.kind = CREDENTIAL_SAS;
    return token_keep(&request->arena, &s->proof->token, &request->credential.sas);
}

struct err mqtt_tpm_register(const struct session *s, struct slice body, struct flow_request *request,
                             struct why *why)
{
    struct credential *credential = &request->credential;
    struct device_tpm tpm;
    TRY(device_body_read_tpm(body, s->registration_id, &request->arena, &request->payload, &tpm, why));
    bool has_tpm = tpm.identity.endorsement_key.len > 0;
    credential->tpm = tpm.identity;
    credential->chain = tpm.chain;
    if (tpm.authorization.len > 0) {
        struct err e = sas_parse(tpm.authorization, &credential->sas, why);
        credential->kind = failed(e) && has_tpm ? CREDENTIAL_TPM : CREDENTIAL_SAS;
        return has_tpm ? OK : e;
    }
    if (has_tpm) {
        credential->kind = CREDENTIAL_TPM;
        return OK;
    }
    return why_fail(why, ERR_INVALID,
                    "the user name says attestation=tpm: send the member `tpm`, or `authorization` with the "
                    "token that answers the challenge");
}

void mqtt_tpm_challenge(struct session *s, const struct flow_outcome *outcome, struct slice rid)
{
    struct buf body = buf_capped(REPLY_MAX);
    device_challenge_write(&body, outcome);
    mqtt_reply(s, 401, rid, 0, &body);
    buf_release(&body);
    if (++s->challenged >= CHALLENGED_MAX)
        mqtt_link_close(s->link, OK, NULL);
}

void mqtt_tpm_admitted(struct session *s, const struct flow_request *request)
{
    struct mqtt_proof *proof = calloc(1, sizeof *proof);
    struct err e = proof != NULL ? OK : FAIL(ERR_NO_MEMORY);
    if (!failed(e)) {
        proof->arena = arena_capped(PROOF_CAP);
        proof->arena.wipe = true;
        e = token_keep(&proof->arena, &request->credential.sas, &proof->token);
    }
    mqtt_tpm_closed(s);
    s->proof = proof;
    if (failed(e))
        mqtt_link_close(s->link, e, NULL);
}

void mqtt_tpm_closed(struct session *s)
{
    if (s->proof != NULL) {
        arena_release(&s->proof->arena);
        bytes_wipe(s->proof, sizeof *s->proof); // what was read of the token
    }
    free(s->proof);
    s->proof = NULL;
}

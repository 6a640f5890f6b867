// SASL mechanism TPM: the device names its TPM, is sent a key that only this TPM can use, in two pieces, and
// answers with a token made with it (device-protocol 4.3).
#include "api/device/amqp.h"

#include <stdlib.h>

#include "api/device/messages.h"
#include "crypto/tpm.h"

// Java takes no other control bytes, and exactly two pieces.
enum { GO_ON = 0x00, FIRST_PIECE = 0x80, LAST_PIECE = 0xC1 };

enum step { AWAIT_STORAGE_ROOT_KEY, AWAIT_FIRST_TAKEN, AWAIT_TOKEN };

struct sasl_tpm {
    enum step step;
    size_t endorsement_len;
    size_t storage_len;
    size_t blob_len;
    uint8_t endorsement_key[TPM_PUBLIC_MAX];
    uint8_t storage_root_key[TPM_PUBLIC_MAX];
    uint8_t blob[TPM_BLOB_MAX];
};

void sasl_tpm_free(struct sasl_tpm *tpm)
{
    free(tpm);
}

static struct err take_key(struct slice key, enum tpm_key which, uint8_t *out, size_t *len, struct why *why)
{
    TRY(tpm_public_check(key, which, why));
    if (key.len > TPM_PUBLIC_MAX)
        return why_fail(why, ERR_INVALID, "a TPM key is longer than %d bytes", TPM_PUBLIC_MAX);
    memcpy(out, key.at, key.len);
    *len = key.len;
    return OK;
}

// .NET and Node put the identity into the host name too; others the host's.
static struct err host_check(const struct amqp_session *s, struct slice hostname, struct why *why)
{
    struct slice id_scope, registration_id;
    if (!amqp_identity_split(hostname, &id_scope, &registration_id) ||
        (slice_equal_nocase(id_scope, s->id_scope) &&
         slice_equal_nocase(registration_id, s->registration_id)))
        return OK;
    return why_fail(why, ERR_IDENTITY_MISMATCH,
                    "the host name of SASL is \"%.*s\", but its response says \"%.*s\"",
                    SLICE_ARG(device_shown(hostname)), SLICE_ARG(s->registration_id));
}

// 00 scope 00 id 00 EK
struct err sasl_tpm_begin(struct amqp_session *s, const struct amqp_event *event, struct why *why)
{
    static const uint8_t go_on = GO_ON;
    struct slice bytes = event->bytes;
    struct slice nothing, id_scope, registration_id;
    bool whole = slice_cut(&bytes, 0, &nothing) && nothing.len == 0 && slice_cut(&bytes, 0, &id_scope) &&
                 slice_cut(&bytes, 0, &registration_id) && id_scope.len > 0 && registration_id.len > 0;
    if (!whole)
        return why_fail(
            why, ERR_CREDENTIAL_MISSING,
            "the response of TPM is not an ID scope, a registration ID and a key, a NUL before each");
    TRY(amqp_session_identify(s, id_scope, registration_id, (struct slice){0}));
    TRY(host_check(s, event->hostname, why));
    s->tpm = calloc(1, sizeof *s->tpm);
    if (s->tpm == NULL)
        return FAIL(ERR_NO_MEMORY);
    TRY(take_key(bytes, TPM_ENDORSEMENT_KEY, s->tpm->endorsement_key, &s->tpm->endorsement_len, why));
    s->credential.kind = CREDENTIAL_TPM;
    amqp_connection_challenge(s->connection, slice_of(&go_on, 1));
    return OK;
}

static void send_piece(struct amqp_session *s, uint8_t control, struct slice piece)
{
    uint8_t bytes[1 + TPM_BLOB_MAX];
    bytes[0] = control;
    memcpy(bytes + 1, piece.at, piece.len);
    amqp_connection_challenge(s->connection, slice_of(bytes, 1 + piece.len));
}

static struct slice first_piece(const struct sasl_tpm *tpm)
{
    return slice_of(tpm->blob, (tpm->blob_len + 1) / 2);
}

static void challenged(struct flow_request *request, const struct flow_outcome *outcome)
{
    struct amqp_session *s = amqp_session_of(request);
    if (s == NULL)
        return;
    struct slice blob = outcome->challenge;
    if (failed(outcome->result)) {
        amqp_connection_refuse_quietly(s->connection, outcome->result);
        return;
    }
    if (blob.len < 2 || blob.len > TPM_BLOB_MAX) {
        struct why why;
        struct err e = why_fail(&why, ERR_INTERNAL, "an activation blob of %zu bytes", blob.len);
        amqp_connection_refuse(s->connection, e, &why);
        return;
    }
    memcpy(s->tpm->blob, blob.at, blob.len);
    s->tpm->blob_len = blob.len;
    s->tpm->step = AWAIT_FIRST_TAKEN;
    send_piece(s, FIRST_PIECE, first_piece(s->tpm));
    amqp_connection_go_on(s->connection);
}

static struct err take_storage_root_key(struct amqp_session *s, struct slice key, struct why *why)
{
    struct sasl_tpm *tpm = s->tpm;
    TRY(take_key(key, TPM_STORAGE_ROOT_KEY, tpm->storage_root_key, &tpm->storage_len, why));
    s->credential.tpm = (struct tpm_identity){
        .endorsement_key = slice_of(tpm->endorsement_key, tpm->endorsement_len),
        .storage_root_key = slice_of(tpm->storage_root_key, tpm->storage_len),
    };
    return amqp_authenticate(s, challenged);
}

static struct err take_answer(struct amqp_session *s, struct slice token, struct why *why)
{
    TRY(amqp_session_identify(s, s->id_scope, s->registration_id, token));
    s->credential = (struct credential){0};
    sasl_tpm_free(s->tpm);
    s->tpm = NULL;
    return amqp_take_token(s, why);
}

// 00 and what it carries. C would cut keys that with the IDs are longer than 470 bytes; those of RSA 2048 are
// not.
struct err sasl_tpm_response(struct amqp_session *s, struct slice bytes, struct why *why)
{
    struct sasl_tpm *tpm = s->tpm;
    if (tpm == NULL)
        return why_fail(why, ERR_PROTOCOL, "a SASL response that was not asked for");
    if (bytes.len == 0 || bytes.at[0] != 0)
        return why_fail(why, ERR_CREDENTIAL_MISSING, "a response of TPM does not begin with a NUL");
    struct slice carried = slice_from(bytes, 1);
    switch (tpm->step) {
    case AWAIT_STORAGE_ROOT_KEY:
        return take_storage_root_key(s, carried, why);
    case AWAIT_FIRST_TAKEN:
        tpm->step = AWAIT_TOKEN;
        send_piece(s, LAST_PIECE, slice_from(slice_of(tpm->blob, tpm->blob_len), first_piece(tpm).len));
        return OK;
    case AWAIT_TOKEN:
        return take_answer(s, carried, why);
    }
    return FAIL(ERR_INTERNAL);
}

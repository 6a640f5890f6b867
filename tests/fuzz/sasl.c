// Fuzzes what a device says in SASL: the first byte chooses the mechanism and what the flow thinks of the
// device, the rest are pieces, each behind its length in two bytes: host name, initial response, responses.
// In place of the front and the flow stand functions of this file. Beyond not crashing: a conversation ends
// at most once, and a refusal has words for the log; nobody is let in whom the flow did not let in; the flow
// is asked for whole identities only, with a token or with two keys that pass the check; and a blob arrives
// as it was, in two challenges.
#include <stdlib.h>

#include "api/device/api.h"
#include "crypto/tpm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MECHANISM = 3, FLOW_DENIES = 4, FLOW_CHALLENGES_ALWAYS = 8, BLOB = 813, PIECES_MAX = 16 };

struct amqp_connection {
    void *session;
    struct flow_request *asked; // of the flow, and not answered yet
    bool deciding;
    bool let_in; // by the flow
    bool over;   // let in or refused
    size_t asks;
    size_t challenges;
    struct buf blob; // what the challenges behind the first one carried
};

static struct amqp_connection *the;

// ---- the flow
// ------------------------------------------------------------------------------------------------------------------

struct flow_request *flow_request_new(struct flow *flow)
{
    (void)flow;
    struct flow_request *request = calloc(1, sizeof *request);
    if (request != NULL)
        request->arena = arena_capped(FLOW_ARENA_CAP);
    return request;
}

void flow_request_free(struct flow *flow, struct flow_request *request)
{
    (void)flow;
    if (request == NULL)
        return;
    chain_release(request->credential.chain);
    arena_release(&request->arena);
    free(request);
}

void flow_submit(struct flow *flow, struct flow_request *request)
{
    (void)flow;
    const struct credential *proof = &request->credential;
    struct why why;
    INVARIANT(the->asked == NULL && !the->over && request->verb == FLOW_AUTHENTICATE);
    INVARIANT(request->id_scope.len > 0 && slice_find_byte(request->id_scope, 0) == request->id_scope.len);
    INVARIANT(request->registration_id.len > 0 &&
              slice_find_byte(request->registration_id, 0) == request->registration_id.len);
    INVARIANT(proof->kind == CREDENTIAL_SAS || proof->kind == CREDENTIAL_TPM);
    if (proof->kind == CREDENTIAL_SAS)
        INVARIANT(proof->sas.resource.len > 0 && proof->sas.expiry_text.len > 0);
    else
        INVARIANT(!failed(tpm_public_check(proof->tpm.endorsement_key, TPM_ENDORSEMENT_KEY, &why)) &&
                  !failed(tpm_public_check(proof->tpm.storage_root_key, TPM_STORAGE_ROOT_KEY, &why)));
    the->asked = request;
    the->asks++;
}

static struct slice blob(void)
{
    static uint8_t bytes[BLOB];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    return slice_of(bytes, sizeof bytes);
}

static void flow_answers(uint8_t control)
{
    struct flow_request *request = the->asked;
    struct flow_outcome outcome = {0};
    bool tpm = request->credential.kind == CREDENTIAL_TPM;
    the->asked = NULL;
    if (control & FLOW_DENIES)
        outcome.result = FAIL(ERR_SAS_SIGNATURE);
    else if (tpm || control & FLOW_CHALLENGES_ALWAYS)
        outcome.challenge = blob();
    else
        the->let_in = true;
    request->done(request, &outcome);
    flow_request_free(NULL, request);
}

// ---- the front
// -----------------------------------------------------------------------------------------------------------------

struct link_ticket amqp_connection_ticket(const struct amqp_connection *c)
{
    (void)c;
    return (struct link_ticket){1, 1};
}

struct amqp_connection *amqp_connection_of(struct amqp_front *front, struct link_ticket ticket)
{
    (void)front;
    INVARIANT(ticket.slot == 1 && ticket.generation == 1);
    return the->over ? NULL : the;
}

void *amqp_connection_session(const struct amqp_connection *c)
{
    return c->session;
}

void amqp_connection_decide(struct amqp_connection *c)
{
    INVARIANT(!c->deciding && !c->over);
    c->deciding = true;
}

void amqp_connection_go_on(struct amqp_connection *c)
{
    c->deciding = false;
}

void amqp_connection_challenge(struct amqp_connection *c, struct slice bytes)
{
    INVARIANT(!c->over && bytes.len > 0 && bytes.len <= AMQP_CHALLENGE_MAX && c->challenges < 3);
    static const uint8_t control[] = {0x00, 0x80, 0xC1};
    INVARIANT(bytes.at[0] == control[c->challenges] && (c->challenges > 0 || bytes.len == 1));
    c->challenges++;
    buf_bytes(&c->blob, slice_from(bytes, 1));
}

void amqp_connection_admit(struct amqp_connection *c)
{
    INVARIANT(c->let_in && !c->over);
    c->over = true;
}

void amqp_connection_refuse_quietly(struct amqp_connection *c, struct err e)
{
    INVARIANT(!c->over && failed(e));
    c->over = true;
}

void amqp_connection_refuse(struct amqp_connection *c, struct err e, const struct why *why)
{
    INVARIANT(why->text[0] != '\0' || e.code == ERR_NO_MEMORY);
    amqp_connection_refuse_quietly(c, e);
}

struct chain *amqp_connection_chain(struct amqp_connection *c)
{
    (void)c;
    return NULL;
}

uint64_t amqp_connection_id(const struct amqp_connection *c)
{
    (void)c;
    return 1;
}

struct slice amqp_connection_peer(const struct amqp_connection *c)
{
    (void)c;
    return SLICE("192.0.2.1:50000");
}

// What comes after SASL does not happen here.
#define NEVER(name, ...)                                                                                     \
    void name(struct amqp_connection *__VA_ARGS__)                                                           \
    {                                                                                                        \
        INVARIANT(false);                                                                                    \
    }
NEVER(amqp_connection_open)
NEVER(amqp_connection_ready)
NEVER(amqp_connection_flush)
NEVER(amqp_connection_limit, , size_t)
NEVER(amqp_connection_close, , struct err, const struct why *)
NEVER(amqp_connection_expires, , int64_t, const char *)
NEVER(amqp_connection_log_refusal, , struct slice, struct err, const struct why *)

// ---- the peer
// ------------------------------------------------------------------------------------------------------------------

// The next piece, in memory of its own, so that what is kept of it too long is noticed.
static struct slice piece(struct slice *rest)
{
    size_t len = rest->len >= 2 ? (size_t)(rest->at[0] << 8 | rest->at[1]) : 0;
    struct slice found = slice_to(slice_from(*rest, rest->len >= 2 ? 2 : rest->len), len);
    *rest = slice_from(*rest, found.len + 2 <= rest->len ? found.len + 2 : rest->len);
    uint8_t *copy = malloc(found.len + 1);
    INVARIANT(copy != NULL);
    if (found.len > 0)
        memcpy(copy, found.at, found.len);
    return slice_of(copy, found.len);
}

static void forget(struct slice copy)
{
    free((void *)(uintptr_t)copy.at);
}

static void tell(const struct amqp_door *door, uint8_t control, const struct amqp_event *event)
{
    size_t challenges = the->challenges;
    door->event(the->session, event);
    // an answer, or the flow was asked
    INVARIANT(the->over || the->challenges == challenges + 1 || the->asked != NULL);
    INVARIANT(the->deciding == (the->asked != NULL));
    if (the->asked != NULL)
        flow_answers(control);
    INVARIANT(the->over || the->challenges == challenges + 1);
    INVARIANT(the->over || !the->deciding);
}

static void converse(const struct amqp_door *door, uint8_t control, struct slice rest)
{
    static const char *const mechanisms[] = {"PLAIN", "TPM", "ANONYMOUS", "plain"};
    struct slice hostname = piece(&rest), initial = piece(&rest);
    tell(door, control,
         &(struct amqp_event){.kind = AMQP_SASL_INIT,
                              .mechanism = slice_text(mechanisms[control & MECHANISM]),
                              .bytes = initial,
                              .hostname = hostname});
    forget(hostname);
    forget(initial);
    for (size_t i = 0; i < PIECES_MAX && !the->over && rest.len > 0; i++) {
        struct slice response = piece(&rest);
        tell(door, control, &(struct amqp_event){.kind = AMQP_SASL_RESPONSE, .bytes = response});
        forget(response);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > AMQP_SASL_BYTES_MAX)
        return 0;
    struct device_api api = {0};
    struct amqp_door door = device_amqp_door(&api);
    struct amqp_connection connection = {.blob = buf_capped(4096)};
    the = &connection;
    connection.session = door.open(door.context, the);
    INVARIANT(connection.session != NULL);
    converse(&door, data[0], slice_of(data + 1, size - 1));
    door.closed(connection.session);
    // with a TPM the flow is asked twice: for the challenge, and about the answer to all of it
    INVARIANT(connection.asks <= 2 && (connection.asks < 2 || connection.challenges == 3));
    INVARIANT(connection.challenges < 3 || slice_equal(buf_slice(&connection.blob), blob()));
    buf_release(&connection.blob);
    return 0;
}

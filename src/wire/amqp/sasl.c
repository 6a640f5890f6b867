// SASL's server side: proton frames it, everything else is the caller's. A custom implementation
// (proton/sasl_plugin.h) because proton's own answer at once and know neither tokens nor TPMs.
#include <stdlib.h>
#include <string.h>

#include <proton/sasl.h>
#include <proton/sasl_plugin.h>

#include "wire/amqp/internal.h"

static void release_nothing(pn_transport_t *transport)
{
    (void)transport;
}

static const char *list_mechanisms(pn_transport_t *transport)
{
    struct amqp_peer *peer = pnx_sasl_get_context(transport);
    return peer->settings->mechanisms;
}

static bool init_server(pn_transport_t *transport)
{
    pnx_sasl_set_desired_state(transport, SASL_POSTED_MECHANISMS);
    return true;
}

static bool init_client(pn_transport_t *transport)
{
    (void)transport;
    return false;
}

static void prepare_write(pn_transport_t *transport)
{
    (void)transport;
}

// What the peer said was read by judge.c, and is the caller's event.
static void process_init(pn_transport_t *transport, const char *mechanism, const pn_bytes_t *response)
{
    (void)transport, (void)mechanism, (void)response;
}

static void process_response(pn_transport_t *transport, const pn_bytes_t *response)
{
    (void)transport, (void)response;
}

static bool can_encrypt(pn_transport_t *transport)
{
    (void)transport;
    return false;
}

static const pnx_sasl_implementation implementation = {
    .free = release_nothing,
    .list_mechanisms = list_mechanisms,
    .init_server = init_server,
    .init_client = init_client,
    .prepare_write = prepare_write,
    .process_init = process_init,
    .process_response = process_response,
    .can_encrypt = can_encrypt,
};

bool amqp_sasl_install(struct amqp_peer *peer)
{
    peer->challenge = malloc(AMQP_CHALLENGE_MAX);
    if (peer->challenge == NULL || pn_sasl(peer->driver.transport) == NULL)
        return false;
    pnx_sasl_set_implementation(peer->driver.transport, &implementation, peer);
    return true;
}

void amqp_sasl_release(struct amqp_peer *peer)
{
    free(peer->challenge);
    peer->challenge = NULL;
}

static bool is_waiting(const struct amqp_peer *peer)
{
    return !peer->over && peer->blocked &&
           (peer->phase == AMQP_AT_SASL_INIT || peer->phase == AMQP_AT_SASL_ANSWER);
}

void amqp_sasl_challenge(struct amqp_peer *peer, struct slice bytes)
{
    INVARIANT(bytes.len <= AMQP_CHALLENGE_MAX);
    if (!is_waiting(peer))
        return;
    if (bytes.len > 0)
        memcpy(peer->challenge, bytes.at, bytes.len);
    pnx_sasl_set_bytes_out(peer->driver.transport, pn_bytes(bytes.len, (const char *)peer->challenge));
    pnx_sasl_set_desired_state(peer->driver.transport, SASL_POSTED_CHALLENGE);
    peer->phase = AMQP_AT_SASL_ANSWER;
    peer->blocked = false;
    amqp_turn(peer);
}

void amqp_sasl_end(struct amqp_peer *peer, bool admitted)
{
    pn_transport_t *transport = peer->driver.transport;
    if (!is_waiting(peer))
        return;
    pnx_sasl_set_bytes_out(transport, pn_bytes(0, NULL));
    if (admitted)
        pnx_sasl_set_succeeded(transport, "", NULL); // who it is is the caller's to know
    else
        pnx_sasl_set_failed(transport);
    pnx_sasl_set_desired_state(transport, SASL_POSTED_OUTCOME);
    peer->phase = AMQP_AT_PLAIN_HEADER;
    peer->over = !admitted;
    peer->blocked = false;
    amqp_turn(peer);
    amqp_sasl_release(peer);
}

// SASL's server side (AMQP 1.0 part 5): what is offered, asked and decided. Who is admitted is the caller's
// to know.
#include "wire/amqp/internal.h"

enum sasl_code { SASL_OK, SASL_AUTH };

enum init { INIT_MECHANISM, INIT_RESPONSE, INIT_HOSTNAME };
enum response { RESPONSE };

void amqp_take_init(struct amqp_peer *peer, struct amqp_frame *f)
{
    const struct amqp_value *response = &f->fields[INIT_RESPONSE];
    struct slice mechanism = amqp_to_symbol(&f->fields[INIT_MECHANISM]);
    if (slice_empty(mechanism))
        amqp_break_field(peer, "sasl-init without a mechanism");
    else if (!amqp_is_binary(response) && !amqp_is_null(response))
        amqp_break_field(peer, "sasl-init with a response that is not binary");
    else
        amqp_ask(peer, (struct amqp_event){.kind = AMQP_SASL_INIT,
                                           .mechanism = mechanism,
                                           .bytes = amqp_to_binary(response),
                                           .hostname = amqp_to_string(&f->fields[INIT_HOSTNAME])});
}

void amqp_take_response(struct amqp_peer *peer, struct amqp_frame *f)
{
    const struct amqp_value *response = &f->fields[RESPONSE];
    if (!amqp_is_binary(response))
        amqp_break_field(peer, "sasl-response without a response");
    else
        amqp_ask(peer, (struct amqp_event){.kind = AMQP_SASL_RESPONSE, .bytes = response->body});
}

static struct amqp_compound say(struct amqp_peer *peer, enum amqp_descriptor what)
{
    return amqp_frame_begin(&peer->out, AMQP_SASL_FRAME, 0, (uint8_t)what);
}

void amqp_sasl_offer(struct amqp_peer *peer)
{
    struct amqp_compound f = say(peer, AMQP_MECHANISMS);
    amqp_put_symbols(&f, slice_text(peer->settings->mechanisms));
    amqp_tell(peer, &f, (struct slice){0});
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
    struct amqp_compound f = say(peer, AMQP_CHALLENGE);
    amqp_put_binary(&f, bytes);
    amqp_tell(peer, &f, (struct slice){0});
    peer->phase = AMQP_AT_SASL_ANSWER;
    peer->blocked = false;
}

void amqp_sasl_end(struct amqp_peer *peer, bool admitted)
{
    if (!is_waiting(peer))
        return;
    struct amqp_compound f = say(peer, AMQP_OUTCOME);
    amqp_put_ubyte(&f, admitted ? SASL_OK : SASL_AUTH);
    amqp_tell(peer, &f, (struct slice){0});
    peer->phase = AMQP_AT_PLAIN_HEADER;
    peer->over = !admitted;
    peer->blocked = false;
}

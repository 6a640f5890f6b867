// Messages in both directions and their outcomes. A struct amqp_delivery is a pn_delivery_t by another name.
#include <stdlib.h>

#include <proton/codec.h>
#include <proton/delivery.h>
#include <proton/disposition.h>
#include <proton/link.h>

#include "wire/amqp/internal.h"

static pn_delivery_t *proton_of(struct amqp_delivery *delivery)
{
    return (pn_delivery_t *)(void *)delivery;
}

void amqp_inbox_free(struct amqp_inbox *inbox)
{
    if (inbox == NULL)
        return;
    buf_release(&inbox->bytes);
    free(inbox);
}

// Credit goes back in lots, so that few flow frames are needed.
static void give_back_credit(struct amqp_link *link)
{
    if (++link->owed < AMQP_CREDIT / 2)
        return;
    pn_link_flow(link->proton, link->owed);
    link->credit = (uint8_t)(link->credit + link->owed);
    link->owed = 0;
}

static void discard(struct amqp_link *link, pn_delivery_t *delivery)
{
    pn_delivery_settle(delivery);
    if (link->state == AMQP_LINK_OPEN)
        give_back_credit(link);
}

static bool read_message(struct amqp_inbox *inbox, pn_link_t *link, pn_delivery_t *delivery)
{
    size_t len = pn_delivery_pending(delivery);
    inbox->bytes = buf_capped(AMQP_MESSAGE_MAX);
    if (len == 0)
        return true;
    uint8_t *at = buf_reserve(&inbox->bytes, len);
    ssize_t got = at != NULL ? pn_link_recv(link, (char *)at, len) : -1;
    if (got < 0 || (size_t)got != len)
        return false;
    buf_added(&inbox->bytes, len);
    return true;
}

static void deliver(struct amqp_peer *peer, struct amqp_link *link, pn_delivery_t *delivery)
{
    peer->inbox = calloc(1, sizeof *peer->inbox);
    if (peer->inbox == NULL || !read_message(peer->inbox, link->proton, delivery)) {
        amqp_break(peer, "amqp:internal-error", "out of memory for a message");
        return;
    }
    (void)pn_link_advance(link->proton);
    if (!amqp_message_decode(peer->inbox)) {
        amqp_break(peer, "amqp:decode-error", "a message's sections are malformed");
        return;
    }
    peer->event = (struct amqp_event){.kind = AMQP_DELIVERED,
                                      .link = link,
                                      .delivery = (struct amqp_delivery *)(void *)delivery,
                                      .message = &peer->inbox->message};
    peer->has_event = true;
}

static size_t bytes_in_parts(const struct amqp_peer *peer)
{
    size_t sum = 0;
    for (size_t i = 0; i < AMQP_LINKS_MAX; i++) {
        const struct amqp_link *link = &peer->links[i];
        if (link->state == AMQP_LINK_FREE || link->proton == NULL || link->to_peer)
            continue;
        pn_delivery_t *current = pn_link_current(link->proton);
        sum += current != NULL ? pn_delivery_pending(current) : 0;
    }
    return sum;
}

// Neither the link nor the connection has to end for it: there are peers that wait for their message's
// outcome and notice no other end.
static void too_large(struct amqp_peer *peer, struct amqp_link *link, pn_delivery_t *delivery)
{
    peer->event = (struct amqp_event){.kind = AMQP_TOO_LARGE,
                                      .link = link,
                                      .delivery = (struct amqp_delivery *)(void *)delivery,
                                      .limit = peer->message_max};
    peer->has_event = true;
}

static void received(struct amqp_peer *peer, struct amqp_link *link, pn_delivery_t *delivery)
{
    if (!pn_delivery_current(delivery))
        return; // the peer settled what has been delivered; its outcome is still ours to give
    if (pn_delivery_aborted(delivery) || link->state != AMQP_LINK_OPEN || peer->closing)
        discard(link, delivery);
    else if (peer->has_event || peer->over)
        return;
    else if (bytes_in_parts(peer) > peer->message_max)
        too_large(peer, link, delivery);
    else if (!pn_delivery_partial(delivery))
        deliver(peer, link, delivery);
}

void amqp_delivery_changed(struct amqp_peer *peer, pn_delivery_t *delivery)
{
    struct amqp_link *link = pn_link_get_context(pn_delivery_link(delivery));
    if (link == NULL)
        return;
    if (!link->to_peer)
        received(peer, link, delivery);
    else if (pn_delivery_remote_state(delivery) != 0 || pn_delivery_settled(delivery))
        pn_delivery_settle(delivery); // whatever the peer made of it, it is not sent again
}

// Settled, and credit for a further one.
static void answered(pn_delivery_t *delivery)
{
    struct amqp_link *link = pn_link_get_context(pn_delivery_link(delivery));
    pn_delivery_settle(delivery);
    if (link == NULL)
        return;
    if (link->state == AMQP_LINK_OPEN)
        give_back_credit(link);
    amqp_turn(link->peer);
}

void amqp_accept(struct amqp_delivery *delivery)
{
    pn_delivery_update(proton_of(delivery), PN_ACCEPTED);
    answered(proton_of(delivery));
}

// Both spellings, because one SDK looks for this and one for that, and neither for other case.
static void put_retry_after(pn_data_t *info, uint32_t seconds)
{
    static const struct slice names[] = {{(const uint8_t *)"Retry-After", 11},
                                         {(const uint8_t *)"retry-after", 11}};
    int32_t value = seconds < INT32_MAX ? (int32_t)seconds : INT32_MAX;
    pn_data_put_map(info);
    pn_data_enter(info);
    for (size_t i = 0; i < 2; i++) {
        pn_data_put_symbol(info, pn_bytes(names[i].len, (const char *)names[i].at));
        pn_data_put_int(info, value);
    }
    pn_data_exit(info);
    pn_data_rewind(info);
}

void amqp_reject(struct amqp_delivery *delivery, struct slice condition, struct slice description,
                 uint32_t retry_after_s)
{
    pn_condition_t *error = pn_disposition_condition(pn_delivery_local(proton_of(delivery)));
    amqp_set_condition(error, condition, description);
    if (retry_after_s > 0)
        put_retry_after(pn_condition_info(error), retry_after_s);
    pn_delivery_update(proton_of(delivery), PN_REJECTED);
    answered(proton_of(delivery));
}

static int waiting_messages(const struct amqp_peer *peer)
{
    int sum = 0;
    for (size_t i = 0; i < AMQP_LINKS_MAX; i++)
        if (peer->links[i].state == AMQP_LINK_OPEN && peer->links[i].to_peer)
            sum += pn_link_queued(peer->links[i].proton);
    return sum;
}

// A peer that never says what it made of messages would have us remember all of them.
static void forget_oldest(pn_link_t *link)
{
    pn_delivery_t *oldest = pn_unsettled_head(link);
    if (pn_link_unsettled(link) > AMQP_UNSENT_MAX && oldest != NULL && !pn_delivery_buffered(oldest))
        pn_delivery_settle(oldest);
}

struct err amqp_send(struct amqp_link *link, const struct amqp_correlation *correlation,
                     const struct amqp_property *properties, size_t property_count, struct slice body)
{
    struct amqp_peer *peer = link->peer;
    if (link->state != AMQP_LINK_OPEN || !link->to_peer || peer->over || peer->closing)
        return FAIL(ERR_ABSENT);
    if (waiting_messages(peer) >= AMQP_UNSENT_MAX)
        return FAIL(ERR_CAPPED);
    struct buf message = buf_capped(AMQP_MESSAGE_MAX);
    amqp_message_encode(&message, correlation, properties, property_count, body);
    struct err result = buf_err(&message);
    if (failed(result))
        goto out;
    uint32_t tag = peer->next_tag++;
    pn_delivery_t *delivery = pn_delivery(link->proton, pn_dtag((const char *)&tag, sizeof tag));
    if (delivery == NULL ||
        pn_link_send(link->proton, (const char *)message.at, message.len) != (ssize_t)message.len) {
        result = FAIL(ERR_NO_MEMORY);
        goto out;
    }
    (void)pn_link_advance(link->proton);
    if (pn_link_snd_settle_mode(link->proton) == PN_SND_SETTLED)
        pn_delivery_settle(delivery);
    forget_oldest(link->proton);
    amqp_turn(peer);
out:
    buf_release(&message);
    return result;
}

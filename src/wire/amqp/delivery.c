// Messages in both directions and their outcomes (AMQP 1.0, 2.6.12 and 2.7.5).
#include <stdlib.h>

#include "wire/amqp/internal.h"

enum { TRANSFER_BYTES = 48 }; // bytes of a transfer frame before its payload, at most

enum transfer {
    TRANSFER_HANDLE,
    TRANSFER_ID,
    TRANSFER_TAG,
    TRANSFER_FORMAT,
    TRANSFER_SETTLED,
    TRANSFER_MORE,
    TRANSFER_RECEIVER_MODE,
    TRANSFER_STATE,
    TRANSFER_RESUME,
    TRANSFER_ABORTED,
};
enum disposition { DISPOSITION_ROLE, DISPOSITION_FIRST, DISPOSITION_LAST, DISPOSITION_SETTLED };

// Credit goes back in lots, so that few flow frames are needed.
static void give_back_credit(struct amqp_link *link)
{
    if (++link->owed < AMQP_CREDIT / 2)
        return;
    link->credit += link->owed;
    link->owed = 0;
    amqp_send_flow(link->peer, link->session, link, false);
}

static void forget(struct amqp_delivery *delivery)
{
    struct amqp_link *link = delivery->link;
    struct amqp_delivery **at = &link->deliveries;
    while (*at != delivery)
        at = &(*at)->next;
    *at = delivery->next;
    if (link->current == delivery) {
        link->current = NULL;
        buf_release(&link->parts);
    }
    free(delivery);
    if (link->state == AMQP_LINK_OPEN)
        give_back_credit(link);
}

// The first frame of a message takes credit and says its delivery-id, which counts through the session.
static bool begin_message(struct amqp_link *link, const struct amqp_value *id)
{
    struct amqp_session *session = link->session;
    struct amqp_peer *peer = link->peer;
    uint32_t number;
    if (!amqp_to_uint(id, &number)) {
        amqp_break_field(peer, "transfer without a delivery-id");
        return false;
    }
    if (session->counting && number != session->next_delivery) {
        amqp_break(peer, "amqp:invalid-field", "transfer with delivery-id %u, where %u comes next", number,
                   session->next_delivery);
        return false;
    }
    if (link->credit == 0) {
        amqp_break(peer, "amqp:link:transfer-limit-exceeded", "transfer without credit; %d messages may wait",
                   AMQP_CREDIT);
        return false;
    }
    struct amqp_delivery *delivery = calloc(1, sizeof *delivery);
    if (delivery == NULL) {
        amqp_break(peer, "amqp:internal-error", "out of memory for a message");
        return false;
    }
    *delivery = (struct amqp_delivery){.next = link->deliveries, .link = link, .id = number};
    link->deliveries = link->current = delivery;
    link->credit--;
    link->delivery_count++;
    session->counting = true;
    session->next_delivery = number + 1;
    return true;
}

static size_t bytes_in_parts(const struct amqp_peer *peer)
{
    size_t sum = 0;
    for (size_t i = 0; i < AMQP_LINKS_MAX; i++)
        sum += peer->links[i].parts.len;
    return sum;
}

static void tell_of(struct amqp_link *link, enum amqp_event_kind kind)
{
    struct amqp_peer *peer = link->peer;
    peer->event = (struct amqp_event){.kind = kind,
                                      .link = link,
                                      .delivery = link->current,
                                      .message = kind == AMQP_DELIVERED ? &peer->inbox->message : NULL,
                                      .limit = peer->message_max};
    peer->has_event = true;
}

static void deliver(struct amqp_link *link)
{
    struct amqp_peer *peer = link->peer;
    peer->inbox = calloc(1, sizeof *peer->inbox);
    if (peer->inbox == NULL) {
        amqp_break(peer, "amqp:internal-error", "out of memory for a message");
        return;
    }
    peer->inbox->bytes = link->parts;
    link->parts = buf_capped(link->parts.cap);
    if (!amqp_message_decode(peer->inbox)) {
        amqp_break(peer, "amqp:decode-error", "a message's sections are malformed");
        return;
    }
    tell_of(link, AMQP_DELIVERED);
    link->current = NULL;
}

// One message of several frames is put together; neither link nor connection has to end for one that is too
// large: there are peers that wait for their message's outcome and notice no other end.
static void take_part(struct amqp_link *link, struct slice part, bool more)
{
    struct amqp_peer *peer = link->peer;
    buf_bytes(&link->parts, part);
    if (link->parts.broken != 0)
        amqp_break(peer, "amqp:internal-error", "out of memory for a message");
    else if (bytes_in_parts(peer) > peer->message_max)
        tell_of(link, AMQP_TOO_LARGE);
    else if (!more)
        deliver(link);
}

void amqp_take_transfer(struct amqp_peer *peer, struct amqp_frame *f)
{
    struct amqp_session *session = amqp_need_session(peer, f);
    struct amqp_link *link =
        session != NULL ? amqp_need_link(peer, session, &f->fields[TRANSFER_HANDLE]) : NULL;
    if (link == NULL)
        return;
    bool settled, more, aborted;
    (void)amqp_to_bool(&f->fields[TRANSFER_SETTLED], &settled);
    (void)amqp_to_bool(&f->fields[TRANSFER_MORE], &more);
    (void)amqp_to_bool(&f->fields[TRANSFER_ABORTED], &aborted);
    session->received++;
    if (link->to_peer) {
        amqp_break(peer, "amqp:not-allowed", "transfer on a link on which the peer receives");
        return;
    }
    if (amqp_to_binary(&f->fields[TRANSFER_TAG]).len > AMQP_TAG_MAX) {
        amqp_break_field(peer, "transfer with a delivery-tag of more than 32 bytes");
        return;
    }
    if (!link->partial && !begin_message(link, &f->fields[TRANSFER_ID]))
        return;
    link->partial = more && !aborted;
    if (link->current == NULL)
        return; // it has its outcome already
    link->current->settled |= settled;
    if (aborted || link->state != AMQP_LINK_OPEN)
        forget(link->current);
    else
        take_part(link, f->payload, more);
}

static struct amqp_compound say_disposition(struct amqp_peer *peer, const struct amqp_session *session,
                                            bool receiver, uint32_t first, uint32_t last)
{
    struct amqp_compound f = amqp_say(peer, session->channel, AMQP_DISPOSITION);
    amqp_put_bool(&f, receiver); // our role
    amqp_put_uint(&f, first);
    amqp_put_uint(&f, last);
    amqp_put_bool(&f, true); // settled
    return f;
}

// Whether it is to be told; else there is nobody who wants to know.
static bool is_wanted(const struct amqp_delivery *delivery)
{
    const struct amqp_link *link = delivery->link;
    return link->state == AMQP_LINK_OPEN && !delivery->settled && !link->peer->over && !link->peer->closing;
}

void amqp_accept(struct amqp_delivery *delivery)
{
    struct amqp_link *link = delivery->link;
    if (is_wanted(delivery)) {
        struct amqp_compound f = say_disposition(link->peer, link->session, true, delivery->id, delivery->id);
        struct amqp_compound accepted = amqp_list_in(&f, AMQP_ACCEPTED);
        amqp_end(&accepted);
        amqp_tell(link->peer, &f, (struct slice){0});
    }
    forget(delivery);
}

void amqp_reject(struct amqp_delivery *delivery, struct slice condition, struct slice description,
                 uint32_t retry_after_s)
{
    struct amqp_link *link = delivery->link;
    if (is_wanted(delivery)) {
        struct amqp_compound f = say_disposition(link->peer, link->session, true, delivery->id, delivery->id);
        struct amqp_compound rejected = amqp_list_in(&f, AMQP_REJECTED);
        amqp_put_error(link->peer, &rejected, condition, description, retry_after_s);
        amqp_end(&rejected);
        amqp_tell(link->peer, &f, (struct slice){0});
    }
    forget(delivery);
}

// What the peer makes of our messages changes nothing: none is sent again. If it waits for us to settle, we
// do (rcv-settle-mode second). What it says of its own is no news either: their outcomes are ours to give.
void amqp_take_disposition(struct amqp_peer *peer, struct amqp_frame *f)
{
    struct amqp_session *session = amqp_need_session(peer, f);
    if (session == NULL)
        return;
    uint32_t first, last;
    bool receiver, settled;
    if (!amqp_to_bool(&f->fields[DISPOSITION_ROLE], &receiver) ||
        !amqp_to_uint(&f->fields[DISPOSITION_FIRST], &first)) {
        amqp_break_field(peer, "disposition without a role and a delivery");
        return;
    }
    if (!amqp_to_uint(&f->fields[DISPOSITION_LAST], &last))
        last = first;
    (void)amqp_to_bool(&f->fields[DISPOSITION_SETTLED], &settled);
    if (receiver && (first > last || last >= session->our_delivery)) {
        amqp_break(peer, "amqp:not-allowed", "disposition of deliveries %u to %u; there were %u", first, last,
                   session->our_delivery);
        return;
    }
    if (!receiver || settled)
        return;
    struct amqp_compound answer = say_disposition(peer, session, false, first, last);
    amqp_tell(peer, &answer, (struct slice){0});
}

// ---- messages to the peer

void amqp_unsent_drop(struct amqp_peer *peer, const struct amqp_link *link)
{
    for (struct amqp_unsent **at = &peer->unsent; *at != NULL;) {
        struct amqp_unsent *one = *at;
        if (link != NULL && one->link != link) {
            at = &one->next;
            continue;
        }
        *at = one->next;
        buf_release(&one->message);
        free(one);
    }
}

bool amqp_is_waiting(const struct amqp_peer *peer, const struct amqp_link *link)
{
    for (const struct amqp_unsent *one = peer->unsent; one != NULL; one = one->next)
        if (one->link == link)
            return true;
    return false;
}

static void begin_unsent(struct amqp_unsent *one)
{
    one->id = one->link->session->our_delivery++;
    one->begun = true;
    one->link->credit--;
    one->link->delivery_count++;
}

// One frame of a message.
static void send_part(struct amqp_peer *peer, struct amqp_unsent *one)
{
    struct amqp_link *link = one->link;
    size_t room = peer->frame_max - TRANSFER_BYTES;
    struct slice rest = slice_from(buf_slice(&one->message), one->done);
    struct slice part = slice_to(rest, room);
    struct amqp_compound f = amqp_say(peer, link->session->channel, AMQP_TRANSFER);
    amqp_put_uint(&f, link->our_handle);
    amqp_put_uint(&f, one->id);
    amqp_put_binary(&f, slice_of(&one->id, sizeof one->id)); // delivery-tag
    amqp_put_uint(&f, 0);                                    // message-format
    amqp_put_bool(&f, link->sender_mode == AMQP_SENDER_SETTLED);
    amqp_put_bool(&f, part.len < rest.len); // more
    amqp_tell(peer, &f, part);
    link->session->sent++;
    link->session->window--;
    one->done += part.len;
}

static bool may_send(const struct amqp_unsent *one)
{
    return one->link->session->window > 0 && (one->begun || one->link->credit > 0);
}

void amqp_send_waiting(struct amqp_peer *peer)
{
    for (struct amqp_unsent **at = &peer->unsent; *at != NULL && !peer->over;) {
        struct amqp_unsent *one = *at;
        if (!may_send(one)) {
            at = &one->next;
            continue;
        }
        if (!one->begun)
            begin_unsent(one);
        send_part(peer, one);
        if (one->done < one->message.len)
            continue;
        *at = one->next;
        buf_release(&one->message);
        free(one);
    }
}

static bool is_too_much(const struct amqp_peer *peer, size_t more)
{
    size_t count = 1, bytes = more;
    for (const struct amqp_unsent *one = peer->unsent; one != NULL; one = one->next) {
        count++;
        bytes += one->message.len;
    }
    return count > AMQP_UNSENT_MAX || bytes > AMQP_UNSENT_BYTES_MAX;
}

static void enqueue(struct amqp_peer *peer, struct amqp_unsent *last)
{
    struct amqp_unsent **at = &peer->unsent;
    while (*at != NULL)
        at = &(*at)->next;
    *at = last;
}

struct err amqp_send(struct amqp_link *link, const struct amqp_correlation *correlation,
                     const struct amqp_property *properties, size_t property_count, struct slice body)
{
    struct amqp_peer *peer = link->peer;
    if (link->state != AMQP_LINK_OPEN || !link->to_peer || peer->over || peer->closing)
        return FAIL(ERR_ABSENT);
    struct amqp_unsent *one = calloc(1, sizeof *one);
    if (one == NULL)
        return FAIL(ERR_NO_MEMORY);
    *one = (struct amqp_unsent){.link = link, .message = buf_capped(AMQP_MESSAGE_MAX)};
    amqp_message_encode(&one->message, correlation, properties, property_count, body);
    struct err result = is_too_much(peer, one->message.len) ? FAIL(ERR_CAPPED) : buf_err(&one->message);
    if (failed(result)) {
        buf_release(&one->message);
        free(one);
        return result;
    }
    enqueue(peer, one);
    amqp_send_waiting(peer);
    return OK;
}

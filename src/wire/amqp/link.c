// Sessions and links as proton reports them, and what the caller answers.
#include <proton/link.h>
#include <proton/session.h>
#include <proton/terminus.h>

#include "wire/amqp/internal.h"

void amqp_session_begun(struct amqp_peer *peer, pn_session_t *session)
{
    if (peer->fresh_session == NULL)
        return;
    peer->fresh_session->proton = session;
    pn_session_set_context(session, peer->fresh_session);
    pn_session_open(session);
}

void amqp_session_ended(struct amqp_peer *peer, pn_session_t *proton)
{
    struct amqp_session *session = pn_session_get_context(proton);
    if (session == NULL)
        return;
    session->used = false;
    for (size_t i = 0; i < AMQP_LINKS_MAX; i++) {
        struct amqp_link *link = &peer->links[i];
        if (link->state != AMQP_LINK_FREE && link->state != AMQP_LINK_OVER &&
            &peer->sessions[link->session] == session)
            link->state = AMQP_LINK_GONE;
    }
    pn_session_close(proton);
}

void amqp_link_attached(struct amqp_peer *peer, pn_link_t *proton)
{
    if (peer->fresh_link == NULL)
        return;
    peer->fresh_link->proton = proton;
    pn_link_set_context(proton, peer->fresh_link);
}

void amqp_link_detached(pn_link_t *proton, bool closed)
{
    struct amqp_link *link = pn_link_get_context(proton);
    if (link == NULL)
        return;
    if (closed)
        pn_link_close(proton);
    else
        pn_link_detach(proton);
    link->state = AMQP_LINK_GONE;
}

void amqp_link_flowed(pn_link_t *proton)
{
    if (pn_link_is_sender(proton) && pn_link_get_drain(proton) && pn_link_queued(proton) == 0)
        (void)pn_link_drained(proton);
}

struct amqp_link *amqp_link_gone(const struct amqp_peer *peer)
{
    for (size_t i = 0; i < AMQP_LINKS_MAX && !peer->over && !peer->closing; i++)
        if (peer->links[i].state == AMQP_LINK_GONE)
            return (struct amqp_link *)&peer->links[i];
    return NULL;
}

static bool session_has_links(const struct amqp_peer *peer, size_t session)
{
    for (size_t i = 0; i < AMQP_LINKS_MAX; i++)
        if (peer->links[i].state != AMQP_LINK_FREE && peer->links[i].session == session)
            return true;
    return false;
}

void amqp_links_reap(struct amqp_peer *peer)
{
    for (size_t i = 0; i < AMQP_LINKS_MAX; i++) {
        struct amqp_link *link = &peer->links[i];
        if (link->state != AMQP_LINK_OVER)
            continue;
        pn_link_set_context(link->proton, NULL);
        pn_link_free(link->proton);
        *link = (struct amqp_link){0};
    }
    for (size_t i = 0; i < AMQP_SESSIONS_MAX; i++) {
        struct amqp_session *session = &peer->sessions[i];
        if (session->proton == NULL || session->used || session_has_links(peer, i))
            continue;
        pn_session_set_context(session->proton, NULL);
        pn_session_free(session->proton);
        *session = (struct amqp_session){0};
    }
}

static bool answers(struct amqp_link *link)
{
    struct amqp_peer *peer = link->peer;
    if (peer->over || peer->closing || link->state != AMQP_LINK_ASKED)
        return false;
    peer->blocked = false;
    return true;
}

void amqp_link_accept(struct amqp_link *link)
{
    pn_link_t *proton = link->proton;
    if (!answers(link))
        return;
    (void)pn_terminus_copy(pn_link_source(proton), pn_link_remote_source(proton));
    (void)pn_terminus_copy(pn_link_target(proton), pn_link_remote_target(proton));
    pn_link_set_snd_settle_mode(proton, pn_link_remote_snd_settle_mode(proton));
    pn_link_set_rcv_settle_mode(proton, pn_link_remote_rcv_settle_mode(proton));
    if (!link->to_peer) {
        pn_link_set_max_message_size(proton, AMQP_MESSAGE_MAX);
        pn_link_flow(proton, AMQP_CREDIT);
    }
    pn_link_open(proton);
    link->state = AMQP_LINK_OPEN;
    link->peer->proven = true;
    amqp_turn(link->peer);
}

// AMQP 1.0, 2.6.3: an attach without the terminus that cannot be, and at once a detach that says why.
void amqp_link_refuse(struct amqp_link *link, struct slice condition, struct slice description)
{
    pn_link_t *proton = link->proton;
    if (!answers(link))
        return;
    (void)pn_terminus_set_type(pn_link_source(proton), PN_UNSPECIFIED);
    (void)pn_terminus_set_type(pn_link_target(proton), PN_UNSPECIFIED);
    pn_link_open(proton);
    amqp_set_condition(pn_link_condition(proton), condition, description);
    pn_link_close(proton);
    link->state = AMQP_LINK_REFUSED;
    amqp_turn(link->peer);
}

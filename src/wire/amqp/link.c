// Sessions and links: how they come and go, and the credit that flows on them (AMQP 1.0, 2.5 to 2.7.6).
#include <stdlib.h>

#include "wire/amqp/internal.h"

// Fields, in their order.
enum begin { BEGIN_REMOTE_CHANNEL, BEGIN_NUMBER, BEGIN_WINDOW, BEGIN_OUTGOING_WINDOW, BEGIN_HANDLE_MAX };
enum attach {
    ATTACH_NAME,
    ATTACH_HANDLE,
    ATTACH_ROLE,
    ATTACH_SENDER_MODE,
    ATTACH_RECEIVER_MODE,
    ATTACH_SOURCE,
    ATTACH_TARGET,
    ATTACH_UNSETTLED,
    ATTACH_INCOMPLETE_UNSETTLED,
    ATTACH_DELIVERY_COUNT,
    ATTACH_MESSAGE_MAX,
    ATTACH_OFFERED,
    ATTACH_DESIRED,
    ATTACH_PROPERTIES,
};
enum flow {
    FLOW_EXPECTED,
    FLOW_WINDOW,
    FLOW_NUMBER,
    FLOW_OUTGOING_WINDOW,
    FLOW_HANDLE,
    FLOW_DELIVERY_COUNT,
    FLOW_CREDIT,
    FLOW_AVAILABLE,
    FLOW_DRAIN,
    FLOW_ECHO,
};
enum detach { DETACH_HANDLE, DETACH_CLOSED };

static struct amqp_session *session_at(struct amqp_peer *peer, uint16_t channel)
{
    for (size_t i = 0; i < AMQP_SESSIONS_MAX; i++)
        if (peer->sessions[i].used && peer->sessions[i].channel == channel)
            return &peer->sessions[i];
    return NULL;
}

struct amqp_session *amqp_need_session(struct amqp_peer *peer, const struct amqp_frame *f)
{
    struct amqp_session *session = session_at(peer, f->channel);
    if (session == NULL)
        amqp_break(peer, "amqp:not-allowed", "performative 0x%02x on channel %u, which has no session",
                   (unsigned)f->what, f->channel);
    return session;
}

static bool is_attached(const struct amqp_link *link)
{
    return link->state == AMQP_LINK_ASKED || link->state == AMQP_LINK_OPEN ||
           link->state == AMQP_LINK_REFUSED;
}

struct amqp_link *amqp_need_link(struct amqp_peer *peer, const struct amqp_session *session,
                                 const struct amqp_value *field)
{
    uint32_t handle;
    if (!amqp_to_uint(field, &handle)) {
        amqp_break_field(peer, "no handle");
        return NULL;
    }
    for (size_t i = 0; i < AMQP_LINKS_MAX; i++) {
        struct amqp_link *link = &peer->links[i];
        if (is_attached(link) && link->handle == handle && link->session == session)
            return link;
    }
    amqp_break(peer, "amqp:session:unattached-handle", "no link has handle %u", handle);
    return NULL;
}

// We answer on the channel that the peer took: it is free on our side when it is on its.
static void begin(struct amqp_peer *peer, struct amqp_session *session, struct amqp_frame *f)
{
    *session = (struct amqp_session){.used = true, .channel = f->channel};
    (void)amqp_to_uint(&f->fields[BEGIN_NUMBER], &session->received);
    (void)amqp_to_uint(&f->fields[BEGIN_WINDOW], &session->window);
    if (!amqp_to_uint(&f->fields[BEGIN_HANDLE_MAX], &session->handle_max))
        session->handle_max = UINT32_MAX;
    struct amqp_compound answer = amqp_say(peer, f->channel, AMQP_BEGIN);
    amqp_put_ushort(&answer, f->channel); // remote-channel
    amqp_put_uint(&answer, session->sent);
    amqp_put_uint(&answer, AMQP_WINDOW); // incoming
    amqp_put_uint(&answer, AMQP_WINDOW); // outgoing
    amqp_tell(peer, &answer, (struct slice){0});
}

void amqp_take_begin(struct amqp_peer *peer, struct amqp_frame *f)
{
    bool answers = !amqp_is_null(&f->fields[BEGIN_REMOTE_CHANNEL]);
    if (f->channel >= AMQP_SESSIONS_MAX) {
        amqp_break(peer, "amqp:connection:framing-error", "channel %u; the highest is %d", f->channel,
                   AMQP_SESSIONS_MAX - 1);
        return;
    }
    if (session_at(peer, f->channel) != NULL || answers) {
        amqp_break(peer, "amqp:not-allowed", "begin on channel %u, %s", f->channel,
                   answers ? "as an answer to none of ours" : "which has a session");
        return;
    }
    struct amqp_session *session = peer->sessions;
    while (session->used) // there are as many as there are channels
        session++;
    begin(peer, session, f);
}

static void link_gone(struct amqp_link *link)
{
    link->state = AMQP_LINK_GONE;
    link->session = NULL;
    link->partial = false;
    buf_release(&link->parts);
    amqp_unsent_drop(link->peer, link);
    link->peer->gone++;
}

void amqp_take_end(struct amqp_peer *peer, struct amqp_frame *f)
{
    struct amqp_session *session = amqp_need_session(peer, f);
    if (session == NULL)
        return;
    for (size_t i = 0; i < AMQP_LINKS_MAX; i++)
        if (is_attached(&peer->links[i]) && peer->links[i].session == session)
            link_gone(&peer->links[i]);
    session->used = false;
    struct amqp_compound answer = amqp_say(peer, f->channel, AMQP_END);
    amqp_tell(peer, &answer, (struct slice){0});
}

void amqp_link_free(struct amqp_link *link)
{
    while (link->deliveries != NULL) {
        struct amqp_delivery *next = link->deliveries->next;
        free(link->deliveries);
        link->deliveries = next;
    }
    buf_release(&link->name);
    buf_release(&link->parts);
    *link = (struct amqp_link){0};
}

void amqp_links_reap(struct amqp_peer *peer)
{
    for (size_t i = 0; peer->parted > 0; i++) {
        if (peer->links[i].state != AMQP_LINK_OVER)
            continue;
        amqp_link_free(&peer->links[i]);
        peer->parted--;
    }
}

static bool is_ours(const struct amqp_peer *peer, const struct amqp_session *session, uint32_t handle)
{
    for (size_t i = 0; i < AMQP_LINKS_MAX; i++) {
        const struct amqp_link *link = &peer->links[i];
        if (is_attached(link) && link->session == session && link->our_handle == handle)
            return true;
    }
    return false;
}

// The lowest that has no link on our side of the session: the peer's handle-max is about these.
static uint32_t free_handle(const struct amqp_peer *peer, const struct amqp_session *session)
{
    uint32_t handle = 0;
    while (is_ours(peer, session, handle))
        handle++;
    return handle;
}

// What speaks against a further link of this name, handle and direction; NULL: nothing.
static const char *objection(const struct amqp_peer *peer, const struct amqp_session *session,
                             uint32_t handle, struct slice name, bool to_peer)
{
    for (size_t i = 0; i < AMQP_LINKS_MAX; i++) {
        const struct amqp_link *link = &peer->links[i];
        if (!is_attached(link) || link->session != session)
            continue;
        if (link->handle == handle)
            return "attach with a handle that is in use";
        if (link->to_peer == to_peer && slice_equal(buf_slice(&link->name), name))
            return "attach with a name that is in use";
    }
    return free_handle(peer, session) > session->handle_max ? "attach above its own handle-max" : NULL;
}

static struct slice property(const struct amqp_value *properties, struct slice name)
{
    if (!amqp_is_map(properties))
        return (struct slice){0};
    struct amqp_elements map = amqp_elements_of(properties);
    while (map.left > 0) {
        struct amqp_value key = amqp_element(&map);
        struct amqp_value value = amqp_element(&map);
        if (slice_equal(amqp_to_text(&key), name))
            return amqp_to_text(&value);
    }
    return (struct slice){0};
}

static struct slice address_of(const struct amqp_value *terminus)
{
    struct amqp_elements fields = amqp_elements_of(terminus);
    struct amqp_value address = amqp_element(&fields);
    return amqp_to_string(&address);
}

static struct amqp_link *new_link(struct amqp_peer *peer, struct amqp_session *session, uint32_t handle,
                                  bool to_peer, struct slice name)
{
    struct amqp_link *link = peer->links;
    while (link < peer->links + AMQP_LINKS_MAX && link->state != AMQP_LINK_FREE)
        link++;
    if (link == peer->links + AMQP_LINKS_MAX) {
        amqp_break(peer, "amqp:resource-limit-exceeded", "more than %d links", AMQP_LINKS_MAX);
        return NULL;
    }
    *link = (struct amqp_link){
        .peer = peer,
        .state = AMQP_LINK_ASKED,
        .session = session,
        .handle = handle,
        .our_handle = free_handle(peer, session),
        .to_peer = to_peer,
        .name = buf_capped(AMQP_NAME_MAX),
        .parts = buf_capped(AMQP_MESSAGE_MAX + AMQP_FRAME_MAX),
    };
    buf_bytes(&link->name, name);
    if (failed(buf_err(&link->name))) {
        amqp_break(peer, "amqp:internal-error", "out of memory for a link");
        return NULL;
    }
    return link;
}

static struct amqp_span span_of(const struct amqp_peer *peer, const struct amqp_value *value)
{
    if (slice_empty(value->whole))
        return (struct amqp_span){0};
    return (struct amqp_span){(uint32_t)(value->whole.at - peer->held.at), (uint32_t)value->whole.len};
}

// What our attach repeats of the peer's.
static void take_terms(struct amqp_link *link, const struct amqp_frame *f)
{
    link->source = span_of(link->peer, &f->fields[ATTACH_SOURCE]);
    link->target = span_of(link->peer, &f->fields[ATTACH_TARGET]);
    if (!amqp_to_ubyte(&f->fields[ATTACH_SENDER_MODE], &link->sender_mode))
        link->sender_mode = AMQP_SENDER_MIXED;
    if (!amqp_to_ubyte(&f->fields[ATTACH_RECEIVER_MODE], &link->receiver_mode))
        link->receiver_mode = AMQP_RECEIVER_FIRST;
}

void amqp_take_attach(struct amqp_peer *peer, struct amqp_frame *f)
{
    struct amqp_session *session = amqp_need_session(peer, f);
    if (session == NULL)
        return;
    struct slice name = amqp_to_string(&f->fields[ATTACH_NAME]);
    uint32_t handle;
    bool to_peer;
    if (slice_empty(name) || name.len > AMQP_NAME_MAX || slice_find_byte(name, 0) < name.len) {
        amqp_break_field(peer, "attach with an unusable name");
        return;
    }
    if (!amqp_to_uint(&f->fields[ATTACH_HANDLE], &handle) ||
        !amqp_to_bool(&f->fields[ATTACH_ROLE], &to_peer)) {
        amqp_break_field(peer, "attach without a handle and role");
        return;
    }
    const char *no = objection(peer, session, handle, name, to_peer);
    if (no != NULL) {
        amqp_break(peer, "amqp:not-allowed", "%s: handle %u, name '%.*s'", no, handle, SLICE_ARG(name));
        return;
    }
    struct amqp_link *link = new_link(peer, session, handle, to_peer, name);
    if (link == NULL)
        return;
    take_terms(link, f);
    if (!to_peer) {
        (void)amqp_to_uint(&f->fields[ATTACH_DELIVERY_COUNT], &link->delivery_count);
        link->credit = AMQP_CREDIT;
    }
    amqp_ask(
        peer,
        (struct amqp_event){
            .kind = AMQP_ATTACHED,
            .link = link,
            .link_name = name,
            .to_peer = to_peer,
            .address = address_of(&f->fields[to_peer ? ATTACH_SOURCE : ATTACH_TARGET]),
            .api_version = property(&f->fields[ATTACH_PROPERTIES], SLICE("com.microsoft:api-version")),
            .client_version = property(&f->fields[ATTACH_PROPERTIES], SLICE("com.microsoft:client-version")),
        });
}

static bool answers(struct amqp_link *link)
{
    struct amqp_peer *peer = link->peer;
    if (peer->over || peer->closing || link->state != AMQP_LINK_ASKED)
        return false;
    peer->blocked = false;
    return true;
}

static struct slice held(const struct amqp_peer *peer, struct amqp_span span)
{
    INVARIANT(span.at + span.len <= peer->frame);
    return slice_to(slice_from(buf_slice(&peer->held), span.at), span.len);
}

// Whatever the peer's attach says, but for who we are on the link. Refused: without source and target (AMQP
// 1.0, 2.6.3).
static void answer_attach(struct amqp_link *link, bool accepted)
{
    struct amqp_peer *peer = link->peer;
    struct amqp_compound f = amqp_say(peer, link->session->channel, AMQP_ATTACH);
    amqp_put_string(&f, buf_slice(&link->name));
    amqp_put_uint(&f, link->our_handle);
    amqp_put_bool(&f, !link->to_peer); // role: true receives
    amqp_put_ubyte(&f, link->sender_mode);
    amqp_put_ubyte(&f, link->receiver_mode);
    amqp_put_encoded(&f, accepted ? held(peer, link->source) : (struct slice){0});
    amqp_put_encoded(&f, accepted ? held(peer, link->target) : (struct slice){0});
    amqp_put_null(&f); // unsettled
    amqp_put_null(&f); // incomplete-unsettled
    if (link->to_peer)
        amqp_put_uint(&f, link->delivery_count);
    else
        amqp_put_null(&f);
    amqp_put_ulong(&f, link->to_peer ? 0 : AMQP_MESSAGE_MAX); // 0: any
    amqp_tell(peer, &f, (struct slice){0});
}

void amqp_link_accept(struct amqp_link *link)
{
    struct amqp_peer *peer = link->peer;
    if (!answers(link))
        return;
    answer_attach(link, true);
    if (peer->over)
        return;
    if (!link->to_peer)
        amqp_send_flow(peer, link->session, link, false);
    link->state = AMQP_LINK_OPEN;
    peer->proven = true;
}

static void send_detach(struct amqp_link *link, bool closed, struct slice condition, struct slice description)
{
    struct amqp_peer *peer = link->peer;
    struct amqp_compound f = amqp_say(peer, link->session->channel, AMQP_DETACH);
    amqp_put_uint(&f, link->our_handle);
    amqp_put_bool(&f, closed);
    amqp_put_error(peer, &f, condition, description, 0);
    amqp_tell(peer, &f, (struct slice){0});
}

void amqp_link_refuse(struct amqp_link *link, struct slice condition, struct slice description)
{
    if (!answers(link))
        return;
    answer_attach(link, false);
    send_detach(link, true, condition, description);
    link->state = AMQP_LINK_REFUSED;
}

void amqp_take_detach(struct amqp_peer *peer, struct amqp_frame *f)
{
    struct amqp_session *session = amqp_need_session(peer, f);
    struct amqp_link *link =
        session != NULL ? amqp_need_link(peer, session, &f->fields[DETACH_HANDLE]) : NULL;
    bool closed;
    if (link == NULL)
        return;
    (void)amqp_to_bool(&f->fields[DETACH_CLOSED], &closed);
    if (link->state != AMQP_LINK_REFUSED)
        send_detach(link, closed, (struct slice){0}, (struct slice){0});
    link_gone(link);
}

void amqp_send_flow(struct amqp_peer *peer, const struct amqp_session *session, const struct amqp_link *link,
                    bool drained)
{
    struct amqp_compound f = amqp_say(peer, session->channel, AMQP_FLOW);
    amqp_put_uint(&f, session->received);
    amqp_put_uint(&f, AMQP_WINDOW);
    amqp_put_uint(&f, session->sent);
    amqp_put_uint(&f, AMQP_WINDOW);
    if (link != NULL) {
        amqp_put_uint(&f, link->our_handle);
        amqp_put_uint(&f, link->delivery_count);
        amqp_put_uint(&f, link->credit);
        if (drained) {
            amqp_put_null(&f); // available
            amqp_put_bool(&f, true);
        }
    }
    amqp_tell(peer, &f, (struct slice){0});
}

// What is left of a limit that the peer told, of which it did not know yet that `ours - its` was used up.
static uint32_t left_of(uint32_t limit, uint32_t ours, uint32_t its)
{
    int64_t left = (int64_t)limit - (int32_t)(ours - its);
    return left < 0 ? 0 : left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
}

// The peer's fields of the link on which it receives.
static void take_credit(struct amqp_link *link, const struct amqp_frame *f)
{
    uint32_t count, credit;
    (void)amqp_to_uint(&f->fields[FLOW_DELIVERY_COUNT], &count); // absent: it has not seen our attach
    if (amqp_to_uint(&f->fields[FLOW_CREDIT], &credit))
        link->credit = left_of(credit, link->delivery_count, count);
    (void)amqp_to_bool(&f->fields[FLOW_DRAIN], &link->draining);
}

// Links whose peer wants back at once what credit is not used, have it once nothing waits for the window.
static bool give_back_drained(struct amqp_peer *peer, struct amqp_session *session,
                              const struct amqp_link *asked)
{
    bool told = false;
    for (size_t i = 0; i < AMQP_LINKS_MAX; i++) {
        struct amqp_link *link = &peer->links[i];
        if (link->state != AMQP_LINK_OPEN || link->session != session || !link->draining ||
            amqp_is_waiting(peer, link))
            continue;
        link->delivery_count += link->credit;
        link->credit = 0;
        link->draining = false;
        amqp_send_flow(peer, session, link, true);
        told |= link == asked;
    }
    return told;
}

void amqp_take_flow(struct amqp_peer *peer, struct amqp_frame *f)
{
    struct amqp_session *session = amqp_need_session(peer, f);
    if (session == NULL)
        return;
    const struct amqp_value *handle = &f->fields[FLOW_HANDLE];
    struct amqp_link *link = amqp_is_null(handle) ? NULL : amqp_need_link(peer, session, handle);
    uint32_t expected, window;
    bool echo;
    if (peer->over)
        return;
    (void)amqp_to_uint(&f->fields[FLOW_EXPECTED], &expected); // absent: it has not seen our begin
    if (amqp_to_uint(&f->fields[FLOW_WINDOW], &window))
        session->window = left_of(window, session->sent, expected);
    if (link != NULL && link->to_peer && link->state == AMQP_LINK_OPEN)
        take_credit(link, f);
    (void)amqp_to_bool(&f->fields[FLOW_ECHO], &echo);
    amqp_send_waiting(peer);
    bool told = give_back_drained(peer, session, link);
    if (echo && !told && (link == NULL || link->state == AMQP_LINK_OPEN))
        amqp_send_flow(peer, session, link, false);
}

// Sessions and links: how they come and go, and the credit that flows on them (AMQP 1.0, 2.5 to 2.7.6).
#include <stdlib.h>

#include "wire/amqp/internal.h"

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
    struct amqp_value number = amqp_element(&f->fields), window = amqp_element(&f->fields);
    amqp_elements_skip(&f->fields, 1); // outgoing-window
    struct amqp_value handle_max = amqp_element(&f->fields);
    *session = (struct amqp_session){.used = true, .channel = f->channel};
    (void)amqp_to_uint(&number, &session->received);
    (void)amqp_to_uint(&window, &session->window);
    if (!amqp_to_uint(&handle_max, &session->handle_max))
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
    struct amqp_value remote_channel = amqp_element(&f->fields);
    if (f->channel >= AMQP_SESSIONS_MAX) {
        amqp_break(peer, "amqp:connection:framing-error", "channel %u; the highest is %d", f->channel,
                   AMQP_SESSIONS_MAX - 1);
        return;
    }
    if (session_at(peer, f->channel) != NULL || !amqp_is_null(&remote_channel)) {
        amqp_break(peer, "amqp:not-allowed", "begin on channel %u, %s", f->channel,
                   amqp_is_null(&remote_channel) ? "which has a session" : "as an answer to none of ours");
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

static struct slice property(struct amqp_elements map, struct slice name)
{
    while (map.left >= 2) {
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

// The fields of an attach, in their order.
struct attach {
    struct slice name;
    struct amqp_value handle, role, sender_mode, receiver_mode;
    struct amqp_value source, target;
    struct slice source_encoded, target_encoded; // empty when they are null
    struct amqp_value delivery_count;
    struct amqp_elements properties;
};

static struct slice encoded_element(struct amqp_elements *fields, struct amqp_value *value)
{
    struct slice before = fields->at.rest;
    *value = amqp_element(fields);
    return slice_to(before, before.len - fields->at.rest.len);
}

static struct attach read_attach(struct amqp_frame *f)
{
    struct attach a;
    struct amqp_value name = amqp_element(&f->fields);
    a.name = amqp_to_string(&name);
    a.handle = amqp_element(&f->fields);
    a.role = amqp_element(&f->fields);
    a.sender_mode = amqp_element(&f->fields);
    a.receiver_mode = amqp_element(&f->fields);
    a.source_encoded = encoded_element(&f->fields, &a.source);
    a.target_encoded = encoded_element(&f->fields, &a.target);
    amqp_elements_skip(&f->fields, 2); // unsettled, incomplete-unsettled
    a.delivery_count = amqp_element(&f->fields);
    amqp_elements_skip(&f->fields, 3); // max-message-size, capabilities
    struct amqp_value properties = amqp_element(&f->fields);
    a.properties = amqp_is_map(&properties) ? amqp_elements_of(&properties) : (struct amqp_elements){0};
    return a;
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

void amqp_take_attach(struct amqp_peer *peer, struct amqp_frame *f)
{
    struct amqp_session *session = amqp_need_session(peer, f);
    if (session == NULL)
        return;
    struct attach a = read_attach(f);
    uint32_t handle;
    bool to_peer;
    uint8_t sender_mode;
    if (slice_empty(a.name) || a.name.len > AMQP_NAME_MAX || slice_find_byte(a.name, 0) < a.name.len) {
        amqp_break_field(peer, "attach with an unusable name");
        return;
    }
    if (!amqp_to_uint(&a.handle, &handle) || !amqp_to_bool(&a.role, &to_peer)) {
        amqp_break_field(peer, "attach without a handle and role");
        return;
    }
    const char *no = objection(peer, session, handle, a.name, to_peer);
    if (no != NULL) {
        amqp_break(peer, "amqp:not-allowed", "%s: handle %u, name '%.*s'", no, handle, SLICE_ARG(a.name));
        return;
    }
    struct amqp_link *link = new_link(peer, session, handle, to_peer, a.name);
    if (link == NULL)
        return;
    link->presettled = amqp_to_ubyte(&a.sender_mode, &sender_mode) && sender_mode == AMQP_SENDER_SETTLED;
    if (!to_peer) {
        (void)amqp_to_uint(&a.delivery_count, &link->delivery_count);
        link->credit = AMQP_CREDIT;
    }
    amqp_ask(peer, (struct amqp_event){
                       .kind = AMQP_ATTACHED,
                       .link = link,
                       .link_name = a.name,
                       .to_peer = to_peer,
                       .address = address_of(to_peer ? &a.source : &a.target),
                       .api_version = property(a.properties, SLICE("com.microsoft:api-version")),
                       .client_version = property(a.properties, SLICE("com.microsoft:client-version")),
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

// Whatever the peer's attach says, which is the frame that is held, but for who we are on the link. Refused:
// without source and target (AMQP 1.0, 2.6.3).
static void answer_attach(struct amqp_link *link, bool accepted)
{
    struct amqp_peer *peer = link->peer;
    struct amqp_frame asked;
    INVARIANT(amqp_read_frame(slice_to(buf_slice(&peer->held), peer->frame), &asked));
    struct attach a = read_attach(&asked);
    uint8_t mode;
    struct amqp_compound f = amqp_say(peer, link->session->channel, AMQP_ATTACH);
    amqp_put_string(&f, a.name);
    amqp_put_uint(&f, link->our_handle);
    amqp_put_bool(&f, !link->to_peer); // role: true receives
    amqp_put_ubyte(&f, amqp_to_ubyte(&a.sender_mode, &mode) ? mode : AMQP_SENDER_MIXED);
    amqp_put_ubyte(&f, amqp_to_ubyte(&a.receiver_mode, &mode) ? mode : AMQP_RECEIVER_FIRST);
    amqp_put_encoded(&f, accepted ? a.source_encoded : (struct slice){0});
    amqp_put_encoded(&f, accepted ? a.target_encoded : (struct slice){0});
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
    struct amqp_value handle = amqp_element(&f->fields), closed_field = amqp_element(&f->fields);
    struct amqp_link *link = session != NULL ? amqp_need_link(peer, session, &handle) : NULL;
    bool closed;
    if (link == NULL)
        return;
    (void)amqp_to_bool(&closed_field, &closed);
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
static void take_credit(struct amqp_link *link, struct amqp_elements *fields)
{
    struct amqp_value count_field = amqp_element(fields), credit_field = amqp_element(fields);
    amqp_elements_skip(fields, 1); // available
    struct amqp_value drain_field = amqp_element(fields);
    uint32_t count, credit;
    (void)amqp_to_uint(&count_field, &count); // absent: it has not seen our attach
    if (amqp_to_uint(&credit_field, &credit))
        link->credit = left_of(credit, link->delivery_count, count);
    (void)amqp_to_bool(&drain_field, &link->draining);
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
    struct amqp_value number = amqp_element(&f->fields), window_field = amqp_element(&f->fields);
    amqp_elements_skip(&f->fields, 2); // its numbers
    struct amqp_value handle = amqp_element(&f->fields);
    struct amqp_link *link = amqp_is_null(&handle) ? NULL : amqp_need_link(peer, session, &handle);
    uint32_t expected, window;
    bool echo;
    if (peer->over)
        return;
    (void)amqp_to_uint(&number, &expected); // absent: it has not seen our begin
    if (amqp_to_uint(&window_field, &window))
        session->window = left_of(window, session->sent, expected);
    if (link != NULL && link->to_peer && link->state == AMQP_LINK_OPEN)
        take_credit(link, &f->fields);
    else
        amqp_elements_skip(&f->fields, 4);
    struct amqp_value echo_field = amqp_element(&f->fields);
    (void)amqp_to_bool(&echo_field, &echo);
    amqp_send_waiting(peer);
    bool told = give_back_drained(peer, session, link);
    if (echo && !told && (link == NULL || link->state == AMQP_LINK_OPEN))
        amqp_send_flow(peer, session, link, false);
}

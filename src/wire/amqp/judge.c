// Looks at each frame before proton does: that it is well-formed and small, names channels and handles that
// exist, and keeps to what was agreed. proton asserts some of this, follows some of it blindly and lets the
// rest grow.
#include <proton/link.h>

#include "wire/amqp/internal.h"

enum performative {
    OPEN = 0x10,
    BEGIN,
    ATTACH,
    FLOW,
    TRANSFER,
    DISPOSITION,
    DETACH,
    END,
    CLOSE,
    SASL_INIT = 0x41,
    SASL_RESPONSE = 0x43,
};

enum { HANDLE_MAX = 0x7fffffff }; // proton counts in signed numbers

struct frame {
    uint16_t channel;
    uint64_t what; // enum performative
    struct amqp_elements fields;
};

static enum amqp_verdict refuse_field(struct amqp_peer *peer, const char *what)
{
    amqp_break(peer, "amqp:decode-error", "%s", what);
    return AMQP_REFUSED;
}

static struct slice next_string(struct amqp_elements *fields)
{
    struct amqp_value v = amqp_element(fields);
    return amqp_to_string(&v);
}

static enum amqp_verdict judge_sasl_init(struct amqp_peer *peer, struct frame *f)
{
    struct amqp_value mechanism = amqp_element(&f->fields);
    struct amqp_value response = amqp_element(&f->fields);
    if (slice_empty(amqp_to_symbol(&mechanism)))
        return refuse_field(peer, "sasl-init without a mechanism");
    if (!amqp_is_binary(&response) && !amqp_is_null(&response))
        return refuse_field(peer, "sasl-init with a response that is not binary");
    peer->event = (struct amqp_event){.kind = AMQP_SASL_INIT,
                                      .mechanism = mechanism.body,
                                      .bytes = amqp_to_binary(&response),
                                      .hostname = next_string(&f->fields)};
    return AMQP_ASKING;
}

static enum amqp_verdict judge_sasl_response(struct amqp_peer *peer, struct frame *f)
{
    struct amqp_value response = amqp_element(&f->fields);
    if (!amqp_is_binary(&response))
        return refuse_field(peer, "sasl-response without a response");
    peer->event = (struct amqp_event){.kind = AMQP_SASL_RESPONSE, .bytes = response.body};
    return AMQP_ASKING;
}

static enum amqp_verdict judge_open(struct amqp_peer *peer, struct frame *f)
{
    peer->event = (struct amqp_event){.kind = AMQP_OPENED, .sasl = peer->sasl};
    peer->event.container = next_string(&f->fields);
    peer->event.hostname = next_string(&f->fields);
    amqp_elements_skip(&f->fields, 2); // max-frame-size, channel-max
    struct amqp_value idle = amqp_element(&f->fields);
    if (amqp_to_uint(&idle, &peer->remote_idle_ms) && peer->remote_idle_ms > 0 &&
        peer->remote_idle_ms < AMQP_IDLE_MIN_MS) {
        amqp_break(peer, "amqp:not-allowed", "idle-time-out of %u ms; the least is %d", peer->remote_idle_ms,
                   AMQP_IDLE_MIN_MS);
        return AMQP_REFUSED;
    }
    peer->phase = AMQP_AT_FRAMES;
    return AMQP_ASKING;
}

static struct amqp_session *session_at(struct amqp_peer *peer, uint16_t channel)
{
    for (size_t i = 0; i < AMQP_SESSIONS_MAX; i++)
        if (peer->sessions[i].used && peer->sessions[i].channel == channel)
            return &peer->sessions[i];
    return NULL;
}

static enum amqp_verdict judge_begin(struct amqp_peer *peer, struct frame *f)
{
    struct amqp_value remote_channel = amqp_element(&f->fields);
    if (f->channel >= AMQP_SESSIONS_MAX) {
        amqp_break(peer, "amqp:connection:framing-error", "channel %u; the highest is %d", f->channel,
                   AMQP_SESSIONS_MAX - 1);
        return AMQP_REFUSED;
    }
    if (session_at(peer, f->channel) != NULL || !amqp_is_null(&remote_channel)) {
        amqp_break(peer, "amqp:not-allowed", "begin on channel %u, %s", f->channel,
                   amqp_is_null(&remote_channel) ? "which has a session" : "as an answer to none of ours");
        return AMQP_REFUSED;
    }
    for (size_t i = 0; i < AMQP_SESSIONS_MAX; i++) {
        struct amqp_session *session = &peer->sessions[i];
        if (session->used || session->proton != NULL)
            continue;
        *session = (struct amqp_session){.used = true, .channel = f->channel};
        peer->fresh_session = session;
        amqp_elements_skip(&f->fields, 3); // next-outgoing-id and the windows
        struct amqp_value handle_max = amqp_element(&f->fields);
        if (!amqp_to_uint(&handle_max, &session->handle_max))
            session->handle_max = UINT32_MAX;
        return AMQP_GIVEN;
    }
    amqp_break(peer, "amqp:resource-limit-exceeded", "more than %d sessions", AMQP_SESSIONS_MAX);
    return AMQP_REFUSED;
}

// The session of a frame that needs one; NULL: broken.
static struct amqp_session *need_session(struct amqp_peer *peer, const struct frame *f)
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

static struct amqp_link *link_at(struct amqp_peer *peer, const struct amqp_session *session, uint32_t handle)
{
    for (size_t i = 0; i < AMQP_LINKS_MAX; i++) {
        struct amqp_link *link = &peer->links[i];
        if (is_attached(link) && link->handle == handle && &peer->sessions[link->session] == session)
            return link;
    }
    return NULL;
}

// The link of a frame that needs one, its first field; NULL: broken.
static struct amqp_link *need_link(struct amqp_peer *peer, const struct amqp_session *session,
                                   const struct amqp_value *field)
{
    uint32_t handle;
    if (!amqp_to_uint(field, &handle)) {
        (void)refuse_field(peer, "no handle");
        return NULL;
    }
    struct amqp_link *link = link_at(peer, session, handle);
    if (link == NULL)
        amqp_break(peer, "amqp:session:unattached-handle", "no link has handle %u", handle);
    return link;
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

static void describe_attach(struct amqp_peer *peer, struct frame *f, const struct amqp_link *link,
                            struct slice name)
{
    amqp_elements_skip(&f->fields, 2); // settle modes
    struct amqp_value source = amqp_element(&f->fields);
    struct amqp_value target = amqp_element(&f->fields);
    amqp_elements_skip(&f->fields, 6); // unsettled to desired-capabilities
    struct amqp_value properties = amqp_element(&f->fields);
    struct amqp_elements map = {0};
    if (amqp_is_map(&properties))
        map = amqp_elements_of(&properties);
    peer->event = (struct amqp_event){
        .kind = AMQP_ATTACHED,
        .link_name = name,
        .to_peer = link->to_peer,
        .address = address_of(link->to_peer ? &source : &target),
        .api_version = property(map, SLICE("com.microsoft:api-version")),
        .client_version = property(map, SLICE("com.microsoft:client-version")),
    };
}

// What speaks against a further link of this name, handle and direction; NULL: nothing.
static const char *objection(const struct amqp_peer *peer, const struct amqp_session *session,
                             uint32_t handle, struct slice name, bool to_peer)
{
    uint32_t links = 0;
    for (size_t i = 0; i < AMQP_LINKS_MAX; i++) {
        const struct amqp_link *link = &peer->links[i];
        if (!is_attached(link) || &peer->sessions[link->session] != session)
            continue;
        links++;
        if (link->handle == handle)
            return "attach with a handle that is in use";
        if (link->to_peer == to_peer && slice_equal(slice_text(pn_link_name(link->proton)), name))
            return "attach with a name that is in use";
    }
    return links > session->handle_max ? "attach above its own handle-max" : NULL;
}

static enum amqp_verdict judge_attach(struct amqp_peer *peer, struct frame *f)
{
    struct amqp_session *session = need_session(peer, f);
    if (session == NULL)
        return AMQP_REFUSED;
    struct slice name = next_string(&f->fields);
    struct amqp_value handle_field = amqp_element(&f->fields), role = amqp_element(&f->fields);
    uint32_t handle;
    bool to_peer;
    if (slice_empty(name) || name.len > AMQP_NAME_MAX || slice_find_byte(name, 0) < name.len)
        return refuse_field(peer, "attach with an unusable name");
    if (!amqp_to_uint(&handle_field, &handle) || handle > HANDLE_MAX || !amqp_to_bool(&role, &to_peer))
        return refuse_field(peer, "attach without a handle and role");
    const char *no = objection(peer, session, handle, name, to_peer);
    if (no != NULL) {
        amqp_break(peer, "amqp:not-allowed", "%s: handle %u, name '%.*s'", no, handle, SLICE_ARG(name));
        return AMQP_REFUSED;
    }
    for (size_t i = 0; i < AMQP_LINKS_MAX; i++) {
        struct amqp_link *link = &peer->links[i];
        if (link->state != AMQP_LINK_FREE)
            continue;
        *link = (struct amqp_link){.peer = peer,
                                   .state = AMQP_LINK_ASKED,
                                   .session = (uint8_t)(session - peer->sessions),
                                   .handle = handle,
                                   .to_peer = to_peer,
                                   .credit = AMQP_CREDIT};
        peer->fresh_link = link;
        describe_attach(peer, f, link, name);
        peer->event.link = link;
        return AMQP_ASKING;
    }
    amqp_break(peer, "amqp:resource-limit-exceeded", "more than %d links", AMQP_LINKS_MAX);
    return AMQP_REFUSED;
}

static enum amqp_verdict judge_flow(struct amqp_peer *peer, struct frame *f)
{
    struct amqp_session *session = need_session(peer, f);
    if (session == NULL)
        return AMQP_REFUSED;
    amqp_elements_skip(&f->fields, 4); // of the session
    struct amqp_value handle = amqp_element(&f->fields);
    if (!amqp_is_null(&handle) && need_link(peer, session, &handle) == NULL)
        return AMQP_REFUSED;
    return AMQP_GIVEN;
}

// The first frame of a message takes credit and has to say its delivery-id, which proton asserts.
static bool begin_message(struct amqp_peer *peer, struct amqp_link *link, const struct amqp_value *id)
{
    uint32_t number;
    if (!amqp_to_uint(id, &number)) {
        (void)refuse_field(peer, "transfer without a delivery-id");
        return false;
    }
    if (link->credit == 0) {
        amqp_break(peer, "amqp:link:transfer-limit-exceeded", "transfer without credit; %d messages may wait",
                   AMQP_CREDIT);
        return false;
    }
    link->credit--;
    return true;
}

static enum amqp_verdict judge_transfer(struct amqp_peer *peer, struct frame *f)
{
    struct amqp_session *session = need_session(peer, f);
    if (session == NULL)
        return AMQP_REFUSED;
    struct amqp_value handle = amqp_element(&f->fields);
    struct amqp_link *link = need_link(peer, session, &handle);
    if (link == NULL)
        return AMQP_REFUSED;
    struct amqp_value id = amqp_element(&f->fields), tag = amqp_element(&f->fields);
    if (link->to_peer) {
        amqp_break(peer, "amqp:not-allowed", "transfer on a link on which the peer receives");
        return AMQP_REFUSED;
    }
    if (amqp_to_binary(&tag).len > AMQP_TAG_MAX)
        return refuse_field(peer, "transfer with a delivery-tag of more than 32 bytes");
    if (!link->partial && !begin_message(peer, link, &id))
        return AMQP_REFUSED;
    amqp_elements_skip(&f->fields, 2); // message-format, settled
    struct amqp_value more_field = amqp_element(&f->fields);
    amqp_elements_skip(&f->fields, 3); // rcv-settle-mode, state, resume
    struct amqp_value aborted_field = amqp_element(&f->fields);
    bool more, aborted;
    (void)amqp_to_bool(&more_field, &more);
    (void)amqp_to_bool(&aborted_field, &aborted);
    link->partial = more && !aborted;
    return AMQP_GIVEN;
}

static enum amqp_verdict judge_disposition(struct amqp_peer *peer, struct frame *f)
{
    if (need_session(peer, f) == NULL)
        return AMQP_REFUSED;
    struct amqp_value role = amqp_element(&f->fields), first_field = amqp_element(&f->fields);
    struct amqp_value last_field = amqp_element(&f->fields);
    uint32_t first, last;
    bool receiver;
    if (!amqp_to_bool(&role, &receiver) || !amqp_to_uint(&first_field, &first))
        return refuse_field(peer, "disposition without a role and a delivery");
    if (!amqp_to_uint(&last_field, &last))
        last = first;
    if (last - first >= AMQP_DISPOSITION_MAX) { // serial numbers: the difference is modulo 2^32
        amqp_break(peer, "amqp:not-allowed", "disposition of deliveries %u to %u", first, last);
        return AMQP_REFUSED;
    }
    return AMQP_GIVEN;
}

static enum amqp_verdict judge_detach(struct amqp_peer *peer, struct frame *f)
{
    struct amqp_session *session = need_session(peer, f);
    struct amqp_value handle = amqp_element(&f->fields);
    return session != NULL && need_link(peer, session, &handle) != NULL ? AMQP_GIVEN : AMQP_REFUSED;
}

static enum amqp_verdict judge_performative(struct amqp_peer *peer, struct frame *f)
{
    if (peer->closing && f->what != CLOSE)
        return AMQP_IGNORED;
    switch (f->what) {
    case BEGIN:
        return judge_begin(peer, f);
    case ATTACH:
        return judge_attach(peer, f);
    case FLOW:
        return judge_flow(peer, f);
    case TRANSFER:
        return judge_transfer(peer, f);
    case DISPOSITION:
        return judge_disposition(peer, f);
    case DETACH:
        return judge_detach(peer, f);
    case END:
        return need_session(peer, f) != NULL ? AMQP_GIVEN : AMQP_REFUSED;
    case CLOSE:
        return AMQP_GIVEN;
    default:
        break;
    }
    amqp_break(peer, "amqp:not-allowed", f->what == OPEN ? "a second open" : "unknown performative 0x%llx",
               (unsigned long long)f->what);
    return AMQP_REFUSED;
}

static enum amqp_verdict judge_in_turn(struct amqp_peer *peer, struct frame *f)
{
    static const struct {
        uint64_t what;
        const char *name;
        enum amqp_verdict (*judge)(struct amqp_peer *, struct frame *);
    } expected[] = {
        [AMQP_AT_SASL_INIT] = {SASL_INIT, "sasl-init", judge_sasl_init},
        [AMQP_AT_SASL_ANSWER] = {SASL_RESPONSE, "sasl-response", judge_sasl_response},
        [AMQP_AT_OPEN] = {OPEN, "open", judge_open},
    };
    if (peer->phase == AMQP_AT_FRAMES)
        return judge_performative(peer, f);
    INVARIANT(expected[peer->phase].judge != NULL); // there are no frames where headers are due
    if (f->what == expected[peer->phase].what)
        return expected[peer->phase].judge(peer, f);
    amqp_break(peer, "amqp:not-allowed", "performative 0x%llx instead of %s", (unsigned long long)f->what,
               expected[peer->phase].name);
    return AMQP_REFUSED;
}

enum amqp_verdict amqp_judge(struct amqp_peer *peer, struct slice frame)
{
    struct frame f = {.channel = (uint16_t)(frame.at[6] << 8 | frame.at[7])};
    struct slice body = slice_from(frame, (size_t)frame.at[4] * 4);
    if (slice_empty(body) && peer->phase == AMQP_AT_FRAMES)
        return AMQP_GIVEN; // a sign of life
    struct cursor all = cursor_over(body), one = cursor_over(body);
    struct amqp_value performative;
    if (!amqp_value_check(&all) || !amqp_value_read(&one, &performative) || !performative.described ||
        !amqp_is_list(&performative) || performative.descriptor == UINT64_MAX)
        return refuse_field(peer, "a frame's body is malformed, too deep or of too many values");
    f.what = performative.descriptor;
    f.fields = amqp_elements_of(&performative);
    if (f.what != TRANSFER && !slice_empty(all.rest))
        return refuse_field(peer, "a frame with more behind its performative");
    return judge_in_turn(peer, &f);
}

// The steps of one call:
//   ASSIGN  look, write retained messages, write role and client, (reset) clear what was reported
//   READ    subscribe, look: the answer comes after the retained messages
//   REMOVE  look, delete client and role, subscribe to all of the device's topics, look once more (as with
//           READ), clear what was retained: by then the device can retain nothing more
// A device's client is written after its retained messages, so that it finds them when it is let in.
#include <stdlib.h>

#include "hub/mosquitto/internal.h"
#include "json/write.h"

enum { TOPIC_MAX = 128 + 64, STATE_MAX = 64 * 1024, TURN_BITS = 16 };

static const struct json_limits twin_limits = {.bytes = STATE_MAX, .depth = JSON_DEPTH_MAX};

uint64_t broker_call_id_of(uint64_t tag)
{
    return tag >> TURN_BITS;
}

static uint64_t tag_of(const struct call *call)
{
    return call->id << TURN_BITS | (call->turn & ((1u << TURN_BITS) - 1));
}

static struct slice device_of(const struct call *call)
{
    return call->request->identity.device_id;
}

void broker_call_free(struct call *call)
{
    json_doc_release(&call->known_doc);
    json_doc_release(&call->twin_doc);
    buf_release(&call->topics);
    free(call);
}

struct slice broker_call_topic_of(const struct call *call, struct slice topic)
{
    struct slice device = device_of(call);
    struct slice rest = slice_from(topic, strlen("devices/"));
    bool own = slice_starts_with(topic, SLICE("devices/")) && slice_starts_with(rest, device) &&
               rest.len > device.len && rest.at[device.len] == '/';
    return own ? slice_from(rest, device.len + 1) : (struct slice){0};
}

// --- sending
// --------------------------------------------------------------------------------------------------------------

struct topic {
    struct buf text;
    uint8_t room[TOPIC_MAX];
};

static struct slice topic_write(struct topic *topic, const struct call *call, const char *below)
{
    topic->text = (struct buf){.at = topic->room, .room = sizeof topic->room, .cap = sizeof topic->room};
    buf_text(&topic->text, "devices/");
    buf_bytes(&topic->text, device_of(call));
    buf_u8(&topic->text, '/');
    buf_text(&topic->text, below);
    INVARIANT(topic->text.broken == 0); // command_device_check
    return buf_slice(&topic->text);
}

static const char *topic_subscribed(const struct call *call)
{
    return call->request->verb == HUB_REMOVE ? "#" : "twin/+";
}

static void out_of_memory(struct call *call)
{
    broker_call_end(call, why_fail(&call->request->why, ERR_HUB_UNAVAILABLE, "out of memory"));
}

static void step(struct call *call, enum call_step to)
{
    call->step = to;
    call->turn++;
    call->acknowledgements = 0;
}

static struct err retain(struct call *call, struct slice topic, struct slice payload)
{
    struct broker *broker = call->broker;
    TRY(link_publish(broker->connection, broker->generation, tag_of(call), topic, payload, true));
    call->acknowledgements++;
    return OK;
}

// The command is in `out`, which holds a password perhaps.
static void command(struct call *call, struct buf *out)
{
    struct broker *broker = call->broker;
    struct err e = buf_err(out);
    if (e.code == ERR_CAPPED)
        e = why_fail(&call->request->why, ERR_HUB_REFUSED, "the device's tags are too much for one command");
    else if (!failed(e))
        e = link_publish(broker->connection, broker->generation, tag_of(call), SLICE(COMMAND_TOPIC),
                         buf_slice(out), false);
    if (out->at != NULL)
        bytes_wipe(out->at, out->room);
    buf_release(out);
    if (e.code == ERR_HUB_REFUSED)
        broker_call_end(call, e);
    else if (failed(e))
        out_of_memory(call);
}

static struct command_correlation correlation_of(const struct call *call)
{
    return (struct command_correlation){call->broker->connector->id, tag_of(call)};
}

static void look(struct call *call)
{
    struct buf out = buf_capped(COMMAND_MAX);
    step(call, CALL_LOOK);
    command_look(&out, correlation_of(call), device_of(call));
    command(call, &out);
}

static void subscribe(struct call *call)
{
    struct topic topic;
    struct broker *broker = call->broker;
    step(call, CALL_SUBSCRIBE);
    call->subscribed = true;
    if (failed(link_subscribe(broker->connection, broker->generation, tag_of(call),
                              topic_write(&topic, call, topic_subscribed(call)))))
        out_of_memory(call);
}

void broker_call_begin(struct call *call)
{
    call->topics = buf_capped(CALL_TOPICS_MAX * TOPIC_MAX);
    if (call->request->verb == HUB_READ)
        subscribe(call);
    else
        look(call);
}

void broker_call_finish(struct call *call)
{
    struct topic topic;
    struct broker *broker = call->broker;
    if (call->subscribed)
        (void)!failed(link_unsubscribe(broker->connection, broker->generation,
                                       topic_write(&topic, call, topic_subscribed(call))));
}

// --- ASSIGN
// ---------------------------------------------------------------------------------------------------------------

static bool desired_given(const struct call *call)
{
    return call->request->twin_how != HUB_TWIN_KEEP;
}

static struct slice text_of(struct call *call, const struct json *value, struct err *e)
{
    struct buf out = buf_capped(STATE_MAX);
    struct json_writer w;
    struct slice text = {0};
    if (json_kind(value) != JSON_KIND_OBJECT)
        return SLICE("{}");
    json_begin(&w, &out);
    json_node(&w, value);
    if (!failed(*e))
        *e = buf_err(&out);
    if (!failed(*e))
        *e = arena_copy(call->request->arena, buf_slice(&out), &text);
    buf_release(&out);
    return text;
}

static struct err read_twin(struct call *call)
{
    struct slice twin = call->request->twin;
    if (twin.len == 0 || !desired_given(call))
        return OK;
    struct why detail = {0};
    struct err e = json_read(twin, twin_limits, &call->twin_doc, &detail);
    if (!failed(e) && json_kind(json_root(&call->twin_doc)) != JSON_KIND_OBJECT)
        e = FAIL(ERR_MALFORMED);
    if (failed(e))
        e = why_fail(&call->request->why, ERR_HUB_REFUSED, "the device's twin is no JSON object: %.160s",
                     detail.text);
    return e;
}

static void write_client(struct call *call)
{
    struct err e = OK;
    struct buf out = buf_capped(COMMAND_MAX);
    struct command_change change = {
        .identity = &call->request->identity,
        .before = &call->known,
        .anew = call->request->twin_how == HUB_TWIN_RESET,
        .tags_given = desired_given(call),
    };
    if (change.tags_given)
        change.tags = text_of(call, json_get(json_root(&call->twin_doc), "tags"), &e);
    step(call, CALL_WRITE);
    if (failed(e))
        return out_of_memory(call);
    command_write(&out, correlation_of(call), &change);
    command(call, &out);
}

static void write_state(struct call *call)
{
    struct topic topic;
    struct hub_request *request = call->request;
    const struct json *properties = json_get(json_root(&call->twin_doc), "properties");
    struct err e = OK;
    struct slice desired = text_of(call, json_get(properties, "desired"), &e);
    step(call, CALL_STATE);
    if (!failed(e))
        e = retain(call, topic_write(&topic, call, TOPIC_DESIRED), desired);
    if (!failed(e) && request->twin_how == HUB_TWIN_IMPORT)
        e = retain(call, topic_write(&topic, call, TOPIC_REPORTED), request->reported);
    if (failed(e))
        out_of_memory(call);
}

static void assign_looked(struct call *call)
{
    struct err e = read_twin(call);
    if (!failed(e) && call->known.there && !call->known.ours)
        e = why_fail(&call->request->why, ERR_HUB_REFUSED,
                     "the broker has a client %.*s that Usher did not make: it is left alone",
                     SLICE_ARG(slice_to(device_of(call), 100)));
    if (failed(e))
        return broker_call_end(call, e);
    if (desired_given(call))
        write_state(call);
    else
        write_client(call);
}

// What the device reported while it was still let in is older than the reset.
static void assign_written(struct call *call)
{
    struct topic topic;
    if (call->request->twin_how != HUB_TWIN_RESET)
        return broker_call_end(call, OK);
    step(call, CALL_CLEAR);
    if (failed(retain(call, topic_write(&topic, call, TOPIC_REPORTED), (struct slice){0})))
        out_of_memory(call);
}

// --- READ
// -----------------------------------------------------------------------------------------------------------------

// Whatever the device keeps there: an object is taken, without what a hub adds to it, anything else is not.
static struct err keep_object(struct call *call, struct slice payload, struct slice *out)
{
    struct json_doc doc = {0};
    struct buf text = buf_capped(STATE_MAX);
    struct json_writer w;
    struct err e = OK;
    *out = (struct slice){0};
    if (!failed(json_read(payload, twin_limits, &doc, NULL)) &&
        json_kind(json_root(&doc)) == JSON_KIND_OBJECT) {
        json_begin(&w, &text);
        json_object_open(&w);
        for (struct json_each m = json_each(json_root(&doc)); json_next(&m);) {
            if (slice_equal(m.key, SLICE("$metadata")) || slice_equal(m.key, SLICE("$version")))
                continue;
            json_key_slice(&w, m.key);
            json_node(&w, m.value);
        }
        json_object_close(&w);
        e = buf_err(&text);
        if (!failed(e))
            e = arena_copy(call->request->arena, buf_slice(&text), out);
    } else if (payload.len > 0) {
        struct log_line line;
        log_begin(&line, call->broker->connector->settings.log, ERR_LEVEL_WARN, "hub.retained_unread");
        log_text(&line, LOG_hub, call->broker->host);
        log_text(&line, LOG_deviceId, device_of(call));
        log_text(&line, LOG_reason, SLICE("what is retained as its twin is no JSON object of at most 64 KB"));
        log_end(&line);
    }
    buf_release(&text);
    json_doc_release(&doc);
    return e;
}

static void read_looked(struct call *call)
{
    struct hub_request *request = call->request;
    struct buf out = buf_capped(2 * STATE_MAX + COMMAND_ANSWER_MAX);
    struct json_writer w;
    struct err e = OK;
    struct json_doc tags = {0};
    request->found = call->known.there && call->known.ours;
    request->twin = request->reported = (struct slice){0};
    if (request->found) {
        (void)!failed(json_read(call->known.tags, twin_limits, &tags, NULL));
        bool object = json_kind(json_root(&tags)) == JSON_KIND_OBJECT;
        json_begin(&w, &out);
        json_object_open(&w);
        json_field_raw(&w, "tags", object ? call->known.tags : SLICE("{}"));
        json_key(&w, "properties");
        json_object_open(&w);
        json_field_raw(&w, "desired", call->desired.len > 0 ? call->desired : SLICE("{}"));
        json_object_close(&w);
        json_object_close(&w);
        e = buf_err(&out);
        if (!failed(e))
            e = arena_copy(request->arena, buf_slice(&out), &request->twin);
        request->reported = call->reported;
        json_doc_release(&tags);
    }
    buf_release(&out);
    if (failed(e))
        e = why_fail(&request->why, ERR_HUB_UNAVAILABLE, "out of memory");
    broker_call_end(call, e);
}

// --- REMOVE
// ---------------------------------------------------------------------------------------------------------------

static void remember_topic(struct call *call, struct slice topic)
{
    if (call->topic_count >= CALL_TOPICS_MAX || topic.len + 1 > call->topics.cap - call->topics.len) {
        call->overflow = true;
        return;
    }
    buf_bytes(&call->topics, topic);
    buf_u8(&call->topics, '\0');
    call->topic_count++;
    call->overflow = call->overflow || call->topics.broken != 0;
}

static void remove_looked(struct call *call)
{
    struct buf out = buf_capped(COMMAND_MAX);
    if (call->known.there && !call->known.ours) // none of ours is there
        return broker_call_end(call, OK);
    step(call, CALL_DELETE);
    command_remove(&out, correlation_of(call), device_of(call));
    command(call, &out);
}

static void clear_some(struct call *call)
{
    struct slice left = slice_from(buf_slice(&call->topics), call->cleared);
    struct slice topic;
    step(call, CALL_CLEAR);
    while (call->acknowledgements < CALL_CLEAR_MAX && slice_cut(&left, '\0', &topic)) {
        if (failed(retain(call, topic, (struct slice){0})))
            return out_of_memory(call);
    }
    call->cleared = call->topics.len - left.len;
    if (call->acknowledgements > 0)
        return;
    if (call->overflow)
        return broker_call_end(
            call, why_fail(&call->request->why, ERR_HUB_UNAVAILABLE,
                           "the device kept more messages than are cleared at once: the rest is cleared the "
                           "next time"));
    broker_call_end(call, OK);
}

// --- what comes in
// -------------------------------------------------------------------------------------------------------

void broker_call_acknowledged(struct call *call, uint64_t tag, bool denied)
{
    static const char *const what[] = {
        [CALL_SUBSCRIBE] = "subscribe to and receive",
        [CALL_STATE] = "publish to",
        [CALL_CLEAR] = "publish to",
    };
    if (tag != tag_of(call))
        return; // of an earlier step
    bool about_devices = call->step < sizeof what / sizeof what[0] && what[call->step] != NULL;
    if (denied) {
        // The client was written before what was reported is cleared.
        call->request->left_there = call->step == CALL_CLEAR && call->request->verb == HUB_ASSIGN;
        return broker_call_end(call, why_fail(&call->request->why, ERR_HUB_UNAUTHORIZED,
                                              "the broker does not let the service %s %s",
                                              about_devices ? what[call->step] : "publish to",
                                              about_devices ? "devices/#" : COMMAND_TOPIC));
    }
    if (call->step == CALL_SUBSCRIBE)
        return look(call);
    if (call->acknowledgements == 0 || --call->acknowledgements > 0) // a command's: its answer counts
        return;
    if (call->step == CALL_STATE)
        write_client(call);
    else if (call->step == CALL_CLEAR && call->request->verb == HUB_REMOVE)
        clear_some(call);
    else if (call->step == CALL_CLEAR)
        broker_call_end(call, OK);
}

static void looked(struct call *call, struct json_doc *doc)
{
    if (call->request->verb == HUB_REMOVE && call->subscribed) { // all that is retained was heard
        json_doc_release(doc);
        return clear_some(call);
    }
    call->known_doc = *doc;
    *doc = (struct json_doc){0};
    struct err e = command_look_read(&call->known_doc, device_of(call), &call->known, &call->request->why);
    if (failed(e))
        return broker_call_end(call, e);
    if (call->request->verb == HUB_ASSIGN)
        assign_looked(call);
    else if (call->request->verb == HUB_READ)
        read_looked(call);
    else
        remove_looked(call);
}

void broker_call_answered(struct call *call, uint64_t tag, struct json_doc *doc)
{
    if (tag != tag_of(call))
        return json_doc_release(doc);
    struct hub_request *request = call->request;
    struct err e = OK;
    switch (call->step) {
    case CALL_LOOK:
        return looked(call, doc);
    case CALL_WRITE:
        e = command_write_read(doc, &request->left_there, &request->why);
        json_doc_release(doc);
        request->left_there = request->left_there && failed(e);
        return failed(e) ? broker_call_end(call, e) : assign_written(call);
    case CALL_DELETE:
        e = command_remove_read(doc, &request->why);
        json_doc_release(doc);
        return failed(e) ? broker_call_end(call, e) : subscribe(call);
    case CALL_SUBSCRIBE:
    case CALL_STATE:
    case CALL_CLEAR:
    default:
        json_doc_release(doc);
    }
}

void broker_call_heard(struct call *call, const struct link_event *event)
{
    struct slice below = broker_call_topic_of(call, event->topic);
    if (!event->retained || !call->subscribed || below.len == 0)
        return;
    if (call->request->verb == HUB_REMOVE) {
        if (event->payload.len > 0 || event->too_long)
            remember_topic(call, event->topic);
        return;
    }
    struct err e = OK;
    if (slice_equal(below, SLICE(TOPIC_DESIRED)))
        e = keep_object(call, event->payload, &call->desired);
    else if (slice_equal(below, SLICE(TOPIC_REPORTED)))
        e = keep_object(call, event->payload, &call->reported);
    if (failed(e))
        broker_call_end(call, why_fail(&call->request->why, ERR_HUB_UNAVAILABLE, "out of memory"));
}

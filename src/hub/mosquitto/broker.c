// One broker: its connection, who waits for it, who is under way, and whether it fails. One broker's trouble
// is kept to itself (threats F8, F9).
#include <stdlib.h>

#include "base/bucket.h"
#include "domain/identifier.h"
#include "hub/mosquitto/internal.h"

enum { PORT_STANDARD = 8883 };

static void pump(struct broker *broker);
static void arm(struct broker *broker);
static void heard(void *context, const struct link_event *event);

static int64_t now_of(const struct broker *broker)
{
    return hub_mosquitto_now_us(broker->connector);
}

// --- health
// ---------------------------------------------------------------------------------------------------------------

static void log_broker(const struct broker *broker, enum err_level level, const char *event, struct err e,
                       const struct why *why)
{
    struct log_line line;
    log_begin(&line, broker->connector->settings.log, level, event);
    log_text(&line, LOG_hub, broker->host);
    if (broker->id_scope.len > 0)
        log_text(&line, LOG_idScope, broker->id_scope);
    if (failed(e))
        log_failure(&line, e, why);
    log_end(&line);
}

static void note_failing(struct broker *broker, struct err e, const struct why *why)
{
    const struct hub_watch *watch = &broker->connector->settings.watch;
    if (broker->failing || broker->superseded)
        return;
    broker->failing = true;
    broker->ask_us = now_of(broker) + broker->connector->settings.probe_pause_ms * 1000;
    bool unauthorized = e.code == ERR_HUB_UNAUTHORIZED;
    log_broker(broker, unauthorized ? ERR_LEVEL_ERROR : ERR_LEVEL_WARN,
               unauthorized ? "hub.unauthorized" : "hub.failing", e, why);
    if (watch->changed != NULL)
        watch->changed(watch->context, broker->host, broker->id_scope, true, why);
}

static void note_well(struct broker *broker)
{
    const struct hub_watch *watch = &broker->connector->settings.watch;
    broker->silent = 0;
    if (!broker->failing)
        return;
    broker->failing = false;
    log_broker(broker, ERR_LEVEL_INFO, "hub.recovered", OK, NULL);
    if (watch->changed != NULL)
        watch->changed(watch->context, broker->host, broker->id_scope, false, NULL);
}

// --- brokers
// --------------------------------------------------------------------------------------------------------------

static struct err host_and_port(struct slice linked, struct slice *host, uint16_t *port, struct why *why)
{
    struct why detail = {0};
    uint64_t number = PORT_STANDARD;
    struct slice rest = linked;
    if (failed(host_check(linked, "the hub's host", &detail)))
        return why_fail(why, ERR_HUB_REFUSED, "the linked hub cannot be called: %.160s", detail.text);
    (void)slice_cut(&rest, ':', host);
    if (host->len < linked.len && (!slice_to_u64(rest, &number) || number == 0 || number > UINT16_MAX))
        return why_fail(why, ERR_HUB_REFUSED, "the linked hub's port is none");
    *port = (uint16_t)number;
    return OK;
}

void broker_free(struct broker *broker)
{
    INVARIANT(broker->active_count == 0 && broker->waiting_count == 0);
    list_remove(&broker->link);
    broker->connector->broker_count--;
    poller_timer_release(broker->connector->settings.poller, &broker->timer);
    link_free(broker->connection);
    secret_wipe(&broker->password);
    free(broker);
}

// While its loop runs: nobody waits for its thread. A hub that nobody asks about any more counts as well.
static void retire(struct broker *broker)
{
    if (!broker->superseded)
        note_well(broker);
    link_retire(broker->connection, &broker->connector->retired);
    broker->connection = NULL;
    broker_free(broker);
}

static void tick(struct poll_timer *timer);

// Else one host could take all the room there is.
static bool room_for(const struct hub_mosquitto *connector, struct slice host)
{
    size_t count = 0;
    LIST_EACH (at, &connector->brokers)
        count += slice_equal_nocase(CONTAINER_OF(at, struct broker, link)->host, host) ? 1 : 0;
    return connector->broker_count < BROKERS_MAX && count < BROKERS_PER_HOST_MAX;
}

static void keep_names(struct broker *broker, const struct linked_hub *hub, struct slice id_scope)
{
    size_t len = hub->host.len + id_scope.len + hub->policy_name.len;
    struct buf names = {.at = broker->text, .room = len, .cap = len};
    buf_lower(&names, hub->host);
    buf_bytes(&names, id_scope);
    buf_bytes(&names, hub->policy_name);
    struct slice all = buf_slice(&names);
    broker->host = slice_to(all, hub->host.len);
    broker->id_scope = slice_to(slice_from(all, hub->host.len), id_scope.len);
    broker->user = slice_from(all, hub->host.len + id_scope.len);
}

static struct broker *broker_new(struct hub_mosquitto *connector, const struct linked_hub *hub,
                                 struct slice id_scope, struct why *why)
{
    struct slice host = hub->host;
    struct broker *broker = NULL;
    struct link_settings settings = {
        .user = hub->policy_name,
        .password = secret_slice(&hub->policy_key),
        .ca_file = connector->settings.ca_file,
        .id = random_etag(connector->settings.random),
        .replies = connector->settings.replies,
        .clock = connector->settings.clock,
        .heard = heard,
    };
    struct slice name = {0};
    if (failed(host_and_port(host, &name, &settings.port, why)))
        return NULL;
    if (room_for(connector, host))
        broker = calloc(1, sizeof *broker + host.len + id_scope.len + hub->policy_name.len + 1);
    if (broker == NULL) {
        (void)!failed(why_fail(why, ERR_HUB_UNAVAILABLE, "no room to call one more broker"));
        return NULL;
    }
    keep_names(broker, hub, id_scope);
    broker->password = hub->policy_key;
    broker->connector = connector;
    broker->timer = (struct poll_timer){.fire = tick, .context = broker};
    list_init(&broker->waiting);
    list_init(&broker->active);
    settings.host = slice_to(broker->host, name.len);
    settings.context = broker;
    if (failed(link_new(&settings, &broker->connection, why))) {
        free(broker);
        return NULL;
    }
    list_append(&connector->brokers, &broker->link);
    connector->broker_count++;
    return broker;
}

struct broker *broker_of(struct hub_mosquitto *connector, const struct linked_hub *hub, struct slice id_scope,
                         struct why *why)
{
    struct broker *found = NULL;
    struct broker *other = NULL; // of the same service, with other credentials
    LIST_EACH (at, &connector->brokers) {
        struct broker *broker = CONTAINER_OF(at, struct broker, link);
        if (!slice_equal_nocase(broker->host, hub->host) || !slice_equal(broker->id_scope, id_scope))
            continue;
        if (slice_equal(broker->user, hub->policy_name) && secret_equal(&broker->password, &hub->policy_key))
            found = broker;
        else if (other == NULL || !broker->superseded)
            other = broker;
    }
    if (found == NULL)
        found = broker_new(connector, hub, id_scope, why);
    if (found == NULL)
        return NULL;
    if (other != NULL && !other->superseded) { // the link was changed: it speaks for the hub no more
        other->superseded = true;
        found->failing = other->failing;
        arm(other);
    }
    found->superseded = false;
    found->used_us = hub_mosquitto_now_us(connector);
    return found;
}

// --- calls
// ----------------------------------------------------------------------------------------------------------------

static void leave(struct broker *broker, struct call *call)
{
    list_remove(&call->link);
    broker->waiting_count--;
}

static void answer(struct broker *broker, struct call *call, struct err e, int64_t retry_after_ms)
{
    struct hub_request *request = call->request;
    broker_call_free(call);
    hub_mosquitto_answer(broker->connector, request, e, retry_after_ms);
}

static void turn_away(struct broker *broker, struct call *call)
{
    int64_t ms = (broker->retry_us - now_of(broker)) / 1000 + 1;
    call->request->why = broker->trouble;
    answer(broker, call, broker->trouble_code, ms > 0 ? ms : 1);
}

void broker_submit(struct broker *broker, struct call *call)
{
    if (broker->state == BROKER_DOWN)
        return turn_away(broker, call);
    if (broker->waiting_count >= BROKER_WAITING_MAX) {
        struct err e = why_fail(&call->request->why, ERR_HUB_UNAVAILABLE, "too much is waiting for %.*s",
                                SLICE_ARG(broker->host));
        return answer(broker, call, e, 0);
    }
    list_append(&broker->waiting, &call->link);
    broker->waiting_count++;
    pump(broker);
    arm(broker);
}

static struct call *active_by_id(struct broker *broker, uint64_t id)
{
    LIST_EACH (at, &broker->active) {
        struct call *call = CONTAINER_OF(at, struct call, link);
        if (call->id == id)
            return call;
    }
    return NULL;
}

// Two calls about one device go one after the other: they share subscriptions.
static bool device_is_busy(struct broker *broker, struct slice device_id)
{
    LIST_EACH (at, &broker->active) {
        if (slice_equal(CONTAINER_OF(at, struct call, link)->request->identity.device_id, device_id))
            return true;
    }
    return false;
}

// The figure is for all connectors together, and so is the burst, of which each has one call at least.
static bool may_go(struct broker *broker, const struct call *call)
{
    int64_t per_minute = call->request->hub->calls_per_minute;
    int64_t shares = broker->connector->settings.shares;
    if (per_minute == 0)
        return true;
    int64_t each_us = INT64_C(60000000) * shares / per_minute;
    int64_t room_us = shares < BROKER_BURST ? BROKER_BURST / shares * each_us : each_us;
    if (bucket_take(&broker->pace, now_of(broker), each_us, room_us))
        return true;
    broker->turn_us = broker->pace + each_us - room_us;
    return false;
}

// A call may end at once, which comes back here: the outer loop goes on for it.
static void pump(struct broker *broker)
{
    if (broker->pumping || broker->state != BROKER_READY)
        return;
    broker->pumping = true;
    for (bool started = true; started;) {
        started = false;
        LIST_EACH (at, &broker->waiting) {
            struct call *call = CONTAINER_OF(at, struct call, link);
            if (broker->active_count >= BROKER_ACTIVE_MAX)
                break;
            if (device_is_busy(broker, call->request->identity.device_id))
                continue;
            if (!may_go(broker, call))
                break;
            leave(broker, call);
            list_append(&broker->active, &call->link);
            broker->active_count++;
            call->id = ++broker->last_id;
            broker_call_begin(call);
            started = true;
            break; // the list may be another by now
        }
    }
    broker->pumping = false;
}

void broker_call_end(struct call *call, struct err e)
{
    struct broker *broker = call->broker;
    broker_call_finish(call);
    list_remove(&call->link);
    broker->active_count--;
    if (e.code == ERR_HUB_UNAUTHORIZED)
        note_failing(broker, e, &call->request->why);
    else if (e.code != ERR_HUB_UNAVAILABLE)
        note_well(broker);
    answer(broker, call, e, 0);
    pump(broker);
    arm(broker);
}

// --- what the connection tells
// -------------------------------------------------------------------------------------------

static void probe(struct broker *broker)
{
    struct buf out = buf_capped(COMMAND_MAX);
    broker->state = BROKER_PROBING;
    broker->probe_until_us = now_of(broker) + BROKER_PROBE_MS * INT64_C(1000);
    broker->probe_tag = ++broker->last_id << 16;
    command_defaults(&out, (struct command_correlation){broker->connector->id, broker->probe_tag});
    if (!failed(buf_err(&out))) // if not, the probe runs out of time
        (void)!failed(link_publish(broker->connection, broker->generation, broker->probe_tag,
                                   SLICE(COMMAND_TOPIC), buf_slice(&out), false));
    buf_release(&out);
    arm(broker);
}

static void send_away_all(struct broker *broker)
{
    while (broker->waiting_count > 0) {
        struct call *call = CONTAINER_OF(broker->waiting.next, struct call, link);
        leave(broker, call);
        turn_away(broker, call);
    }
}

static void down(struct broker *broker, struct err e, const struct why *why, int64_t pause_ms)
{
    broker->state = BROKER_DOWN;
    broker->trouble_code = e;
    (void)!failed(
        why_fail(&broker->trouble, e.code, "%.*s: %.180s", SLICE_ARG(slice_to(broker->host, 50)), why->text));
    broker->retry_us = now_of(broker) + pause_ms * 1000;
    note_failing(broker, e, &broker->trouble);
    send_away_all(broker);
    arm(broker);
}

// What was under way has an unknown outcome.
static void lose_active(struct broker *broker, const struct why *why)
{
    while (broker->active_count > 0) {
        struct call *call = CONTAINER_OF(broker->active.next, struct call, link);
        list_remove(&call->link);
        broker->active_count--;
        struct err e = why_fail(&call->request->why, ERR_HUB_UNAVAILABLE, "%.*s: %.180s",
                                SLICE_ARG(slice_to(broker->host, 50)), why->text);
        answer(broker, call, e, 0);
    }
}

static void went_down(struct broker *broker, const struct link_event *event)
{
    broker->state = BROKER_CONNECTING;
    broker->linked = false;
    lose_active(broker, &event->why);
    if (event->error.code == ERR_HUB_UNAUTHORIZED || event->pause_ms > BROKER_HOLD_MS)
        down(broker, event->error, &event->why, event->pause_ms);
}

static void probed(struct broker *broker, struct err e, const struct why *why)
{
    if (failed(e))
        return down(broker, e, why, broker->connector->settings.probe_pause_ms);
    broker->state = BROKER_READY;
    note_well(broker);
    pump(broker);
    arm(broker);
}

static void acknowledged(struct broker *broker, const struct link_event *event)
{
    struct why why = {0};
    struct call *call = active_by_id(broker, broker_call_id_of(event->tag));
    if (call != NULL)
        return broker_call_acknowledged(call, event->tag, event->denied);
    if (broker->state == BROKER_PROBING && event->tag == broker->probe_tag && event->denied)
        probed(broker,
               why_fail(&why, ERR_HUB_UNAUTHORIZED,
                        "the broker does not let the user publish to " COMMAND_TOPIC),
               &why);
}

static void message(struct broker *broker, const struct link_event *event)
{
    struct json_doc doc;
    struct why why = {0};
    uint64_t tag = 0;
    if (!slice_equal(event->topic, SLICE(COMMAND_ANSWERS))) {
        LIST_EACH (at, &broker->active) {
            struct call *call = CONTAINER_OF(at, struct call, link);
            if (broker_call_topic_of(call, event->topic).len > 0)
                return broker_call_heard(call, event);
        }
        return;
    }
    if (!command_answer(event->payload, broker->connector->id, &doc, &tag))
        return;
    struct call *call = active_by_id(broker, broker_call_id_of(tag));
    if (call != NULL)
        return broker_call_answered(call, tag, &doc);
    if (broker->state == BROKER_PROBING && tag == broker->probe_tag) {
        struct err e = command_defaults_read(&doc, &why);
        json_doc_release(&doc);
        return probed(broker, e, &why);
    }
    json_doc_release(&doc);
}

static void heard(void *context, const struct link_event *event)
{
    struct broker *broker = context;
    if (event->kind == LINK_UP)
        broker->generation = event->connection;
    else if (event->kind != LINK_DOWN && event->connection != broker->generation)
        return;
    switch (event->kind) {
    case LINK_UP:
        broker->linked = true;
        return probe(broker);
    case LINK_DOWN:
        return went_down(broker, event);
    case LINK_MESSAGE:
        return message(broker, event);
    case LINK_PUBLISHED:
    case LINK_SUBSCRIBED:
    default:
        return acknowledged(broker, event);
    }
}

// --- time
// -----------------------------------------------------------------------------------------------------------------

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t idle_until(const struct broker *broker)
{
    int64_t ms = broker->failing && !broker->superseded ? BROKER_GONE_MS : BROKER_IDLE_MS;
    return broker->superseded ? broker->used_us : broker->used_us + ms * 1000;
}

static bool nobody(const struct broker *broker)
{
    return broker->active_count == 0 && broker->waiting_count == 0;
}

// A hub that fails is given no devices and is not tidied, so nobody may come to find it well again: then it
// is asked whether it is.
static bool asks_itself(const struct broker *broker)
{
    return broker->state == BROKER_READY && broker->failing && !broker->superseded && nobody(broker);
}

static void arm(struct broker *broker)
{
    int64_t now_us = now_of(broker);
    int64_t next_us = nobody(broker) ? idle_until(broker) : INT64_MAX;
    LIST_EACH (at, &broker->active)
        next_us = least(next_us, CONTAINER_OF(at, struct call, link)->expires_us);
    LIST_EACH (at, &broker->waiting)
        next_us = least(next_us, CONTAINER_OF(at, struct call, link)->expires_us);
    if (broker->state == BROKER_PROBING)
        next_us = least(next_us, broker->probe_until_us);
    if (broker->state == BROKER_DOWN)
        next_us = least(next_us, broker->retry_us);
    if (asks_itself(broker))
        next_us = least(next_us, broker->ask_us);
    if (broker->state == BROKER_READY && broker->waiting_count > 0 && broker->turn_us > now_us)
        next_us = least(next_us, broker->turn_us);
    int64_t ms = next_us > now_us ? (next_us - now_us) / 1000 + 1 : 1;
    (void)!failed(poller_timer_start(broker->connector->settings.poller, &broker->timer, ms));
}

static void expire(struct broker *broker, struct call *call)
{
    bool under_way = call->id != 0;
    struct err e =
        why_fail(&call->request->why, ERR_HUB_UNAVAILABLE, "%.*s %s", SLICE_ARG(slice_to(broker->host, 100)),
                 under_way ? "did not answer in time" : "was not reached in time");
    if (under_way ? ++broker->silent >= BROKER_SILENT_MAX : broker->state != BROKER_READY)
        note_failing(broker, e, &call->request->why);
    if (under_way)
        return broker_call_end(call, e);
    leave(broker, call);
    answer(broker, call, e, 0);
}

// A connection that is lost comes back by itself; only the probe is ours to repeat.
static void try_again(struct broker *broker)
{
    struct why why = {0};
    if (broker->state == BROKER_PROBING && now_of(broker) >= broker->probe_until_us)
        probed(broker,
               why_fail(&why, ERR_HUB_UNAVAILABLE,
                        "no answer from the dynamic security plugin: does the broker load it?"),
               &why);
    else if (broker->state == BROKER_DOWN && now_of(broker) >= broker->retry_us && broker->linked)
        probe(broker);
    else if (asks_itself(broker) && now_of(broker) >= broker->ask_us)
        probe(broker);
    else if (broker->state == BROKER_DOWN && now_of(broker) >= broker->retry_us)
        broker->state = BROKER_CONNECTING;
}

static void tick(struct poll_timer *timer)
{
    struct broker *broker = timer->context;
    int64_t now_us = now_of(broker);
    LIST_EACH (at, &broker->waiting) {
        struct call *call = CONTAINER_OF(at, struct call, link);
        if (call->expires_us <= now_us)
            expire(broker, call);
    }
    for (bool again = true; again;) {
        again = false;
        LIST_EACH (at, &broker->active) {
            struct call *call = CONTAINER_OF(at, struct call, link);
            again = call->expires_us <= now_us;
            if (again) {
                expire(broker, call);
                break;
            }
        }
    }
    if (nobody(broker) && now_us >= idle_until(broker))
        return retire(broker);
    try_again(broker);
    pump(broker);
    arm(broker);
}

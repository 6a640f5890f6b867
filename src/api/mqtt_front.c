// Connections to links and back.
#include "api/mqtt_front.h"

#include <stdlib.h>

#include "net/conn.h"
#include "net/loop.h"

enum {
    CONNECT_MS = 5000, // until the CONNECT is whole (threats A2)
    DECIDE_MS = 30000,
    KEEP_ALIVE_MAX_S = 1767, // also for clients that ask for none (service-api H.4)
    OWED_MAX = 4,
};

struct mqtt_front {
    struct mqtt_front_settings settings;
    struct mqtt_door doors[MQTT_FRONT_DOORS_MAX];
    size_t door_count;
};

enum link_state { LINK_NEW, LINK_DECIDING, LINK_OPEN, LINK_ENDED };

struct mqtt_link {
    struct mqtt_front *front;
    struct conn *conn;
    struct mqtt_decoder decoder;
    enum link_state state;
    const struct mqtt_door *door;
    void *session;
    bool asked; // the door, about a large packet: nothing is read meanwhile
    int64_t keep_alive_ms;
    int64_t expires_us;  // monotonic; 0: never
    const char *awaited; // by then
    uint16_t next_packet_id;
    uint16_t owed[OWED_MAX]; // packet IDs whose PUBACK travels with the door's answer
    size_t owed_count;
};

// ---- what doors may do
// -----------------------------------------------------------------------------------------------------------

struct link_ticket mqtt_link_ticket(const struct mqtt_link *link)
{
    struct ticket ticket = conn_ticket(link->conn);
    return (struct link_ticket){ticket.slot, ticket.generation};
}

struct mqtt_link *mqtt_link_of(struct mqtt_front *front, struct link_ticket ticket)
{
    struct conn *conn = conn_by_ticket(front->settings.loop, (struct ticket){ticket.slot, ticket.generation});
    struct mqtt_link *link = conn != NULL ? conn_session(conn) : NULL;
    return link != NULL && link->state != LINK_ENDED ? link : NULL;
}

void *mqtt_link_session(const struct mqtt_link *link)
{
    return link->session;
}

uint64_t mqtt_link_connection(const struct mqtt_link *link)
{
    return conn_id(link->conn);
}

struct slice mqtt_link_peer(const struct mqtt_link *link)
{
    return conn_peer(link->conn);
}

const struct log *mqtt_link_log(const struct mqtt_link *link)
{
    return link->front->settings.log;
}

static void arm(struct mqtt_link *link)
{
    int64_t ms = link->keep_alive_ms;
    const char *phase = "a packet within the keep-alive time";
    if (link->expires_us != 0) {
        int64_t left_ms = (link->expires_us - clock_monotonic_us(link->front->settings.clock)) / 1000 + 1;
        if (left_ms < ms) {
            ms = left_ms > 0 ? left_ms : 1;
            phase = link->awaited;
        }
    }
    conn_deadline(link->conn, ms, phase);
}

static void end(struct mqtt_link *link)
{
    if (link->state == LINK_ENDED)
        return;
    link->state = LINK_ENDED;
    conn_flush(link->conn);
    conn_close_after_flush(link->conn);
}

void mqtt_link_accept(struct mqtt_link *link, uint32_t max_packet)
{
    if (link->state != LINK_DECIDING)
        return;
    struct mqtt_connack connack = {.session_present = false, .code = MQTT_ACCEPTED};
    mqtt_encode_connack(conn_output(link->conn), &connack);
    mqtt_decoder_limit(&link->decoder, max_packet);
    link->state = LINK_OPEN;
    arm(link);
    conn_flush(link->conn);
    conn_resume(link->conn);
}

bool mqtt_link_may_log(const struct mqtt_link *link)
{
    return loop_may_log(link->front->settings.loop);
}

static void log_link(struct mqtt_link *link, const char *event, struct slice registration_id, struct err e,
                     const struct why *why)
{
    struct log_line line;
    if (link->state != LINK_OPEN && !mqtt_link_may_log(link))
        return;
    log_begin(&line, link->front->settings.log, err_info(e)->level, event);
    log_text(&line, LOG_registrationId, registration_id);
    log_text(&line, LOG_protocol, SLICE("mqtt"));
    log_number(&line, LOG_connection, (int64_t)conn_id(link->conn));
    log_text(&line, LOG_peer, conn_peer(link->conn));
    log_failure(&line, e, why);
    log_end(&line);
}

void mqtt_link_log_refusal(struct mqtt_link *link, struct slice registration_id, struct err e,
                           const struct why *why)
{
    if (mqtt_link_may_log(link))
        log_link(link, "device.refused", registration_id, e, why);
}

void mqtt_link_refuse_quietly(struct mqtt_link *link, struct err e)
{
    if (link->state == LINK_NEW || link->state == LINK_DECIDING) {
        struct mqtt_connack connack = {.session_present = false, .code = err_info(e)->connack};
        mqtt_encode_connack(conn_output(link->conn), &connack);
    }
    end(link);
}

void mqtt_link_refuse(struct mqtt_link *link, struct err e, const struct why *why)
{
    log_link(link, "connect.refused", (struct slice){0}, e, why);
    mqtt_link_refuse_quietly(link, e);
}

void mqtt_link_close(struct mqtt_link *link, struct err e, const struct why *why)
{
    if (link->state == LINK_ENDED)
        return;
    if (failed(e))
        log_link(link, "connection.closed", (struct slice){0}, e, why);
    end(link);
}

void mqtt_link_limit(struct mqtt_link *link, uint32_t max_packet)
{
    mqtt_decoder_limit(&link->decoder, max_packet);
    if (!link->asked)
        return;
    link->asked = false;
    conn_resume(link->conn);
}

void mqtt_link_may_ask(struct mqtt_link *link, uint32_t most)
{
    INVARIANT(link->door->large != NULL);
    mqtt_decoder_ask_above(&link->decoder, link->decoder.limit, most);
}

struct chain *mqtt_link_chain(struct mqtt_link *link)
{
    return conn_chain(link->conn);
}

void mqtt_link_expires(struct mqtt_link *link, int64_t at_us, const char *awaited)
{
    link->expires_us = at_us;
    link->awaited = awaited;
    if (link->state == LINK_OPEN)
        arm(link);
}

static void write_owed(struct mqtt_link *link)
{
    for (size_t i = 0; i < link->owed_count; i++)
        mqtt_encode_puback(conn_output(link->conn), link->owed[i]);
    link->owed_count = 0;
}

void mqtt_link_acknowledge(struct mqtt_link *link)
{
    if (link->state != LINK_OPEN || link->owed_count == 0)
        return;
    write_owed(link);
    conn_flush(link->conn);
}

bool mqtt_link_publish(struct mqtt_link *link, struct slice topic, struct slice payload, uint8_t qos)
{
    if (link->state != LINK_OPEN)
        return false;
    struct mqtt_publish publish = {.qos = qos, .topic = topic, .payload = payload};
    if (qos > 0) {
        link->next_packet_id = link->next_packet_id == UINT16_MAX ? 1 : (uint16_t)(link->next_packet_id + 1);
        publish.packet_id = link->next_packet_id;
    }
    struct buf *out = conn_output(link->conn);
    write_owed(link);
    mqtt_encode_publish(out, &publish);
    if (failed(buf_err(out))) {
        struct why why = {"the peer does not read what it is sent"};
        mqtt_link_close(link, buf_err(out), &why);
        return false;
    }
    conn_flush(link->conn);
    return true;
}

// ---- packets
// -----------------------------------------------------------------------------------------------------------------------

static void connect_arrived(struct mqtt_link *link, const struct mqtt_connect *connect)
{
    struct mqtt_front *front = link->front;
    struct why why = {0};
    if (connect->unsupported_level) {
        mqtt_link_refuse(
            link, why_fail(&why, ERR_PROTOCOL, "MQTT level %u; only 3.1.1 (4) is spoken", connect->level),
            &why);
        return;
    }
    if (connect->client_id.len == 0 && !connect->clean_session) { // MQTT-3.1.3-8
        mqtt_link_refuse(link, why_fail(&why, ERR_INVALID, "a session to keep needs a client ID"), &why);
        return;
    }
    for (size_t i = 0; i < front->door_count && link->door == NULL; i++) {
        if (front->doors[i].claims(front->doors[i].context, connect))
            link->door = &front->doors[i];
    }
    if (link->door == NULL) {
        struct err e =
            why_fail(&why, ERR_CREDENTIAL_MISSING,
                     "the user name is neither {idScope}/registrations/{id}/api-version=… nor that of a hub");
        mqtt_link_refuse(link, e, &why);
        return;
    }
    int64_t seconds = connect->keep_alive_s;
    if (seconds == 0 || seconds > KEEP_ALIVE_MAX_S)
        seconds = KEEP_ALIVE_MAX_S;
    link->keep_alive_ms = seconds * 1500; // MQTT-3.1.2-24
    link->state = LINK_DECIDING;
    conn_pause(link->conn);
    conn_deadline(link->conn, DECIDE_MS, "the decision about a CONNECT");
    link->session = link->door->connect(link->door->context, link, connect);
    if (link->session == NULL)
        mqtt_link_refuse(link, FAIL(ERR_NO_MEMORY), NULL);
}

static void publish_arrived(struct mqtt_link *link, const struct mqtt_publish *publish)
{
    struct why why = {0};
    struct buf *out = conn_output(link->conn);
    size_t before = out->len;
    if (publish->qos == 2) {
        mqtt_link_close(link, why_fail(&why, ERR_PROTOCOL, "QoS 2 is not spoken"), &why);
        return;
    }
    // before whatever the door answers: C# takes nothing else (device-protocol 2.3)
    if (publish->qos == 1 && link->door->answers_publishes && link->owed_count < OWED_MAX)
        link->owed[link->owed_count++] = publish->packet_id;
    else if (publish->qos == 1)
        mqtt_encode_puback(out, publish->packet_id);
    if (link->door->publish(link->session, publish))
        return;
    link->owed_count = 0;
    if (link->state == LINK_OPEN && out->len > before)
        out->len = before; // what is not taken is not acknowledged
    mqtt_link_close(
        link,
        why_fail(&why, ERR_PROTOCOL, "nothing listens to the topic \"%.*s\"", SLICE_ARG(publish->topic)),
        &why);
}

static void subscribe_arrived(struct mqtt_link *link, const struct mqtt_subscribe *subscribe)
{
    uint8_t codes[MQTT_MAX_FILTERS];
    for (size_t i = 0; i < subscribe->count; i++)
        codes[i] =
            link->door->subscribe(link->session, subscribe->filters[i].topic, subscribe->filters[i].qos);
    if (link->state != LINK_OPEN)
        return;
    struct mqtt_suback suback = {.packet_id = subscribe->packet_id,
                                 .codes = slice_of(codes, subscribe->count)};
    mqtt_encode_suback(conn_output(link->conn), &suback);
}

static void packet_arrived(struct mqtt_link *link, const struct mqtt_packet *packet)
{
    struct buf *out = conn_output(link->conn);
    switch (packet->type) {
    case MQTT_CONNECT:
        connect_arrived(link, &packet->connect);
        return;
    case MQTT_PUBLISH:
        publish_arrived(link, &packet->publish);
        break;
    case MQTT_SUBSCRIBE:
        subscribe_arrived(link, &packet->subscribe);
        break;
    case MQTT_UNSUBSCRIBE:
        for (size_t i = 0; i < packet->subscribe.count; i++)
            link->door->unsubscribe(link->session, packet->subscribe.filters[i].topic);
        mqtt_encode_unsuback(out, packet->subscribe.packet_id);
        break;
    case MQTT_PINGREQ:
        mqtt_encode_pingresp(out);
        break;
    case MQTT_DISCONNECT:
        end(link);
        return;
    default: // acknowledgements of what was sent: nothing waits for them
        break;
    }
    if (link->state == LINK_OPEN)
        arm(link);
}

static void receive(void *session, struct slice *bytes)
{
    struct mqtt_link *link = session;
    while (bytes->len > 0 && (link->state == LINK_NEW || link->state == LINK_OPEN)) {
        struct mqtt_packet packet;
        struct why why = {0};
        enum mqtt_result result = mqtt_decode(&link->decoder, bytes, &packet, &why);
        if (result == MQTT_MORE)
            return;
        if (result == MQTT_LARGE) {
            link->asked = true;
            conn_pause(link->conn);
            link->door->large(link->session);
            return;
        }
        if (result == MQTT_BAD) {
            log_link(link, "request.unreadable", (struct slice){0}, FAIL(link->decoder.broken), &why);
            end(link);
            break;
        }
        packet_arrived(link, &packet);
    }
    if (!mqtt_decoder_within_packet(&link->decoder)) { // the last one, if it came in pieces: it may be large
        struct mqtt_packet none;
        struct slice nothing = {0};
        (void)mqtt_decode(&link->decoder, &nothing, &none, NULL);
    }
    if (link->state == LINK_ENDED)
        *bytes = (struct slice){0};
}

static void *opened(void *context, struct conn *conn)
{
    struct mqtt_link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return NULL;
    link->front = context;
    link->conn = conn;
    mqtt_decoder_init(&link->decoder, MQTT_LIMIT_BEFORE_CONNECT);
    conn_deadline(conn, CONNECT_MS, "a CONNECT packet");
    return link;
}

static void closed(void *session)
{
    struct mqtt_link *link = session;
    link->state = LINK_ENDED;
    if (link->session != NULL)
        link->door->closed(link->session);
    mqtt_decoder_release(&link->decoder);
    free(link);
}

const struct protocol mqtt_protocol = {.name = "mqtt", .open = opened, .receive = receive, .closed = closed};

struct err mqtt_front_new(const struct mqtt_front_settings *settings, struct mqtt_front **out)
{
    struct mqtt_front *front = calloc(1, sizeof *front);
    *out = front;
    if (front == NULL)
        return FAIL(ERR_NO_MEMORY);
    front->settings = *settings;
    return OK;
}

void mqtt_front_free(struct mqtt_front *front)
{
    free(front);
}

void mqtt_front_add(struct mqtt_front *front, const struct mqtt_door *door)
{
    INVARIANT(front->door_count < MQTT_FRONT_DOORS_MAX);
    front->doors[front->door_count++] = *door;
}

// Connections to exchanges and back.
#include "api/http_front.h"

#include <stdlib.h>

#include "api/error_body.h"
#include "base/instant.h"
#include "base/list.h"
#include "net/conn.h"
#include "net/loop.h"

enum {
    HEAD_MS = 10000,    // until the head of a request is whole (threats A2)
    BODY_MS = 20000,    // and then its body
    IDLE_MS = 60000,    // between requests
    ANSWER_MS = 330000, // a direct method may take 300 s (service-api H.2)
};

struct http_front {
    struct http_front_settings settings;
    size_t under_way;
    bool stopping;
    void (*idle)(void *context);
    void *idle_context;
};

struct http_session {
    struct http_front *front;
    struct conn *conn;
    struct http_decoder decoder;
    struct pending *pending; // the request under way, or NULL
    unsigned refused;        // answers 401 and 403 in a row, besides those that only ask for a proof
    unsigned challenged;     // answers in a row that only ask for a proof
    bool ended;              // nothing more is read
    bool upgraded;           // what follows is for another protocol
};

// An exchange and what is needed to answer it; outlives the session when the connection dies.
struct pending {
    struct exchange x; // first: an exchange is found by its address
    struct http_front *front;
    struct ticket ticket;
    bool close; // after the answer
    bool to_head;
};

static struct pending *pending_of(struct exchange *x)
{
    return CONTAINER_OF(x, struct pending, x);
}

const struct log *exchange_log(const struct exchange *x)
{
    return ((const struct http_front *)x->front)->settings.log;
}

void exchange_header(struct exchange *x, const char *name, struct slice value)
{
    INVARIANT(x->header_count < EXCHANGE_HEADERS_MAX);
    x->headers[x->header_count++] = (struct exchange_header){name, value};
}

struct chain *exchange_chain(struct exchange *x)
{
    struct pending *p = pending_of(x);
    struct conn *conn = conn_by_ticket(p->front->settings.loop, p->ticket);
    return conn != NULL ? conn_chain(conn) : NULL;
}

// ---- answers
// -------------------------------------------------------------------------------------------------------------------

static void encode(struct pending *p, unsigned status, struct buf *out)
{
    struct exchange *x = &p->x;
    struct http_field fields[EXCHANGE_HEADERS_MAX + 3];
    size_t count = 0;
    char date[40];
    struct buf date_buf = {.at = (uint8_t *)date, .room = sizeof date, .cap = sizeof date};
    instant_format_http(&date_buf, clock_wall_us(p->front->settings.clock));
    struct slice type = x->content_type.len > 0 ? x->content_type : SLICE("application/json; charset=utf-8");
    if (x->body.len > 0)
        fields[count++] = (struct http_field){SLICE("Content-Type"), type};
    fields[count++] =
        (struct http_field){SLICE("Strict-Transport-Security"), SLICE("max-age=31536000; includeSubDomains")};
    fields[count++] = (struct http_field){SLICE("x-ms-request-id"), slice_of(x->tracking_id, GUID_TEXT)};
    for (size_t i = 0; i < x->header_count; i++)
        fields[count++] = (struct http_field){slice_text(x->headers[i].name), x->headers[i].value};
    struct http_response response = {
        .status = (uint16_t)status,
        .fields = fields,
        .field_count = count,
        .body = buf_slice(&x->body),
        .date = buf_slice(&date_buf),
        .close = p->close,
        .to_head = p->to_head,
    };
    http_encode_response(out, &response);
}

static void tell_idle(struct http_front *front)
{
    void (*idle)(void *context) = front->idle;
    if (idle == NULL || front->under_way > 0)
        return;
    front->idle = NULL;
    idle(front->idle_context);
}

static void pending_free(struct pending *p)
{
    struct http_front *front = p->front;
    front->under_way--;
    buf_release(&p->x.body);
    arena_release(&p->x.arena);
    free(p);
    tell_idle(front);
}

// Asking costs little, judging certificates much more: who goes on in vain pays for another handshake
// (threats A8).
static bool asked_in_vain(struct http_session *s, unsigned status, bool challenges)
{
    enum { REFUSED_MAX = 8, CHALLENGED_MAX = 32 };
    if (status < 400)
        s->refused = s->challenged = 0;
    s->challenged += challenges;
    s->refused += !challenges && (status == 401 || status == 403);
    return s->refused >= REFUSED_MAX || s->challenged >= CHALLENGED_MAX;
}

void exchange_answer(struct exchange *x, unsigned status)
{
    struct pending *p = pending_of(x);
    struct conn *conn = conn_by_ticket(p->front->settings.loop, p->ticket);
    p->close = p->close || p->front->stopping;
    if (failed(buf_err(&x->body))) {
        x->body.broken = 0;
        x->content_type = (struct slice){0};
        buf_clear(&x->body);
        error_body_write(&x->body, FAIL(ERR_CAPPED), NULL, slice_of(x->tracking_id, GUID_TEXT),
                         x->started_us);
        status = 500;
    }
    if (conn != NULL) {
        struct http_session *s = conn_session(conn);
        p->close = p->close || (asked_in_vain(s, status, x->challenges) && !x->local);
        conn_make_room(conn, x->body.len + HTTP_MAX_HEAD);
        encode(p, status, conn_output(conn));
        s->pending = NULL;
        s->ended = s->ended || p->close;
        conn_deadline(conn, IDLE_MS, "the next request");
        conn_flush(conn);
        if (p->close)
            conn_close_after_flush(conn);
        else
            conn_resume(conn);
    }
    pending_free(p);
}

// Of strangers only so many lines a second are written (threats A10); what comes over the control socket, or
// from a caller who has proved who it is, always has its line.
static bool may_log(const struct exchange *x, struct err e)
{
    const struct http_front *front = x->front;
    bool stranger = !x->local && (x->caller.len == 0 || err_info(e)->class == ERR_CLASS_AUTH);
    return !stranger || loop_may_log(front->settings.loop);
}

static void log_refusal(struct exchange *x, struct err e, const struct why *why)
{
    struct log_line line;
    if (x->logged || !may_log(x, e))
        return;
    log_begin(&line, exchange_log(x), err_info(e)->level, "request.refused");
    log_text(&line, LOG_method, x->request.method_text);
    log_text(&line, LOG_path, x->request.path);
    log_number(&line, LOG_status, err_info(e)->http);
    log_text(&line, LOG_trackingId, slice_of(x->tracking_id, GUID_TEXT));
    log_number(&line, LOG_connection, (int64_t)x->connection);
    log_text(&line, LOG_peer, x->peer);
    log_text(&line, LOG_policy, x->caller);
    log_failure(&line, e, why);
    log_end(&line);
}

static void refuse(struct exchange *x, struct err e, const struct why *why, bool as_hub)
{
    const struct err_info *info = err_info(e);
    struct slice tracking_id = slice_of(x->tracking_id, GUID_TEXT);
    log_refusal(x, e, why);
    buf_clear(&x->body);
    x->content_type = (struct slice){0};
    x->header_count = 0;
    if (as_hub) {
        error_body_write_as_hub(&x->body, e, why, tracking_id, x->started_us);
        exchange_header(x, "iothub-errorcode", slice_text(info->name));
    } else {
        struct slice number = {0};
        error_body_write(&x->body, e, why, tracking_id, x->started_us);
        if (!failed(arena_printf(&x->arena, &number, "%u", info->number)))
            exchange_header(x, "x-ms-error-code", number);
    }
    if (info->http == 429 || info->http == 503)
        exchange_header(x, "Retry-After", SLICE("5"));
    if (e.code == ERR_WEBSOCKET_VERSION) {
        exchange_header(x, "Connection", SLICE("Upgrade")); // RFC 9110 15.5.22, 7.8
        exchange_header(x, "Upgrade", SLICE("websocket"));
        exchange_header(x, "Sec-WebSocket-Version", SLICE("13"));
    }
    if (e.code == ERR_LENGTH_REQUIRED) // what follows may be the body whose length was not told
        pending_of(x)->close = true;
    exchange_answer(x, info->http);
}

void exchange_refuse(struct exchange *x, struct err e, const struct why *why)
{
    refuse(x, e, why, false);
}

void exchange_refuse_as_hub(struct exchange *x, struct err e, const struct why *why)
{
    refuse(x, e, why, true);
}

// ---- requests
// ------------------------------------------------------------------------------------------------------------------

static struct err split_path(struct exchange *x)
{
    struct http_path path = http_path_of(x->request.path);
    struct slice segment;
    for (;;) {
        TRY(http_path_next(&path, &x->arena, &segment));
        if (segment.at == NULL)
            return OK;
        if (x->segment_count == EXCHANGE_SEGMENTS_MAX)
            return FAIL(ERR_ROUTE);
        x->segments[x->segment_count++] = segment;
    }
}

static struct pending *pending_new(struct http_session *s, const struct http_request *request)
{
    struct http_front *front = s->front;
    struct pending *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    uint8_t random[16];
    random_fill_from(front->settings.random, random, sizeof random);
    p->front = front;
    p->ticket = conn_ticket(s->conn);
    p->close = !request->keep_alive;
    p->to_head = request->method == HTTP_METHOD_HEAD;
    struct exchange *x = &p->x;
    x->front = front;
    x->arena = arena_capped(EXCHANGE_ARENA_CAP + request->body.len); // the body's copy apart
    x->body = buf_capped(EXCHANGE_BODY_CAP);
    x->local = front->settings.local;
    x->connection = conn_id(s->conn);
    x->started_us = clock_wall_us(front->settings.clock);
    guid_format(random, x->tracking_id);
    if (failed(http_request_copy(&x->request, request, &x->arena)) ||
        failed(arena_copy(&x->arena, conn_peer(s->conn), &x->peer))) {
        arena_release(&x->arena);
        free(p);
        return NULL;
    }
    front->under_way++;
    return p;
}

static size_t body_max(const struct http_front *front, const struct http_area *area)
{
    bool more = front->settings.local && area->local_body_max > HTTP_BODY_LIMIT;
    return more ? area->local_body_max : HTTP_BODY_LIMIT;
}

static struct err upgrade(struct exchange *x, struct why *why)
{
    const struct http_front_settings *settings = &((struct http_front *)x->front)->settings;
    struct conn *conn = conn_by_ticket(settings->loop, pending_of(x)->ticket);
    struct websocket_upgrade upgrade;
    struct websocket *websocket;
    if (settings->websocket_count == 0)
        return why_fail(why, ERR_ROUTE, "WebSocket is not served here");
    TRY(websocket_upgrade_judge(&x->request, settings->websockets, settings->websocket_count, &upgrade, why));
    TRY(websocket_new(&websocket));
    websocket_upgrade_answer(&upgrade, conn_output(conn));
    conn_become(conn, upgrade.door->protocol, upgrade.door->context, websocket);
    struct http_session *s = conn_session(conn);
    s->upgraded = true;
    s->pending = NULL;
    return OK;
}

// Within the receive that took the request, as conn_become wants it.
static void dispatch_websocket(struct exchange *x)
{
    struct why why = {0};
    struct err e = ((struct http_front *)x->front)->stopping ? FAIL(ERR_STOPPING) : upgrade(x, &why);
    if (!failed(e)) {
        pending_free(pending_of(x));
        return;
    }
    pending_of(x)->close = true; // what follows may be frames already
    exchange_refuse(x, e, &why);
}

static void dispatch(struct http_front *front, struct exchange *x)
{
    struct why why = {0};
    struct err e = split_path(x);
    if (e.code == ERR_MALFORMED)
        e = why_fail(&why, e.code, "the path has a broken escape, or a dot segment");
    if (!failed(e) && front->stopping)
        e = FAIL(ERR_STOPPING);
    if (failed(e)) {
        if (e.code == ERR_MALFORMED) // a request line that cannot be read (RFC 9112 3)
            pending_of(x)->close = true;
        exchange_refuse(x, e, &why);
        return;
    }
    for (size_t i = 0; i < front->settings.area_count; i++) {
        const struct http_area *area = &front->settings.areas[i];
        if (!area->claims(area->context, x))
            continue;
        if (x->request.body.len > body_max(front, area))
            exchange_refuse(x, FAIL(ERR_CAPPED), NULL);
        else
            area->handle(area->context, x);
        return;
    }
    exchange_refuse(x, FAIL(ERR_ROUTE), NULL);
}

static void log_unreadable(const struct exchange *x, unsigned status, struct err e, const struct why *why)
{
    struct log_line line;
    log_begin(&line, exchange_log(x), err_info(e)->level, "request.unreadable");
    log_text(&line, LOG_protocol, SLICE("http"));
    log_number(&line, LOG_status, status);
    log_number(&line, LOG_connection, (int64_t)x->connection);
    log_text(&line, LOG_peer, x->peer);
    log_failure(&line, e, why);
    log_end(&line);
}

// A message that cannot be read: where the next one would start is not known, so the connection ends with the
// answer.
static void refuse_message(struct http_session *s, const struct why *why)
{
    struct http_request nothing = {.method_text = SLICE("-")};
    struct pending *p = pending_new(s, &nothing);
    s->ended = true;
    if (p == NULL) {
        conn_abort(s->conn);
        return;
    }
    conn_pause(s->conn);
    s->pending = p;
    p->close = true;
    struct err e = FAIL(s->decoder.broken);
    struct exchange *x = &p->x;
    if (may_log(x, e))
        log_unreadable(x, s->decoder.status, e, why);
    error_body_write_numbered(&x->body, s->decoder.status * 1000u + 1, e, why,
                              slice_of(x->tracking_id, GUID_TEXT), x->started_us);
    exchange_answer(x, s->decoder.status);
}

static void request_arrived(struct http_session *s, const struct http_request *request)
{
    struct pending *p = pending_new(s, request);
    if (p == NULL) {
        s->ended = true;
        conn_abort(s->conn);
        return;
    }
    s->pending = p;
    conn_deadline(s->conn, ANSWER_MS, "the answer");
    conn_pause(s->conn);
    if (request->websocket)
        dispatch_websocket(&p->x);
    else
        dispatch(s->front, &p->x);
}

static void deadline_of_phase(struct http_session *s, enum http_phase before)
{
    enum http_phase phase = s->decoder.phase;
    if (phase == before)
        return;
    if (phase == HTTP_PHASE_BODY)
        conn_deadline(s->conn, BODY_MS, "the body of a request");
    else if (before == HTTP_PHASE_IDLE || before == HTTP_PHASE_WHOLE)
        conn_deadline(s->conn, HEAD_MS, "the head of a request");
}

static void receive(void *session, struct slice *bytes)
{
    struct http_session *s = session;
    while (!s->ended && !s->upgraded && s->pending == NULL && bytes->len > 0) {
        struct http_request request = {0};
        struct why why = {0};
        enum http_phase before = s->decoder.phase;
        switch (http_decode(&s->decoder, bytes, &request, &why)) {
        case HTTP_MORE:
            deadline_of_phase(s, before);
            return;
        case HTTP_CONTINUE:
            buf_text(conn_output(s->conn), "HTTP/1.1 100 Continue\r\n\r\n");
            conn_deadline(s->conn, BODY_MS, "the body of a request");
            break;
        case HTTP_REQUEST:
            request_arrived(s, &request);
            break;
        case HTTP_BAD:
            refuse_message(s, &why);
            return;
        }
    }
    if (s->ended)
        *bytes = (struct slice){0};
}

static void *opened(void *context, struct conn *conn)
{
    struct http_session *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->front = context;
    s->conn = conn;
    http_decoder_init(&s->decoder);
    for (size_t i = 0; i < s->front->settings.area_count; i++) {
        size_t max = body_max(s->front, &s->front->settings.areas[i]);
        if (max > s->decoder.body_limit)
            http_decoder_limit(&s->decoder, max);
    }
    conn_deadline(conn, HEAD_MS, "the head of a request");
    return s;
}

static void closed(void *session)
{
    struct http_session *s = session;
    http_decoder_release(&s->decoder);
    free(s); // a request under way goes on without it
}

const struct protocol http_protocol = {.name = "http", .open = opened, .receive = receive, .closed = closed};

struct err http_front_new(const struct http_front_settings *settings, struct http_front **out)
{
    struct http_front *front = calloc(1, sizeof *front);
    *out = front;
    if (front == NULL)
        return FAIL(ERR_NO_MEMORY);
    front->settings = *settings;
    return OK;
}

void http_front_free(struct http_front *front)
{
    INVARIANT(front == NULL || front->under_way == 0);
    free(front);
}

void http_front_stop(struct http_front *front, void (*idle)(void *context), void *context)
{
    front->stopping = true;
    front->idle = idle;
    front->idle_context = context;
    tell_idle(front);
}

size_t http_front_under_way(const struct http_front *front)
{
    return front->under_way;
}

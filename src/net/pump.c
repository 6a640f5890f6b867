// The one pump for all protocols: socket, TLS, perhaps WebSocket, protocol, and back; and the orderly end of
// a connection.
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "net/internal.h"

static void arrived(uv_stream_t *stream, ssize_t len, const uv_buf_t *room);

static void lend_room(uv_handle_t *handle, size_t wanted, uv_buf_t *room)
{
    (void)wanted;
    struct conn *conn = handle->data;
    *room = uv_buf_init(conn->loop->read_room, READ_MAX);
}

static void read_on(struct conn *conn, bool on)
{
    if (conn->reading == on || conn->fin_seen)
        return;
    conn->reading = on;
    if (on)
        (void)uv_read_start(&conn->io.stream, lend_room, arrived);
    else
        (void)uv_read_stop(&conn->io.stream);
}

static void begin_close(struct conn *conn)
{
    if (conn->state != CONN_HANDSHAKE && conn->state != CONN_OPEN)
        return;
    conn->state = CONN_FLUSHING;
    buf_release(&conn->rest);
    conn_wait(conn, conn->loop->settings.closing_ms);
}

static struct departure *departure_new(struct conn *conn)
{
    struct departure *d = calloc(1, sizeof *d);
    if (d != NULL)
        d->conn = conn;
    return d;
}

static struct conn *departure_end(struct departure *d)
{
    struct conn *conn = d->conn;
    buf_release(&d->bytes);
    free(d);
    return conn;
}

static int descriptor(const struct conn *conn)
{
    uv_os_fd_t fd;
    return uv_fileno(&conn->io.handle, &fd) == 0 ? fd : -1;
}

// All is written. Closing now would make the kernel send RST if the peer had sent anything we did not read,
// and that could destroy our last words on their way (RFC 9112 9.6): so FIN first. Not when the peer said
// that it sends no more.
static void half_close(struct conn *conn)
{
    conn->state = CONN_LINGERING;
    if (!conn->fin_seen && !conn->notified && shutdown(descriptor(conn), SHUT_WR) == 0)
        read_on(conn, true);
    else
        conn_kill(conn);
}

static void written(uv_write_t *request, int status)
{
    struct conn *conn = departure_end(CONTAINER_OF(request, struct departure, request));
    conn->writing = false;
    if (conn->state == CONN_DEAD)
        return;
    if (status != 0) {
        conn_kill(conn);
        return;
    }
    if (conn->state == CONN_OPEN && conn->protocol->writable != NULL) {
        conn->inside = true;
        conn->protocol->writable(conn->session);
        conn->inside = false;
    }
    pump_settle(conn);
}

static void emptied(struct buf *bytes, size_t cap)
{
    buf_clear(bytes);
    buf_shrink(bytes);
    bytes->cap = cap;
}

static struct buf *through_websocket(struct conn *conn)
{
    websocket_write(conn->websocket, buf_slice(&conn->output));
    emptied(&conn->output, CONN_OUTPUT_MAX);
    if (conn->state == CONN_FLUSHING)
        websocket_close(conn->websocket, conn->loop->stopping ? WEBSOCKET_GOING_AWAY : WEBSOCKET_NORMAL);
    return websocket_output(conn->websocket);
}

static struct buf *through_tls(struct conn *conn, struct buf *plain, size_t cap)
{
    if (plain->len > 0 && tls_session_state(conn->tls) == TLS_OPEN)
        (void)tls_write(conn->tls, buf_slice(plain)); // fails only for want of memory; then it has failed
    emptied(plain, cap);
    if (conn->state == CONN_FLUSHING)
        tls_close(conn->tls);
    return tls_output(conn->tls);
}

// The bytes for the socket: of the outermost layer, or the plain output itself. NULL when memory is out.
static struct buf *to_wire(struct conn *conn)
{
    struct buf *wire = &conn->output;
    if (conn->websocket != NULL)
        wire = through_websocket(conn);
    if (wire->broken != 0)
        return NULL;
    size_t cap = conn->websocket != NULL ? (size_t)WEBSOCKET_OUTPUT_MAX : (size_t)CONN_OUTPUT_MAX;
    return conn->tls != NULL ? through_tls(conn, wire, cap) : wire;
}

// As much as the kernel takes; -1: errno. The last bytes wait in the kernel for the FIN that follows at once,
// so that one segment carries both.
static ssize_t send_now(const struct conn *conn, const struct buf *wire)
{
    int more = conn->state == CONN_FLUSHING ? MSG_MORE : 0;
    return send(descriptor(conn), wire->at, wire->len, MSG_DONTWAIT | MSG_NOSIGNAL | more);
}

static void send_wire(struct conn *conn, struct buf *wire)
{
    ssize_t sent = send_now(conn, wire);
    if (sent < 0 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS) {
        conn_kill(conn);
        return;
    }
    if (sent > 0)
        buf_consume(wire, (size_t)sent);
    if (wire->len == 0) {
        buf_shrink(wire);
        return;
    }
    struct departure *d = departure_new(conn);
    if (d == NULL) {
        conn_kill(conn);
        return;
    }
    d->bytes = *wire;
    *wire = buf_capped(wire == &conn->output ? CONN_OUTPUT_MAX : d->bytes.cap);
    uv_buf_t all = uv_buf_init((char *)d->bytes.at, (unsigned)d->bytes.len);
    conn->writing = uv_write(&d->request, &conn->io.stream, &all, 1, written) == 0;
    if (!conn->writing) {
        (void)departure_end(d);
        conn_kill(conn);
    }
}

static void flush(struct conn *conn)
{
    if (conn->output.broken != 0) {
        struct why why;
        if (conn->state == CONN_OPEN)
            conn_log_noise(conn, "connection.slow_reader",
                           why_fail(&why, conn->output.broken, "the peer does not read what it is sent"),
                           &why);
        conn_kill(conn);
        return;
    }
    if (conn->writing || conn->state == CONN_LINGERING)
        return;
    struct buf *wire = to_wire(conn);
    if (wire == NULL) {
        conn_kill(conn);
        return;
    }
    if (wire->len > 0)
        send_wire(conn, wire);
    if (conn->state == CONN_FLUSHING && !conn->writing)
        half_close(conn);
}

// What is left over goes to `rest`; bytes is what is new.
static void give_to_protocol(struct conn *conn, struct slice bytes)
{
    bool had_rest = conn->rest.len > 0;
    if (had_rest || conn->paused)
        buf_bytes(&conn->rest, bytes);
    if (conn->paused)
        return;
    struct slice view = had_rest ? buf_slice(&conn->rest) : bytes;
    size_t given = view.len;
    if (given == 0)
        return;
    conn->inside = true;
    conn->protocol->receive(conn->session, &view);
    conn->inside = false;
    INVARIANT(view.len <= given);
    if (had_rest)
        buf_consume(&conn->rest, given - view.len);
    else
        buf_bytes(&conn->rest, slice_from(bytes, given - view.len));
    buf_shrink(&conn->rest);
}

static void become(struct conn *conn);

static void deliver(struct conn *conn, struct slice bytes)
{
    if (conn->state != CONN_OPEN || conn->closing || conn->aborted)
        return;
    give_to_protocol(conn, bytes);
    if (conn->rest.broken != 0)
        conn->aborted = true; // out of memory: what came in between would be missing
    if (conn->becoming.protocol != NULL && !conn->aborted && !conn->closing && conn->output.broken == 0)
        become(conn);
}

static void open_session(struct conn *conn)
{
    conn_wait(conn, 0);
    conn->state = CONN_OPEN;
    conn->inside = true;
    conn->session = conn->protocol->open(conn->context, conn);
    conn->inside = false;
    if (conn->session == NULL)
        conn->aborted = true;
}

static void websocket_failed(struct conn *conn, struct err e)
{
    if (conn->state == CONN_OPEN && !conn->closing && !conn->aborted)
        conn_log_noise(conn, "websocket.failed", e, websocket_why(conn->websocket));
    begin_close(conn); // a Close frame is in the output
}

static void take(struct conn *conn, struct slice bytes)
{
    if (conn->websocket == NULL) {
        deliver(conn, bytes);
        return;
    }
    struct buf *payload = &conn->loop->payload;
    buf_clear(payload);
    struct err e = websocket_feed(conn->websocket, &bytes, loop_now_us(conn->loop) / 1000, payload);
    if (payload->len > 0)
        deliver(conn, buf_slice(payload));
    if (websocket_state(conn->websocket) == WEBSOCKET_CLOSED)
        conn->peer_ended = true;
    if (failed(e))
        websocket_failed(conn, e);
}

// Changes the protocol. What the one before wrote goes in front of the first frame; what it left is in
// `rest`.
static void become(struct conn *conn)
{
    struct buf left = conn->rest;
    conn->rest = buf_capped(left.cap);
    slots_forget_tickets(conn->loop, conn);
    conn->protocol->closed(conn->session);
    conn->session = NULL;
    conn->protocol = conn->becoming.protocol;
    conn->context = conn->becoming.context;
    conn->websocket = conn->becoming.websocket;
    conn->becoming = (struct becoming){0};
    conn->paused = conn->again = false;
    buf_bytes(websocket_output(conn->websocket), buf_slice(&conn->output));
    emptied(&conn->output, CONN_OUTPUT_MAX);
    open_session(conn);
    take(conn, buf_slice(&left));
    buf_release(&left);
}

static void tls_ended(struct conn *conn)
{
    if (conn->state == CONN_FLUSHING || conn->state == CONN_LINGERING)
        return;
    if (tls_session_state(conn->tls) == TLS_CLOSED) {
        conn->peer_ended = conn->notified = true;
        return;
    }
    const char *event = conn->state == CONN_HANDSHAKE ? "handshake.failed" : "tls.failed";
    conn_log_noise(conn, event, FAIL(ERR_PROTOCOL), tls_session_why(conn->tls));
    begin_close(conn); // an alert is in the output
}

static void decrypt(struct conn *conn, struct slice bytes)
{
    struct buf *plain = &conn->loop->plain;
    buf_clear(plain);
    struct err result = tls_feed(conn->tls, &bytes, plain);
    enum tls_state state = tls_session_state(conn->tls);
    if (conn->state == CONN_HANDSHAKE && !failed(result) && state != TLS_HANDSHAKING)
        open_session(conn);
    if (plain->len > 0)
        take(conn, buf_slice(plain));
    if (state == TLS_FAILED || state == TLS_CLOSED)
        tls_ended(conn);
}

static void stream_ended(struct conn *conn)
{
    read_on(conn, false);
    conn->fin_seen = true;
    conn->peer_ended = true;
    // a load balancer that only looks whether the port is open is no noise
    bool looked = conn->proxied && conn->rest.len == 0;
    if (conn->state == CONN_HANDSHAKE && !looked) {
        struct why why;
        conn_log_noise(conn, "handshake.failed",
                       why_fail(&why, ERR_PROTOCOL, "the peer closed the connection in the handshake"), &why);
    }
    if (conn->state == CONN_HANDSHAKE || conn->state == CONN_LINGERING)
        conn_kill(conn);
}

static void start_layers(struct conn *conn)
{
    conn->phase = "the TLS handshake";
    if (conn->tls == NULL)
        open_session(conn);
}

static void bytes_arrived(struct conn *conn, struct slice bytes)
{
    if (conn->proxied) {
        if (!proxied_take(conn, &bytes))
            return;
        start_layers(conn); // the deadline stays: it is for both
        if (bytes.len == 0)
            return;
    }
    if (conn->tls != NULL)
        decrypt(conn, bytes);
    else
        take(conn, bytes);
}

static void arrived(uv_stream_t *stream, ssize_t len, const uv_buf_t *room)
{
    struct conn *conn = stream->data;
    if (len == 0 || conn->state == CONN_DEAD)
        return;
    if (len == UV_EOF) {
        stream_ended(conn);
    } else if (len < 0) {
        conn_kill(conn);
    } else if (conn->state == CONN_FLUSHING || conn->state == CONN_LINGERING) {
        conn->lingered += (size_t)len;
        if (conn->lingered > LINGER_MAX)
            conn_kill(conn);
    } else {
        bytes_arrived(conn, slice_of(room->base, (size_t)len));
    }
    pump_settle(conn);
}

// After every event: acts on what the protocol and the peer asked for, and writes what there is to write.
void pump_settle(struct conn *conn)
{
    if (conn->state == CONN_DEAD)
        return;
    if (conn->again && !conn->paused) {
        conn->again = false;
        deliver(conn, (struct slice){0});
    }
    if (conn->aborted) {
        conn_kill(conn);
        return;
    }
    if (conn->closing || (conn->peer_ended && !conn->paused))
        begin_close(conn);
    flush(conn);
    if (conn->state == CONN_OPEN)
        read_on(conn,
                conn->rest.len < CONN_REST_MAX && !(conn->paused && conn->rest.len > 0) && !conn->peer_ended);
}

void pump_start(struct conn *conn)
{
    if (conn->tls != NULL || conn->proxied) {
        conn->phase_ms = conn->loop->settings.handshake_ms;
        conn_wait(conn, conn->phase_ms);
    }
    if (conn->proxied)
        conn->phase = "the PROXY header";
    else
        start_layers(conn);
    read_on(conn, true);
    pump_settle(conn);
}

void pump_stop(struct conn *conn)
{
    if (conn->state == CONN_HANDSHAKE) {
        conn_kill(conn);
        return;
    }
    if (conn->state == CONN_OPEN && conn->protocol->stopping != NULL) {
        conn->inside = true;
        conn->protocol->stopping(conn->session);
        conn->inside = false;
    } else {
        conn->closing = true;
    }
    pump_settle(conn);
}

void pump_overdue(struct conn *conn)
{
    struct why why;
    if (conn->state == CONN_HANDSHAKE || conn->state == CONN_OPEN)
        conn_log_noise(
            conn, "connection.deadline",
            why_fail(&why, ERR_TIMEOUT, "waited %lld ms for %s", (long long)conn->phase_ms, conn->phase),
            &why);
    else if (conn->state == CONN_FLUSHING)
        conn_log_noise(conn, "connection.deadline",
                       why_fail(&why, ERR_TIMEOUT, "the peer did not take the last bytes within %lld ms",
                                (long long)conn->loop->settings.closing_ms),
                       &why);
    conn_kill(conn);
}

// The scripted server: a protocol of the loop that reads one request at a time and does as it was told.
#include "outbound/fake_peer_test.h"

#include "crypto/bench_pki.h"

enum { DRIP_MS = 10, FLOOD_BYTES = 32 * 1024 };

struct session {
    struct list link;
    struct peer *peer;
    struct conn *conn;
    struct buf held; // an answer that waits for peer_let_go
    struct poll_timer timer;
    size_t at_once; // bytes that the timer adds
};

static void *peer_open(void *context, struct conn *conn)
{
    struct peer *peer = context;
    struct session *s = calloc(1, sizeof *s);
    *s = (struct session){.peer = peer, .conn = conn, .held = buf_capped(1 << 20)};
    list_append(&peer->sessions, &s->link);
    peer->connections++;
    return s;
}

static void peer_closed(void *session)
{
    struct session *s = session;
    poller_timer_release(loop_poller(s->peer->bench.loop), &s->timer);
    list_remove(&s->link);
    buf_release(&s->held);
    free(s);
}

static void drip(struct poll_timer *timer)
{
    struct session *s = timer->context;
    static const uint8_t block[FLOOD_BYTES];
    buf_bytes(conn_output(s->conn), slice_of(block, s->at_once));
    conn_flush(s->conn);
    (void)!failed(poller_timer_start(loop_poller(s->peer->bench.loop), &s->timer, DRIP_MS));
}

static void drip_for_ever(struct session *s, size_t promised, size_t at_once)
{
    buf_printf(conn_output(s->conn), "HTTP/1.1 200 Scripted\r\nContent-Length: %zu\r\n\r\n", promised);
    s->at_once = at_once;
    s->timer = (struct poll_timer){.fire = drip, .context = s};
    drip(&s->timer);
}

static void obey(struct session *s, struct slice request, struct slice body)
{
    struct peer *peer = s->peer;
    if (peer->requests < PEER_SEEN_MAX)
        buf_bytes(&peer->seen[peer->requests], request);
    peer->requests++;
    struct buf *out = peer->holding ? &s->held : conn_output(s->conn);
    switch (peer->settings.answer(peer->settings.context, request, body, out)) {
    case PEER_DONE:
    case PEER_CUT:
        return conn_abort(s->conn);
    case PEER_DRIP:
        return drip_for_ever(s, 60000, 1);
    case PEER_FLOOD:
        return drip_for_ever(s, 100000000, FLOOD_BYTES);
    case PEER_LEAVE:
        return conn_close_after_flush(s->conn);
    case PEER_SILENT:
    case PEER_ANSWER:
        return;
    }
}

static size_t body_len(struct slice head)
{
    struct slice name = SLICE("Content-Length: ");
    struct slice value = slice_from(head, slice_find(head, name) + name.len);
    uint64_t len = 0;
    (void)slice_to_u64(slice_to(value, slice_find_byte(value, '\r')), &len);
    return len;
}

static void peer_receive(void *session, struct slice *bytes)
{
    for (size_t end; (end = slice_find(*bytes, SLICE("\r\n\r\n"))) < bytes->len;) {
        size_t head = end + 4;
        size_t body = body_len(slice_to(*bytes, head));
        if (bytes->len < head + body)
            return;
        struct slice request = slice_to(*bytes, head + body);
        *bytes = slice_from(*bytes, head + body);
        obey(session, request, slice_from(request, head));
    }
}

static const struct protocol peer_protocol = {
    .name = "fake peer", .open = peer_open, .receive = peer_receive, .closed = peer_closed};

// --- the world of who calls
// ----------------------------------------------------------------------------------------------------------

static int64_t wall(const struct clock *clock)
{
    (void)clock;
    return bench_clock_us(CLOCK_REALTIME);
}

static int64_t monotonic(const struct clock *clock)
{
    const struct peer *peer = CONTAINER_OF(clock, struct peer, clock);
    return bench_clock_us(CLOCK_MONOTONIC) + atomic_load(&peer->skew_us);
}

static void no_chance(struct random *random, void *at, size_t len)
{
    (void)random;
    memset(at, 0, len);
}

static void peer_listen(struct peer *peer)
{
    const char *name = peer->settings.name;
    const char *address = "127.0.0.1";
    int64_t made_us = wall(NULL) - peer->settings.age_days * INT64_C(86400000000);
    struct buf ca_key = buf_capped(BENCH_PEM_MAX);
    struct buf chain = buf_capped(BENCH_PEM_MAX);
    struct buf key = buf_capped(BENCH_PEM_MAX);
    struct tls_context *tls = NULL;
    const struct bench_spec ca = {.role = BENCH_ROOT, .common_name = SLICE("test CA"), .now_us = made_us};
    assert_false(failed(bench_make(&ca, &peer->ca_pem, &ca_key, NULL)));
    const struct bench_spec server = {
        .role = BENCH_SERVER,
        .common_name = slice_text(name),
        .issuer_certificate = buf_slice(&peer->ca_pem),
        .issuer_key = buf_slice(&ca_key),
        .now_us = made_us,
        .names = {.dns = &name, .dns_count = 1, .ips = &address, .ip_count = 1}};
    assert_false(failed(bench_make(&server, &chain, &key, NULL)));
    struct tls_settings secrets = {.chain_pem = buf_slice(&chain), .key_pem = buf_slice(&key)};
    assert_false(failed(tls_context_new(&secrets, &tls, NULL)));
    struct listener_settings settings = {
        .protocol = &peer_protocol, .context = peer, .host = "127.0.0.1", .tls = tls};
    peer->port = listener_port(bench_listen_on(&peer->bench, &settings));
    tls_context_free(tls);
    buf_release(&ca_key);
    buf_release(&chain);
    buf_release(&key);
}

void peer_start(struct peer *peer, const struct peer_settings *settings)
{
    *peer = (struct peer){.settings = *settings,
                          .ca_pem = buf_capped(BENCH_PEM_MAX),
                          .clock = {.wall_us = wall, .monotonic_us = monotonic},
                          .random = {.fill = no_chance}};
    list_init(&peer->sessions);
    for (size_t i = 0; i < PEER_SEEN_MAX; i++)
        peer->seen[i] = buf_capped(1 << 20);
    static const struct loop_settings usual;
    bench_start(&peer->bench, &usual);
    peer_listen(peer);
}

void peer_end(struct peer *peer)
{
    bench_end(&peer->bench);
    buf_release(&peer->ca_pem);
    for (size_t i = 0; i < PEER_SEEN_MAX; i++)
        buf_release(&peer->seen[i]);
}

static void let_go(void *argument)
{
    struct peer *peer = argument;
    peer->holding = false;
    LIST_EACH (at, &peer->sessions) {
        struct session *s = CONTAINER_OF(at, struct session, link);
        buf_bytes(conn_output(s->conn), buf_slice(&s->held));
        buf_clear(&s->held);
        conn_flush(s->conn);
    }
}

void peer_let_go(struct peer *peer)
{
    bench_do(&peer->bench, let_go, peer);
}

struct count {
    struct peer *peer;
    size_t requests;
};

static void look(void *argument)
{
    struct count *count = argument;
    count->requests = count->peer->requests;
}

void peer_await_requests(struct peer *peer, size_t wanted)
{
    struct count count = {.peer = peer};
    int64_t until_us = bench_clock_us(CLOCK_MONOTONIC) + PATIENCE_MS * INT64_C(1000);
    do {
        bench_do(&peer->bench, look, &count);
    } while (count.requests < wanted && bench_clock_us(CLOCK_MONOTONIC) < until_us);
    assert_true(count.requests >= wanted);
}

bool peer_saw(const struct peer *peer, size_t request, const char *part)
{
    struct slice seen = buf_slice(&peer->seen[request]);
    return slice_find(seen, slice_text(part)) < seen.len;
}

struct slice peer_saw_body(const struct peer *peer, size_t request)
{
    struct slice seen = buf_slice(&peer->seen[request]);
    return slice_from(seen, slice_find(seen, SLICE("\r\n\r\n")) + 4);
}

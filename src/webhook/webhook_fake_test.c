// The scripted function: a protocol of the loop that reads one request at a time and does as it was told.
#include <stdio.h>
#include <stdlib.h>

#include "webhook/webhook_test.h"

enum { DRIP_MS = 10 };

struct session {
    struct list link;
    struct fake *fake;
    struct conn *conn;
    struct buf held; // an answer that waits for fake_release
    struct poll_timer timer;
};

static void *fake_open(void *context, struct conn *conn)
{
    struct fake *fake = context;
    struct session *s = calloc(1, sizeof *s);
    *s = (struct session){.fake = fake, .conn = conn, .held = buf_capped(1 << 20)};
    list_append(&fake->sessions, &s->link);
    fake->connections++;
    return s;
}

static void fake_closed(void *session)
{
    struct session *s = session;
    poller_timer_release(loop_poller(s->fake->bench.loop), &s->timer);
    list_remove(&s->link);
    buf_release(&s->held);
    free(s);
}

static void drip(struct poll_timer *timer)
{
    struct session *s = timer->context;
    buf_u8(conn_output(s->conn), ' ');
    conn_flush(s->conn);
    (void)!failed(poller_timer_start(loop_poller(s->fake->bench.loop), &s->timer, DRIP_MS));
}

static void write_answer(struct session *s)
{
    const struct fake_answer *answer = &s->fake->answer;
    struct buf *out = s->fake->holding ? &s->held : conn_output(s->conn);
    buf_printf(out, "HTTP/1.1 %s", answer->text);
    for (size_t i = 0; i < answer->body; i++)
        buf_u8(out, 'x');
}

static void obey(struct session *s, struct slice request)
{
    struct fake *fake = s->fake;
    if (fake->requests < FAKE_SEEN_MAX)
        buf_bytes(&fake->seen[fake->requests], request);
    fake->requests++;
    switch (fake->answer.manner) {
    case FAKE_SILENT:
        return;
    case FAKE_CUT:
        return conn_abort(s->conn);
    case FAKE_DRIP:
        buf_text(conn_output(s->conn), "HTTP/1.1 200 Scripted\r\nContent-Length: 60000\r\n\r\n");
        s->timer = (struct poll_timer){.fire = drip, .context = s};
        return drip(&s->timer);
    case FAKE_SHORT:
        write_answer(s);
        return conn_close_after_flush(s->conn);
    case FAKE_ANSWER:
    default:
        write_answer(s);
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

static void fake_receive(void *session, struct slice *bytes)
{
    for (size_t end; (end = slice_find(*bytes, SLICE("\r\n\r\n"))) < bytes->len;) {
        size_t head = end + 4;
        size_t body = body_len(slice_to(*bytes, head));
        if (bytes->len < head + body)
            return;
        struct slice request = slice_to(*bytes, head + body);
        *bytes = slice_from(*bytes, head + body);
        obey(session, request);
    }
}

static const struct protocol fake_protocol = {
    .name = "fake function", .open = fake_open, .receive = fake_receive, .closed = fake_closed};

// --- the world of the caller
// ----------------------------------------------------------------------------------------------------------

static int64_t clock_of(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t wall(const struct clock *clock)
{
    (void)clock;
    return clock_of(CLOCK_REALTIME);
}

static int64_t monotonic(const struct clock *clock)
{
    const struct fake *fake = (const struct fake *)((const char *)clock - offsetof(struct fake, clock));
    return clock_of(CLOCK_MONOTONIC) + atomic_load(&fake->skew_us);
}

static void no_chance(struct random *random, void *at, size_t len)
{
    (void)random;
    memset(at, 0, len);
}

static void make(void *argument)
{
    struct fake *fake = argument;
    webhook_free(fake->webhook);
    assert_false(failed(webhook_new(&fake->settings, &fake->webhook, NULL)));
}

void fake_restart(struct fake *fake)
{
    bench_do(&fake->bench, make, fake);
}

void fake_start_with(struct fake *fake, const struct buf *chain_pem, const struct buf *key_pem,
                     struct slice trusted_pem)
{
    *fake = (struct fake){0};
    fake->clock = (struct clock){.wall_us = wall, .monotonic_us = monotonic};
    fake->random = (struct random){.fill = no_chance};
    list_init(&fake->sessions);
    for (size_t i = 0; i < FAKE_SEEN_MAX; i++)
        fake->seen[i] = buf_capped(1 << 20);
    static const struct loop_settings usual;
    bench_start(&fake->bench, &usual);
    struct tls_context *tls = NULL;
    struct tls_settings server = {
        .chain_pem = buf_slice(chain_pem != NULL ? chain_pem : &fake->bench.certificates.chain_pem),
        .key_pem = buf_slice(key_pem != NULL ? key_pem : &fake->bench.certificates.key_pem)};
    assert_false(failed(tls_context_new(&server, &tls, NULL)));
    struct listener_settings settings = {
        .protocol = &fake_protocol, .context = fake, .host = "0.0.0.0", .tls = tls};
    fake->listener = bench_listen_on(&fake->bench, &settings);
    tls_context_free(tls);
    fake->port = listener_port(fake->listener);
    (void)snprintf(fake->url, sizeof fake->url, "https://localhost:%u/api/allocate?code=SECRET", fake->port);
    fake->settings = (struct webhook_settings){
        .poller = loop_poller(fake->bench.loop),
        .replies = loop_mailbox(fake->bench.loop),
        .clock = &fake->clock,
        .random = &fake->random,
        .log = &fake->bench.log,
        .ca_pem = trusted_pem.len > 0 ? trusted_pem : buf_slice(&fake->bench.certificates.ca_pem),
        .guard = {.ports = {fake->port}, .port_count = 1},
    };
    struct guard *guard = &fake->settings.guard;
    assert_false(failed(ip_network_read(SLICE("127.0.0.1"), &guard->allowed[0], NULL)));
    guard->allowed_count = 1;
    fake_restart(fake);
    fake_say(fake, "200 OK\r\nContent-Type: application/json\r\n", "{}");
}

void fake_start(struct fake *fake)
{
    fake_start_with(fake, NULL, NULL, (struct slice){0});
}

static void unmake(void *argument)
{
    struct fake *fake = argument;
    webhook_free(fake->webhook);
}

void fake_end(struct fake *fake)
{
    bench_do(&fake->bench, unmake, fake);
    bench_end(&fake->bench);
    for (size_t i = 0; i < FAKE_SEEN_MAX; i++)
        buf_release(&fake->seen[i]);
}

void fake_say(struct fake *fake, const char *status_and_headers, const char *body)
{
    static char text[4096];
    (void)snprintf(text, sizeof text, "%sContent-Length: %zu\r\n\r\n%s", status_and_headers, strlen(body),
                   body);
    fake->answer = (struct fake_answer){.text = text};
}

static void let_go(void *argument)
{
    struct fake *fake = argument;
    fake->holding = false;
    LIST_EACH (at, &fake->sessions) {
        struct session *s = CONTAINER_OF(at, struct session, link);
        buf_bytes(conn_output(s->conn), buf_slice(&s->held));
        buf_clear(&s->held);
        conn_flush(s->conn);
    }
}

void fake_release(struct fake *fake)
{
    bench_do(&fake->bench, let_go, fake);
}

struct count {
    struct fake *fake;
    size_t requests;
};

static void look(void *argument)
{
    struct count *count = argument;
    count->requests = count->fake->requests;
}

void fake_await_requests(struct fake *fake, size_t wanted)
{
    struct count count = {.fake = fake};
    int64_t until_us = clock_of(CLOCK_MONOTONIC) + PATIENCE_MS * INT64_C(1000);
    do {
        bench_do(&fake->bench, look, &count);
    } while (count.requests < wanted && clock_of(CLOCK_MONOTONIC) < until_us);
    assert_true(count.requests >= wanted);
}

bool fake_saw(const struct fake *fake, size_t request, const char *part)
{
    struct slice seen = buf_slice(&fake->seen[request]);
    return slice_find(seen, slice_text(part)) < seen.len;
}

// --- questions
// -------------------------------------------------------------------------------------------------------------

static void done(struct webhook_request *request)
{
    struct shot *shot = request->context;
    shot->early = shot->early || shot->inside;
    shot->times++;
    sem_post(&shot->ended);
}

void shot_init(struct shot *shot, struct fake *fake, const char *url)
{
    *shot = (struct shot){.fake = fake, .arena = arena_capped(1 << 20)};
    sem_init(&shot->ended, 0, 0);
    shot->request = (struct webhook_request){
        .url = slice_text(url),
        .body = SLICE("{\"question\":1}"),
        .deadline_ms = 10000,
        .arena = &shot->arena,
        .done = done,
        .context = shot,
    };
}

void shot_release(struct shot *shot)
{
    arena_release(&shot->arena);
    sem_destroy(&shot->ended);
}

struct volley {
    struct shot *shots;
    size_t count;
};

static void submit(void *argument)
{
    struct volley *volley = argument;
    for (size_t i = 0; i < volley->count; i++) {
        struct shot *shot = &volley->shots[i];
        shot->inside = true;
        webhook_submit(shot->fake->webhook, &shot->request);
        shot->inside = false;
    }
}

void shots_fire(struct shot *shots, size_t count)
{
    struct volley volley = {shots, count};
    bench_do(&shots[0].fake->bench, submit, &volley);
}

void shot_wait(struct shot *shot)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 2 * PATIENCE_MS / 1000;
    if (sem_timedwait(&shot->ended, &until) != 0)
        fail_msg("a call did not end");
    assert_int_equal(shot->times, 1);
    assert_false(shot->early);
}

struct err shot_run(struct shot *shot)
{
    shots_fire(shot, 1);
    shot_wait(shot);
    return shot->request.result;
}

void assert_refused(const struct shot *shot, const char *part)
{
    const char *why = shot->request.why.text;
    assert_string_equal(err_info(shot->request.result)->name, err_info(FAIL(ERR_WEBHOOK))->name);
    if (strstr(why, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", why, part);
    if (strstr(why, "SECRET") != NULL || strstr(why, "/api") != NULL)
        fail_msg("\"%s\" shows what is in the URL", why);
}

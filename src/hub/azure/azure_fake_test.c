// The scripted hub: a protocol of the loop that reads one request at a time and does as it was told.
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "hub/azure/azure_test.h"

enum { DRIP_MS = 10, FLOOD_BYTES = 32 * 1024 };

struct session {
    struct list link;
    struct fake *fake;
    struct conn *conn;
    struct buf held; // an answer that waits for fake_release
    struct poll_timer timer;
    size_t at_once; // bytes that the timer adds
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
    static const uint8_t block[FLOOD_BYTES];
    buf_bytes(conn_output(s->conn), slice_of(block, s->at_once));
    conn_flush(s->conn);
    (void)!failed(poller_timer_start(loop_poller(s->fake->bench.loop), &s->timer, DRIP_MS));
}

static struct fake_answer next_answer(struct fake *fake, struct slice request)
{
    if (fake->silent_host != NULL && slice_find(request, slice_text(fake->silent_host)) < request.len)
        return (struct fake_answer){.manner = FAKE_SILENT};
    if (fake->use_always)
        return fake->always;
    if (fake->scripted == 0)
        return (struct fake_answer){0};
    struct fake_answer next = fake->script[0];
    memmove(fake->script, fake->script + 1, --fake->scripted * sizeof next);
    return next;
}

static void write_answer(struct session *s, const struct fake_answer *answer, struct slice request,
                         struct slice body)
{
    struct buf *to = s->fake->holding ? &s->held : conn_output(s->conn);
    if (s->fake->registry != NULL && answer->status == 0 && answer->body == NULL)
        return registry_answer(s->fake->registry, request, body, to);
    bool removal = slice_starts_with(request, SLICE("DELETE"));
    int status = answer->status != 0 ? answer->status : removal ? 204 : 200;
    struct slice text = answer->body != NULL ? slice_text(answer->body)
                        : status == 204      ? (struct slice){0}
                                             : body;
    struct buf *out = to;
    buf_printf(out, "HTTP/1.1 %d Scripted\r\n%s", status, answer->headers != NULL ? answer->headers : "");
    if (status != 204)
        buf_printf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n", text.len);
    buf_text(out, "\r\n");
    buf_bytes(out, text);
}

static void do_silently(struct fake *fake, struct slice request, struct slice body)
{
    struct buf nobody_reads_it = buf_capped(64 * 1024);
    registry_answer(fake->registry, request, body, &nobody_reads_it);
    buf_release(&nobody_reads_it);
}

static void obey(struct session *s, struct slice request, struct slice body)
{
    struct fake *fake = s->fake;
    if (fake->requests < FAKE_SEEN_MAX)
        buf_bytes(&fake->seen[fake->requests], request);
    fake->requests++;
    struct fake_answer answer = next_answer(fake, request);
    switch (answer.manner) {
    case FAKE_SILENT:
        return;
    case FAKE_DONE:
        if (fake->registry != NULL)
            do_silently(fake, request, body);
        return conn_abort(s->conn);
    case FAKE_CUT:
        return conn_abort(s->conn);
    case FAKE_DRIP:
    case FAKE_FLOOD:
        buf_text(conn_output(s->conn), "HTTP/1.1 200 Scripted\r\nContent-Length: 100000000\r\n\r\n");
        s->at_once = answer.manner == FAKE_DRIP ? 1 : FLOOD_BYTES;
        s->timer = (struct poll_timer){.fire = drip, .context = s};
        return drip(&s->timer);
    case FAKE_LEAVE:
        write_answer(s, &answer, request, body);
        return conn_close_after_flush(s->conn);
    case FAKE_ANSWER:
    default:
        write_answer(s, &answer, request, body);
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
        obey(session, request, slice_from(request, head));
    }
}

static const struct protocol fake_protocol = {
    .name = "fake hub", .open = fake_open, .receive = fake_receive, .closed = fake_closed};

// --- the world of the connector
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

static void note_health(void *context, struct slice host, struct slice id_scope, bool failing,
                        const struct why *why)
{
    struct fake *fake = context;
    (void)host;
    (void)snprintf(fake->told_scope, sizeof fake->told_scope, "%.*s", SLICE_ARG(id_scope));
    fake->told++;
    fake->told_failing = failing;
    fake->told_why = *why;
}

struct making {
    struct fake *fake;
    struct slice trusted_pem;
    struct err e;
};

static void make(void *argument)
{
    struct making *making = argument;
    struct fake *fake = making->fake;
    struct hub_azure_settings settings = {
        .poller = loop_poller(fake->bench.loop),
        .replies = loop_mailbox(fake->bench.loop),
        .clock = &fake->clock,
        .random = &fake->random,
        .log = &fake->bench.log,
        .ca_pem = making->trusted_pem,
        .stale_ms = FAKE_STALE_MS,
        .watch = {.changed = note_health, .context = fake},
    };
    making->e = hub_azure_new(&settings, &fake->connector, NULL);
}

void fake_start_with(struct fake *fake, const struct buf *chain_pem, const struct buf *key_pem,
                     struct slice trusted_pem)
{
    *fake = (struct fake){0};
    fake->clock = (struct clock){.wall_us = wall, .monotonic_us = monotonic};
    fake->random = (struct random){.fill = no_chance};
    list_init(&fake->sessions);
    for (size_t i = 0; i < FAKE_SEEN_MAX; i++)
        fake->seen[i] = buf_capped(65536);
    static const struct loop_settings usual;
    bench_start(&fake->bench, &usual);
    struct tls_context *tls = NULL;
    struct tls_settings server = {
        .chain_pem = buf_slice(chain_pem != NULL ? chain_pem : &fake->bench.certificates.chain_pem),
        .key_pem = buf_slice(key_pem != NULL ? key_pem : &fake->bench.certificates.key_pem)};
    assert_false(failed(tls_context_new(&server, &tls, NULL)));
    struct listener_settings settings = {
        .protocol = &fake_protocol, .context = fake, .host = "127.0.0.1", .tls = tls};
    fake->listener = bench_listen_on(&fake->bench, &settings);
    tls_context_free(tls);
    (void)snprintf(fake->host, sizeof fake->host, "localhost:%u", listener_port(fake->listener));
    struct making making = {.fake = fake,
                            .trusted_pem = trusted_pem.len > 0 ? trusted_pem
                                                               : buf_slice(&fake->bench.certificates.ca_pem)};
    bench_do(&fake->bench, make, &making);
    assert_false(failed(making.e));
}

void fake_start(struct fake *fake)
{
    fake_start_with(fake, NULL, NULL, (struct slice){0});
}

static void unmake(void *argument)
{
    struct fake *fake = argument;
    hub_connector_free(fake->connector);
}

void fake_end(struct fake *fake)
{
    bench_do(&fake->bench, unmake, fake);
    bench_end(&fake->bench);
    for (size_t i = 0; i < FAKE_SEEN_MAX; i++)
        buf_release(&fake->seen[i]);
}

void fake_say(struct fake *fake, int status, const char *headers, const char *body)
{
    assert_true(fake->scripted < FAKE_SCRIPT_MAX);
    fake->script[fake->scripted++] = (struct fake_answer){FAKE_ANSWER, status, headers, body};
}

void fake_behave(struct fake *fake, enum fake_manner manner)
{
    assert_true(fake->scripted < FAKE_SCRIPT_MAX);
    fake->script[fake->scripted++] = (struct fake_answer){.manner = manner};
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

struct slice fake_body(const struct fake *fake, size_t request)
{
    struct slice seen = buf_slice(&fake->seen[request]);
    return slice_from(seen, slice_find(seen, SLICE("\r\n\r\n")) + 4);
}

bool fake_saw(const struct fake *fake, size_t request, const char *part)
{
    struct slice seen = buf_slice(&fake->seen[request]);
    return slice_find(seen, slice_text(part)) < seen.len;
}

// --- calls
// -------------------------------------------------------------------------------------------------------------

static void done(struct hub_request *request)
{
    struct shot *shot = request->context;
    shot->early = shot->early || shot->inside;
    shot->times++;
    sem_post(&shot->ended);
}

void shot_init(struct shot *shot, struct fake *fake, const char *device_id)
{
    *shot = (struct shot){.fake = fake};
    sem_init(&shot->ended, 0, 0);
    shot->hub = (struct linked_hub){.host = slice_text(fake->host),
                                    .kind = HUB_KIND_AZURE,
                                    .policy_name = SLICE("iothubowner"),
                                    .weight = 1,
                                    .allocate = true};
    assert_true(secret_set(&shot->hub.policy_key, SLICE("the key of the hub's own policy")));
    shot->request = (struct hub_request){
        .verb = HUB_ASSIGN,
        .hub = &shot->hub,
        .identity = {.device_id = slice_text(device_id), .authentication = HUB_AUTH_SAS},
        .now_us = wall(NULL),
        .deadline_ms = 10000,
        .done = done,
        .context = shot,
    };
    assert_true(secret_set(&shot->request.identity.primary_key, SLICE("primary key of the device")));
    assert_true(secret_set(&shot->request.identity.secondary_key, SLICE("secondary key of the device")));
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
        hub_submit(shot->fake->connector, &shot->request);
        shot->inside = false;
    }
}

void shots_fire(struct shot *shots, size_t count)
{
    struct volley volley = {shots, count};
    bench_do(&shots[0].fake->bench, submit, &volley);
}

void shot_fire(struct shot *shot)
{
    shots_fire(shot, 1);
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
    shot_fire(shot);
    shot_wait(shot);
    return shot->request.result;
}

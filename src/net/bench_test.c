// The bench: everything that is shared with the loop's thread is under one lock, and waits have an end.
#include "net/bench_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire/websocket/websocket.h"

struct session {
    struct bench *bench;
    struct conn *conn;
};

static void count(struct bench *b, unsigned *counter)
{
    pthread_mutex_lock(&b->lock);
    ++*counter;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

static void *line_open(void *context, struct conn *conn)
{
    struct session *s = calloc(1, sizeof *s);
    *s = (struct session){context, conn};
    count(s->bench, &s->bench->opened);
    return s;
}

static void line_closed(void *session)
{
    struct session *s = session;
    count(s->bench, &s->bench->closed);
    free(s);
}

static void line_stopping(void *session)
{
    struct session *s = session;
    count(s->bench, &s->bench->told_to_stop);
}

static void remember_ticket(struct session *s)
{
    pthread_mutex_lock(&s->bench->lock);
    s->bench->ticket = conn_ticket(s->conn);
    pthread_mutex_unlock(&s->bench->lock);
}

static void hold(struct session *s)
{
    conn_pause(s->conn);
    remember_ticket(s);
    count(s->bench, &s->bench->held);
}

static void become(struct session *s)
{
    struct websocket *websocket;
    assert_false(failed(websocket_new(&websocket)));
    remember_ticket(s);
    buf_text(conn_output(s->conn), "becoming\n");
    conn_become(s->conn, &line_protocol, s->bench, websocket);
}

static void flood(struct session *s, size_t len)
{
    uint8_t block[1000];
    memset(block, 'x', sizeof block);
    for (; len > 0; len -= len < sizeof block ? len : sizeof block)
        buf_bytes(conn_output(s->conn), slice_to(slice_of(block, sizeof block), len));
}

// True when no more lines are taken for now.
static bool obey(struct session *s, struct slice verb, struct slice argument)
{
    struct buf *out = conn_output(s->conn);
    uint64_t number = 0;
    uint32_t uid = 0;
    (void)slice_to_u64(argument, &number);
    if (slice_equal(verb, SLICE("echo"))) {
        buf_printf(out, "%.*s\n", SLICE_ARG(argument));
    } else if (slice_equal(verb, SLICE("bye"))) {
        buf_text(out, "bye\n");
        conn_close_after_flush(s->conn);
        return true;
    } else if (slice_equal(verb, SLICE("flood"))) {
        flood(s, number);
    } else if (slice_equal(verb, SLICE("answer"))) {
        conn_make_room(s->conn, number);
        flood(s, number);
    } else if (slice_equal(verb, SLICE("die"))) {
        conn_abort(s->conn);
        return true;
    } else if (slice_equal(verb, SLICE("hold"))) {
        hold(s);
        return true;
    } else if (slice_equal(verb, SLICE("become"))) {
        become(s);
        return true;
    } else if (slice_equal(verb, SLICE("deadline"))) {
        conn_deadline(s->conn, (int64_t)number, "the next line");
    } else if (slice_equal(verb, SLICE("who"))) {
        buf_printf(out, "%s %u\n", conn_peer_uid(s->conn, &uid) ? "uid" : "unknown", uid);
    } else if (slice_equal(verb, SLICE("peer"))) {
        buf_printf(out, "%.*s\n", SLICE_ARG(conn_peer(s->conn)));
    }
    return false;
}

static void line_receive(void *session, struct slice *bytes)
{
    for (size_t end; (end = slice_find_byte(*bytes, '\n')) < bytes->len;) {
        struct slice argument = slice_to(*bytes, end);
        struct slice verb;
        *bytes = slice_from(*bytes, end + 1);
        if (slice_cut(&argument, ' ', &verb) && obey(session, verb, argument))
            return;
    }
}

const struct protocol line_protocol = {.name = "lines",
                                       .open = line_open,
                                       .receive = line_receive,
                                       .stopping = line_stopping,
                                       .closed = line_closed};

static void keep_line(void *context, struct slice line)
{
    struct bench *b = context;
    pthread_mutex_lock(&b->lock);
    buf_bytes(&b->lines, line);
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

static void *run(void *context)
{
    struct bench *b = context;
    loop_run(b->loop);
    pthread_mutex_lock(&b->lock);
    b->ended = true;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

void bench_start(struct bench *b, const struct loop_settings *settings)
{
    *b = (struct bench){.settings = *settings};
    b->log = (struct log){.least = ERR_LEVEL_DEBUG, .write = keep_line, .context = b};
    b->settings.log = &b->log;
    b->lines = buf_capped(1 << 20);
    pthread_mutex_init(&b->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&b->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    tls_testing_init(&b->certificates);
    struct tls_settings server = {.chain_pem = buf_slice(&b->certificates.chain_pem),
                                  .key_pem = buf_slice(&b->certificates.key_pem)};
    struct tls_settings client = {.client = true, .trusted_pem = buf_slice(&b->certificates.ca_pem)};
    assert_false(failed(tls_context_new(&server, &b->server_tls, NULL)));
    assert_false(failed(tls_context_new(&client, &b->client_tls, NULL)));
    assert_false(failed(loop_new(&b->settings, &b->loop, NULL)));
    assert_int_equal(pthread_create(&b->thread, NULL, run, b), 0);
}

void bench_end(struct bench *b)
{
    loop_stop(b->loop, 0);
    pthread_join(b->thread, NULL);
    loop_free(b->loop);
    tls_context_free(b->server_tls);
    tls_context_free(b->client_tls);
    tls_testing_release(&b->certificates);
    buf_release(&b->lines);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
}

struct errand {
    struct mail mail;
    void (*call)(void *argument);
    void *argument;
    sem_t done;
};

static void run_errand(struct mail *mail)
{
    struct errand *errand = (struct errand *)mail;
    errand->call(errand->argument);
    sem_post(&errand->done);
}

void bench_do(struct bench *b, void (*call)(void *argument), void *argument)
{
    struct errand errand = {.mail.deliver = run_errand, .call = call, .argument = argument};
    sem_init(&errand.done, 0, 0);
    mailbox_post(loop_mailbox(b->loop), &errand.mail);
    while (sem_wait(&errand.done) != 0)
        ;
    sem_destroy(&errand.done);
}

struct each {
    void (*call)(void *element);
    char *elements;
    size_t count;
    size_t size;
};

static void do_each(void *argument)
{
    const struct each *each = argument;
    for (size_t i = 0; i < each->count; i++)
        each->call(each->elements + i * each->size);
}

void bench_do_each(struct bench *b, void (*call)(void *element), void *elements, size_t count, size_t size)
{
    struct each each = {call, elements, count, size};
    bench_do(b, do_each, &each);
}

struct listen_call {
    struct bench *b;
    const struct listener_settings *settings;
    struct listener *listener;
    struct why why;
};

static void do_listen(void *argument)
{
    struct listen_call *call = argument;
    (void)!failed(listener_new(call->b->loop, call->settings, &call->listener, &call->why));
}

struct listener *bench_listen_on(struct bench *b, const struct listener_settings *settings)
{
    struct listen_call call = {.b = b, .settings = settings};
    bench_do(b, do_listen, &call);
    if (call.listener == NULL)
        fail_msg("no listener: %s", call.why.text);
    return call.listener;
}

struct listener *bench_listen(struct bench *b, bool tls)
{
    struct listener_settings settings = {
        .protocol = &line_protocol, .context = b, .host = "127.0.0.1", .tls = tls ? b->server_tls : NULL};
    return bench_listen_on(b, &settings);
}

struct answer_call {
    struct bench *b;
    struct ticket ticket;
    const char *text;
    bool there;
};

static void do_answer(void *argument)
{
    struct answer_call *call = argument;
    struct conn *conn = conn_by_ticket(call->b->loop, call->ticket);
    call->there = conn != NULL;
    if (conn == NULL)
        return;
    buf_printf(conn_output(conn), "%s\n", call->text);
    conn_flush(conn);
    conn_resume(conn);
}

bool bench_answer(struct bench *b, struct ticket ticket, const char *text)
{
    struct answer_call call = {.b = b, .ticket = ticket, .text = text};
    bench_do(b, do_answer, &call);
    return call.there;
}

static void do_fill(void *argument)
{
    struct answer_call *call = argument;
    struct conn *conn = conn_by_ticket(call->b->loop, call->ticket);
    call->there = conn != NULL && conn_output(conn)->len == 0; // all went out so far
    if (!call->there)
        return;
    char block[1024];
    memset(block, 'f', sizeof block);
    for (int i = 0; i < 64; i++)
        buf_bytes(conn_output(conn), slice_of(block, sizeof block));
    conn_flush(conn);
}

// Output stays in the buffer only while an earlier write is still waiting for the kernel.
void bench_fill(struct bench *b, struct ticket ticket)
{
    struct answer_call call = {.b = b, .ticket = ticket, .there = true};
    int rounds = 0;
    for (; call.there && rounds < 10000; rounds++)
        bench_do(b, do_fill, &call);
    assert_true(rounds < 10000);
}

// Under lock: waits for a change; false when patience is over.
static bool wait_change(struct bench *b, const struct timespec *until)
{
    return pthread_cond_timedwait(&b->changed, &b->lock, until) == 0;
}

static struct timespec in_a_while(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PATIENCE_MS / 1000;
    return until;
}

void bench_await(struct bench *b, const unsigned *counter, unsigned n)
{
    struct timespec until = in_a_while();
    pthread_mutex_lock(&b->lock);
    bool patient = true;
    while (*counter < n && patient)
        patient = wait_change(b, &until);
    unsigned reached = *counter;
    pthread_mutex_unlock(&b->lock);
    assert_int_equal(reached, n);
}

void bench_await_end(struct bench *b)
{
    struct timespec until = in_a_while();
    pthread_mutex_lock(&b->lock);
    bool patient = true;
    while (!b->ended && patient)
        patient = wait_change(b, &until);
    bool ended = b->ended;
    pthread_mutex_unlock(&b->lock);
    assert_true(ended);
}

static unsigned count_locked(struct bench *b, const char *part)
{
    unsigned n = 0;
    for (struct slice rest = buf_slice(&b->lines);; n++) {
        size_t at = slice_find(rest, slice_text(part));
        if (at == rest.len)
            return n;
        rest = slice_from(rest, at + 1);
    }
}

void bench_await_log(struct bench *b, const char *part)
{
    struct timespec until = in_a_while();
    pthread_mutex_lock(&b->lock);
    bool patient = true;
    while (count_locked(b, part) == 0 && patient)
        patient = wait_change(b, &until);
    bool found = count_locked(b, part) > 0;
    if (!found)
        print_error("log:\n%.*s", SLICE_ARG(buf_slice(&b->lines)));
    pthread_mutex_unlock(&b->lock);
    if (!found)
        fail_msg("no log line says %s", part);
}

unsigned bench_count_log(struct bench *b, const char *part)
{
    pthread_mutex_lock(&b->lock);
    unsigned n = count_locked(b, part);
    pthread_mutex_unlock(&b->lock);
    return n;
}

struct ticket bench_ticket(struct bench *b)
{
    pthread_mutex_lock(&b->lock);
    struct ticket ticket = b->ticket;
    pthread_mutex_unlock(&b->lock);
    return ticket;
}

static int connected(int fd, const void *address, socklen_t len)
{
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, address, len), 0);
    return fd;
}

int client_connect(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return connected(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), &address, sizeof address);
}

int client_connect_from(const char *from, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in own = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(inet_pton(AF_INET, from, &own.sin_addr), 1);
    assert_int_equal(bind(fd, (const struct sockaddr *)&own, sizeof own), 0);
    return connected(fd, &address, sizeof address);
}

int client_connect_with_window(uint16_t port, int bytes)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes), 0);
    return connected(fd, &address, sizeof address);
}

int client_connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return connected(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), &address, sizeof address);
}

static void send_all(int fd, struct slice all)
{
    while (!slice_empty(all)) {
        ssize_t sent = send(fd, all.at, all.len, MSG_NOSIGNAL);
        assert_true(sent > 0);
        all = slice_from(all, (size_t)sent);
    }
}

void client_say(int fd, const char *text)
{
    send_all(fd, slice_text(text));
}

void client_send(int fd, struct slice bytes)
{
    send_all(fd, bytes);
}

void client_expect(int fd, const char *text)
{
    size_t len = strlen(text);
    char got[256];
    assert_true(len <= sizeof got);
    size_t have = 0;
    while (have < len) {
        ssize_t n = recv(fd, got + have, len - have, 0);
        if (n <= 0)
            fail_msg("expected \"%s\", got %zu bytes and then %s", text, have,
                     n == 0 ? "the end" : strerror(errno));
        have += (size_t)n;
    }
    assert_memory_equal(got, text, len);
}

void client_expect_end(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, 0);
    if (n > 0)
        fail_msg("expected the end, got 0x%02x", (unsigned)byte);
    if (n < 0 && errno != ECONNRESET)
        fail_msg("expected the end, got %s", strerror(errno));
}

static void tls_send(struct tls_client *c)
{
    struct buf *out = tls_output(c->session);
    send_all(c->fd, buf_slice(out));
    buf_clear(out);
}

static bool tls_hear(struct tls_client *c)
{
    uint8_t room[4096];
    ssize_t n = recv(c->fd, room, sizeof room, 0);
    if (n <= 0)
        return false;
    struct slice in = slice_of(room, (size_t)n);
    (void)tls_feed(c->session, &in, &c->plain);
    return true;
}

void tls_client_connect(struct tls_client *c, struct bench *b, uint16_t port)
{
    tls_client_begin(c, b, client_connect(port));
}

void tls_client_begin(struct tls_client *c, struct bench *b, int fd)
{
    *c = (struct tls_client){.fd = fd, .plain = buf_capped(1 << 20)};
    assert_false(failed(tls_session_new(b->client_tls, "localhost", &c->session)));
    while (tls_session_state(c->session) == TLS_HANDSHAKING) {
        tls_send(c);
        assert_true(tls_hear(c));
    }
    if (tls_session_state(c->session) != TLS_OPEN)
        fail_msg("%s", tls_session_why(c->session)->text);
    tls_send(c);
}

void tls_client_say(struct tls_client *c, const char *text)
{
    assert_false(failed(tls_write(c->session, slice_text(text))));
    tls_send(c);
}

void tls_client_expect(struct tls_client *c, const char *text)
{
    size_t len = strlen(text);
    while (c->plain.len < len)
        assert_true(tls_hear(c));
    assert_memory_equal(c->plain.at, text, len);
    buf_consume(&c->plain, len);
}

void tls_client_expect_end(struct tls_client *c)
{
    while (tls_session_state(c->session) == TLS_OPEN && c->plain.len == 0)
        assert_true(tls_hear(c));
    assert_int_equal(c->plain.len, 0);
    assert_int_equal(tls_session_state(c->session), TLS_CLOSED);
}

void tls_client_close(struct tls_client *c)
{
    (void)close(c->fd);
    tls_session_free(c->session);
    buf_release(&c->plain);
}

// --- time
// --------------------------------------------------------------------------------------------------------------

int64_t bench_clock_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t bench_now_ms(void)
{
    return bench_clock_us(CLOCK_MONOTONIC) / 1000;
}

void outcome_init(struct outcome *outcome)
{
    *outcome = (struct outcome){0};
    sem_init(&outcome->there, 0, 0);
}

void outcome_arrive(struct outcome *outcome)
{
    outcome->early = outcome->early || outcome->starting;
    outcome->times++;
    sem_post(&outcome->there);
}

void outcome_await(struct outcome *outcome)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 2 * PATIENCE_MS / 1000;
    if (sem_timedwait(&outcome->there, &until) != 0)
        fail_msg("a call did not end");
    assert_int_equal(outcome->times, 1);
    assert_false(outcome->early);
    outcome->times = 0;
}

// Where connections arrive: addresses, sockets, caps, certificates, and the way a loop ends.
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/bench_test.h"

static const struct loop_settings usual;

static void a_thousand_connections_are_served_at_once(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    struct bench b;
    bench_start(&b, &usual);
    uint16_t port = listener_port(bench_listen(&b, false));
    static int fds[MANY];
    for (int i = 0; i < MANY; i++)
        fds[i] = client_connect(port);
    bench_await(&b, &b.opened, MANY);
    for (int i = 0; i < MANY; i++) {
        char line[32];
        (void)snprintf(line, sizeof line, "echo %d\n", i);
        client_say(fds[i], line);
    }
    for (int i = 0; i < MANY; i++) {
        char line[32];
        (void)snprintf(line, sizeof line, "%d\n", i);
        client_expect(fds[i], line);
        close(fds[i]);
    }
    bench_await(&b, &b.closed, MANY);
    bench_end(&b);
}

static void hundreds_of_tls_connections_come_and_go(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    uint16_t port = listener_port(bench_listen(&b, true));
    static struct tls_client clients[100];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++)
            tls_client_connect(&clients[i], &b, port);
        for (int i = 0; i < 100; i++)
            tls_client_say(&clients[i], "echo hello\n");
        for (int i = 0; i < 100; i++) {
            tls_client_expect(&clients[i], "hello\n");
            tls_client_close(&clients[i]);
        }
    }
    bench_await(&b, &b.closed, 300);
    bench_end(&b);
}

static void beyond_the_cap_connections_are_closed_at_once(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &(struct loop_settings){.max_connections = 3});
    uint16_t port = listener_port(bench_listen(&b, false));
    int fds[3];
    for (int i = 0; i < 3; i++)
        fds[i] = client_connect(port);
    bench_await(&b, &b.opened, 3);
    int late = client_connect(port);
    client_expect_end(late);
    bench_await_log(&b, "too many connections");
    close(late);
    close(fds[0]);
    bench_await(&b, &b.closed, 1);
    // its place is free once the peer's and our own end are both closed: soon, and until then the door stays
    // shut
    for (int tries = 0;; tries++) {
        int fd = client_connect(port);
        client_say(fd, "echo in\n");
        char got[3];
        bool in = recv(fd, got, sizeof got, MSG_WAITALL) == sizeof got;
        close(fd);
        if (in)
            break;
        assert_true(tries < 1000);
    }
    close(fds[1]);
    close(fds[2]);
    bench_end(&b);
}

static bool is_let_in(int fd)
{
    static const char asked[] = "echo in\n";
    char got[3];
    (void)send(fd, asked, sizeof asked - 1, MSG_NOSIGNAL); // it may be closed already
    return recv(fd, got, sizeof got, MSG_WAITALL) == sizeof got;
}

static void one_address_cannot_take_all_the_room(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &(struct loop_settings){.max_per_address = 2, .seed = 7});
    uint16_t port = listener_port(bench_listen(&b, false));
    int fds[2];
    for (int i = 0; i < 2; i++)
        fds[i] = client_connect(port);
    bench_await(&b, &b.opened, 2);
    int late = client_connect(port);
    client_expect_end(late);
    bench_await_log(&b, "this address has 2 connections already");
    close(late);
    int other = client_connect_from("127.0.0.2", port);
    assert_true(is_let_in(other));
    close(other);
    close(fds[0]);
    bench_await(&b, &b.closed, 2);
    for (int tries = 0;; tries++) { // the place is free once both ends are closed
        int fd = client_connect(port);
        bool in = is_let_in(fd);
        close(fd);
        if (in)
            break;
        assert_true(tries < 1000);
    }
    close(fds[1]);
    bench_end(&b);
}

static void one_address_cannot_connect_without_end(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &(struct loop_settings){.new_per_address = 1, .seed = 7});
    uint16_t port = listener_port(bench_listen(&b, false));
    int in = 0;
    for (int i = 0; i < 40; i++) {
        int fd = client_connect(port);
        in += is_let_in(fd);
        close(fd);
    }
    assert_in_range(in, 10, 20); // what a quiet time saved up, and one for each second that this took
    bench_await_log(&b, "makes more than 1 connections a second");
    int other = client_connect_from("127.0.0.2", port);
    assert_true(is_let_in(other));
    close(other);
    bench_end(&b);
}

struct folder {
    char path[32];
    char socket[64];
};

static struct folder folder_new(void)
{
    struct folder folder = {.path = "/tmp/net-test-XXXXXX"};
    assert_non_null(mkdtemp(folder.path));
    (void)snprintf(folder.socket, sizeof folder.socket, "%s/control.sock", folder.path);
    return folder;
}

// What a process that was killed leaves behind.
static void leave_stale_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    close(fd);
}

static struct err listen_unix(struct bench *b, const char *path, struct listener **listener, struct why *why)
{
    struct listener_settings settings = {.protocol = &line_protocol, .context = b, .unix_path = path};
    return listener_new(b->loop, &settings, listener, why);
}

static void a_unix_socket_is_for_its_owner_and_knows_who_calls(void **state)
{
    (void)state;
    struct bench b;
    struct folder folder = folder_new();
    const char *path = folder.socket;
    bench_start(&b, &(struct loop_settings){.max_connections = 1});
    struct listener_settings settings = {.protocol = &line_protocol, .context = &b, .unix_path = path};
    (void)bench_listen_on(&b, &settings);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    int door = client_connect(listener_port(bench_listen(&b, false)));
    client_say(door, "who \n");
    client_expect(door, "unknown 0\n");
    int fd = client_connect_unix(path); // although the doors are full
    char expected[32];
    (void)snprintf(expected, sizeof expected, "uid %u\n", (unsigned)getuid());
    client_say(fd, "who \n");
    client_expect(fd, expected);
    close(fd);
    close(door);
    bench_end(&b);
    assert_int_equal(stat(path, &info), -1);
    assert_int_equal(rmdir(folder.path), 0);
}

struct unix_call {
    struct bench *b;
    const char *path;
    struct err result;
    struct why why;
    struct listener *listener;
};

static void do_listen_unix(void *argument)
{
    struct unix_call *call = argument;
    call->result = listen_unix(call->b, call->path, &call->listener, &call->why);
}

static struct unix_call try_unix(struct bench *b, const char *path)
{
    struct unix_call call = {.b = b, .path = path};
    bench_do(b, do_listen_unix, &call);
    return call;
}

static void do_free_listener(void *listener)
{
    listener_free(listener);
}

static void a_stale_socket_is_replaced_and_nothing_else(void **state)
{
    (void)state;
    struct bench b;
    struct folder folder = folder_new();
    const char *path = folder.socket;
    bench_start(&b, &usual);
    struct unix_call first = try_unix(&b, path);
    assert_false(failed(first.result));
    struct unix_call second = try_unix(&b, path);
    assert_int_equal(second.result.code, ERR_CONFIG);
    assert_non_null(strstr(second.why.text, "another process listens"));
    bench_do(&b, do_free_listener, first.listener);

    leave_stale_socket(path);
    struct unix_call third = try_unix(&b, path);
    assert_false(failed(third.result));
    bench_do(&b, do_free_listener, third.listener);

    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    struct unix_call fourth = try_unix(&b, path);
    assert_non_null(strstr(fourth.why.text, "not a socket"));
    assert_int_equal(unlink(path), 0);
    char long_path[200] = {0};
    memset(long_path, 'p', sizeof long_path - 1);
    assert_non_null(strstr(try_unix(&b, long_path).why.text, "1 to 107 bytes"));
    bench_end(&b);
    assert_int_equal(rmdir(folder.path), 0);
}

static struct err listen_tcp(struct bench *b, const char *host, uint16_t port, bool join, struct why *why)
{
    struct listener_settings settings = {
        .protocol = &line_protocol, .context = b, .host = host, .port = port, .join = join};
    struct loop *loop = NULL;
    struct listener *listener = NULL;
    assert_false(failed(loop_new(&b->settings, &loop, why)));
    struct err result = listener_new(loop, &settings, &listener, why);
    loop_free(loop);
    return result;
}

static void a_port_in_use_is_refused_unless_shared_on_purpose(void **state)
{
    (void)state;
    struct bench b;
    struct why why = {0};
    bench_start(&b, &usual);
    uint16_t port = listener_port(bench_listen(&b, false));
    assert_int_equal(listen_tcp(&b, "127.0.0.1", port, false, &why).code, ERR_CONFIG);
    assert_non_null(strstr(why.text, "in use"));
    assert_false(failed(listen_tcp(&b, "127.0.0.1", port, true, &why)));
    assert_int_equal(listen_tcp(&b, "somewhere.example", 0, false, &why).code, ERR_CONFIG);
    assert_non_null(strstr(why.text, "not an IP address"));
    assert_false(failed(listen_tcp(&b, "localhost", 0, false, &why)));
    bench_end(&b);
}

static void accepted_sockets_do_not_wait_for_more(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    int client = client_connect(listener_port(bench_listen(&b, false)));
    bench_await(&b, &b.opened, 1);
    struct sockaddr_in wanted = {0};
    socklen_t len = sizeof wanted;
    assert_int_equal(getsockname(client, (struct sockaddr *)&wanted, &len), 0);
    int found = 0;
    for (int fd = 0; fd < 256; fd++) { // the server's end is the one whose peer is our client
        struct sockaddr_in peer = {0};
        len = sizeof peer;
        if (getpeername(fd, (struct sockaddr *)&peer, &len) != 0 || peer.sin_port != wanted.sin_port)
            continue;
        int on = 0;
        socklen_t size = sizeof on;
        assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
        assert_true(on);
        found++;
    }
    assert_int_equal(found, 1);
    close(client);
    bench_end(&b);
}

static void fingerprint_of(struct tls_client *c, uint8_t out[FINGERPRINT_SIZE])
{
    struct chain *chain = NULL;
    assert_false(failed(tls_take_chain(c->session, &chain)));
    assert_non_null(chain);
    memcpy(out, chain_fingerprint(chain), FINGERPRINT_SIZE);
    chain_release(chain);
}

struct reload_call {
    struct listener *listener;
    struct tls_context *tls;
};

static void do_reload(void *argument)
{
    struct reload_call *call = argument;
    listener_set_tls(call->listener, call->tls);
}

static void a_reloaded_certificate_is_for_new_connections(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    struct listener *listener = bench_listen(&b, true);
    uint8_t old_leaf[FINGERPRINT_SIZE], new_leaf[FINGERPRINT_SIZE];
    struct tls_client before, after;
    tls_client_connect(&before, &b, listener_port(listener));
    fingerprint_of(&before, old_leaf);

    struct tls_testing fresh;
    tls_testing_init(&fresh);
    struct tls_settings server = {.chain_pem = buf_slice(&fresh.chain_pem),
                                  .key_pem = buf_slice(&fresh.key_pem)};
    struct tls_settings client = {.client = true, .trusted_pem = buf_slice(&fresh.ca_pem)};
    tls_context_free(b.client_tls);
    assert_false(failed(tls_context_new(&client, &b.client_tls, NULL)));
    struct reload_call call = {.listener = listener};
    assert_false(failed(tls_context_new(&server, &call.tls, NULL)));
    bench_do(&b, do_reload, &call);
    tls_context_free(call.tls);
    tls_testing_release(&fresh);

    tls_client_connect(&after, &b, listener_port(listener));
    fingerprint_of(&after, new_leaf);
    assert_memory_not_equal(old_leaf, new_leaf, FINGERPRINT_SIZE);
    tls_client_say(&before, "echo still here\n");
    tls_client_expect(&before, "still here\n");
    tls_client_close(&before);
    tls_client_close(&after);
    bench_end(&b);
}

static void anonymous_noise_is_counted_not_told(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &(struct loop_settings){.noise_per_second = 4});
    uint16_t port = listener_port(bench_listen(&b, true));
    for (int i = 0; i < 40; i++) {
        int fd = client_connect(port);
        client_say(fd, "rubbish");
        client_expect_end(fd);
        close(fd);
    }
    bench_await_log(&b, "log.suppressed");
    unsigned told = bench_count_log(&b, "handshake.failed");
    assert_true(told >= 4 && told < 40);
    bench_end(&b);
}

static void stopping_lets_connections_finish(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    uint16_t port = listener_port(bench_listen(&b, false));
    int fd = client_connect(port);
    client_say(fd, "hold\n");
    bench_await(&b, &b.held, 1);
    loop_stop(b.loop, PATIENCE_MS);
    bench_await(&b, &b.told_to_stop, 1);
    int late = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(late, (struct sockaddr *)&address, sizeof address), -1);
    close(late);
    assert_true(bench_answer(&b, bench_ticket(&b), "in time"));
    client_expect(fd, "in time\n");
    assert_false(b.ended);
    client_say(fd, "bye\n");
    client_expect(fd, "bye\n");
    close(fd);
    bench_await_end(&b);
    bench_end(&b);
}

static void the_grace_time_ends(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    int fd = client_connect(listener_port(bench_listen(&b, false)));
    client_say(fd, "hold\n");
    bench_await(&b, &b.held, 1);
    loop_stop(b.loop, 100);
    bench_await_end(&b);
    client_expect_end(fd);
    assert_int_equal(b.closed, 1);
    close(fd);
    bench_end(&b);
}

// Of twenty who want in only some find a descriptor; the others are closed, nothing spins, and later all is
// well.
static void running_out_of_descriptors_neither_spins_nor_sticks(void **state)
{
    (void)state;
    enum { CLIENTS = 20 };
    struct bench b;
    bench_start(&b, &usual);
    uint16_t port = listener_port(bench_listen(&b, false));
    int fds[CLIENTS];
    struct rlimit before, tight;
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = before;
    tight.rlim_cur = (rlim_t)fds[CLIENTS - 1] + 4;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(connect(fds[i], (struct sockaddr *)&address, sizeof address), 0);
    unsigned served = 0;
    for (int i = 0; i < CLIENTS; i++) {
        char got[3];
        struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
        (void)setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        (void)send(fds[i], "echo in\n", 8, MSG_NOSIGNAL);
        ssize_t n = recv(fds[i], got, sizeof got, 0);
        assert_true(n >= 0 || errno == ECONNRESET); // answered or closed, never left hanging
        served += n > 0;
    }
    assert_true(served >= 1 && served < CLIENTS);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    struct timespec cpu_before, cpu_after, pause = {.tv_nsec = 200000000};
    clockid_t cpu;
    assert_int_equal(pthread_getcpuclockid(b.thread, &cpu), 0);
    clock_gettime(cpu, &cpu_before);
    (void)nanosleep(&pause, NULL); // the measured time, not a wait for something
    clock_gettime(cpu, &cpu_after);
    int64_t used_us =
        (cpu_after.tv_sec - cpu_before.tv_sec) * 1000000 + (cpu_after.tv_nsec - cpu_before.tv_nsec) / 1000;
    assert_true(used_us < 20000); // 10 %
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i]);
    int fd = client_connect(port);
    client_say(fd, "echo again\n");
    client_expect(fd, "again\n");
    close(fd);
    bench_end(&b);
}

#define CASE(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_thousand_connections_are_served_at_once),
        CASE(hundreds_of_tls_connections_come_and_go),
        CASE(beyond_the_cap_connections_are_closed_at_once),
        CASE(one_address_cannot_take_all_the_room),
        CASE(one_address_cannot_connect_without_end),
        CASE(a_unix_socket_is_for_its_owner_and_knows_who_calls),
        CASE(a_stale_socket_is_replaced_and_nothing_else),
        CASE(a_port_in_use_is_refused_unless_shared_on_purpose),
        CASE(accepted_sockets_do_not_wait_for_more),
        CASE(a_reloaded_certificate_is_for_new_connections),
        CASE(anonymous_noise_is_counted_not_told),
        CASE(stopping_lets_connections_finish),
        CASE(the_grace_time_ends),
        CASE(running_out_of_descriptors_neither_spins_nor_sticks),
    };
    return cmocka_run_group_tests_name("listener", tests, NULL, NULL);
}

// Connections over loopback: what clients see of the pump, plain and with TLS.
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/bench_test.h"

static const struct loop_settings usual;

static void lines_are_answered(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    int fd = client_connect(listener_port(bench_listen(&b, false)));
    client_say(fd, "echo one\necho two\n");
    client_expect(fd, "one\ntwo\n");
    client_say(fd, "echo thr");
    client_say(fd, "ee\n");
    client_expect(fd, "three\n");
    close(fd);
    bench_await(&b, &b.closed, 1);
    bench_end(&b);
}

static void a_line_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    int fd = client_connect(listener_port(bench_listen(&b, false)));
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (const char *at = "echo drop by drop\n"; *at != '\0'; at++)
        client_say(fd, (char[]){*at, '\0'});
    client_expect(fd, "drop by drop\n");
    close(fd);
    bench_end(&b);
}

static void lines_are_answered_over_tls(void **state)
{
    (void)state;
    struct bench b;
    struct tls_client c;
    bench_start(&b, &usual);
    tls_client_connect(&c, &b, listener_port(bench_listen(&b, true)));
    tls_client_say(&c, "echo one\necho two\n");
    tls_client_expect(&c, "one\ntwo\n");
    tls_client_say(&c, "bye\n");
    tls_client_expect(&c, "bye\n");
    tls_client_expect_end(&c);
    tls_client_close(&c);
    bench_await(&b, &b.closed, 1);
    bench_end(&b);
}

static void a_long_answer_over_tls_arrives_whole(void **state)
{
    (void)state;
    struct bench b;
    struct tls_client c;
    bench_start(&b, &usual);
    tls_client_connect(&c, &b, listener_port(bench_listen(&b, true)));
    int small = 4096;
    (void)setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    tls_client_say(&c, "flood 250000\nbye\n");
    for (int i = 0; i < 250; i++) {
        char block[1001] = {0};
        memset(block, 'x', 1000);
        tls_client_expect(&c, block);
    }
    tls_client_expect(&c, "bye\n");
    tls_client_expect_end(&c);
    tls_client_close(&c);
    bench_end(&b);
}

static void the_last_words_reach_a_peer_that_still_talks(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    int fd = client_connect(listener_port(bench_listen(&b, false)));
    client_say(fd, "bye\n");
    char junk[10001] = {0};
    memset(junk, 'j', sizeof junk - 1);
    for (int i = 0; i < 10; i++)
        client_say(fd, junk);
    client_expect(fd, "bye\n");
    char byte;
    assert_int_equal(recv(fd, &byte, 1, 0), 0); // FIN, not RST
    close(fd);
    bench_await(&b, &b.closed, 1);
    bench_end(&b);
}

static void aborting_ends_the_connection(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    int fd = client_connect(listener_port(bench_listen(&b, false)));
    client_say(fd, "echo gone\ndie\n");
    client_expect_end(fd);
    close(fd);
    bench_await(&b, &b.closed, 1);
    bench_end(&b);
}

static void a_silent_handshake_is_ended_by_its_deadline(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &(struct loop_settings){.handshake_ms = 100});
    int fd = client_connect(listener_port(bench_listen(&b, true)));
    client_expect_end(fd);
    bench_await_log(&b, "waited 100 ms for the TLS handshake");
    close(fd);
    assert_int_equal(b.opened, 0);
    bench_end(&b);
}

static void a_dripping_handshake_is_ended_by_the_same_deadline(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &(struct loop_settings){.handshake_ms = 200});
    int fd = client_connect(listener_port(bench_listen(&b, true)));
    struct timeval drip = {.tv_usec = 20000};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &drip, sizeof drip);
    char byte;
    client_say(fd, "\x16\x03\x01\x02");
    int drops = 0;
    for (; drops < 400; drops++) {
        if (recv(fd, &byte, 1, 0) >= 0 || errno == ECONNRESET)
            break; // the end
        (void)send(fd, "\x01", 1, MSG_NOSIGNAL);
    }
    assert_true(drops < 400);
    bench_await_log(&b, "waited 200 ms for the TLS handshake");
    close(fd);
    bench_end(&b);
}

static void plaintext_on_a_tls_port_is_closed_and_named(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    int fd = client_connect(listener_port(bench_listen(&b, true)));
    client_say(fd, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client_expect_end(fd);
    bench_await_log(&b, "plain HTTP request on a TLS port");
    close(fd);
    bench_end(&b);
}

static void a_deadline_of_the_protocol_closes_and_says_for_what(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    uint16_t port = listener_port(bench_listen(&b, false));
    int fd = client_connect(port);
    client_say(fd, "deadline 50\necho still here\n");
    client_expect(fd, "still here\n");
    client_expect_end(fd);
    bench_await_log(&b, "waited 50 ms for the next line");
    close(fd);
    bench_await(&b, &b.closed, 1);
    fd = client_connect(port);
    client_say(fd, "deadline 1\ndeadline 0\nhold\n"); // taken back
    bench_await(&b, &b.held, 1);
    assert_true(bench_answer(&b, bench_ticket(&b), "later"));
    client_expect(fd, "later\n");
    close(fd);
    bench_end(&b);
}

static void a_deadline_is_put_off_taken_back_and_brought_forward(void **state)
{
    (void)state;
    enum { PASSED_US = 80000 };
    struct bench b;
    bench_start(&b, &usual);
    int fd = client_connect(listener_port(bench_listen(&b, false)));
    client_say(fd, "deadline 20\ndeadline 100000\n");
    usleep(PASSED_US); // the first of them is over
    client_say(fd, "deadline 20\ndeadline 0\n");
    usleep(PASSED_US);
    client_say(fd, "echo still here\n");
    client_expect(fd, "still here\n");
    client_say(fd, "deadline 100000\ndeadline 20\ndeadline 60\n");
    client_expect_end(fd);
    bench_await_log(&b, "waited 60 ms for the next line");
    close(fd);
    bench_end(&b);
}

static void an_answer_finds_its_connection_by_ticket_while_it_lives(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    uint16_t port = listener_port(bench_listen(&b, false));
    int fd = client_connect(port);
    client_say(fd, "hold\necho after\n");
    bench_await(&b, &b.held, 1);
    struct ticket ticket = bench_ticket(&b);
    assert_true(bench_answer(&b, ticket, "held"));
    client_expect(fd, "held\nafter\n");
    client_say(fd, "die\n");
    bench_await(&b, &b.closed, 1);
    assert_false(bench_answer(&b, ticket, "nobody"));
    close(fd);
    fd = client_connect(port); // takes the same slot
    client_say(fd, "hold\n");
    bench_await(&b, &b.held, 2);
    assert_int_equal(bench_ticket(&b).slot, ticket.slot);
    assert_false(bench_answer(&b, ticket, "the wrong one"));
    assert_true(bench_answer(&b, bench_ticket(&b), "the right one"));
    client_expect(fd, "the right one\n");
    assert_false(bench_answer(&b, (struct ticket){12345678, 1}, "no such slot"));
    assert_false(bench_answer(&b, (struct ticket){0}, "no ticket"));
    close(fd);
    bench_end(&b);
}

static void do_nothing(void *argument)
{
    (void)argument;
}

static void a_peer_that_closed_its_side_still_gets_its_answer(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    uint16_t port = listener_port(bench_listen(&b, false));
    static const char *const after[] = {
        "", "echo tail\n"}; // the FIN is read in the pause, or stays unread until then
    for (unsigned i = 0; i < 2; i++) {
        int fd = client_connect(port);
        client_say(fd, "hold\n");
        client_say(fd, after[i]);
        bench_await(&b, &b.held, i + 1);
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        for (int turns = 0; turns < 3; turns++) // so that the loop polls, and meets the FIN
            bench_do(&b, do_nothing, NULL);
        assert_true(bench_answer(&b, bench_ticket(&b), "held"));
        client_expect(fd, i == 0 ? "held\n" : "held\ntail\n");
        client_expect_end(fd);
        close(fd);
    }
    bench_end(&b);
}

// FIN, then RST.
static void go_with_a_reset(int fd)
{
    struct linger reset = {.l_onoff = 1};
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    close(fd);
}

static void assert_alive(uint16_t port)
{
    int fd = client_connect(port);
    client_say(fd, "echo alive\n");
    client_expect(fd, "alive\n");
    close(fd);
}

static void writing_to_a_peer_that_is_gone_harms_nobody(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    uint16_t port = listener_port(bench_listen(&b, false));
    int fd = client_connect(port);
    client_say(fd, "hold\necho not read in the pause\n");
    bench_await(&b, &b.held, 1);
    go_with_a_reset(fd); // from now on writing gives EPIPE
    (void)bench_answer(&b, bench_ticket(&b), "nobody hears this");
    bench_await(&b, &b.closed, 1);
    assert_alive(port);
    bench_end(&b);
}

static void a_peer_that_goes_while_bytes_wait_for_it_harms_nobody(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    uint16_t port = listener_port(bench_listen(&b, false));
    int fd = client_connect(port);
    client_say(fd, "hold\necho not read in the pause\n");
    bench_await(&b, &b.held, 1);
    bench_fill(&b, bench_ticket(&b)); // what does not fit is libuv's, which writes without MSG_NOSIGNAL
    go_with_a_reset(fd);              // from now on a write raises SIGPIPE
    bench_await(&b, &b.closed, 1);
    assert_alive(port);
    bench_end(&b);
}

static void more_than_can_wait_is_left_in_the_network(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    int fd = client_connect(listener_port(bench_listen(&b, false)));
    client_say(fd, "hold\n");
    bench_await(&b, &b.held, 1);
    size_t room = 32 * 1024 * 1024;
    char *lines = malloc(room); // more than both socket buffers hold
    for (size_t i = 0; i < room; i++)
        lines[i] = i % 8 == 7 ? '\n' : 'n';
    struct timeval soon = {.tv_usec = 200000};
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon);
    size_t taken = 0;
    for (ssize_t n; taken < room && (n = send(fd, lines + taken, room - taken, MSG_NOSIGNAL)) > 0;)
        taken += (size_t)n;
    assert_true(taken < room); // back-pressure
    assert_true(bench_answer(&b, bench_ticket(&b), "go on"));
    client_expect(fd, "go on\n");
    size_t rest = taken % 8 == 0 ? 0 : 8 - taken % 8;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){.tv_sec = 10}, sizeof soon);
    assert_int_equal(send(fd, &"nnnnnnn\n"[8 - rest], rest, MSG_NOSIGNAL), rest);
    client_say(fd, "echo all read\n");
    client_expect(fd, "all read\n");
    free(lines);
    close(fd);
    bench_end(&b);
}

static void a_line_longer_than_what_may_wait_meets_the_deadline(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    int fd = client_connect(listener_port(bench_listen(&b, false)));
    client_say(fd, "deadline 300\n");
    size_t len = 16 * 1024 * 1024;
    char *line = calloc(1, len);
    memset(line, 'a', len);
    ssize_t sent = 0;
    for (size_t at = 0; at < len && sent >= 0; at += (size_t)sent)
        sent = send(fd, line + at, len - at, MSG_NOSIGNAL);
    assert_int_equal(sent, -1); // reset
    bench_await_log(&b, "waited 300 ms for the next line");
    free(line);
    close(fd);
    bench_end(&b);
}

static void is_closed_for_not_reading(const char *line)
{
    struct bench b;
    bench_start(&b, &usual);
    int fd = client_connect(listener_port(bench_listen(&b, false)));
    for (int i = 0; i < 100; i++) // each fits, but in the end the kernel takes no more
        if (send(fd, line, strlen(line), MSG_NOSIGNAL) != (ssize_t)strlen(line))
            break;
    bench_await_log(&b, "does not read what it is sent");
    bench_await(&b, &b.closed, 1);
    close(fd);
    bench_end(&b);
}

static void a_peer_that_does_not_read_is_closed(void **state)
{
    (void)state;
    is_closed_for_not_reading("flood 200000\n");
    is_closed_for_not_reading("answer 200000\n"); // room for a large one is not room for all of them
}

// With a receive window this small and the server's send buffer full, a last 200 KB cannot leave.
static void the_last_bytes_have_a_deadline(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &(struct loop_settings){.closing_ms = 100});
    struct listener_settings settings = {.protocol = &line_protocol, .context = &b, .host = "127.0.0.1"};
    uint16_t port = listener_port(bench_listen_on(&b, &settings));
    int fd = client_connect_with_window(port, 2048);
    client_say(fd, "hold\n");
    bench_await(&b, &b.held, 1);
    bench_fill(&b, bench_ticket(&b));
    assert_true(bench_answer(&b, bench_ticket(&b), "full"));
    client_say(fd, "bye\n");
    bench_await_log(&b, "did not take the last bytes within 100 ms");
    bench_await(&b, &b.closed, 1);
    close(fd);
    bench_end(&b);
}

#define CASE(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(lines_are_answered),
        CASE(a_line_may_come_byte_by_byte),
        CASE(lines_are_answered_over_tls),
        CASE(a_long_answer_over_tls_arrives_whole),
        CASE(the_last_words_reach_a_peer_that_still_talks),
        CASE(aborting_ends_the_connection),
        CASE(a_silent_handshake_is_ended_by_its_deadline),
        CASE(a_dripping_handshake_is_ended_by_the_same_deadline),
        CASE(plaintext_on_a_tls_port_is_closed_and_named),
        CASE(a_deadline_of_the_protocol_closes_and_says_for_what),
        CASE(a_deadline_is_put_off_taken_back_and_brought_forward),
        CASE(an_answer_finds_its_connection_by_ticket_while_it_lives),
        CASE(a_peer_that_closed_its_side_still_gets_its_answer),
        CASE(writing_to_a_peer_that_is_gone_harms_nobody),
        CASE(a_peer_that_goes_while_bytes_wait_for_it_harms_nobody),
        CASE(more_than_can_wait_is_left_in_the_network),
        CASE(a_line_longer_than_what_may_wait_meets_the_deadline),
        CASE(a_peer_that_does_not_read_is_closed),
        CASE(the_last_bytes_have_a_deadline),
    };
    return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}

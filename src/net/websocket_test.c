// Connections that change to WebSocket: what clients see of the layer between TLS and protocol. A client's
// frames are short, masked with ones.
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/bench_test.h"

static const struct loop_settings usual;

enum { FRAME = 200 };

// A frame of the client with this text; its bytes as a text, because none is 0.
static const char *framed(uint8_t first, const char *text, char out[FRAME])
{
    size_t len = strlen(text);
    assert_true(len < 126);
    (void)snprintf(out, FRAME, "%c%c\x01\x01\x01\x01", first, (int)(0x80 | len));
    for (size_t i = 0; i < len; i++)
        out[6 + i] = (char)(text[i] ^ 1);
    out[6 + len] = '\0';
    return out;
}

static void say(int fd, const char *text)
{
    char frame[FRAME];
    client_say(fd, framed(0x82, text, frame));
}

static int become(uint16_t port)
{
    int fd = client_connect(port);
    client_say(fd, "become\n");
    client_expect(fd, "becoming\n");
    return fd;
}

static void lines_are_answered_in_frames_and_what_came_before_is_not(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    int fd = client_connect(listener_port(bench_listen(&b, false)));
    client_say(fd, "echo raw\nbecome\n");
    client_expect(fd, "raw\nbecoming\n");
    bench_await(&b, &b.closed, 1); // the session of before
    say(fd, "echo one\necho two\n");
    client_expect(fd, "\x82\x08one\ntwo\n");
    say(fd, "echo thr");
    say(fd, "ee\n");
    client_expect(fd, "\x82\x06three\n");
    close(fd);
    bench_await(&b, &b.closed, 2);
    assert_int_equal(b.opened, 2);
    bench_end(&b);
}

static void frames_right_behind_the_request_are_not_lost(void **state)
{
    (void)state;
    struct bench b;
    char frame[FRAME];
    char all[2 * FRAME];
    bench_start(&b, &usual);
    int fd = client_connect(listener_port(bench_listen(&b, false)));
    (void)snprintf(all, sizeof all, "become\n%s", framed(0x82, "echo early\n", frame));
    client_say(fd, all);
    client_expect(fd, "becoming\n\x82\x06"
                      "early\n");
    close(fd);
    bench_end(&b);
}

static void frames_may_come_byte_by_byte_over_tls(void **state)
{
    (void)state;
    struct bench b;
    struct tls_client c;
    char frame[FRAME];
    bench_start(&b, &usual);
    tls_client_connect(&c, &b, listener_port(bench_listen(&b, true)));
    tls_client_say(&c, "become\n");
    tls_client_expect(&c, "becoming\n");
    for (const char *at = framed(0x82, "echo drop by drop\n", frame); *at != '\0'; at++)
        tls_client_say(&c, (char[]){*at, '\0'});
    tls_client_expect(&c, "\x82\x0d"
                          "drop by drop\n");
    tls_client_close(&c);
    bench_end(&b);
}

static void closing_says_so_in_each_layer(void **state)
{
    (void)state;
    struct bench b;
    struct tls_client c;
    char frame[FRAME];
    bench_start(&b, &usual);
    tls_client_connect(&c, &b, listener_port(bench_listen(&b, true)));
    tls_client_say(&c, "become\n");
    tls_client_expect(&c, "becoming\n");
    tls_client_say(&c, framed(0x82, "bye\n", frame));
    tls_client_expect(&c, "\x82\x04"
                          "bye\n\x88\x02\x03\xe8");
    tls_client_expect_end(&c);
    tls_client_close(&c);
    bench_await(&b, &b.closed, 2);
    bench_end(&b);
}

static void a_close_frame_of_the_peer_ends_the_connection(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    int fd = become(listener_port(bench_listen(&b, false)));
    say(fd, "echo last\n");
    client_say(fd, "\x88\x82\x01\x01\x01\x01\x02\xe8"); // 1001
    client_expect(fd, "\x82\x05last\n\x88\x02\x03\xe9");
    client_expect_end(fd);
    close(fd);
    bench_await(&b, &b.closed, 2);
    assert_int_equal(bench_count_log(&b, "websocket"), 0);
    bench_end(&b);
}

static void a_violation_is_told_and_logged(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    int fd = become(listener_port(bench_listen(&b, false)));
    say(fd, "echo before\n");
    client_say(fd, "\x82\x04hello\n");
    client_expect(fd, "\x82\x07"
                      "before\n\x88\x02\x03\xea");
    client_expect_end(fd);
    bench_await_log(&b, "a frame that is not masked");
    assert_int_equal(bench_count_log(&b, "websocket.failed"), 1);
    close(fd);
    bench_await(&b, &b.closed, 2);
    bench_end(&b);
}

static void pings_are_answered_without_the_protocol(void **state)
{
    (void)state;
    struct bench b;
    char frame[FRAME];
    bench_start(&b, &usual);
    int fd = become(listener_port(bench_listen(&b, false)));
    client_say(fd, framed(0x89, "there?", frame));
    client_expect(fd, "\x8a\x06there?");
    close(fd);
    bench_end(&b);
}

static void a_deadline_holds_whatever_pings_come(void **state)
{
    (void)state;
    struct bench b;
    char frame[FRAME];
    bench_start(&b, &usual);
    int fd = become(listener_port(bench_listen(&b, false)));
    say(fd, "deadline 300\n");
    client_say(fd, framed(0x89, "?", frame));
    client_expect(fd, "\x8a\x01?");
    client_expect_end(fd);
    bench_await_log(&b, "waited 300 ms for the next line");
    close(fd);
    bench_end(&b);
}

static void a_pause_holds_back_payload_and_an_answer_may_come_later(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    int fd = become(listener_port(bench_listen(&b, false)));
    say(fd, "hold\necho after\n");
    bench_await(&b, &b.held, 1);
    say(fd, "echo more\n");
    assert_true(bench_answer(&b, bench_ticket(&b), "answer"));
    char bytes[65] = {0}; // in how many frames depends on what came together
    for (size_t len = 0; strstr(bytes, "more\n") == NULL;) {
        ssize_t got = recv(fd, bytes + len, sizeof bytes - 1 - len, 0);
        assert_true(got > 0);
        len += (size_t)got;
    }
    const char *answer = strstr(bytes, "answer\n");
    const char *after = strstr(bytes, "after\n");
    assert_true(answer != NULL && after > answer && strstr(after, "more\n") != NULL);
    close(fd);
    bench_end(&b);
}

static void tickets_of_the_session_before_name_nobody(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    int fd = become(listener_port(bench_listen(&b, false)));
    bench_await(&b, &b.opened, 2);
    assert_false(bench_answer(&b, bench_ticket(&b), "not for me"));
    say(fd, "echo mine\n");
    client_expect(fd, "\x82\x05mine\n");
    close(fd);
    bench_end(&b);
}

static void a_long_answer_is_one_frame_and_arrives_whole(void **state)
{
    (void)state;
    struct bench b;
    struct tls_client c;
    char frame[FRAME];
    bench_start(&b, &usual);
    tls_client_connect(&c, &b, listener_port(bench_listen(&b, true)));
    int small = 4096;
    (void)setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    tls_client_say(&c, "become\n");
    tls_client_expect(&c, "becoming\n");
    // a length without bytes of 0 in it but the leading ones, which a text cannot hold: so below 64 KiB
    tls_client_say(&c, framed(0x82, "flood 60000\nbye\n", frame));
    tls_client_expect(&c, "\x82\x7e\xea\x64");
    for (int i = 0; i < 60; i++) {
        char block[1001] = {0};
        memset(block, 'x', 1000);
        tls_client_expect(&c, block);
    }
    tls_client_expect(&c, "bye\n\x88\x02\x03\xe8");
    tls_client_expect_end(&c);
    tls_client_close(&c);
    bench_end(&b);
}

static void a_peer_that_does_not_read_is_closed(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    int fd = become(listener_port(bench_listen(&b, false)));
    say(fd, "flood 300000\n");
    bench_await_log(&b, "connection.slow_reader");
    bench_await(&b, &b.closed, 2);
    close(fd);
    bench_end(&b);
}

static void a_stop_is_told_as_going_away(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    int fd = become(listener_port(bench_listen(&b, false)));
    bench_await(&b, &b.opened, 2);
    loop_stop(b.loop, 5000);
    bench_await(&b, &b.told_to_stop, 1);
    say(fd, "bye\n");
    client_expect(fd, "\x82\x04"
                      "bye\n\x88\x02\x03\xe9");
    client_expect_end(fd);
    close(fd);
    bench_await_end(&b);
    bench_end(&b);
}

static void the_end_of_the_stream_ends_the_session(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    int fd = become(listener_port(bench_listen(&b, false)));
    say(fd, "echo last\n");
    (void)shutdown(fd, SHUT_WR);
    client_expect(fd, "\x82\x05last\n\x88\x02\x03\xe8");
    client_expect_end(fd);
    close(fd);
    bench_await(&b, &b.closed, 2);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_answered_in_frames_and_what_came_before_is_not),
        cmocka_unit_test(frames_right_behind_the_request_are_not_lost),
        cmocka_unit_test(frames_may_come_byte_by_byte_over_tls),
        cmocka_unit_test(closing_says_so_in_each_layer),
        cmocka_unit_test(a_close_frame_of_the_peer_ends_the_connection),
        cmocka_unit_test(a_violation_is_told_and_logged),
        cmocka_unit_test(pings_are_answered_without_the_protocol),
        cmocka_unit_test(a_deadline_holds_whatever_pings_come),
        cmocka_unit_test(a_pause_holds_back_payload_and_an_answer_may_come_later),
        cmocka_unit_test(tickets_of_the_session_before_name_nobody),
        cmocka_unit_test(a_long_answer_is_one_frame_and_arrives_whole),
        cmocka_unit_test(a_peer_that_does_not_read_is_closed),
        cmocka_unit_test(a_stop_is_told_as_going_away),
        cmocka_unit_test(the_end_of_the_stream_ends_the_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

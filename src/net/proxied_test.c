// Behind a proxy: who is told to be at the other end counts as the peer, and only configured proxies may
// tell.
#include <unistd.h>

#include "net/bench_test.h"

#define SIGNATURE  0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a
#define BYTES(...) slice_of((const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]){__VA_ARGS__})
// From 192.0.2.LAST, port 4660.
#define TCP4(last)                                                                                           \
    BYTES(SIGNATURE, 0x21, 0x11, 0, 12, 192, 0, 2, (last), 198, 51, 100, 1, 0x12, 0x34, 0x01, 0xbb)
// From [2001:db8::LAST], port 4660, with a TLV.
#define TCP6(last)                                                                                           \
    BYTES(SIGNATURE, 0x21, 0x21, 0, 39, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (last), 0x20,  \
          1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x12, 0x34, 0x01, 0xbb, 4, 0, 0)
#define LOCAL BYTES(SIGNATURE, 0x20, 0x00, 0, 0)

static const struct loop_settings usual;

// 127.0.0.2 is a proxy.
static uint16_t listen_behind(struct bench *b, bool tls)
{
    static struct ip_network proxies[2];
    assert_false(failed(ip_network_read(SLICE("2001:db8::/32"), &proxies[0], NULL)));
    assert_false(failed(ip_network_read(SLICE("127.0.0.2/31"), &proxies[1], NULL)));
    struct listener_settings settings = {.protocol = &line_protocol,
                                         .context = b,
                                         .host = "127.0.0.1",
                                         .tls = tls ? b->server_tls : NULL,
                                         .proxies = proxies,
                                         .proxy_count = 2};
    return listener_port(bench_listen_on(b, &settings));
}

static int through_proxy(uint16_t port, struct slice header)
{
    int fd = client_connect_from("127.0.0.2", port);
    client_send(fd, header);
    return fd;
}

static void the_peer_is_whom_the_proxy_names(void **state)
{
    (void)state;
    struct bench b;
    struct tls_client c;
    bench_start(&b, &usual);
    uint16_t port = listen_behind(&b, true);
    tls_client_begin(&c, &b, through_proxy(port, TCP4(7)));
    tls_client_say(&c, "peer\n");
    tls_client_expect(&c, "192.0.2.7:4660\n");
    tls_client_close(&c);
    tls_client_begin(&c, &b, through_proxy(port, TCP6(9)));
    tls_client_say(&c, "peer\n");
    tls_client_expect(&c, "[2001:db8::9]:4660\n");
    tls_client_close(&c);
    bench_end(&b);
}

static void a_header_and_the_first_bytes_may_come_in_any_pieces(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    uint16_t port = listen_behind(&b, false);
    uint8_t all[200];
    struct slice header = TCP6(5);
    struct slice lines = SLICE("peer\necho all of it\n");
    memcpy(all, header.at, header.len);
    memcpy(all + header.len, lines.at, lines.len);
    size_t len = header.len + lines.len;
    for (size_t cut = 1; cut < len; cut += 3) {
        int fd = client_connect_from("127.0.0.2", port);
        client_send(fd, slice_of(all, cut / 2));
        client_send(fd, slice_of(all + cut / 2, cut - cut / 2));
        client_send(fd, slice_of(all + cut, len - cut));
        client_expect(fd, "[2001:db8::5]:4660\nall of it\n");
        close(fd);
    }
    bench_end(&b);
}

static void the_proxys_own_connections_keep_its_address(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    uint16_t port = listen_behind(&b, false);
    int fd = through_proxy(port, LOCAL);
    client_say(fd, "peer\n");
    client_expect(fd, "127.0.0.2:");
    close(fd);
    bench_end(&b);
}

static void others_are_served_without_a_header(void **state)
{
    (void)state;
    struct bench b;
    struct tls_client c;
    bench_start(&b, &usual);
    tls_client_connect(&c, &b, listen_behind(&b, true));
    tls_client_say(&c, "peer\n");
    tls_client_expect(&c, "127.0.0.1:");
    tls_client_close(&c);
    bench_end(&b);
}

static void a_header_from_elsewhere_is_no_more_than_a_failed_handshake(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    int fd = client_connect_from("127.0.0.4", listen_behind(&b, true));
    client_send(fd, TCP4(7));
    bench_await_log(&b, "\"event\":\"handshake.failed\"");
    bench_await_log(&b, "127.0.0.4:");
    assert_int_equal(bench_count_log(&b, "192.0.2.7"), 0);
    assert_int_equal(b.opened, 0);
    close(fd);
    bench_end(&b);
}

static void a_proxy_without_a_header_is_refused_and_the_log_says_why(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    uint16_t port = listen_behind(&b, true);
    int fd = through_proxy(port, BYTES(0x16, 0x03, 0x01, 0x02));
    client_expect_end(fd);
    bench_await_log(&b, "TLS without a PROXY header");
    close(fd);
    fd = through_proxy(port, SLICE("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"));
    client_expect_end(fd);
    bench_await_log(&b, "have the proxy send version 2");
    assert_int_equal(bench_count_log(&b, "\"event\":\"proxy.refused\""), 2);
    assert_int_equal(b.opened, 0);
    close(fd);
    bench_end(&b);
}

static void a_header_that_does_not_end_is_ended_by_the_deadline(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &(struct loop_settings){.handshake_ms = 100});
    uint16_t port = listen_behind(&b, true);
    int fd = through_proxy(port, slice_to(TCP4(7), 20));
    client_expect_end(fd);
    bench_await_log(&b, "waited 100 ms for the PROXY header");
    close(fd);
    fd = through_proxy(port, TCP4(7));
    client_expect_end(fd);
    bench_await_log(&b, "waited 100 ms for the TLS handshake");
    close(fd);
    bench_end(&b);
}

static void looking_whether_the_port_is_open_makes_no_line(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    uint16_t port = listen_behind(&b, true);
    close(client_connect_from("127.0.0.2", port));
    int fd = through_proxy(port, slice_to(TCP4(7), 20)); // this one broke off
    close(fd);
    bench_await_log(&b, "closed the connection in the handshake");
    assert_int_equal(bench_count_log(&b, "\"event\":"), 1);
    bench_end(&b);
}

// The proxy's address is everybody's, so it must not be what is counted.
static void limits_are_those_of_the_true_address(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &(struct loop_settings){.max_per_address = 2, .seed = 7});
    uint16_t port = listen_behind(&b, false);
    int fds[6];
    for (int i = 0; i < 6; i++) { // two of each of three
        fds[i] = through_proxy(port, TCP4((uint8_t)(10 + i / 2)));
        client_say(fds[i], "echo in\n");
        client_expect(fds[i], "in\n");
    }
    int third = through_proxy(port, TCP4(10));
    client_expect_end(third);
    bench_await_log(&b, "this address has 2 connections already");
    bench_await_log(&b, "192.0.2.10:4660");
    close(third);
    for (int i = 0; i < 6; i++)
        close(fds[i]);
    bench_end(&b);
}

static void a_stop_does_not_wait_for_headers(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, &usual);
    int fd = through_proxy(listen_behind(&b, false), slice_to(TCP4(7), 14));
    int served = through_proxy(listen_behind(&b, false), TCP4(8));
    bench_await(&b, &b.opened, 1);
    loop_stop(b.loop, PATIENCE_MS);
    client_expect_end(fd);
    client_say(served, "bye\n");
    client_expect(served, "bye\n");
    close(served);
    bench_await_end(&b);
    close(fd);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_peer_is_whom_the_proxy_names),
        cmocka_unit_test(a_header_and_the_first_bytes_may_come_in_any_pieces),
        cmocka_unit_test(the_proxys_own_connections_keep_its_address),
        cmocka_unit_test(others_are_served_without_a_header),
        cmocka_unit_test(a_header_from_elsewhere_is_no_more_than_a_failed_handshake),
        cmocka_unit_test(a_proxy_without_a_header_is_refused_and_the_log_says_why),
        cmocka_unit_test(a_header_that_does_not_end_is_ended_by_the_deadline),
        cmocka_unit_test(looking_whether_the_port_is_open_makes_no_line),
        cmocka_unit_test(limits_are_those_of_the_true_address),
        cmocka_unit_test(a_stop_does_not_wait_for_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Questions to a function: what is sent, what comes back, whom nothing is sent to, and functions that are
// slow, broken or asked too much.
#include "webhook/webhook_test.h"

#include <stdio.h>
#include <stdlib.h>

static void a_question_is_posted_and_its_answer_comes_back(void **state)
{
    (void)state;
    struct fake fake;
    struct shot shot;
    fake_start(&fake);
    shot_init(&shot, &fake, fake.url);
    shot.request.traceparent = SLICE("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    fake_say(&fake, "200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n", "{\"iotHubHostName\": \"h\"}");
    assert_false(failed(shot_run(&shot)));
    assert_int_equal(shot.request.status, 200);
    assert_slice(shot.request.answer, "{\"iotHubHostName\": \"h\"}");
    static const char *const sent[] = {
        "POST /api/allocate?code=SECRET HTTP/1.1\r\n",
        "\r\nContent-Type: application/json",
        "\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n",
        "\r\n\r\n{\"question\":1}",
    };
    for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++)
        assert_true(peer_saw(&fake.peer, 0, sent[i]));
    assert_false(peer_saw(&fake.peer, 0, "Authorization"));
    assert_false(peer_saw(&fake.peer, 0, "Expect"));
    assert_false(peer_saw(&fake.peer, 0, "Accept-Encoding"));
    shot_release(&shot);
    fake_end(&fake);
}

static void a_trace_that_is_no_word_is_left_out(void **state)
{
    (void)state;
    struct fake fake;
    struct shot shot;
    fake_start(&fake);
    shot_init(&shot, &fake, fake.url);
    shot.request.traceparent = SLICE("00-1\r\nX-Evil: 1");
    assert_false(failed(shot_run(&shot)));
    assert_false(peer_saw(&fake.peer, 0, "traceparent"));
    assert_false(peer_saw(&fake.peer, 0, "Evil"));
    shot_release(&shot);
    fake_end(&fake);
}

// Table of service-api C.3: these words exactly.
static void any_other_status_is_told_in_azures_words(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake);
    static const int statuses[] = {300, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 429, 500, 503};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        struct shot shot;
        char head[256];
        char words[64];
        (void)snprintf(head, sizeof head, "%d Scripted\r\nLocation: %s\r\n", statuses[i], fake.url);
        (void)snprintf(words, sizeof words, "Custom allocation failed with status code: %d", statuses[i]);
        fake_say(&fake, head, statuses[i] == 304 ? "" : "{\"iotHubHostName\":\"h\"}");
        shot_init(&shot, &fake, fake.url);
        (void)!failed(shot_run(&shot));
        assert_int_equal(shot.request.result.code, ERR_WEBHOOK);
        assert_string_equal(shot.request.why.text, words);
        assert_int_equal(shot.request.status, statuses[i]);
        assert_int_equal(shot.request.answer.len, 0);
        assert_int_equal(fake.peer.requests, i + 1); // it was not sent on
        shot_release(&shot);
    }
    fake_end(&fake);
}

static void expect_length(size_t len, bool good)
{
    struct fake fake;
    struct shot shot;
    char head[64];
    fake_start(&fake);
    (void)snprintf(head, sizeof head, "200 OK\r\nContent-Length: %zu\r\n\r\n", len);
    fake.answer = (struct fake_answer){.text = head, .body = len};
    shot_init(&shot, &fake, fake.url);
    (void)!failed(shot_run(&shot));
    if (good) {
        assert_false(failed(shot.request.result));
        assert_int_equal(shot.request.answer.len, len);
    } else {
        assert_refused(&shot, "answered with more than 65536 bytes");
        assert_int_equal(shot.request.answer.len, 0);
    }
    shot_release(&shot);
    fake_end(&fake);
}

static void an_answer_may_have_64_kib_and_not_a_byte_more(void **state)
{
    (void)state;
    expect_length(0, true);
    expect_length(WEBHOOK_ANSWER_MAX, true);
    expect_length(WEBHOOK_ANSWER_MAX + 1, false);
    expect_length(3 * WEBHOOK_ANSWER_MAX, false);
}

// --- whom nothing is sent to
// -----------------------------------------------------------------------------------------------------------

static void ask_both_ways(struct fake *fake, const char *host, const char *part)
{
    for (int http = 0; http < 2; http++) {
        struct shot shot;
        char url[128];
        (void)snprintf(url, sizeof url, "%s://%s:%u/api?code=SECRET", http ? "http" : "https", host,
                       fake->peer.port);
        shot_init(&shot, fake, url);
        (void)!failed(shot_run(&shot));
        assert_refused(&shot, part);
        shot_release(&shot);
    }
}

// Each of these leads to the machine itself, or to where nobody should be asked; the listener, on all of
// loopback, hears nothing. Names and odd literals are what the resolver and curl make of them.
static void no_internal_address_is_connected_to_however_it_is_written(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake);
    fake.settings.guard.allowed_count = 0;
    fake.settings.guard.http = true;
    fake_restart(&fake);
    static const char *const hosts[] = {
        "127.0.0.1",
        "localhost",
        "LOCALHOST",

        "127.1",
        "127.0.1",
        "0",
        "0.0.0.0",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "0177.0.0.1",
        "0x7f.0.0.0x1",

        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:0:0:1]",
        "[::7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "127.127.127.127",
        "169.254.169.254",
        "10.0.0.1",
        "192.168.0.1",
        "172.16.0.1",
        "100.100.100.200",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[fec0::1]",
        "[ff02::1]",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "[2001:db8::1]",
        "0xa9fea9fe",
        "2852039166",
    };
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        ask_both_ways(&fake, hosts[i], "which is not called unless webhook.allowAddresses has it");
    // what these are depends on the machine's resolver: a name that is not there, or loopback too
    static const char *const names[] = {"localhost.", "127.0.0.1.", "ip6-localhost", "localhost.localdomain"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        ask_both_ways(&fake, names[i], "the webhook ");
    assert_int_equal(fake.peer.connections, 0);
    fake_end(&fake);
}

static void what_the_url_shows_already_is_not_even_looked_up(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake);
    static const struct {
        const char *format;
        const char *part;
    } urls[] = {
        {"http://localhost:%u/api?code=SECRET", "only https is taken"},
        {"https://SECRET:x@localhost:%u/api", "names a user"},
        {"https://localhost:1%u/api", "no port"},
        {"ftp://localhost:%u/", "must begin with https://"},
        {"file:///etc/passwd?%u", "must begin with https://"},
        {"https://localhost\\@localhost:%u/", "character"},
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct shot shot;
        char url[128];
        (void)snprintf(url, sizeof url, urls[i].format, fake.peer.port); // NOLINT
        shot_init(&shot, &fake, url);
        (void)!failed(shot_run(&shot));
        assert_refused(&shot, urls[i].part);
        shot_release(&shot);
    }
    char elsewhere[64];
    struct shot shot;
    fake.settings.guard.ports[0] = (uint16_t)(fake.peer.port + 1);
    fake_restart(&fake);
    (void)snprintf(elsewhere, sizeof elsewhere, "https://localhost:%u/", fake.peer.port);
    shot_init(&shot, &fake, elsewhere);
    (void)!failed(shot_run(&shot));
    assert_refused(&shot, "not among webhook.ports");
    shot_release(&shot);
    assert_int_equal(fake.peer.connections, 0);
    fake_end(&fake);
}

static void a_proxy_of_the_environment_is_not_asked(void **state)
{
    (void)state;
    struct fake fake;
    struct shot shot;
    fake_start(&fake);
    static const char *const names[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(setenv(names[i], "http://127.0.0.1:1", 1), 0);
    shot_init(&shot, &fake, fake.url);
    assert_false(failed(shot_run(&shot)));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(unsetenv(names[i]), 0);
    shot_release(&shot);
    fake_end(&fake);
}

// --- whom it trusts
// ---------------------------------------------------------------------------------------------------------

static void expect_trust(const char *name, int64_t age_days, bool trusted, bool good)
{
    struct fake fake;
    struct shot shot;
    fake_start_as(&fake, name, age_days, trusted);
    shot_init(&shot, &fake, fake.url);
    assert_int_equal(failed(shot_run(&shot)), !good);
    if (!good)
        assert_refused(&shot, "is not accepted, nothing was sent");
    assert_int_equal(fake.peer.requests, good ? 1 : 0);
    shot_release(&shot);
    fake_end(&fake);
}

static void only_a_function_with_the_right_certificate_is_told_anything(void **state)
{
    (void)state;
    expect_trust("localhost", 0, true, true);
    expect_trust("localhost", 0, false, false);   // of a CA that nobody named
    expect_trust("localhost", 2000, true, false); // expired
    expect_trust("elsewhere.example", 0, true, false);
}

static void a_file_without_certificates_is_no_file_of_cas(void **state)
{
    (void)state;
    struct fake fake;
    struct why why = {0};
    struct webhook *webhook = NULL;
    fake_start(&fake);
    struct webhook_settings settings = fake.settings;
    settings.ca_pem = SLICE("nothing");
    assert_int_equal(webhook_new(&settings, &webhook, &why).code, ERR_CONFIG);
    assert_null(webhook);
    assert_non_null(strstr(why.text, "no PEM certificate"));
    fake_end(&fake);
}

// --- trouble
// ---------------------------------------------------------------------------------------------------------

static void the_deadline_holds_whatever_the_function_does(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake);
    static const enum peer_manner manners[] = {PEER_DRIP, PEER_SILENT};
    for (size_t i = 0; i < 2; i++) {
        struct shot shot;
        shot_init(&shot, &fake, fake.url);
        shot.request.deadline_ms = 300;
        fake.answer.manner = manners[i];
        int64_t from = bench_now_ms();
        (void)!failed(shot_run(&shot));
        assert_refused(&shot, "did not answer within 300 ms");
        assert_in_range((uintmax_t)(bench_now_ms() - from), 290, 5000);
        shot_release(&shot);
    }
    fake_end(&fake);
}

static void half_an_answer_is_none(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake);
    static const struct fake_answer answers[] = {
        {PEER_CUT, NULL, 0},
        {PEER_LEAVE, "200 OK\r\nContent-Length: 100\r\n\r\n{}", 0},
        {PEER_LEAVE, "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", 0},
        {PEER_LEAVE, "nonsense\r\n\r\n", 0},
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct shot shot;
        fake.answer = answers[i];
        shot_init(&shot, &fake, fake.url);
        (void)!failed(shot_run(&shot));
        assert_refused(&shot, "could not be asked");
        assert_int_equal(shot.request.answer.len, 0);
        shot_release(&shot);
        fake_say(&fake, "200 OK\r\n", "{}"); // and the next one is well
        shot_init(&shot, &fake, fake.url);
        assert_false(failed(shot_run(&shot)));
        shot_release(&shot);
    }
    fake_end(&fake);
}

static void nobody_listening_is_told(void **state)
{
    (void)state;
    struct fake fake;
    struct shot shot;
    fake_start(&fake);
    fake.settings.guard.ports[0] = 1;
    fake_restart(&fake);
    shot_init(&shot, &fake, "https://127.0.0.1:1/api?code=SECRET");
    (void)!failed(shot_run(&shot));
    assert_refused(&shot, "the webhook 127.0.0.1:1 could not be asked");
    shot_release(&shot);
    shot_init(&shot, &fake, "https://nobody.invalid:1/api?code=SECRET");
    (void)!failed(shot_run(&shot));
    assert_refused(&shot, "the webhook nobody.invalid:1 could not be asked");
    shot_release(&shot);
    fake_end(&fake);
}

static void thirty_two_are_asked_at_once_and_the_others_wait(void **state)
{
    (void)state;
    enum { SHOTS = 100, AT_ONCE = 32 };
    struct fake fake;
    static struct shot shots[SHOTS];
    fake_start(&fake);
    fake.peer.holding = true;
    for (size_t i = 0; i < SHOTS; i++) {
        shot_init(&shots[i], &fake, fake.url);
        shots[i].request.deadline_ms = i >= SHOTS - 10 ? 300 : 10000;
    }
    shots_fire(shots, SHOTS);
    peer_await_requests(&fake.peer, AT_ONCE);
    for (size_t i = SHOTS - 10; i < SHOTS; i++) {
        shot_wait(&shots[i]);
        assert_refused(&shots[i], "out of time while");
    }
    assert_int_equal(fake.peer.requests, AT_ONCE);
    peer_let_go(&fake.peer);
    for (size_t i = 0; i < SHOTS - 10; i++) {
        shot_wait(&shots[i]);
        assert_false(failed(shots[i].request.result));
    }
    assert_int_equal(fake.peer.connections, AT_ONCE);
    for (size_t i = 0; i < SHOTS; i++)
        shot_release(&shots[i]);
    fake_end(&fake);
}

static void a_function_that_keeps_failing_is_left_alone_until_it_answers(void **state)
{
    (void)state;
    struct fake fake;
    struct shot shot;
    fake_start(&fake);
    fake.answer.manner = PEER_CUT;
    for (int i = 0; i < 5; i++) {
        shot_init(&shot, &fake, fake.url);
        (void)!failed(shot_run(&shot));
        assert_refused(&shot, "could not be asked");
        shot_release(&shot);
    }
    assert_int_equal(bench_count_log(&fake.peer.bench, "\"event\":\"webhook.circuit_open\""), 1);
    assert_int_equal(bench_count_log(&fake.peer.bench, "SECRET"), 0);
    size_t asked = fake.peer.requests;
    shot_init(&shot, &fake, fake.url);
    (void)!failed(shot_run(&shot));
    assert_refused(&shot, "is left alone for a while");
    shot_release(&shot);
    assert_int_equal(fake.peer.requests, asked);
    atomic_fetch_add(&fake.peer.skew_us, 1000000);
    fake_say(&fake, "200 OK\r\n", "{}");
    for (int i = 0; i < 2; i++) {
        shot_init(&shot, &fake, fake.url);
        assert_false(failed(shot_run(&shot)));
        shot_release(&shot);
    }
    assert_int_equal(bench_count_log(&fake.peer.bench, "\"event\":\"webhook.circuit_closed\""), 1);
    fake_end(&fake);
}

// A function that refuses devices by its answer is no broken one: others are still asked about.
static void a_function_that_says_no_is_asked_again(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake);
    static const char *const heads[] = {"400 Bad Request\r\n", "500 Error\r\n", "404 Not Found\r\n"};
    for (size_t i = 0; i < 30; i++) {
        struct shot shot;
        fake_say(&fake, heads[i % 3], "no");
        shot_init(&shot, &fake, fake.url);
        (void)!failed(shot_run(&shot));
        assert_refused(&shot, "Custom allocation failed with status code: ");
        shot_release(&shot);
    }
    assert_int_equal(fake.peer.requests, 30);
    fake_end(&fake);
}

static void names_that_nobody_asks_for_any_more_make_room(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake);
    for (unsigned i = 0; i < 1100; i++) {
        struct shot shot;
        char url[128];
        (void)snprintf(url, sizeof url, "https://127.%u.%u.9:%u/", i / 250 + 1, i % 250, fake.peer.port);
        shot_init(&shot, &fake, url);
        (void)!failed(shot_run(&shot));
        assert_refused(&shot, "loopback");
        shot_release(&shot);
    }
    fake_end(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_posted_and_its_answer_comes_back),
        cmocka_unit_test(a_trace_that_is_no_word_is_left_out),
        cmocka_unit_test(any_other_status_is_told_in_azures_words),
        cmocka_unit_test(an_answer_may_have_64_kib_and_not_a_byte_more),
        cmocka_unit_test(no_internal_address_is_connected_to_however_it_is_written),
        cmocka_unit_test(what_the_url_shows_already_is_not_even_looked_up),
        cmocka_unit_test(a_proxy_of_the_environment_is_not_asked),
        cmocka_unit_test(only_a_function_with_the_right_certificate_is_told_anything),
        cmocka_unit_test(a_file_without_certificates_is_no_file_of_cas),
        cmocka_unit_test(the_deadline_holds_whatever_the_function_does),
        cmocka_unit_test(half_an_answer_is_none),
        cmocka_unit_test(nobody_listening_is_told),
        cmocka_unit_test(thirty_two_are_asked_at_once_and_the_others_wait),
        cmocka_unit_test(a_function_that_keeps_failing_is_left_alone_until_it_answers),
        cmocka_unit_test(a_function_that_says_no_is_asked_again),
        cmocka_unit_test(names_that_nobody_asks_for_any_more_make_room),
    };
    return cmocka_run_group_tests_name("webhook", tests, NULL, NULL);
}

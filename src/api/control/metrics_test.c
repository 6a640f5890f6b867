// What Prometheus reads: over the control socket only, and nothing that names a device or a certificate.
#include "api/control/certificates_test.h"

static struct poller poller;
static int64_t server_us;

static struct err timer_start(struct poller *p, struct poll_timer *timer, int64_t ms)
{
    (void)p;
    (void)timer;
    (void)ms;
    return OK;
}

static void timer_release(struct poller *p, struct poll_timer *timer)
{
    (void)p;
    (void)timer;
}

static int64_t server_expires_us(void *context)
{
    (void)context;
    return server_us;
}

static void idle(void *context)
{
    (void)context;
}

static struct expiry *expiry;

static int start_watched(void **state)
{
    static const struct poller_methods methods = {.timer_start = timer_start, .timer_release = timer_release};
    assert_int_equal(start(state), 0);
    poller.methods = &methods;
    struct expiry_settings watch = {.store = bench.client,
                                    .directory = bench.directory,
                                    .clock = &bench.clock,
                                    .poller = &poller,
                                    .log = &bench.log,
                                    .server_expires_us = server_expires_us};
    assert_false(failed(expiry_new(&watch, &expiry)));
    control_api_free(api);
    open_area((struct control_api_settings){.expiry = expiry});
    return 0;
}

static int stop_watched(void **state)
{
    expiry_stop(expiry, idle, NULL);
    expiry_free(expiry);
    return stop(state);
}

static void has(const struct reply *reply, const char *line)
{
    char whole[200];
    (void)snprintf(whole, sizeof whole, "\n%s\n", line);
    if (strstr(reply->body, whole) == NULL)
        fail_msg("no line '%s' in:\n%s", line, reply->body);
}

static void the_figures_are_those_of_now(void **state)
{
    (void)state;
    struct reply reply;
    struct pair soon;
    server_us = bench.now_us + INT64_C(1000500000);
    make_pair(&soon, BENCH_ROOT, "Soon", NULL, 5);
    assert_int_equal(upload(ALL "/secret-name", "", &factory, true, NULL), 200);
    assert_int_equal(upload(ALL "/soon", "", &soon, true, NULL), 200);
    assert_int_equal(bench_local(&bench, "GET", "/control/metrics", "", NULL, &reply), 200);
    char *type = reply_header(&reply, "Content-Type");
    assert_string_equal(type, "text/plain; version=0.0.4; charset=utf-8");
    free(type);
    has(&reply, "usher_info{version=\"1.2.3\"} 1");
    has(&reply, "usher_services 2");
    has(&reply, "# TYPE usher_ca_certificates gauge");
    has(&reply, "usher_ca_certificates{service=\"one\",window=\"later\"} 1");
    has(&reply, "usher_ca_certificates{service=\"one\",window=\"7d\"} 1");
    has(&reply, "usher_ca_certificates{service=\"one\",window=\"expired\"} 0");
    has(&reply, "usher_ca_certificates{service=\"two\",window=\"later\"} 0");
    has(&reply, "usher_crls_stale{service=\"one\"} 0");
    has(&reply, "usher_server_certificate_expiry_seconds 1000");
    assert_non_null(strstr(reply.body, "\nusher_uptime_seconds "));
    assert_null(strstr(reply.body, "secret-name"));
    assert_int_equal(reply.body[strlen(reply.body) - 1], '\n');
    reply_release(&reply);
    bench.now_us += INT64_C(6) * 86400 * 1000000;
    assert_int_equal(bench_local(&bench, "GET", "/control/metrics", "", NULL, &reply), 200);
    has(&reply, "usher_ca_certificates{service=\"one\",window=\"7d\"} 0");
    has(&reply, "usher_ca_certificates{service=\"one\",window=\"expired\"} 1");
    assert_non_null(strstr(reply.body, "\nusher_server_certificate_expiry_seconds -"));
    reply_release(&reply);
    release_pair(&soon);
}

static void nobody_reads_them_over_https(void **state)
{
    (void)state;
    assert_int_equal(bench_call(&bench, "one", "GET", "/control/metrics", "", NULL, NULL), 401);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_figures_are_those_of_now),
        cmocka_unit_test(nobody_reads_them_over_https),
    };
    return cmocka_run_group_tests(tests, start_watched, stop_watched);
}

// The daemon as a whole, with two loops: reloading certificates and stopping.
#include "server/daemon.h"

#include <unistd.h>

#include "base/list.h"
#include "base/testing.h"
#include "flow/hub_health.h"
#include "server/dev.h"

struct bench {
    struct config config;
    struct dev dev;
    struct daemon daemon;
};

static int setup_with(void **state, struct slice networks)
{
    struct bench *b = calloc(1, sizeof *b);
    struct why why = {0};
    config_init(&b->config);
    b->config.https_port = b->config.mqtt_port = b->config.amqp_port = 0;
    b->config.threads = 2;
    b->config.log_level = SLICE("error");
    b->config.geo_networks = networks;
    assert_false(failed(dev_prepare(&b->dev, NULL, &b->config, &why)));
    assert_false(failed(daemon_init(&b->daemon, &b->config, &why)));
    assert_false(failed(dev_populate(&b->dev, &b->daemon, &why)));
    assert_false(failed(daemon_start(&b->daemon, &why)));
    *state = b;
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, SLICE(""));
}

static int teardown(void **state)
{
    struct bench *b = *state;
    dev_release(&b->dev);
    free(b);
    return 0;
}

// Each one that a loop had no time to take up is passed over; what is lost shows as a leak.
static void certificates_are_reloaded_faster_than_loops_take_them_up(void **state)
{
    struct bench *b = *state;
    struct why why = {0};
    for (int i = 0; i < 100; i++)
        assert_false(failed(daemon_reload_tls(&b->daemon, &why)));
    assert_true(daemon_stop(&b->daemon, "the test is over"));
}

static int setup_with_places(void **state)
{
    static char path[] = "/tmp/usher-networks-XXXXXX";
    static const char text[] = "10.0.0.0/8,plant-7\n";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, text, sizeof text - 1) == sizeof text - 1);
    close(fd);
    return setup_with(state, slice_text(path));
}

static void places_are_reloaded_faster_than_loops_take_them_up(void **state)
{
    struct bench *b = *state;
    struct why why = {0};
    for (int i = 0; i < 100; i++)
        assert_false(failed(daemon_reload_places(&b->daemon, &why)));
    struct atlas *last = b->daemon.atlas;
    assert_int_equal(unlink((const char *)b->config.geo_networks.at), 0);
    assert_int_equal(daemon_reload_places(&b->daemon, &why).code, ERR_CONFIG);
    assert_ptr_equal(b->daemon.atlas, last); // what was read before stays
    assert_true(daemon_stop(&b->daemon, "the test is over"));
}

// Something on the first loop that changes settings when the second has long been idle.
struct late {
    struct mail mail;
    struct worker *worker;
    struct poll_timer timer;
    struct flow_request *request; // keeps the loop from becoming idle
    struct directory_wait wait;
    _Atomic bool begun;
    bool changed;
};

static void changed(struct directory_wait *wait, struct err result)
{
    struct late *late = wait->context;
    assert_false(failed(result));
    late->changed = true;
    poller_timer_release(loop_poller(late->worker->loop), &late->timer);
    flow_request_free(late->worker->flow, late->request);
}

static void change_settings(struct poll_timer *timer)
{
    struct late *late = timer->context;
    late->wait = (struct directory_wait){.loaded = changed, .context = late};
    daemon_settings_changed(late->worker, &late->wait);
}

static void begin(struct mail *mail)
{
    struct late *late = CONTAINER_OF(mail, struct late, mail);
    late->request = flow_request_new(late->worker->flow);
    assert_non_null(late->request);
    late->timer = (struct poll_timer){.fire = change_settings, .context = late};
    assert_false(failed(poller_timer_start(loop_poller(late->worker->loop), &late->timer, 300)));
    late->begun = true;
}

static void settings_that_change_during_a_stop_are_taken_up_by_all_loops(void **state)
{
    struct bench *b = *state;
    struct late late = {.mail.deliver = begin, .worker = &b->daemon.workers[0]};
    mailbox_post(loop_mailbox(late.worker->loop), &late.mail);
    while (!late.begun)
        sched_yield();
    assert_true(daemon_stop(&b->daemon, "the test is over"));
    assert_true(late.changed);
}

static int64_t no_time(const struct clock *clock)
{
    (void)clock;
    return 0;
}

// With more, the first hub that begins to fail would end the process: there is no bit for the 65th loop.
static void a_machine_with_more_processors_than_hub_health_has_room_for_gets_no_more_loops(void **state)
{
    (void)state;
    static const struct clock clock = {no_time, no_time};
    struct hub_health *health = hub_health_new(&clock, 7);
    assert_int_equal(daemon_loops(0, 128), HUB_HEALTH_LOOPS_MAX);
    hub_health_set(health, SLICE("a.hub"), daemon_loops(0, 128) - 1, true, NULL); // the last of them
    assert_true(hub_health_of(health, SLICE("a.hub")).failing);
    hub_health_free(health);
    assert_int_equal(daemon_loops(0, 4), 4);
    assert_int_equal(daemon_loops(0, -1), 1); // the system does not say
    assert_int_equal(daemon_loops(3, 128), 3);
    assert_int_equal(daemon_loops(HUB_HEALTH_LOOPS_MAX + 1, 4), HUB_HEALTH_LOOPS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_machine_with_more_processors_than_hub_health_has_room_for_gets_no_more_loops),
        cmocka_unit_test_setup_teardown(certificates_are_reloaded_faster_than_loops_take_them_up, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(places_are_reloaded_faster_than_loops_take_them_up, setup_with_places,
                                        teardown),
        cmocka_unit_test_setup_teardown(settings_that_change_during_a_stop_are_taken_up_by_all_loops, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

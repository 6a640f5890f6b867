// What becomes of calls to a Mosquitto that refuses, hangs, goes away or is asked too much.
#include "hub/mosquitto/broker_bench_test.h"

#include <dlfcn.h>
#include <netdb.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>

static void a_wrong_password_is_said_and_a_new_one_mends_it(void **state)
{
    (void)state;
    struct shot shot;
    shot_init(&shot, &bench, "d1");
    assert_true(secret_set(&shot.hub.policy_key, SLICE("not it")));
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAUTHORIZED);
    bench_await(&bench.bench, &bench.told_failing, 1);
    assert_true(secret_set(&shot.hub.policy_key, SLICE(SERVICE_KEY)));
    assert_false(failed(shot_run(&shot)));
    bench_await(&bench.bench, &bench.told_well, 1);
    shot_release(&shot);
}

static void a_service_with_a_wrong_password_harms_no_other(void **state)
{
    (void)state;
    struct shot wrong;
    struct shot right;
    shot_init(&wrong, &bench, "d1");
    shot_init(&right, &bench, "d2");
    wrong.request.id_scope = SLICE("0ne1");
    right.request.id_scope = SLICE("0ne2");
    assert_true(secret_set(&wrong.hub.policy_key, SLICE("not it")));
    for (int i = 0; i < 3; i++) {
        (void)!failed(shot_run(&wrong));
        assert_result(&wrong, ERR_HUB_UNAUTHORIZED);
        assert_int_equal(bench.told_failing, 1);
        assert_string_equal(bench.told_scope, "0ne1");
        (void)!failed(shot_run(&right));
        assert_result(&right, ERR_NONE);
    }
    assert_int_equal(bench.told_failing, 1);
    assert_int_equal(bench.told_well, 0);
    assert_int_equal(bench_count_log(&bench.bench, "hub.unauthorized"), 1);
    shot_release(&wrong);
    shot_release(&right);
}

static void one_broker_does_not_take_all_the_room_for_connections(void **state)
{
    (void)state;
    enum { SERVICES = 33 };
    static struct shot shots[SERVICES];
    static char scopes[SERVICES][8];
    for (size_t i = 0; i < SERVICES; i++) {
        (void)snprintf(scopes[i], sizeof scopes[i], "0ne%zu", i);
        shot_init(&shots[i], &bench, "d1");
        shots[i].request.verb = HUB_READ;
        shots[i].request.id_scope = slice_text(scopes[i]);
    }
    shots_fire(shots, SERVICES);
    for (size_t i = 0; i < SERVICES; i++) {
        (void)!failed(shot_wait(&shots[i]));
        assert_result(&shots[i], i < 32 ? ERR_NONE : ERR_HUB_UNAVAILABLE);
        shot_release(&shots[i]);
    }
}

static void a_user_that_may_not_write_twins_makes_no_devices(void **state)
{
    (void)state;
    struct shot shot;
    broker_command(
        &bench,
        "{\"command\":\"createClient\",\"username\":\"half\",\"password\":\"half\",\"roles\":[{\"rolename\":"
        "\"admin\"}]}",
        "createClient\"}");
    shot_init(&shot, &bench, "d1");
    shot.hub.policy_name = SLICE("half");
    assert_true(secret_set(&shot.hub.policy_key, SLICE("half")));
    shot.request.twin_how = HUB_TWIN_SET;
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAUTHORIZED);
    assert_true(says(shot.request.why.text, "devices/#"));
    assert_false(shot.request.left_there);
    broker_command(&bench, "{\"command\":\"getClient\",\"username\":\"d1\"}", "Client not found");
    shot_release(&shot);
}

static void a_user_without_rights_is_unauthorized(void **state)
{
    (void)state;
    struct shot shot;
    broker_command(&bench, "{\"command\":\"createClient\",\"username\":\"none\",\"password\":\"none\"}",
                   "createClient\"}");
    shot_init(&shot, &bench, "d1");
    shot.hub.policy_name = SLICE("none");
    assert_true(secret_set(&shot.hub.policy_key, SLICE("none")));
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAUTHORIZED);
    shot_release(&shot);
}

static void a_broker_that_lets_every_device_everywhere_is_refused(void **state)
{
    (void)state;
    struct shot shot;
    broker_command(
        &bench,
        "{\"command\":\"setDefaultACLAccess\",\"acls\":[{\"acltype\":\"publishClientSend\",\"allow\":true}]}",
        "setDefaultACLAccess\"}");
    shot_init(&shot, &bench, "d1");
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_REFUSED);
    assert_true(says(shot.request.why.text, "setDefaultACLAccess publishClientSend deny"));
    shot_release(&shot);
}

static void a_broker_without_the_plugin_is_seen(void **state)
{
    (void)state;
    struct shot shot;
    broker_stop(&bench);
    bench.without_plugin = true;
    broker_start(&bench);
    shot_init(&shot, &bench, "d1");
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAVAILABLE);
    assert_true(says(shot.request.why.text, "plugin"));
    bench_await(&bench.bench, &bench.told_failing, 1);
    shot_release(&shot);
}

static void a_broker_that_went_away_is_used_again_when_it_is_back(void **state)
{
    (void)state;
    struct shot shot;
    assign_device(&bench, "d1", HUB_TWIN_KEEP, "", "");
    broker_stop(&bench);
    shot_init(&shot, &bench, "d2");
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAVAILABLE);
    bench_await(&bench.bench, &bench.told_failing, 1);
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAVAILABLE);
    assert_true(shot.request.retry_after_ms > 0);
    broker_start(&bench);
    bench_await(&bench.bench, &bench.told_well, 1); // nobody asked
    assert_false(failed(shot_run(&shot)));
    shot_release(&shot);
}

static void a_broker_that_hangs_costs_its_callers_their_deadline_and_no_more(void **state)
{
    (void)state;
    struct shot shots[4];
    assign_device(&bench, "d0", HUB_TWIN_KEEP, "", "");
    assert_int_equal(kill(bench.pid, SIGSTOP), 0);
    for (size_t i = 0; i < 4; i++) {
        shot_init(&shots[i], &bench, (const char *const[]){"d1", "d2", "d3", "d3"}[i]);
        shots[i].request.deadline_ms = 300;
    }
    shots_fire(shots, 4);
    for (size_t i = 0; i < 4; i++) {
        (void)!failed(shot_wait(&shots[i]));
        assert_result(&shots[i], ERR_HUB_UNAVAILABLE);
    }
    bench_await(&bench.bench, &bench.told_failing, 1);
    assert_int_equal(kill(bench.pid, SIGCONT), 0);
    shots[0].request.deadline_ms = PATIENCE_MS;
    assert_false(failed(shot_run(&shots[0])));
    bench_await(&bench.bench, &bench.told_well, 1);
    for (size_t i = 0; i < 4; i++)
        shot_release(&shots[i]);
}

// A broker that fails is asked ten times a second.
static int setup_asked_soon(void **state)
{
    (void)state;
    bench = (struct broker_bench){.probe_pause_ms = 100};
    broker_bench_start(&bench);
    return 0;
}

#define WITH_BROKER_ASKED_SOON(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, setup_asked_soon, broker_bench_teardown)

// A hub that fails is given no devices by allocation and is not tidied: nobody asks it.
static void a_broker_that_hung_for_a_moment_is_well_again_though_nobody_asks(void **state)
{
    (void)state;
    struct shot shots[3];
    assign_device(&bench, "d0", HUB_TWIN_KEEP, "", "");
    assert_int_equal(kill(bench.pid, SIGSTOP), 0);
    for (size_t i = 0; i < 3; i++) {
        shot_init(&shots[i], &bench, (const char *const[]){"d1", "d2", "d3"}[i]);
        shots[i].request.deadline_ms = 300;
    }
    shots_fire(shots, 3);
    for (size_t i = 0; i < 3; i++) {
        (void)!failed(shot_wait(&shots[i]));
        assert_result(&shots[i], ERR_HUB_UNAVAILABLE);
        shot_release(&shots[i]);
    }
    bench_await(&bench.bench, &bench.told_failing, 1);
    assert_int_equal(kill(bench.pid, SIGCONT), 0);
    bench_await(&bench.bench, &bench.told_well, 1);
    assert_int_equal(bench_count_log(&bench.bench, "hub.recovered"), 1);
    assign_device(&bench, "d1", HUB_TWIN_KEEP, "", "");
}

static void a_broker_that_turned_a_device_down_is_asked_again_though_nobody_asks(void **state)
{
    (void)state;
    struct shot shot;
    broker_command(
        &bench,
        "{\"command\":\"createClient\",\"username\":\"half\",\"password\":\"half\",\"roles\":[{\"rolename\":"
        "\"admin\"}]}",
        "createClient\"}");
    shot_init(&shot, &bench, "d1");
    shot.hub.policy_name = SLICE("half");
    assert_true(secret_set(&shot.hub.policy_key, SLICE("half")));
    shot.request.twin_how = HUB_TWIN_SET;
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAUTHORIZED);
    bench_await(&bench.bench, &bench.told_failing, 1);
    bench_await(&bench.bench, &bench.told_well, 1);
    shot_release(&shot);
}

// The connection stands all the while; what is asked is not answered.
static void a_broker_that_goes_on_hanging_goes_on_failing(void **state)
{
    (void)state;
    struct shot shots[3];
    assign_device(&bench, "d0", HUB_TWIN_KEEP, "", "");
    assert_int_equal(kill(bench.pid, SIGSTOP), 0);
    for (size_t i = 0; i < 3; i++) {
        shot_init(&shots[i], &bench, (const char *const[]){"d1", "d2", "d3"}[i]);
        shots[i].request.deadline_ms = 300;
    }
    shots_fire(shots, 3);
    for (size_t i = 0; i < 3; i++)
        (void)!failed(shot_wait(&shots[i]));
    bench_await(&bench.bench, &bench.told_failing, 1);
    shots[0].request.deadline_ms = 1000; // time for a question, and for none to be answered
    (void)!failed(shot_run(&shots[0]));
    assert_result(&shots[0], ERR_HUB_UNAVAILABLE);
    assert_int_equal(bench.told_failing, 1);
    assert_int_equal(bench.told_well, 0);
    for (size_t i = 0; i < 3; i++)
        shot_release(&shots[i]);
}

// One connector of as many: each has that part of what the hub takes a minute.
static int setup_one_of_10(void **state)
{
    (void)state;
    bench = (struct broker_bench){.shares = 10};
    broker_bench_start(&bench);
    return 0;
}

// How many of 12 calls go through in three and a half seconds, 600 a minute being the limit.
static unsigned calls_that_go_through(void)
{
    enum { COUNT = 12 };
    static struct shot shots[COUNT];
    static char names[COUNT][8];
    unsigned through = 0;
    assign_device(&bench, "d0", HUB_TWIN_KEEP, "", ""); // the connection stands
    for (size_t i = 0; i < COUNT; i++) {
        (void)snprintf(names[i], sizeof names[i], "d%zu", i);
        shot_init(&shots[i], &bench, names[i]);
        shots[i].request.verb = HUB_READ;
        shots[i].hub.calls_per_minute = 600;
        shots[i].request.deadline_ms = 3500;
    }
    shots_fire(shots, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        through += failed(shot_wait(&shots[i])) ? 0 : 1;
        shot_release(&shots[i]);
    }
    assert_int_equal(bench.told_failing, 0); // that is the service's doing, not the hub's
    return through;
}

static void a_limit_of_calls_is_for_all_loops_together(void **state)
{
    (void)state;
    assert_in_range(calls_that_go_through(), 2, 4); // one at once, then one a second
}

static void a_limit_of_calls_is_all_for_the_only_loop(void **state)
{
    (void)state;
    assert_int_equal(calls_that_go_through(), 12);
}

static int64_t worked_ms(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000) +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

// libmosquitto wants to write all through a handshake, and finds a refused connection to be none.
static void a_broker_that_does_not_shake_hands_is_waited_for_without_work(void **state)
{
    (void)state;
    struct shot shot;
    assert_int_equal(kill(bench.pid, SIGSTOP), 0);
    shot_init(&shot, &bench, "d1");
    shot.request.deadline_ms = 2000;
    int64_t before_ms = worked_ms();
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAVAILABLE);
    assert_in_range(worked_ms() - before_ms, 0, 500);
    assert_int_equal(kill(bench.pid, SIGCONT), 0);
    shot.request.deadline_ms = PATIENCE_MS;
    assert_false(failed(shot_run(&shot)));
    shot_release(&shot);
}

static void a_broker_that_is_not_there_is_known_to_be_so_before_its_callers_give_up(void **state)
{
    (void)state;
    struct shot shot;
    broker_stop(&bench);
    shot_init(&shot, &bench, "d1");
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAVAILABLE);
    assert_true(says(shot.request.why.text, "refuses connections"));
    shot_release(&shot);
}

static void a_broker_with_a_certificate_of_others_is_not_told_the_password(void **state)
{
    (void)state;
    struct shot shot;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/ca.pem", bench.dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    struct slice other = buf_slice(&bench.bench.certificates.other_ca_pem);
    assert_int_equal(fwrite(other.at, 1, other.len, file), other.len);
    assert_int_equal(fclose(file), 0);
    shot_init(&shot, &bench, "d1");
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_UNAVAILABLE);
    if (!says(shot.request.why.text, "certificate"))
        fail_msg("%s", shot.request.why.text);
    shot_release(&shot);
}

// Names lead to this first, while it is not NULL: an address at which nobody listens.
static const char *_Atomic first_address;

typedef int lookup(const char *, const char *, const struct addrinfo *, struct addrinfo **);

// libmosquitto comes by here, because the program's own functions go before those of libraries.
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    lookup *real = NULL;
    void *found = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&real, &found, sizeof real);
    const char *first = first_address;
    if (first == NULL || node == NULL || strcmp(node, "localhost") != 0)
        return real(node, service, hints, out);
    struct addrinfo *rest = NULL;
    int code = real("127.0.0.1", service, hints, &rest);
    if (code == 0)
        code = real(first, service, hints, out);
    struct addrinfo *last = code == 0 ? *out : NULL;
    while (last != NULL && last->ai_next != NULL)
        last = last->ai_next;
    if (last != NULL)
        last->ai_next = rest;
    return code;
}

static void a_broker_is_found_though_nobody_listens_at_the_first_address_of_its_name(void **state)
{
    (void)state;
    struct shot shot;
    first_address = "::1";
    shot_init(&shot, &bench, "d1");
    assert_false(failed(shot_run(&shot)));
    shot_release(&shot);
    first_address = NULL;
}

static void hosts_that_lead_nowhere_are_said(void **state)
{
    (void)state;
    struct shot shot;
    shot_init(&shot, &bench, "d1");
    shot.hub.host = SLICE("localhost:0");
    (void)!failed(shot_run(&shot));
    assert_true(failed(shot.request.result));
    shot.request.identity.device_id = SLICE("a/b");
    shot.hub.host = slice_text(bench.host);
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_HUB_REFUSED);
    shot_release(&shot);
}

static void hundreds_of_calls_at_once_all_end_well(void **state)
{
    (void)state;
    enum { COUNT = 300, DEVICES = 100 };
    static struct shot shots[COUNT];
    static char names[COUNT][16];
    struct knocker k;
    for (size_t i = 0; i < COUNT; i++) {
        (void)snprintf(names[i], sizeof names[i], "m%zu", i % DEVICES);
        shot_init(&shots[i], &bench, names[i]);
        shots[i].request.verb = i < 2 * DEVICES ? HUB_ASSIGN : HUB_READ;
        shots[i].request.twin_how = HUB_TWIN_SET;
        shots[i].request.twin = SLICE(TWIN);
        shots[i].request.deadline_ms = 2 * PATIENCE_MS;
    }
    shots_fire(shots, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        (void)!failed(shot_wait(&shots[i]));
        assert_result(&shots[i], ERR_NONE);
        if (i >= 2 * DEVICES)
            assert_slice(shots[i].request.twin, TWIN);
        shot_release(&shots[i]);
    }
    assert_int_equal(knock(&k, &bench, "m99", KEY_1_TEXT, "m99"), ALLOWED);
    knocker_leave(&k);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        WITH_BROKER(a_wrong_password_is_said_and_a_new_one_mends_it),
        WITH_BROKER(a_service_with_a_wrong_password_harms_no_other),
        WITH_BROKER(one_broker_does_not_take_all_the_room_for_connections),
        WITH_BROKER(a_user_that_may_not_write_twins_makes_no_devices),
        WITH_BROKER(a_user_without_rights_is_unauthorized),
        WITH_BROKER(a_broker_that_lets_every_device_everywhere_is_refused),
        WITH_BROKER(a_broker_without_the_plugin_is_seen),
        WITH_BROKER(a_broker_that_went_away_is_used_again_when_it_is_back),
        WITH_BROKER(a_broker_that_hangs_costs_its_callers_their_deadline_and_no_more),
        WITH_BROKER_ASKED_SOON(a_broker_that_hung_for_a_moment_is_well_again_though_nobody_asks),
        WITH_BROKER_ASKED_SOON(a_broker_that_turned_a_device_down_is_asked_again_though_nobody_asks),
        WITH_BROKER_ASKED_SOON(a_broker_that_goes_on_hanging_goes_on_failing),
        cmocka_unit_test_setup_teardown(a_limit_of_calls_is_for_all_loops_together, setup_one_of_10,
                                        broker_bench_teardown),
        WITH_BROKER(a_limit_of_calls_is_all_for_the_only_loop),
        WITH_BROKER(a_broker_that_does_not_shake_hands_is_waited_for_without_work),
        WITH_BROKER(a_broker_that_is_not_there_is_known_to_be_so_before_its_callers_give_up),
        WITH_BROKER(a_broker_with_a_certificate_of_others_is_not_told_the_password),
        WITH_BROKER(a_broker_is_found_though_nobody_listens_at_the_first_address_of_its_name),
        WITH_BROKER(hosts_that_lead_nowhere_are_said),
        WITH_BROKER(hundreds_of_calls_at_once_all_end_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// What a dry run says of a small fleet, against what the decision core says of each of its devices; what it
// does when things are missing, and how it ends.
#include "flow/dry_run.h"

#include <stdio.h>

#include "base/list.h"
#include "base/testing.h"
#include "domain/decide.h"
#include "store/memory/memory.h"

#define SCOPE "0ne00000001"

struct world {
    struct mailbox replies;
    struct store *store;
    struct store_client *client;
    struct clock clock;
    int64_t now_us;
    struct random random;
    uint64_t seed;
    struct poller poller;
    struct poll_timer *armed[DRY_RUNS_KEPT];
    struct hub_health *health;
    struct dry_runs *runs;
    struct arena arena;
};

static int64_t wall_us(const struct clock *clock)
{
    return CONTAINER_OF(clock, struct world, clock)->now_us;
}

static void fill(struct random *random, void *at, size_t len)
{
    struct world *w = CONTAINER_OF(random, struct world, random);
    w->seed++;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)at)[i] = (uint8_t)(w->seed >> 8 * (i % 8));
}

static struct err timer_start(struct poller *poller, struct poll_timer *timer, int64_t ms)
{
    struct world *w = CONTAINER_OF(poller, struct world, poller);
    assert_int_equal(ms, 0);
    for (size_t i = 0; i < DRY_RUNS_KEPT; i++) {
        if (w->armed[i] == NULL) {
            w->armed[i] = timer;
            return OK;
        }
    }
    fail();
    return OK;
}

static void timer_release(struct poller *poller, struct poll_timer *timer)
{
    struct world *w = CONTAINER_OF(poller, struct world, poller);
    for (size_t i = 0; i < DRY_RUNS_KEPT; i++) {
        if (w->armed[i] == timer)
            w->armed[i] = NULL;
    }
}

static const struct poller_methods poller_methods = {.timer_start = timer_start,
                                                     .timer_release = timer_release};

static void set_failing(struct world *w, const char *host, bool failing)
{
    hub_health_set(w->health, slice_text(host), 0, failing, NULL);
}

// One turn of the loop: what the timers are due for; when there is none, what the store answers.
static void turn(struct world *w)
{
    bool fired = false;
    for (size_t i = 0; i < DRY_RUNS_KEPT; i++) {
        struct poll_timer *timer = w->armed[i];
        w->armed[i] = NULL;
        fired = fired || timer != NULL;
        if (timer != NULL)
            timer->fire(timer);
    }
    for (struct mail *mail = mailbox_wait(&w->replies, fired ? 0 : 1000), *next; mail != NULL; mail = next) {
        next = mail->next;
        mail->deliver(mail);
    }
}

static void answered(struct store_request *request)
{
    assert_false(failed(request->result));
    *(bool *)request->context = true;
}

static void put(struct world *w, enum store_table table, const char *key, const void *record)
{
    bool done = false;
    struct arena arena = arena_capped(1 << 20);
    struct store_request request = {.verb = STORE_PUT,
                                    .table = table,
                                    .partition = SLICE(SCOPE),
                                    .key = slice_text(key),
                                    .record = record,
                                    .arena = &arena,
                                    .done = answered,
                                    .context = &done};
    store_submit(w->client, &request);
    while (!done)
        turn(w);
    arena_release(&arena);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    *state = w;
    w->clock = (struct clock){.wall_us = wall_us, .monotonic_us = wall_us};
    w->now_us = INT64_C(1700000000000000);
    w->random = (struct random){.fill = fill};
    w->poller = (struct poller){.methods = &poller_methods};
    w->arena = arena_capped(8 << 20);
    mailbox_init(&w->replies, NULL, NULL);
    assert_false(failed(store_memory_new(&(struct store_memory_options){0}, &w->store, NULL)));
    assert_false(failed(store_client_new(w->store, &w->replies, &w->client)));
    w->health = hub_health_new(&w->clock, 1);
    assert_non_null(w->health);
    struct dry_runs_settings settings = {.store = w->client,
                                         .poller = &w->poller,
                                         .clock = &w->clock,
                                         .random = &w->random,
                                         .health = w->health};
    assert_false(failed(dry_runs_new(&settings, &w->runs)));
    return 0;
}

static void note_idle(void *context)
{
    *(bool *)context = true;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    bool idle = false;
    dry_runs_stop(w->runs, note_idle, &idle);
    while (!idle)
        turn(w);
    dry_runs_free(w->runs);
    hub_health_free(w->health);
    store_client_free(w->client);
    store_free(w->store);
    mailbox_release(&w->replies);
    arena_release(&w->arena);
    free(w);
    return 0;
}

// ---- the fleet: three hubs, a group and individual enrollments

static void put_group(struct world *w, const char *id, enum provisioning_status status)
{
    struct enrollment e = {.kind = ENROLLMENT_GROUP,
                           .id = slice_text(id),
                           .attestation = {.type = ATTESTATION_SYMMETRIC_KEY},
                           .provisioning_status = status,
                           .etag = 1};
    put(w, STORE_GROUP, id, &e);
}

static void put_individual(struct world *w, const char *id, enum provisioning_status status)
{
    struct enrollment e = {.kind = ENROLLMENT_INDIVIDUAL,
                           .id = slice_text(id),
                           .attestation = {.type = ATTESTATION_SYMMETRIC_KEY},
                           .provisioning_status = status,
                           .etag = 1};
    put(w, STORE_ENROLLMENT, id, &e);
}

static void put_device(struct world *w, const char *id, const char *group, const char *hub)
{
    struct registration r = {.id = slice_text(id),
                             .status = hub[0] != '\0' ? STATUS_ASSIGNED : STATUS_FAILED,
                             .enrollment_kind = group != NULL ? ENROLLMENT_GROUP : ENROLLMENT_INDIVIDUAL,
                             .enrollment_id = slice_text(group != NULL ? group : id),
                             .assigned_hub = slice_text(hub),
                             .device_id = slice_text(hub[0] != '\0' ? id : ""),
                             .created_us = 1,
                             .etag = 1};
    put(w, STORE_REGISTRATION, id, &r);
}

static struct linked_hub hubs[3];

static struct service fleet_service(void)
{
    static const char *const hosts[] = {"h1", "h2", "h3"};
    for (size_t i = 0; i < 3; i++)
        hubs[i] = (struct linked_hub){.host = slice_text(hosts[i]), .weight = 1, .allocate = true};
    return (struct service){.name = SLICE("fleet"),
                            .id_scope = SLICE(SCOPE),
                            .allocation = ALLOCATION_HASHED,
                            .hubs = hubs,
                            .hub_count = 3};
}

// The plan has an arena of its own, as one that the control API makes.
static const struct dry_run_report *run(struct world *w, const struct service *service,
                                        const struct dry_run_change *changes, size_t count)
{
    struct dry_run_plan plan = {
        .arena = arena_capped(1 << 20), .service = service, .changes = changes, .change_count = count};
    char id[DRY_RUN_ID + 1];
    struct why why = {0};
    assert_false(failed(dry_run_start(w->runs, &plan, id, &why)));
    const struct dry_run_report *report = dry_run_find(w->runs, SLICE(SCOPE), slice_text(id));
    assert_non_null(report);
    for (unsigned turns = 0; report->status == DRY_RUN_RUNNING; turns++) {
        assert_true(turns < 100000);
        turn(w);
    }
    assert_null(dry_run_find(w->runs, SLICE("0neFFFFFFFF"), slice_text(id))); // another service's
    return report;
}

static struct dry_run_hub of(const struct dry_run_report *report, const char *host)
{
    for (size_t i = 0; i < report->hub_count; i++) {
        if (slice_equal(report->hubs[i].host, slice_text(host)))
            return report->hubs[i];
    }
    fail_msg("nothing is said of %s", host);
    return (struct dry_run_hub){0};
}

// Where the real decision takes the device, with its key in hand or not: the allocation is by its ID alone.
static struct slice truth(struct world *w, const struct service *service, const char *id)
{
    struct enrollment group = {.kind = ENROLLMENT_GROUP, .id = SLICE("g")};
    struct admission admission = {.service = service, .registration_id = slice_text(id)};
    struct decision decision = {.enrollment = &group};
    struct trace trace = {0};
    assert_false(failed(decide_plan(&admission, &w->arena, &decision, &trace, NULL)));
    return decision.hub->host;
}

enum { FLEET = 700 }; // several pages, and slices

// Every device is where hashing puts it; every seventh is of an individual enrollment.
static void put_fleet(struct world *w, const struct service *service)
{
    put_group(w, "g", PROVISIONING_ENABLED);
    for (unsigned i = 0; i < FLEET; i++) {
        char id[16];
        char hub[8] = {0};
        (void)snprintf(id, sizeof id, "dev-%04u", i);
        struct slice host = truth(w, service, id);
        memcpy(hub, host.at, host.len);
        if (i % 7 == 0)
            put_individual(w, id, PROVISIONING_ENABLED);
        put_device(w, id, i % 7 == 0 ? NULL : "g", hub);
    }
}

static void without_a_change_every_device_stays(void **state)
{
    struct world *w = *state;
    struct service service = fleet_service();
    put_fleet(w, &service);
    const struct dry_run_report *report = run(w, &service, NULL, 0);
    assert_int_equal(report->status, DRY_RUN_DONE);
    assert_int_equal(report->total, FLEET);
    assert_int_equal(report->done, FLEET);
    assert_int_equal(report->stay, FLEET);
    size_t now = 0;
    for (size_t i = 0; i < report->hub_count; i++) {
        now += report->hubs[i].now;
        assert_int_equal(report->hubs[i].arrive + report->hubs[i].leave, 0);
    }
    assert_int_equal(now, FLEET);
}

static void a_draining_hub_loses_its_devices_to_where_they_would_really_go(void **state)
{
    struct world *w = *state;
    struct service service = fleet_service();
    put_fleet(w, &service);
    size_t at_h2 = of(run(w, &service, NULL, 0), "h2").now;
    service.hubs[1].state = HUB_DRAINING;
    size_t expected_h1 = 0;
    for (unsigned i = 0; i < FLEET; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "dev-%04u", i);
        expected_h1 += slice_equal(truth(w, &service, id), SLICE("h1"));
    }
    const struct dry_run_report *report = run(w, &service, NULL, 0);
    assert_int_equal(report->move, at_h2);
    assert_int_equal(report->stay, FLEET - at_h2);
    struct dry_run_hub h1 = of(report, "h1"), h2 = of(report, "h2"), h3 = of(report, "h3");
    assert_int_equal(h2.leave, at_h2);
    assert_int_equal(h1.now + h1.arrive, expected_h1);
    assert_int_equal(h1.arrive + h3.arrive, at_h2);
    assert_int_equal(h1.leave + h3.leave + h2.arrive, 0);
}

static void devices_of_a_hub_that_is_no_longer_linked_go_elsewhere(void **state)
{
    struct world *w = *state;
    struct service service = fleet_service();
    put_fleet(w, &service);
    service.hub_count = 2;
    const struct dry_run_report *report = run(w, &service, NULL, 0);
    struct dry_run_hub h3 = of(report, "h3");
    assert_true(h3.now > FLEET / 6);
    assert_int_equal(h3.leave, h3.now);
    assert_int_equal(report->move, h3.now);
}

static void a_capped_hub_takes_no_more_than_it_may_have(void **state)
{
    struct world *w = *state;
    struct service service = fleet_service();
    put_fleet(w, &service);
    struct dry_run_hub before = of(run(w, &service, NULL, 0), "h1");
    service.hubs[1].state = HUB_DRAINING;
    service.hubs[0].capacity = (uint32_t)before.now + 5;
    struct dry_run_hub h1 = of(run(w, &service, NULL, 0), "h1");
    assert_int_equal(h1.arrive - h1.leave, 5);
}

static void a_failing_hub_is_left_out_where_the_service_wants_that(void **state)
{
    struct world *w = *state;
    struct service service = fleet_service();
    put_group(w, "g", PROVISIONING_ENABLED);
    put_device(w, "new-1", "g", "");
    put_device(w, "new-2", "g", "");
    service.avoid_failing_hubs = true;
    service.hub_count = 2;
    set_failing(w, "h1", true);
    const struct dry_run_report *report = run(w, &service, NULL, 0);
    assert_int_equal(report->assign, 2);
    assert_int_equal(of(report, "h2").arrive, 2);
    set_failing(w, "h1", false);
    set_failing(w, "h2", true);
    assert_int_equal(of(run(w, &service, NULL, 0), "h1").arrive, 2);
}

static void devices_that_nobody_admits_are_refused_and_stay(void **state)
{
    struct world *w = *state;
    struct service service = fleet_service();
    put_group(w, "off", PROVISIONING_DISABLED);
    put_group(w, "g", PROVISIONING_ENABLED);
    put_individual(w, "b", PROVISIONING_ENABLED);
    put_individual(w, "zz", PROVISIONING_ENABLED); // that never registered
    put_device(w, "a", NULL, "h1");                // its enrollment is gone
    put_device(w, "b", NULL, "h1");
    put_device(w, "c", "gone", "h1");
    put_device(w, "d", "off", "h2");
    struct enrollment custom = {.kind = ENROLLMENT_GROUP,
                                .id = SLICE("g"),
                                .allocation = ALLOCATION_CUSTOM,
                                .webhook_url = SLICE("https://x")};
    put_device(w, "e", "g", "h2");
    struct dry_run_change changes[] = {{ENROLLMENT_GROUP, SLICE("g"), &custom},
                                       {ENROLLMENT_INDIVIDUAL, SLICE("b"), NULL}};
    const struct dry_run_report *report = run(w, &service, NULL, 0);
    assert_int_equal(report->refused, 3);
    assert_int_equal(report->stay + report->move, 2);
    report = run(w, &service, changes, 2);
    assert_int_equal(report->refused, 4);
    assert_int_equal(report->unknown, 1);
    struct dry_run_hub h1 = of(report, "h1"), h2 = of(report, "h2");
    assert_int_equal(h1.now, 3);
    assert_int_equal(h2.now, 2);
    assert_int_equal(h1.leave + h2.leave + h1.arrive + h2.arrive, 0);
}

static void an_enrollment_that_would_name_one_hub_takes_its_devices_there(void **state)
{
    struct world *w = *state;
    struct service service = fleet_service();
    put_fleet(w, &service);
    struct enrollment group = {.kind = ENROLLMENT_GROUP,
                               .id = SLICE("g"),
                               .allocation = ALLOCATION_STATIC,
                               .hubs = SLICE("[\"h3\"]")};
    struct dry_run_change change = {ENROLLMENT_GROUP, SLICE("g"), &group};
    const struct dry_run_report *report = run(w, &service, &change, 1);
    struct dry_run_hub h3 = of(report, "h3");
    size_t individuals = (FLEET + 6) / 7;
    assert_int_equal(report->stay + report->move, FLEET);
    assert_true(h3.now + h3.arrive >= FLEET - individuals);
    assert_int_equal(h3.arrive, report->move);
    // those who may not be moved stay
    group.reprovision_set = true;
    report = run(w, &service, &change, 1);
    assert_int_equal(report->stay, FLEET);
}

// One change after the other, each compared with what the decision says of every device of the fleet.
static void what_it_says_is_what_then_happens(void **state)
{
    struct world *w = *state;
    struct service before = fleet_service();
    put_fleet(w, &before);
    struct linked_hub as_linked[3];
    memcpy(as_linked, hubs, sizeof hubs);
    for (unsigned change = 0; change < 6; change++) {
        struct service after = fleet_service();
        hubs[0].weight = change == 0 ? 9 : 1;
        hubs[1].allocate = change != 1;
        hubs[2].state = change == 2 ? HUB_CORDONED : change == 3 ? HUB_DRAINING : HUB_OPEN;
        after.allocation = change == 4 ? ALLOCATION_STATIC : ALLOCATION_HASHED;
        after.hub_count = change == 5 ? 1 : 3;
        size_t then[3] = {0};
        for (unsigned i = 0; i < FLEET; i++) {
            char id[16];
            (void)snprintf(id, sizeof id, "dev-%04u", i);
            struct service at_first = {
                .allocation = ALLOCATION_HASHED, .hubs = as_linked, .hub_count = 3, .id_scope = SLICE(SCOPE)};
            struct enrollment group = {.kind = ENROLLMENT_GROUP, .id = SLICE("g")};
            struct registration prior = {.id = slice_text(id),
                                         .status = STATUS_ASSIGNED,
                                         .assigned_hub = truth(w, &at_first, id),
                                         .device_id = slice_text(id)};
            struct admission admission = {.service = &after, .registration_id = prior.id, .prior = &prior};
            struct decision decision = {.enrollment = &group};
            assert_false(failed(decide_plan(&admission, &w->arena, &decision, NULL, NULL)));
            then[decision.hub - hubs]++;
        }
        arena_release(&w->arena);
        const struct dry_run_report *report = run(w, &after, NULL, 0);
        assert_int_equal(report->stay + report->move, FLEET);
        for (size_t h = 0; h < 3; h++) {
            static const char *const hosts[] = {"h1", "h2", "h3"};
            struct dry_run_hub hub = of(report, hosts[h]);
            assert_int_equal(hub.now + hub.arrive - hub.leave, then[h]);
        }
    }
}

static void what_ended_is_kept_for_an_hour_and_four_at_most(void **state)
{
    struct world *w = *state;
    struct service service = fleet_service();
    char ids[6][DRY_RUN_ID + 1];
    struct why why = {0};
    for (size_t i = 0; i < 4; i++) {
        struct dry_run_plan plan = {.arena = arena_capped(1 << 20), .service = &service};
        assert_false(failed(dry_run_start(w->runs, &plan, ids[i], &why)));
    }
    struct dry_run_plan fifth = {.arena = arena_capped(1 << 20), .service = &service};
    assert_int_equal(dry_run_start(w->runs, &fifth, ids[4], &why).code, ERR_OVERLOADED);
    while (dry_runs_running(w->runs))
        turn(w);
    w->now_us += INT64_C(1000000);
    fifth.arena = arena_capped(1 << 20);
    assert_false(failed(dry_run_start(w->runs, &fifth, ids[4], &why)));
    size_t there = 0;
    for (size_t i = 0; i < 5; i++)
        there += dry_run_find(w->runs, SLICE(SCOPE), slice_text(ids[i])) != NULL;
    assert_int_equal(there, 4);
    while (dry_runs_running(w->runs))
        turn(w);
    w->now_us += (DRY_RUN_KEPT_S + 1) * INT64_C(1000000);
    for (size_t i = 0; i < 5; i++)
        assert_null(dry_run_find(w->runs, SLICE(SCOPE), slice_text(ids[i])));
}

static void a_stop_ends_what_runs(void **state)
{
    struct world *w = *state;
    struct service service = fleet_service();
    put_fleet(w, &service);
    char id[DRY_RUN_ID + 1];
    struct dry_run_plan plan = {.arena = arena_capped(1 << 20), .service = &service};
    assert_false(failed(dry_run_start(w->runs, &plan, id, NULL)));
    const struct dry_run_report *report = dry_run_find(w->runs, SLICE(SCOPE), slice_text(id));
    for (unsigned i = 0; i < 4; i++)
        turn(w);
    bool idle = false;
    dry_runs_stop(w->runs, note_idle, &idle);
    while (!idle)
        turn(w);
    assert_int_equal(report->status, DRY_RUN_FAILED);
    assert_int_equal(report->result.code, ERR_STOPPING);
    plan = (struct dry_run_plan){.arena = arena_capped(1 << 20), .service = &service};
    assert_int_equal(dry_run_start(w->runs, &plan, id, NULL).code, ERR_STOPPING);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(without_a_change_every_device_stays),
        TEST(a_draining_hub_loses_its_devices_to_where_they_would_really_go),
        TEST(devices_of_a_hub_that_is_no_longer_linked_go_elsewhere),
        TEST(a_capped_hub_takes_no_more_than_it_may_have),
        TEST(a_failing_hub_is_left_out_where_the_service_wants_that),
        TEST(devices_that_nobody_admits_are_refused_and_stay),
        TEST(an_enrollment_that_would_name_one_hub_takes_its_devices_there),
        TEST(what_it_says_is_what_then_happens),
        TEST(what_ended_is_kept_for_an_hour_and_four_at_most),
        TEST(a_stop_ends_what_runs),
    };
    return cmocka_run_group_tests_name("dry_run", tests, NULL, NULL);
}

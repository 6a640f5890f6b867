// Devices that come from another hub or start anew: what is asked, what stands in the end, and that it stands
// whatever was cut off on the way.
#include <stdio.h>
#include <stdlib.h>

#include "hub/azure/azure_test.h"

#define TWIN     "{\"tags\":{\"site\":\"north\"},\"properties\":{\"desired\":{\"every\":60}}}"
#define REPORTED "{\"fan\":{\"rpm\":900}}"

static void prepare(struct shot *shot, struct world *w, enum hub_twin how)
{
    shot_init(shot, &w->fake, "dev1");
    shot->request.twin_how = how;
    shot->request.twin = SLICE(TWIN);
    shot->request.reported = SLICE(REPORTED);
}

static void run(struct shot *shot)
{
    (void)!failed(shot_run(shot));
}

// The device is there from an earlier time, locked by its operator.
static void leave_one_behind(struct world *w)
{
    struct shot shot;
    prepare(&shot, w, HUB_TWIN_SET);
    shot.request.identity.iot_edge = SWITCH_ON;
    run(&shot);
    assert_result(&shot, ERR_NONE);
    struct registry_device *d = registry_find(&w->registry, SLICE("dev1"));
    (void)snprintf(d->status, sizeof d->status, "disabled");
    (void)snprintf(d->reason, sizeof d->reason, "by hand");
    (void)snprintf(d->reported, sizeof d->reported, "{\"old\":1}");
    d->reported_version = 5;
    w->fake.peer.requests = 0;
}

static void assert_stands(struct world *w, enum hub_twin how)
{
    const struct registry_device *d = registry_find(&w->registry, SLICE("dev1"));
    bool import = how == HUB_TWIN_IMPORT;
    assert_non_null(d);
    assert_string_equal(d->tags, "{\"site\":\"north\"}");
    assert_string_equal(d->desired, "{\"every\":60}");
    assert_string_equal(d->reported, import ? REPORTED : "{}");
    assert_int_equal(d->reported_version, import ? 2 : 1); // service-api D.3
}

static void a_reset_makes_another_identity_in_place_of_the_old_one(void **state)
{
    struct world *w = *state;
    leave_one_behind(w);
    struct shot shot;
    prepare(&shot, w, HUB_TWIN_RESET);
    run(&shot);
    assert_result(&shot, ERR_NONE);
    assert_stands(w, HUB_TWIN_RESET);
    assert_int_equal(w->fake.peer.requests, 4);
    const struct registry_device *d = registry_find(&w->registry, SLICE("dev1"));
    assert_string_equal(d->status, "disabled"); // what its operator decided
    assert_string_equal(d->reason, "by hand");
    assert_true(d->edge);
}

static void an_import_makes_the_reported_properties_the_second_version(void **state)
{
    struct world *w = *state;
    struct shot shot;
    prepare(&shot, w, HUB_TWIN_IMPORT);
    run(&shot);
    assert_result(&shot, ERR_NONE);
    assert_string_equal(shot.request.why.text, "");
    assert_stands(w, HUB_TWIN_IMPORT);
    assert_int_equal(bench_count_log(&w->fake.peer.bench, "hub.reported_not_taken"), 0);
}

// Each step of each way, once cut off before the hub did it and once after: nobody knows, so it is asked
// again, and then all is as if nothing had happened.
static void whatever_is_cut_off_is_made_good_by_asking_again(void **state)
{
    struct world *w = *state;
    static const enum peer_manner cuts[] = {PEER_CUT, PEER_DONE};
    static const enum hub_twin hows[] = {HUB_TWIN_RESET, HUB_TWIN_IMPORT};
    for (size_t i = 0; i < 8; i++) {
        enum hub_twin how = hows[i % 2];
        bool there = i / 2 % 2 == 1;
        size_t steps = (size_t)3 + there + (how == HUB_TWIN_IMPORT);
        for (size_t cut = 0; cut < steps; cut++) {
            w->registry = (struct registry){0};
            if (there)
                leave_one_behind(w);
            for (size_t pass = 0; pass < cut; pass++)
                fake_say(&w->fake, 0, NULL, NULL);
            fake_behave(&w->fake, cuts[i / 4]);
            fake_behave(&w->fake, cuts[i / 4]);
            struct shot shot;
            prepare(&shot, w, how);
            run(&shot);
            assert_result(&shot, ERR_HUB_UNAVAILABLE);
            assert_true(w->fake.scripted <= 1); // there was such a step; what libcurl repeats is cut off, too
            w->fake.scripted = 0;
            struct shot again;
            prepare(&again, w, how);
            run(&again);
            assert_result(&again, ERR_NONE);
            assert_stands(w, how);
        }
    }
}

static void who_creates_the_same_device_meanwhile_is_replaced(void **state)
{
    struct world *w = *state;
    leave_one_behind(w);
    struct shot shot;
    prepare(&shot, w, HUB_TWIN_RESET);
    fake_say(&w->fake, 404, NULL, "{\"Message\":\"ErrorCode:DeviceNotFound;gone\"}"); // and then it is there
    run(&shot);
    assert_result(&shot, ERR_NONE);
    assert_stands(w, HUB_TWIN_RESET);
}

static void a_change_between_reading_and_removing_is_read_again(void **state)
{
    struct world *w = *state;
    leave_one_behind(w);
    struct shot shot;
    prepare(&shot, w, HUB_TWIN_RESET);
    fake_say(&w->fake, 0, NULL, NULL);
    fake_say(&w->fake, 412, NULL, "{}");
    run(&shot);
    assert_result(&shot, ERR_NONE);
    assert_int_equal(w->fake.peer.requests, 6);
    assert_stands(w, HUB_TWIN_RESET);
}

static void a_removal_that_is_refused_leaves_the_device_as_it_was(void **state)
{
    struct world *w = *state;
    leave_one_behind(w);
    struct shot shot;
    prepare(&shot, w, HUB_TWIN_IMPORT);
    fake_say(&w->fake, 0, NULL, NULL);
    fake_say(&w->fake, 400, NULL, "{\"Message\":\"ErrorCode:ArgumentInvalid;no\"}");
    run(&shot);
    assert_result(&shot, ERR_HUB_REFUSED);
    assert_string_equal(registry_find(&w->registry, SLICE("dev1"))->reported, "{\"old\":1}");
}

// The record must not say that the device is where it was, nor that it is nowhere.
static void a_device_that_is_gone_and_not_made_anew_stays_under_way(void **state)
{
    struct world *w = *state;
    leave_one_behind(w);
    struct shot shot;
    prepare(&shot, w, HUB_TWIN_RESET);
    fake_say(&w->fake, 0, NULL, NULL); // read
    fake_say(&w->fake, 0, NULL, NULL); // removed
    fake_say(&w->fake, 403, NULL, "{\"Message\":\"ErrorCode:IotHubQuotaExceeded;full\"}");
    run(&shot);
    assert_result(&shot, ERR_HUB_UNAUTHORIZED);
    assert_null(registry_find(&w->registry, SLICE("dev1")));
    assert_true(shot.request.left_there);
}

static void a_hub_that_takes_no_reported_properties_gets_the_device_all_the_same(void **state)
{
    struct world *w = *state;
    static const enum registry_manner manners[] = {REGISTRY_REFUSES, REGISTRY_IGNORES,
                                                   REGISTRY_KNOWS_NO_BULK};
    for (unsigned i = 0; i < 3; i++) {
        w->registry = (struct registry){.reported = manners[i]};
        struct shot shot;
        prepare(&shot, w, HUB_TWIN_IMPORT);
        run(&shot);
        assert_result(&shot, ERR_NONE);
        assert_true(shot_says(&shot, "did not take the reported properties"));
        assert_int_equal(bench_count_log(&w->fake.peer.bench, "hub.reported_not_taken"), i + 1);
        assert_stands(w, HUB_TWIN_RESET); // with nothing reported
    }
}

// That is no word about reported properties.
static void a_bulk_call_that_fails_is_tried_again(void **state)
{
    struct world *w = *state;
    static const struct {
        int status;
        enum err_code result;
    } table[] = {{429, ERR_HUB_UNAVAILABLE}, {503, ERR_HUB_UNAVAILABLE}, {401, ERR_HUB_UNAUTHORIZED}};
    for (size_t i = 0; i < 3; i++) {
        w->registry = (struct registry){0};
        atomic_fetch_add(&w->fake.peer.skew_us, 60000000); // whoever asked for quiet had it
        fake_say(&w->fake, 0, NULL, NULL);
        fake_say(&w->fake, 0, NULL, NULL);
        fake_say(&w->fake, table[i].status, NULL, "{}");
        struct shot shot;
        prepare(&shot, w, HUB_TWIN_IMPORT);
        run(&shot);
        assert_result(&shot, table[i].result);
        assert_true(shot.request.left_there);
    }
    assert_int_equal(bench_count_log(&w->fake.peer.bench, "hub.reported_not_taken"), 0);
}

// --- reading
// -----------------------------------------------------------------------------------------------------------

static void only_a_device_that_the_hub_says_is_not_there_is_not_there(void **state)
{
    struct world *w = *state;
    static const struct {
        int status;
        const char *body;
        enum err_code result;
    } table[] = {
        {404, "{\"Message\":\"ErrorCode:DeviceNotFound;dev1\"}", ERR_NONE},
        {404, "<html>no such page</html>", ERR_HUB_REFUSED},
        {404, "", ERR_HUB_REFUSED},
        {200, "{\"deviceId\":\"dev1\"}", ERR_HUB_UNAVAILABLE},
        {200, "<html>sign in</html>", ERR_HUB_UNAVAILABLE},
        {500, "", ERR_HUB_UNAVAILABLE},
        {401, "", ERR_HUB_UNAUTHORIZED},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct arena arena = arena_capped(1 << 20);
        struct shot shot;
        prepare(&shot, w, HUB_TWIN_KEEP);
        shot.request.verb = HUB_READ;
        shot.request.arena = &arena;
        shot.request.found = true;
        fake_say(&w->fake, table[i].status, NULL, table[i].body);
        run(&shot);
        assert_result(&shot, table[i].result);
        assert_false(shot.request.found);
        arena_release(&arena);
    }
}

static void a_read_is_one_call_that_changes_nothing(void **state)
{
    struct world *w = *state;
    struct arena arena = arena_capped(1 << 20);
    leave_one_behind(w);
    struct registry_device before = *registry_find(&w->registry, SLICE("dev1"));
    struct shot shot;
    prepare(&shot, w, HUB_TWIN_KEEP);
    shot.request.verb = HUB_READ;
    shot.request.arena = &arena;
    run(&shot);
    assert_result(&shot, ERR_NONE);
    assert_true(shot.request.found);
    assert_slice(shot.request.twin, TWIN);
    assert_slice(shot.request.reported, "{\"old\":1}");
    assert_int_equal(shot.request.identity.iot_edge, SWITCH_ON);
    assert_int_equal(w->fake.peer.requests, 1);
    assert_memory_equal(&before, registry_find(&w->registry, SLICE("dev1")), sizeof before);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HUB(a_reset_makes_another_identity_in_place_of_the_old_one),
        WITH_HUB(an_import_makes_the_reported_properties_the_second_version),
        WITH_HUB(whatever_is_cut_off_is_made_good_by_asking_again),
        WITH_HUB(who_creates_the_same_device_meanwhile_is_replaced),
        WITH_HUB(a_change_between_reading_and_removing_is_read_again),
        WITH_HUB(a_removal_that_is_refused_leaves_the_device_as_it_was),
        WITH_HUB(a_device_that_is_gone_and_not_made_anew_stays_under_way),
        WITH_HUB(a_hub_that_takes_no_reported_properties_gets_the_device_all_the_same),
        WITH_HUB(a_bulk_call_that_fails_is_tried_again),
        WITH_HUB(only_a_device_that_the_hub_says_is_not_there_is_not_there),
        WITH_HUB(a_read_is_one_call_that_changes_nothing),
    };
    return cmocka_run_group_tests_name("hub azure moving", tests, NULL, NULL);
}

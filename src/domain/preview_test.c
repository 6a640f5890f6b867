// A dry run says of each device what then happens.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "domain/preview.h"

enum { HUB_A, HUB_B, HUB_DRAIN, HUBS };

struct dry_run {
    struct arena arena;
    struct linked_hub hubs[HUBS];
    struct service service;
    struct enrollment group;
    struct enrollment own;
    struct registration prior;
    struct admission admission;
    struct preview out;
};

// A device of a group at b.example.com; static allocation, so that the group's hubs say where it goes.
static struct dry_run *dry_run_set_up(void)
{
    static struct dry_run r;
    r = (struct dry_run){.arena = arena_capped(1 << 20),
                         .hubs = {[HUB_A] = {.host = SLICE("a.example.com"), .weight = 1, .allocate = true},
                                  [HUB_B] = {.host = SLICE("b.example.com"), .weight = 1, .allocate = true},
                                  [HUB_DRAIN] = {.host = SLICE("drain.example.com"),
                                                 .weight = 1,
                                                 .allocate = true,
                                                 .state = HUB_DRAINING}},
                         .service = {.allocation = ALLOCATION_STATIC, .hub_count = HUBS},
                         .group = {.kind = ENROLLMENT_GROUP,
                                   .id = SLICE("Group"),
                                   .attestation.type = ATTESTATION_SYMMETRIC_KEY,
                                   .webhook_url = SLICE("https://example.com/")},
                         .own = {.id = SLICE("dev"), .attestation.type = ATTESTATION_SYMMETRIC_KEY},
                         .prior = {.id = SLICE("dev"),
                                   .status = STATUS_ASSIGNED,
                                   .enrollment_kind = ENROLLMENT_GROUP,
                                   .enrollment_id = SLICE("group"),
                                   .assigned_hub = SLICE("b.example.com"),
                                   .device_id = SLICE("Dev")}};
    r.service.hubs = r.hubs;
    r.admission = (struct admission){
        .service = &r.service, .registration_id = SLICE("dev"), .former = &r.group, .prior = &r.prior};
    return &r;
}

static enum preview_end run(struct dry_run *r)
{
    assert_false(failed(decide_preview(&r->admission, &r->arena, &r->out, NULL)));
    assert_int_equal(r->out.hub != NULL, r->out.end == PREVIEW_STAYS || r->out.end == PREVIEW_MOVES);
    assert_int_equal(r->out.why.text[0] != '\0', r->out.end == PREVIEW_REFUSED);
    arena_release(&r->arena);
    return r->out.end;
}

static void a_device_moves_where_the_policy_would_take_it(void **state)
{
    (void)state;
    struct dry_run *r = dry_run_set_up();
    assert_int_equal(run(r), PREVIEW_MOVES);
    assert_ptr_equal(r->out.hub, &r->hubs[HUB_A]);
    r->group.hubs = SLICE("[\"b.example.com\"]");
    r->group.allocation = ALLOCATION_STATIC;
    assert_int_equal(run(r), PREVIEW_STAYS);
    assert_ptr_equal(r->out.hub, &r->hubs[HUB_B]);
    r->group.hubs = SLICE("[\"b.example.com\",\"a.example.com\"]");
    r->hubs[HUB_B].state = HUB_DRAINING;
    assert_int_equal(run(r), PREVIEW_MOVES);
    assert_ptr_equal(r->out.hub, &r->hubs[HUB_A]);
}

static void a_device_that_never_moves_stays_whatever_is_changed_but_the_link(void **state)
{
    (void)state;
    struct dry_run *r = dry_run_set_up();
    r->group.reprovision_set = true;
    assert_int_equal(run(r), PREVIEW_STAYS);
    r->hubs[HUB_B].state = HUB_DRAINING;
    assert_int_equal(run(r), PREVIEW_STAYS);
    r->group.allocation = ALLOCATION_CUSTOM; // nobody is asked
    assert_int_equal(run(r), PREVIEW_STAYS);
    r->group.allocation = ALLOCATION_STATIC;
    r->prior.assigned_hub = SLICE("gone.example.com"); // unlinked
    assert_int_equal(run(r), PREVIEW_MOVES);
    assert_ptr_equal(r->out.hub, &r->hubs[HUB_A]);
}

static void what_a_webhook_would_say_is_not_known(void **state)
{
    (void)state;
    struct dry_run *r = dry_run_set_up();
    r->group.allocation = ALLOCATION_CUSTOM;
    assert_int_equal(run(r), PREVIEW_UNKNOWN);
    r->prior.assigned_hub = (struct slice){0};
    assert_int_equal(run(r), PREVIEW_UNKNOWN);
}

static void a_device_that_is_nowhere_yet_arrives(void **state)
{
    (void)state;
    struct dry_run *r = dry_run_set_up();
    r->prior.status = STATUS_FAILED;
    r->prior.assigned_hub = r->prior.device_id = (struct slice){0};
    assert_int_equal(run(r), PREVIEW_MOVES);
    assert_ptr_equal(r->out.hub, &r->hubs[HUB_A]);
    // an operation that was given up is carried on
    r->prior.intended_hub = SLICE("b.example.com");
    r->prior.intended_device_id = SLICE("Dev");
    assert_int_equal(run(r), PREVIEW_MOVES);
    assert_ptr_equal(r->out.hub, &r->hubs[HUB_B]);
    // but not to a hub that is drained
    r->prior.intended_hub = SLICE("drain.example.com");
    assert_int_equal(run(r), PREVIEW_MOVES);
    assert_ptr_equal(r->out.hub, &r->hubs[HUB_A]);
}

static void a_device_that_would_be_refused_is_told_apart_with_the_reason(void **state)
{
    (void)state;
    struct dry_run *r = dry_run_set_up();
    r->group.provisioning_status = PROVISIONING_DISABLED;
    assert_int_equal(run(r), PREVIEW_REFUSED);
    assert_non_null(strstr(r->out.why.text, "disabled"));
    r = dry_run_set_up();
    r->admission.former = NULL;
    assert_int_equal(run(r), PREVIEW_REFUSED);
    assert_non_null(strstr(r->out.why.text, "gone"));
    r = dry_run_set_up();
    r->own.provisioning_status = PROVISIONING_DISABLED;
    r->admission.individual = &r->own;
    assert_int_equal(run(r), PREVIEW_REFUSED);
    assert_non_null(strstr(r->out.why.text, "individual enrollment dev"));
    r = dry_run_set_up();
    r->group.hubs = SLICE("[\"drain.example.com\"]");
    r->group.allocation = ALLOCATION_STATIC;
    assert_int_equal(run(r), PREVIEW_REFUSED);
    assert_non_null(strstr(r->out.why.text, "drain.example.com (draining)"));
}

// ---- what is said is what happens
// ---------------------------------------------------------------------------------------

static unsigned draw(uint32_t *seed, unsigned below)
{
    *seed = *seed * UINT32_C(1664525) + UINT32_C(1013904223);
    return (*seed >> 8) % below;
}

static void draw_change(struct dry_run *r, uint32_t *seed)
{
    static const enum allocation_policy policies[] = {ALLOCATION_HASHED, ALLOCATION_STATIC,
                                                      ALLOCATION_GEO_LATENCY};
    for (size_t i = 0; i < HUBS; i++) {
        r->hubs[i].weight = 1 + draw(seed, 5);
        r->hubs[i].state = (enum hub_state)draw(seed, 3);
        r->hubs[i].allocate = draw(seed, 4) > 0;
    }
    r->service.hub_count = 1 + draw(seed, HUBS);
    r->service.allocation = policies[draw(seed, 3)];
    r->group.reprovision_set = draw(seed, 4) > 0;
    r->group.update_hub_assignment = draw(seed, 3) > 0;
    r->group.migrate_device_data = draw(seed, 2) > 0;
}

// What the record says after the device registered, or NULL when it was refused.
static const struct linked_hub *registers(struct dry_run *r)
{
    struct admission admission = r->admission;
    struct decision decision = {.enrollment = &r->group};
    admission.credential.kind = CREDENTIAL_SAS;
    struct err e = decide_plan(&admission, &r->arena, &decision, NULL, NULL);
    assert_true(!failed(e) || e.code == ERR_NO_HUB);
    return failed(e) ? NULL : decision.hub;
}

static void ten_thousand_devices_do_what_was_said(void **state)
{
    (void)state;
    static const struct slice homes[] = {SLICE("a.example.com"), SLICE("b.example.com"),
                                         SLICE("drain.example.com"), SLICE("gone.example.com")};
    struct dry_run *r = dry_run_set_up();
    unsigned ends[4] = {0};
    uint32_t seed = 1;
    for (unsigned i = 0; i < 10000; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "device-%u", i);
        if (i % 1000 == 0) // ten changes
            draw_change(r, &seed);
        r->admission.registration_id = slice_text(id);
        r->prior.assigned_hub = homes[draw(&seed, 4)];
        assert_false(failed(decide_preview(&r->admission, &r->arena, &r->out, NULL)));
        const struct linked_hub *there = registers(r);
        assert_ptr_equal(r->out.hub, there);
        assert_int_equal(r->out.end, there == NULL                                     ? PREVIEW_REFUSED
                                     : slice_equal(there->host, r->prior.assigned_hub) ? PREVIEW_STAYS
                                                                                       : PREVIEW_MOVES);
        ends[r->out.end]++;
        arena_release(&r->arena);
    }
    assert_true(ends[PREVIEW_STAYS] > 100 && ends[PREVIEW_MOVES] > 100 && ends[PREVIEW_REFUSED] > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_moves_where_the_policy_would_take_it),
        cmocka_unit_test(a_device_that_never_moves_stays_whatever_is_changed_but_the_link),
        cmocka_unit_test(what_a_webhook_would_say_is_not_known),
        cmocka_unit_test(a_device_that_is_nowhere_yet_arrives),
        cmocka_unit_test(a_device_that_would_be_refused_is_told_apart_with_the_reason),
        cmocka_unit_test(ten_thousand_devices_do_what_was_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

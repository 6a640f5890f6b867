// Where devices go: shares by weight, little moving when hubs change, and what each policy picks.
#include "domain/allocate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { DEVICES = 100000 };

static struct linked_hub hub(const char *host, uint32_t weight)
{
    return (struct linked_hub){.host = slice_text(host), .weight = weight, .allocate = true};
}

static const struct linked_hub *hashed(const struct linked_hub *const *hubs, size_t count, unsigned device)
{
    char id[32];
    const struct linked_hub *out = NULL;
    (void)snprintf(id, sizeof id, "device-%05u", device);
    assert_false(failed(allocate_hashed(hubs, count, slice_text(id), &out)));
    return out;
}

// chi_square: a fair hash exceeds this once in a thousand sets of IDs (degrees of freedom: one less than
// hubs).
static void check_shares(const uint32_t *weights, size_t count, double chi_square_most)
{
    static const char *const hosts[] = {"one.example.com", "two.example.com", "three.example.com",
                                        "four.example.com"};
    struct linked_hub hubs[4];
    const struct linked_hub *list[4];
    double counts[4] = {0};
    double chi_square = 0;
    double total = 0;
    for (size_t i = 0; i < count; i++) {
        hubs[i] = hub(hosts[i], weights[i]);
        list[i] = &hubs[i];
        total += weights[i];
    }
    for (unsigned i = 0; i < DEVICES; i++)
        counts[hashed(list, count, i) - hubs]++;
    for (size_t i = 0; i < count; i++) {
        double expected = DEVICES * weights[i] / total;
        double off = counts[i] - expected;
        chi_square += off * off / expected;
        print_message("# weight %u: %.0f of %d, share %.3f %%, off by %+.3f points\n", weights[i], counts[i],
                      DEVICES, 100 * counts[i] / DEVICES, 100 * off / DEVICES);
        assert_true(off < DEVICES * 0.01 && off > -DEVICES * 0.01);
    }
    print_message("# chi-square %.2f\n", chi_square);
    assert_true(chi_square < chi_square_most);
}

static void devices_are_shared_by_weight(void **state)
{
    (void)state;
    check_shares((const uint32_t[]){1, 2, 5}, 3, 13.82);
    check_shares((const uint32_t[]){1, 1}, 2, 10.83);
    check_shares((const uint32_t[]){1000, 250, 40, 10}, 4, 16.27);
}

static void adding_a_hub_moves_only_devices_that_go_to_it(void **state)
{
    (void)state;
    struct linked_hub hubs[] = {hub("one.example.com", 1), hub("two.example.com", 2),
                                hub("three.example.com", 5), hub("new.example.com", 2)};
    const struct linked_hub *const list[] = {&hubs[0], &hubs[1], &hubs[2], &hubs[3]};
    unsigned moved = 0;
    for (unsigned i = 0; i < DEVICES / 5; i++) {
        const struct linked_hub *before = hashed(list, 3, i);
        const struct linked_hub *after = hashed(list, 4, i);
        if (before == after)
            continue;
        assert_ptr_equal(after, &hubs[3]);
        moved++;
    }
    print_message("# moved %u of %d, expected %d\n", moved, DEVICES / 5, DEVICES / 25);
    assert_in_range(moved, DEVICES / 25 - DEVICES / 100, DEVICES / 25 + DEVICES / 100);
}

static void the_order_of_hubs_and_their_case_do_not_matter(void **state)
{
    (void)state;
    struct linked_hub hubs[] = {hub("one.example.com", 1), hub("two.example.com", 1)};
    struct linked_hub capitals[] = {hub("ONE.example.com", 1), hub("Two.Example.com", 1)};
    const struct linked_hub *const list[] = {&hubs[0], &hubs[1]};
    const struct linked_hub *const reversed[] = {&capitals[1], &capitals[0]};
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(hashed(list, 2, i) - hubs, hashed(reversed, 2, i) - capitals);
}

static struct linked_hub linked[] = {
    {.host = {(const uint8_t *)"a.example.com", 13}, .weight = 1, .allocate = true},
    {.host = {(const uint8_t *)"b.example.com", 13}, .weight = 1, .allocate = true},
    {.host = {(const uint8_t *)"off.example.com", 15}, .weight = 1, .allocate = false},
};

// What allocation makes of an enrollment, and what it says about it.
struct attempt {
    struct arena arena;
    struct service service;
    struct enrollment enrollment;
    struct admission admission;
    struct decision out;
    struct trace trace;
    struct why why;
};

static struct attempt attempt_at(struct linked_hub *hubs, size_t count)
{
    return (struct attempt){.arena = arena_capped(65536),
                            .service = {.hubs = hubs, .hub_count = count},
                            .enrollment.webhook_url = slice_text("https://example.com/")};
}

static uint32_t allocate(struct attempt *a, const struct linked_hub *home)
{
    a->admission.service = &a->service;
    a->out = (struct decision){.enrollment = &a->enrollment};
    a->trace.count = 0;
    struct err e =
        allocate_hub(&a->admission, home, slice_text("dev"), &a->arena, &a->out, &a->trace, &a->why);
    assert_int_equal(a->why.text[0] != '\0', failed(e));
    return e.code;
}

static bool told(const struct attempt *a, const char *text)
{
    for (size_t i = 0; i < a->trace.count; i++) {
        struct slice line = a->trace.lines[i].text;
        if (slice_find(line, slice_text(text)) < line.len)
            return true;
    }
    return false;
}

#define CHECK_TOLD(attempt, says)                                                                            \
    do {                                                                                                     \
        if (!told(attempt, says)) {                                                                          \
            for (size_t line_ = 0; line_ < (attempt)->trace.count; line_++)                                  \
                print_message("# %.*s\n", SLICE_ARG((attempt)->trace.lines[line_].text));                    \
            fail_msg("the trace does not say: %s", says);                                                    \
        }                                                                                                    \
    } while (0)

static const struct {
    const char *hubs; // of the enrollment
    const char *legacy;
    enum allocation_policy policy;
    enum allocation_policy of_service;
    size_t candidates;
    const char *chosen; // NULL: any of the candidates, or asked for
    enum err_code code;
} cases[] = {
    {"", "", ALLOCATION_UNSET, ALLOCATION_HASHED, 2, NULL, ERR_NONE},
    {"", "", ALLOCATION_UNSET, ALLOCATION_UNSET, 2, NULL, ERR_NONE},
    {"", "", ALLOCATION_UNSET, ALLOCATION_STATIC, 2, "a.example.com", ERR_NONE},
    {"", "", ALLOCATION_STATIC, ALLOCATION_HASHED, 2, "a.example.com", ERR_NONE},
    {"", "", ALLOCATION_GEO_LATENCY, ALLOCATION_HASHED, 2, NULL, ERR_NONE},
    {"", "", ALLOCATION_CUSTOM, ALLOCATION_HASHED, 2, NULL, ERR_NONE},
    {"[\"b.example.com\"]", "", ALLOCATION_STATIC, ALLOCATION_HASHED, 1, "b.example.com", ERR_NONE},
    {"[\"B.EXAMPLE.com\",\"b.example.com\"]", "", ALLOCATION_HASHED, ALLOCATION_HASHED, 1, "b.example.com",
     ERR_NONE},
    {"[\"b.example.com\",\"a.example.com\"]", "", ALLOCATION_STATIC, ALLOCATION_HASHED, 2, "b.example.com",
     ERR_NONE},
    {"[\"gone.example.com\",\"a.example.com\"]", "", ALLOCATION_HASHED, ALLOCATION_HASHED, 1, "a.example.com",
     ERR_NONE},
    {"[\"off.example.com\"]", "", ALLOCATION_STATIC, ALLOCATION_HASHED, 0, NULL, ERR_NO_HUB},
    {"[\"gone.example.com\"]", "", ALLOCATION_HASHED, ALLOCATION_HASHED, 0, NULL, ERR_NO_HUB},
    {"[\"gone.example.com\"]", "", ALLOCATION_CUSTOM, ALLOCATION_HASHED, 0, NULL, ERR_NO_HUB},
    {"", "b.example.com", ALLOCATION_UNSET, ALLOCATION_HASHED, 1, "b.example.com", ERR_NONE},
    {"", "b.example.com", ALLOCATION_STATIC, ALLOCATION_HASHED, 1, "b.example.com", ERR_NONE},
    {"", "gone.example.com", ALLOCATION_UNSET, ALLOCATION_HASHED, 0, NULL, ERR_NO_HUB},
    {"[\"a.example.com\"]", "b.example.com", ALLOCATION_HASHED, ALLOCATION_HASHED, 1, "a.example.com",
     ERR_NONE},
};

static void the_policy_picks_among_the_hubs_that_the_enrollment_allows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct attempt a = attempt_at(linked, 3);
        a.service.allocation = cases[i].of_service;
        a.enrollment.allocation = cases[i].policy;
        a.enrollment.hubs = slice_text(cases[i].hubs);
        a.enrollment.hub_host_name = slice_text(cases[i].legacy);
        uint32_t code = allocate(&a, NULL);
        bool right = cases[i].chosen == NULL ||
                     (a.out.hub != NULL && slice_equal(a.out.hub->host, slice_text(cases[i].chosen)));
        if (a.out.candidate_count != cases[i].candidates || code != cases[i].code || !right)
            fail_msg("case %zu: %zu candidates, code %u, %s", i, a.out.candidate_count, code, a.why.text);
        assert_int_equal(a.out.ask, cases[i].policy == ALLOCATION_CUSTOM && code == ERR_NONE);
        assert_int_equal(a.out.hub != NULL, code == ERR_NONE && !a.out.ask);
        arena_release(&a.arena);
    }
}

// ---- hubs that are not to be used
// -------------------------------------------------------------------------------------

enum { HUB_A, HUB_B, HUB_C };

static struct linked_hub condition_hubs[3];
static struct hub_condition conditions[3];

static struct attempt conditions_set_up(void)
{
    static const char *const hosts[] = {"a.example.com", "b.example.com", "c.example.com"};
    for (size_t i = 0; i < 3; i++) {
        condition_hubs[i] = hub(hosts[i], 1);
        conditions[i] = (struct hub_condition){0};
    }
    struct attempt a = attempt_at(condition_hubs, 3);
    a.service.avoid_failing_hubs = true;
    a.enrollment.allocation = ALLOCATION_STATIC;
    a.admission.conditions = conditions;
    return a;
}

static void static_allocation_falls_to_the_next_hub_and_says_why(void **state)
{
    (void)state;
    struct attempt a = conditions_set_up();
    condition_hubs[HUB_A].state = HUB_DRAINING;
    condition_hubs[HUB_B].state = HUB_CORDONED;
    assert_int_equal(allocate(&a, NULL), ERR_NONE);
    assert_ptr_equal(a.out.hub, &condition_hubs[HUB_C]);
    CHECK_TOLD(&a, "a.example.com (draining)");
    CHECK_TOLD(&a, "b.example.com (cordoned)");
    arena_release(&a.arena);
}

static void a_hub_takes_as_many_devices_as_it_may_have(void **state)
{
    (void)state;
    struct attempt a = conditions_set_up();
    condition_hubs[HUB_A].capacity = 100;
    conditions[HUB_A].devices = 99;
    assert_int_equal(allocate(&a, NULL), ERR_NONE);
    assert_ptr_equal(a.out.hub, &condition_hubs[HUB_A]);
    conditions[HUB_A].devices = 100;
    assert_int_equal(allocate(&a, NULL), ERR_NONE);
    assert_ptr_equal(a.out.hub, &condition_hubs[HUB_B]);
    CHECK_TOLD(&a, "a.example.com (full: 100 of 100 devices)");
    arena_release(&a.arena);
}

static void a_failing_hub_is_left_out_where_the_service_wants_that(void **state)
{
    (void)state;
    struct attempt a = conditions_set_up();
    conditions[HUB_A].failing = true;
    assert_int_equal(allocate(&a, NULL), ERR_NONE);
    assert_ptr_equal(a.out.hub, &condition_hubs[HUB_B]);
    CHECK_TOLD(&a, "a.example.com (failing)");
    a.service.avoid_failing_hubs = false;
    assert_int_equal(allocate(&a, NULL), ERR_NONE);
    assert_ptr_equal(a.out.hub, &condition_hubs[HUB_A]);
    arena_release(&a.arena);
}

static void failing_hubs_count_again_when_nothing_else_is_left(void **state)
{
    (void)state;
    struct attempt a = conditions_set_up();
    conditions[HUB_A].failing = conditions[HUB_B].failing = true;
    condition_hubs[HUB_A].state = HUB_CORDONED; // which it would be if it were well
    condition_hubs[HUB_C].state = HUB_DRAINING;
    assert_int_equal(allocate(&a, NULL), ERR_NONE);
    assert_int_equal(a.out.candidate_count, 1);
    assert_ptr_equal(a.out.hub, &condition_hubs[HUB_B]);
    CHECK_TOLD(&a, "count all the same");
    arena_release(&a.arena);
}

static void the_hub_where_a_device_is_counts_for_it_unless_it_is_drained(void **state)
{
    (void)state;
    struct attempt a = conditions_set_up();
    const struct linked_hub *home = &condition_hubs[HUB_A];
    condition_hubs[HUB_A].state = HUB_CORDONED;
    condition_hubs[HUB_A].capacity = 1;
    conditions[HUB_A] = (struct hub_condition){.failing = true, .devices = 7};
    assert_int_equal(allocate(&a, home), ERR_NONE);
    assert_ptr_equal(a.out.hub, home);
    assert_int_equal(allocate(&a, NULL), ERR_NONE);
    assert_ptr_equal(a.out.hub, &condition_hubs[HUB_B]);
    condition_hubs[HUB_A].state = HUB_DRAINING;
    assert_int_equal(allocate(&a, home), ERR_NONE);
    assert_ptr_equal(a.out.hub, &condition_hubs[HUB_B]);
    arena_release(&a.arena);
}

static void when_no_hub_is_left_each_ones_reason_is_told(void **state)
{
    (void)state;
    struct attempt a = conditions_set_up();
    condition_hubs[HUB_A].state = HUB_DRAINING;
    condition_hubs[HUB_B].state = HUB_CORDONED;
    condition_hubs[HUB_C].capacity = 2;
    conditions[HUB_C].devices = 3;
    assert_int_equal(allocate(&a, NULL), ERR_NO_HUB);
    assert_non_null(strstr(a.why.text, "a.example.com (draining)"));
    assert_non_null(strstr(a.why.text, "b.example.com (cordoned)"));
    assert_non_null(strstr(a.why.text, "c.example.com (full: 3 of 2 devices)"));
    arena_release(&a.arena);
}

// The longest trace there is: every hub is named once, and what does not fit in a sentence is counted.
static void many_hubs_are_told_over_several_lines(void **state)
{
    (void)state;
    static char hosts[SERVICE_HUBS_MAX][40];
    static struct linked_hub hubs[SERVICE_HUBS_MAX];
    for (size_t i = 0; i < SERVICE_HUBS_MAX; i++) {
        (void)snprintf(hosts[i], sizeof hosts[i], "hub-%zu.devices.example.com", i);
        hubs[i] = hub(hosts[i], 1);
        hubs[i].state = HUB_CORDONED;
    }
    struct attempt a = attempt_at(hubs, SERVICE_HUBS_MAX);
    assert_int_equal(allocate(&a, NULL), ERR_NO_HUB);
    for (size_t i = 0; i < SERVICE_HUBS_MAX; i++)
        CHECK_TOLD(&a, hosts[i]);
    unsigned long more = 0;
    size_t named = 0;
    const char *end = strstr(a.why.text, ", and ");
    assert_non_null(end);
    more = strtoul(end + strlen(", and "), NULL, 10);
    for (const char *at = strstr(a.why.text, "hub-"); at != NULL; at = strstr(at + 1, "hub-"))
        named++;
    assert_int_equal(named + more, SERVICE_HUBS_MAX);
    arena_release(&a.arena);
}

static void a_service_without_hubs_says_what_to_do(void **state)
{
    (void)state;
    struct attempt a = attempt_at(NULL, 0);
    assert_int_equal(allocate(&a, NULL), ERR_NO_HUB);
    assert_non_null(strstr(a.why.text, "link one"));
    arena_release(&a.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_are_shared_by_weight),
        cmocka_unit_test(adding_a_hub_moves_only_devices_that_go_to_it),
        cmocka_unit_test(the_order_of_hubs_and_their_case_do_not_matter),
        cmocka_unit_test(the_policy_picks_among_the_hubs_that_the_enrollment_allows),
        cmocka_unit_test(static_allocation_falls_to_the_next_hub_and_says_why),
        cmocka_unit_test(a_hub_takes_as_many_devices_as_it_may_have),
        cmocka_unit_test(a_failing_hub_is_left_out_where_the_service_wants_that),
        cmocka_unit_test(failing_hubs_count_again_when_nothing_else_is_left),
        cmocka_unit_test(the_hub_where_a_device_is_counts_for_it_unless_it_is_drained),
        cmocka_unit_test(when_no_hub_is_left_each_ones_reason_is_told),
        cmocka_unit_test(many_hubs_are_told_over_several_lines),
        cmocka_unit_test(a_service_without_hubs_says_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

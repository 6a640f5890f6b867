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

static void devices_are_shared_by_weight(void **state)
{
    (void)state;
    struct linked_hub hubs[] = {hub("one.example.com", 1), hub("two.example.com", 2),
                                hub("three.example.com", 5)};
    const struct linked_hub *const list[] = {&hubs[0], &hubs[1], &hubs[2]};
    double counts[3] = {0};
    double chi_square = 0;
    for (unsigned i = 0; i < DEVICES; i++)
        counts[hashed(list, 3, i) - hubs]++;
    for (size_t i = 0; i < 3; i++) {
        double expected = DEVICES * hubs[i].weight / 8.0;
        double off = counts[i] - expected;
        chi_square += off * off / expected;
        print_message("# weight %u: %.0f of %d, share %.3f %%, off by %+.3f points\n", hubs[i].weight,
                      counts[i], DEVICES, 100 * counts[i] / DEVICES, 100 * off / DEVICES);
        assert_true(off < DEVICES * 0.01 && off > -DEVICES * 0.01);
    }
    // two degrees of freedom: a fair hash exceeds this once in a thousand sets of IDs
    print_message("# chi-square %.2f\n", chi_square);
    assert_true(chi_square < 13.82);
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

static const struct {
    const char *hubs; // of the enrollment
    const char *legacy;
    enum allocation_policy policy;
    enum allocation_policy of_service;
    size_t candidates;
    const char *chosen; // NULL: any of the candidates
    enum err_code code;
} cases[] = {
    {"", "", ALLOCATION_UNSET, ALLOCATION_HASHED, 2, NULL, ERR_NONE},
    {"", "", ALLOCATION_UNSET, ALLOCATION_UNSET, 2, NULL, ERR_NONE},
    {"", "", ALLOCATION_UNSET, ALLOCATION_STATIC, 2, "a.example.com", ERR_NONE},
    {"", "", ALLOCATION_STATIC, ALLOCATION_HASHED, 2, "a.example.com", ERR_NONE},
    {"", "", ALLOCATION_GEO_LATENCY, ALLOCATION_HASHED, 2, NULL, ERR_NONE},
    {"", "", ALLOCATION_CUSTOM, ALLOCATION_HASHED, 2, NULL, ERR_WEBHOOK},
    {"[\"b.example.com\"]", "", ALLOCATION_STATIC, ALLOCATION_HASHED, 1, "b.example.com", ERR_NONE},
    {"[\"B.EXAMPLE.com\",\"b.example.com\"]", "", ALLOCATION_HASHED, ALLOCATION_HASHED, 1, "b.example.com",
     ERR_NONE},
    {"[\"b.example.com\",\"a.example.com\"]", "", ALLOCATION_STATIC, ALLOCATION_HASHED, 2, "b.example.com",
     ERR_NONE},
    {"[\"gone.example.com\",\"a.example.com\"]", "", ALLOCATION_HASHED, ALLOCATION_HASHED, 1, "a.example.com",
     ERR_NONE},
    {"[\"off.example.com\"]", "", ALLOCATION_STATIC, ALLOCATION_HASHED, 0, NULL, ERR_NO_HUB},
    {"[\"gone.example.com\"]", "", ALLOCATION_HASHED, ALLOCATION_HASHED, 0, NULL, ERR_NO_HUB},
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
        struct arena arena = arena_capped(65536);
        struct service service = {.hubs = linked, .hub_count = 3, .allocation = cases[i].of_service};
        struct enrollment e = {.allocation = cases[i].policy,
                               .hubs = slice_text(cases[i].hubs),
                               .hub_host_name = slice_text(cases[i].legacy)};
        const struct linked_hub **candidates = NULL;
        const struct linked_hub *out = NULL;
        struct why why = {0};
        size_t count = 0;
        assert_false(failed(allocate_candidates(&service, &e, &arena, &candidates, &count)));
        struct err result = allocate_hub(&service, &e, SLICE("dev"), &arena, &out, NULL, &why);
        bool right =
            cases[i].chosen == NULL || (out != NULL && slice_equal(out->host, slice_text(cases[i].chosen)));
        if (count != cases[i].candidates || result.code != cases[i].code || !right)
            fail_msg("case %zu: %zu candidates, code %u, %s", i, count, result.code, why.text);
        assert_int_equal(why.text[0] != '\0', failed(result));
        arena_release(&arena);
    }
}

static void a_service_without_hubs_says_what_to_do(void **state)
{
    (void)state;
    struct arena arena = arena_capped(65536);
    struct service service = {0};
    struct enrollment e = {0};
    const struct linked_hub *out = NULL;
    struct why why = {0};
    assert_int_equal(allocate_hub(&service, &e, SLICE("dev"), &arena, &out, NULL, &why).code, ERR_NO_HUB);
    assert_non_null(strstr(why.text, "link one"));
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_are_shared_by_weight),
        cmocka_unit_test(adding_a_hub_moves_only_devices_that_go_to_it),
        cmocka_unit_test(the_order_of_hubs_and_their_case_do_not_matter),
        cmocka_unit_test(the_policy_picks_among_the_hubs_that_the_enrollment_allows),
        cmocka_unit_test(a_service_without_hubs_says_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// What a device's registration needs to know, in one request.
#include "store/conformance_test.h"

static struct store_admission admission_of(struct bench *b, const char *partition, const char *key)
{
    struct store_request r = {
        .verb = STORE_ADMISSION, .partition = slice_text(partition), .key = slice_text(key)};
    assert_ok(bench_do(b, &r));
    return r.admission;
}

static void put_group(struct bench *b, const char *partition, const char *key, uint64_t seed,
                      enum attestation_type type)
{
    struct enrollment g = bench_enrollment(ENROLLMENT_GROUP, key, seed);
    g.attestation.type = type;
    assert_ok(bench_put(b, STORE_GROUP, partition, key, &g, STORE_ALWAYS, 0));
}

static void an_unknown_device_of_an_empty_service_has_nothing(void **state)
{
    struct store_admission a = admission_of(*state, "s", "dev");
    assert_null(a.individual);
    assert_null(a.registration);
    assert_int_equal(a.group_count, 0);
}

static void an_individual_enrollment_goes_before_the_groups(void **state)
{
    struct bench *b = *state;
    struct enrollment e = bench_enrollment(ENROLLMENT_INDIVIDUAL, "Dev", 1);
    struct registration r = bench_registration("Dev", "h1", 9);
    assert_ok(bench_put(b, STORE_ENROLLMENT, "s", "dev", &e, STORE_IF_ABSENT, 0));
    put_group(b, "s", "fleet", 2, ATTESTATION_SYMMETRIC_KEY);
    struct store_admission a = admission_of(b, "s", "dev");
    assert_non_null(a.individual);
    assert_text(a.individual->id, "Dev");
    assert_true(secret_equal(&a.individual->attestation.primary_key, &e.attestation.primary_key));
    assert_true(secret_equal(&a.individual->attestation.secondary_key, &e.attestation.secondary_key));
    assert_int_equal(a.group_count, 0);
    assert_null(a.registration);
    assert_ok(bench_put(b, STORE_REGISTRATION, "s", "dev", &r, STORE_IF_ABSENT, 0));
    a = admission_of(b, "s", "dev");
    assert_non_null(a.registration);
    assert_int_equal(a.registration->etag, 9);
    assert_text(a.registration->assigned_hub, "h1");
}

static void the_groups_with_keys_of_this_service_are_candidates(void **state)
{
    struct bench *b = *state;
    put_group(b, "s", "a", 1, ATTESTATION_SYMMETRIC_KEY);
    put_group(b, "s", "b", 2, ATTESTATION_X509);
    put_group(b, "s", "c", 3, ATTESTATION_SYMMETRIC_KEY);
    put_group(b, "sx", "d", 4, ATTESTATION_SYMMETRIC_KEY);
    put_group(b, "r", "e", 5, ATTESTATION_SYMMETRIC_KEY);
    struct store_admission a = admission_of(b, "s", "dev");
    assert_null(a.individual);
    assert_int_equal(a.group_count, 2);
    assert_text(a.groups[0]->id, "a");
    assert_text(a.groups[1]->id, "c");
    struct enrollment expected = bench_enrollment(ENROLLMENT_GROUP, "c", 3);
    assert_true(secret_equal(&a.groups[1]->attestation.primary_key, &expected.attestation.primary_key));
    a = admission_of(b, "sx", "dev");
    assert_int_equal(a.group_count, 1);
    assert_text(a.groups[0]->id, "d");
}

static void the_group_that_admitted_the_device_before_comes_first(void **state)
{
    struct bench *b = *state;
    static const char *const names[] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < 4; i++)
        put_group(b, "s", names[i], i + 1, ATTESTATION_SYMMETRIC_KEY);
    struct registration r = bench_registration("dev", "h1", 1);
    r.enrollment_id = SLICE("c");
    assert_ok(bench_put(b, STORE_REGISTRATION, "s", "dev", &r, STORE_ALWAYS, 0));
    struct store_admission a = admission_of(b, "s", "dev");
    assert_text(a.groups[0]->id, "a"); // an individual enrollment named c admitted it
    r.enrollment_kind = ENROLLMENT_GROUP;
    r.etag = 2;
    assert_ok(bench_put(b, STORE_REGISTRATION, "s", "dev", &r, STORE_ALWAYS, 0));
    a = admission_of(b, "s", "dev");
    assert_int_equal(a.group_count, 4);
    assert_text(a.groups[0]->id, "c");
    unsigned seen = 0;
    for (size_t i = 0; i < 4; i++)
        seen |= 1U << (a.groups[i]->id.at[0] - 'a');
    assert_int_equal(seen, 15);
}

static void a_changed_group_counts_from_the_answer_on(void **state)
{
    struct bench *b = *state;
    for (uint64_t i = 1; i <= 20; i++) {
        put_group(b, "s", "fleet", i, ATTESTATION_SYMMETRIC_KEY);
        struct store_admission a = admission_of(b, "s", "dev");
        assert_int_equal(a.group_count, 1);
        assert_int_equal(a.groups[0]->etag, i);
        a = admission_of(b, "t", "dev");
        assert_int_equal(a.group_count, 0);
    }
    put_group(b, "s", "other", 30, ATTESTATION_SYMMETRIC_KEY);
    assert_int_equal(admission_of(b, "s", "dev").group_count, 2);
    put_group(b, "s", "other", 31, ATTESTATION_X509);
    assert_int_equal(admission_of(b, "s", "dev").group_count, 1);
    assert_ok(bench_delete(b, STORE_GROUP, "s", "fleet", STORE_ALWAYS, 0));
    assert_int_equal(admission_of(b, "s", "dev").group_count, 0);
}

static void groups_changed_by_another_client_count_too(void **state)
{
    struct bench *b = *state;
    struct bench other = {0};
    bench_join(&other, b->store);
    put_group(b, "s", "fleet", 1, ATTESTATION_SYMMETRIC_KEY);
    assert_int_equal(admission_of(&other, "s", "dev").groups[0]->etag, 1);
    put_group(b, "s", "fleet", 2, ATTESTATION_SYMMETRIC_KEY);
    assert_int_equal(admission_of(&other, "s", "dev").groups[0]->etag, 2);
    bench_leave(&other);
}

static void services_with_groups_do_not_get_in_each_others_way(void **state)
{
    struct bench *b = *state;
    char name[] = "s0";
    for (uint64_t i = 0; i < 9; i++) {
        name[1] = (char)('0' + i);
        put_group(b, name, "fleet", i + 1, ATTESTATION_SYMMETRIC_KEY);
    }
    for (uint64_t round = 0; round < 27; round++) {
        uint64_t i = round * 4 % 9;
        name[1] = (char)('0' + i);
        struct store_admission a = admission_of(b, name, "dev");
        assert_int_equal(a.group_count, 1);
        assert_int_equal(a.groups[0]->etag, i + 1);
    }
}

// What a request was given stays as it was until its memory is released, whatever happens to the groups
// meanwhile.
static void groups_in_use_do_not_change_under_a_request(void **state)
{
    struct bench *b = *state;
    struct arena arena = arena_capped(1 << 20);
    put_group(b, "s", "fleet", 1, ATTESTATION_SYMMETRIC_KEY);
    struct store_request r = {
        .verb = STORE_ADMISSION, .partition = SLICE("s"), .key = SLICE("dev"), .arena = &arena};
    assert_ok(bench_do(b, &r));
    put_group(b, "s", "fleet", 2, ATTESTATION_SYMMETRIC_KEY);
    assert_int_equal(admission_of(b, "s", "dev").groups[0]->etag, 2);
    assert_ok(bench_delete(b, STORE_GROUP, "s", "fleet", STORE_ALWAYS, 0));
    assert_int_equal(admission_of(b, "s", "dev").group_count, 0);
    struct enrollment expected = bench_enrollment(ENROLLMENT_GROUP, "fleet", 1);
    assert_int_equal(r.admission.groups[0]->etag, 1);
    assert_text(r.admission.groups[0]->id, "fleet");
    assert_true(
        secret_equal(&r.admission.groups[0]->attestation.primary_key, &expected.attestation.primary_key));
    arena_release(&arena);
}

const struct CMUnitTest conformance_admission_tests[] = {
    cmocka_unit_test(an_unknown_device_of_an_empty_service_has_nothing),
    cmocka_unit_test(an_individual_enrollment_goes_before_the_groups),
    cmocka_unit_test(the_groups_with_keys_of_this_service_are_candidates),
    cmocka_unit_test(the_group_that_admitted_the_device_before_comes_first),
    cmocka_unit_test(a_changed_group_counts_from_the_answer_on),
    cmocka_unit_test(groups_changed_by_another_client_count_too),
    cmocka_unit_test(groups_in_use_do_not_change_under_a_request),
    cmocka_unit_test(services_with_groups_do_not_get_in_each_others_way),
};
CONFORMANCE_TESTS(admission);

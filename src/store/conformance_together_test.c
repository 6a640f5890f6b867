// Two records written together: both or neither, whatever is in the way of either.
#include "store/conformance_test.h"

#include <stdio.h>

enum { RIVALS = 60 };

// A registration, and the device that it names, each on a condition.
struct pair {
    struct registration registration;
    struct device device;
    struct store_request put;
    struct store_request also;
};

static struct pair *pair_of(struct pair *p, const char *id, const char *device_id, uint64_t etag)
{
    *p = (struct pair){.registration = bench_registration(id, "h", etag),
                       .device = {.id = slice_text(device_id), .etag = etag}};
    p->registration.device_id = p->device.id;
    p->also = (struct store_request){.verb = STORE_PUT,
                                     .table = STORE_DEVICE,
                                     .partition = SLICE("h"),
                                     .key = p->device.id,
                                     .condition = STORE_IF_ABSENT,
                                     .record = &p->device};
    p->put = (struct store_request){.verb = STORE_PUT,
                                    .table = STORE_REGISTRATION,
                                    .partition = SLICE("s"),
                                    .key = slice_text(id),
                                    .condition = STORE_IF_ABSENT,
                                    .record = &p->registration,
                                    .also = &p->also};
    return p;
}

static uint64_t registration_etag(struct bench *b, const char *id) // 0: there is none
{
    const struct registration *found = bench_get(b, STORE_REGISTRATION, "s", id);
    return found != NULL ? found->etag : 0;
}

static uint64_t device_etag(struct bench *b, const char *id)
{
    const struct device *found = bench_get(b, STORE_DEVICE, "h", id);
    return found != NULL ? found->etag : 0;
}

static void two_records_written_together_are_both_there(void **state)
{
    struct bench *b = *state;
    struct pair p;
    assert_ok(bench_do(b, &pair_of(&p, "dev", "pump", 1)->put));
    assert_ok(p.also.result);
    assert_int_equal(registration_etag(b, "dev"), 1);
    assert_int_equal(device_etag(b, "pump"), 1);
    const struct registration *found = bench_get(b, STORE_REGISTRATION, "s", "dev");
    assert_text(found->device_id, "pump");
}

static void two_records_changed_together_are_both_changed(void **state)
{
    struct bench *b = *state;
    struct pair p;
    assert_ok(bench_do(b, &pair_of(&p, "dev", "pump", 1)->put));
    pair_of(&p, "dev", "pump", 2);
    p.put.condition = p.also.condition = STORE_IF_MATCH;
    p.put.match = p.also.match = 1;
    assert_ok(bench_do(b, &p.put));
    pair_of(&p, "dev", "pump", 3);
    p.put.condition = STORE_ALWAYS;
    p.also.condition = STORE_IF_PRESENT;
    assert_ok(bench_do(b, &p.put));
    assert_int_equal(registration_etag(b, "dev"), 3);
    assert_int_equal(device_etag(b, "pump"), 3);
}

static void when_the_first_may_not_be_written_neither_is(void **state)
{
    struct bench *b = *state;
    struct pair p;
    assert_ok(bench_do(b, &pair_of(&p, "dev", "pump", 1)->put));
    assert_err(bench_do(b, &pair_of(&p, "dev", "other", 2)->put), ERR_CONFLICT);
    assert_ok(p.also.result); // nothing was wrong with it
    assert_non_null(p.put.found);
    assert_int_equal(((struct registration *)p.put.found)->etag, 1);
    pair_of(&p, "dev", "other", 2);
    p.put.condition = STORE_IF_MATCH;
    p.put.match = 7;
    assert_err(bench_do(b, &p.put), ERR_ETAG);
    pair_of(&p, "nobody", "other", 2);
    p.put.condition = STORE_IF_PRESENT;
    assert_err(bench_do(b, &p.put), ERR_ABSENT);
    assert_int_equal(registration_etag(b, "dev"), 1);
    assert_int_equal(registration_etag(b, "nobody"), 0);
    assert_int_equal(device_etag(b, "other"), 0);
}

static void when_the_second_may_not_be_written_neither_is(void **state)
{
    static const struct {
        enum store_condition condition;
        uint64_t match;
        const char *device;
        enum err_code code;
    } cases[] = {
        {STORE_IF_ABSENT, 0, "pump", ERR_CONFLICT},
        {STORE_IF_MATCH, 9, "pump", ERR_ETAG},
        {STORE_IF_MATCH, 1, "other", ERR_ABSENT},
        {STORE_IF_PRESENT, 0, "other", ERR_ABSENT},
    };
    struct bench *b = *state;
    struct pair p;
    assert_ok(bench_do(b, &pair_of(&p, "dev", "pump", 1)->put));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (unsigned exists = 0; exists < 2; exists++) {
            pair_of(&p, exists ? "dev" : "new", cases[i].device, 2);
            p.put.condition = exists ? STORE_IF_MATCH : STORE_IF_ABSENT;
            p.put.match = 1;
            p.also.condition = cases[i].condition;
            p.also.match = cases[i].match;
            assert_err(bench_do(b, &p.put), cases[i].code);
            assert_err(p.also.result, cases[i].code);
            assert_null(p.put.found); // what is there of the first is not what stood in the way
            assert_int_equal(registration_etag(b, "dev"), 1);
            assert_int_equal(registration_etag(b, "new"), 0);
            assert_int_equal(device_etag(b, "pump"), 1);
            assert_int_equal(device_etag(b, "other"), 0);
        }
    }
}

static void a_request_that_failed_may_be_sent_again(void **state)
{
    struct bench *b = *state;
    struct pair p;
    struct device there = {.id = SLICE("pump"), .etag = 5};
    assert_ok(bench_put(b, STORE_DEVICE, "h", "pump", &there, STORE_IF_ABSENT, 0));
    assert_err(bench_do(b, &pair_of(&p, "dev", "pump", 1)->put), ERR_CONFLICT);
    assert_ok(bench_delete(b, STORE_DEVICE, "h", "pump", STORE_ALWAYS, 0));
    assert_ok(bench_do(b, &p.put));
    assert_ok(p.also.result);
    assert_int_equal(device_etag(b, "pump"), 1);
}

// Each request alone would succeed; two of them name the same device.
static void of_rivals_for_one_second_record_exactly_one_writes_both(void **state)
{
    struct bench *b = *state;
    static struct pair pairs[2 * RIVALS];
    static char ids[2 * RIVALS][16], devices[2 * RIVALS][16];
    size_t left = 2 * RIVALS;
    for (size_t i = 0; i < 2 * RIVALS; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "dev-%zu", i);
        (void)snprintf(devices[i], sizeof devices[i], "pump-%zu", i % RIVALS);
        struct pair *p = pair_of(&pairs[i], ids[i], devices[i], i + 1);
        bench_submit(b, &p->put, &left);
    }
    bench_await(b, &left);
    for (size_t i = 0; i < RIVALS; i++) {
        const struct pair *first = &pairs[i], *second = &pairs[i + RIVALS];
        const struct pair *winner = failed(first->put.result) ? second : first;
        const struct pair *loser = winner == first ? second : first;
        assert_ok(winner->put.result);
        assert_err(loser->put.result, ERR_CONFLICT);
        assert_err(loser->also.result, ERR_CONFLICT);
        assert_int_equal(device_etag(b, devices[i]), winner->device.etag);
        assert_int_equal(registration_etag(b, ids[i + RIVALS]), winner == second ? second->device.etag : 0);
        assert_int_equal(registration_etag(b, ids[i]), winner == first ? first->device.etag : 0);
    }
}

static void a_group_that_is_written_second_admits_from_then_on(void **state)
{
    struct bench *b = *state;
    struct store_request admission = {.verb = STORE_ADMISSION, .partition = SLICE("s"), .key = SLICE("dev")};
    assert_ok(bench_do(b, &admission)); // whatever a store keeps in memory, it has it now
    assert_int_equal(admission.admission.group_count, 0);
    struct enrollment group = bench_enrollment(ENROLLMENT_GROUP, "fleet", 1);
    struct pair p;
    pair_of(&p, "dev", "pump", 1);
    p.also = (struct store_request){.verb = STORE_PUT,
                                    .table = STORE_GROUP,
                                    .partition = SLICE("s"),
                                    .key = SLICE("fleet"),
                                    .record = &group};
    assert_ok(bench_do(b, &p.put));
    assert_ok(bench_do(b, &admission));
    assert_int_equal(admission.admission.group_count, 1);
}

static void what_cannot_be_written_together_is_refused_and_changes_nothing(void **state)
{
    struct bench *b = *state;
    struct pair p;
    struct store_request third = {.verb = STORE_PUT, .table = STORE_GROUP, .key = SLICE("k")};
    struct registration same = bench_registration("twin", "h", 1);
    char long_key[STORE_KEY_MAX + 2];
    memset(long_key, 'k', sizeof long_key);
    long_key[sizeof long_key - 1] = 0;
    for (unsigned i = 0; i < 8; i++) {
        pair_of(&p, "dev", "pump", 1);
        p.put.verb = i == 0 ? STORE_DELETE : i == 1 ? STORE_GET : STORE_PUT;
        p.also.verb = i == 2 ? STORE_DELETE : i == 3 ? STORE_GET : STORE_PUT;
        if (i == 4) {
            p.also.table = STORE_REGISTRATION;
            p.also.record = &same;
        }
        p.also.key = i == 5 ? SLICE("") : i == 6 ? slice_text(long_key) : p.also.key;
        p.also.also = i == 7 ? &third : NULL;
        assert_err(bench_do(b, &p.put), ERR_INVALID);
        assert_true(p.put.why.text[0] != '\0');
        assert_int_equal(bench_count(b, STORE_REGISTRATION, "", NULL), 0);
        assert_int_equal(bench_count(b, STORE_DEVICE, "", NULL), 0);
    }
    pair_of(&p, "dev", "pump", 1);
    p.device.etag = 0;
    assert_err(bench_do(b, &p.put), ERR_INVALID);
    assert_int_equal(bench_count(b, STORE_REGISTRATION, "", NULL), 0);
}

const struct CMUnitTest conformance_together_tests[] = {
    cmocka_unit_test(two_records_written_together_are_both_there),
    cmocka_unit_test(two_records_changed_together_are_both_changed),
    cmocka_unit_test(when_the_first_may_not_be_written_neither_is),
    cmocka_unit_test(when_the_second_may_not_be_written_neither_is),
    cmocka_unit_test(a_request_that_failed_may_be_sent_again),
    cmocka_unit_test(of_rivals_for_one_second_record_exactly_one_writes_both),
    cmocka_unit_test(a_group_that_is_written_second_admits_from_then_on),
    cmocka_unit_test(what_cannot_be_written_together_is_refused_and_changes_nothing),
};
CONFORMANCE_TESTS(together);

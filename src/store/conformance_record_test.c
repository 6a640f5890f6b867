// Reading and writing single records: what comes back, and under which conditions a write happens.
#include "store/conformance_test.h"

#include <stdlib.h>

// --- whole records

// No field of these is zero, so that one that a store forgets is missed.
static const struct service_record full_service = {.name = SLICE("Plant"),
                                                   .id_scope = SLICE("0ne0000000A"),
                                                   .document = SLICE("{\"keys\":[\"\\u0000\"]}"),
                                                   .created_us = 1,
                                                   .updated_us = -5,
                                                   .etag = UINT64_MAX};
static const struct hub_record full_hub = {
    .host = SLICE("hub.example"), .document = SLICE("{}"), .created_us = 7, .updated_us = 8, .etag = 9};

static const struct enrollment full_enrollment = {
    .kind = ENROLLMENT_GROUP,
    .id = SLICE("My-Fleet"),
    .device_id = SLICE("Device/1"),
    .attestation = {.type = ATTESTATION_X509,
                    .primary_key = {.bytes = "\x01secret of a key", .len = 16},
                    .secondary_key = {.bytes =
                                          "another secret, this one being as long as a secret may be: 64 by",
                                      .len = 64},
                    .certificate_role = CERTIFICATE_CA_REFERENCE,
                    .primary_certificate = SLICE("\x30\x82\x00\xff"),
                    .secondary_certificate = SLICE("\x30\x82\x00\xfe"),
                    .primary_ca = SLICE("root one"),
                    .secondary_ca = SLICE("root two"),
                    .endorsement_key = SLICE("\x00\x01\x02"),
                    .storage_root_key = SLICE("\x00\x03\x04")},
    .provisioning_status = PROVISIONING_DISABLED,
    .iot_edge = SWITCH_ON,
    .initial_twin = SLICE("{\"tags\":{\"stra\xc3\x9f"
                          "e\":1}}"),
    .device_information = SLICE("{\"a\":null}"),
    .reprovision_set = true,
    .update_hub_assignment = true,
    .migrate_device_data = true,
    .allocation = ALLOCATION_CUSTOM,
    .hubs = SLICE("[\"h1\"]"),
    .hub_host_name = SLICE("legacy"),
    .webhook_url = SLICE("https://x/?code=1"),
    .webhook_api_version = SLICE("2021-10-01"),
    .words = SLICE("n:00000001 c:root"),
    .created_us = 1700000000000000,
    .updated_us = INT64_MAX,
    .etag = 0x8000000000000001};

static const struct registration full_registration = {
    .id = SLICE("DEV-1"),
    .status = STATUS_FAILED,
    .substatus = SUBSTATUS_REPROVISIONED,
    .enrollment_kind = ENROLLMENT_GROUP,
    .enrollment_id = SLICE("my-fleet"),
    .operation_id = SLICE("4.op"),
    .previous_operation_id = SLICE("4.older"),
    .assigned_hub = SLICE("h1"),
    .device_id = SLICE("d1"),
    .intended_hub = SLICE("h2"),
    .intended_device_id = SLICE("d2"),
    .intended_substatus = SUBSTATUS_DATA_MIGRATED,
    .plan_steps = 3,
    .primary_thumbprint = SLICE("CC"),
    .secondary_thumbprint = SLICE("DD"),
    .hub_key = {.bytes = "a key that only one TPM can read", .len = 32},
    .hub_key_tpm = SLICE("e:00"),
    .payload = SLICE("{\"x\":[1,2]}"),
    .left_hub = SLICE("h0"),
    .left_device_id = SLICE("d0"),
    .question = SLICE("{\"model\":4}"),
    .twin = SLICE("{\"tags\":{\"t\":1}}"),
    .address = SLICE("2001:db8::1"),
    .error_code = 400207,
    .error_message = SLICE("no"),
    .created_us = 5,
    .updated_us = 6,
    .etag = 77};

static const struct device full_device = {
    .id = SLICE("Dev'ice\"1"),
    .generation = 638000000000000000,
    .status = DEVICE_DISABLED,
    .status_reason = SLICE("broken; DROP TABLE device"),
    .authentication = HUB_AUTH_SELF_SIGNED,
    .primary_key = {.bytes = "0123456789abcdef0123456789abcde\xee", .len = 32},
    .secondary_key = {.bytes = "0123456789abcdef0123456789abcdefg", .len = 33},
    .primary_thumbprint = SLICE("AA"),
    .secondary_thumbprint = SLICE("BB"),
    .iot_edge = SWITCH_ON,
    .tags = SLICE("{\"site\":\"a\"}"),
    .desired = SLICE("{\"d\":1}"),
    .reported = SLICE("{\"r\":1.5}"),
    .desired_metadata = SLICE("{\"dm\":1}"),
    .reported_metadata = SLICE("{\"rm\":1}"),
    .desired_version = 11,
    .reported_version = 12,
    .twin_version = 13,
    .identity_version = 14,
    .created_us = 15,
    .updated_us = 16,
    .status_updated_us = 17,
    .etag = 18};

static const struct ca_certificate full_certificate = {
    .name = SLICE("Factory-CA"),
    .certificate = SLICE("\x30\x82\x00\xfd"),
    .verified = true,
    .code = {.bytes = "random bytes of a code to prove.", .len = 32},
    .code_until_us = 1,
    .crl_digest = SLICE("\x00\x05"),
    .crl_next_update_us = 2,
    .crl_required = true,
    .not_after_us = 3,
    .words = SLICE("n:00000002"),
    .created_us = 4,
    .updated_us = 5,
    .etag = 6};

static const struct ca_crl full_crl = {
    .name = SLICE("Factory-CA"), .crl = SLICE("\x30\x00\xfc"), .created_us = 1, .updated_us = 2, .etag = 3};

static size_t field_size(const struct column *column)
{
    switch (column->type) {
    case COLUMN_TEXT:
    case COLUMN_BLOB:
    case COLUMN_JSON:
    case COLUMN_FINDERS:
    case COLUMN_SEALED:
        return sizeof(struct slice);
    case COLUMN_SECRET:
        return sizeof(struct secret);
    case COLUMN_INTEGER:
    case COLUMN_TIME:
    case COLUMN_ETAG:
        return 8;
    case COLUMN_WORD:
    case COLUMN_SWITCH:
        return 4;
    case COLUMN_FLAG:
        return 1;
    }
    return 0;
}

// Slices are the same when what they point to is.
static void assert_same_record(enum store_table table, const void *a, const void *b)
{
    const struct columns *columns = columns_of(table);
    assert_non_null(b);
    for (size_t i = 0; i < columns->count; i++) {
        const struct column *column = &columns->list[i];
        const void *x = column_field(column, a), *y = column_field(column, b);
        bool same = field_size(column) == sizeof(struct slice)
                        ? slice_equal(*(const struct slice *)x, *(const struct slice *)y)
                        : memcmp(x, y, field_size(column)) == 0;
        if (!same)
            fail_msg("%s.%s differs", columns->name, column->name);
    }
}

// Takes the known fields out of a record none of whose fields is zero: nothing may be left.
static void assert_all_fields_known(enum store_table table, const void *record)
{
    const struct columns *columns = columns_of(table);
    uint8_t *rest = malloc(columns->size);
    assert_non_null(rest);
    memcpy(rest, record, columns->size);
    for (size_t i = 0; i < columns->count; i++) {
        uint8_t *field = column_field_mut(&columns->list[i], rest);
        size_t nonzero = 0;
        for (size_t at = 0; at < field_size(&columns->list[i]); at++) {
            nonzero += field[at] != 0;
            field[at] = 0;
        }
        if (nonzero == 0)
            fail_msg("this test does not set %s.%s", columns->name, columns->list[i].name);
    }
    for (size_t at = 0; at < columns->size; at++) {
        if (rest[at] != 0)
            fail_msg("byte %zu of %s is in no column", at, columns->name);
    }
    free(rest);
}

static void no_field_of_a_record_is_forgotten(void **state)
{
    (void)state;
    assert_all_fields_known(STORE_SERVICE, &full_service);
    assert_all_fields_known(STORE_HUB, &full_hub);
    assert_all_fields_known(STORE_ENROLLMENT, &full_enrollment);
    assert_all_fields_known(STORE_GROUP, &full_enrollment);
    assert_all_fields_known(STORE_REGISTRATION, &full_registration);
    assert_all_fields_known(STORE_DEVICE, &full_device);
    assert_all_fields_known(STORE_CERTIFICATE, &full_certificate);
    assert_all_fields_known(STORE_CRL, &full_crl);
}

static void assert_round_trip(struct bench *b, enum store_table table, const char *partition,
                              const void *record)
{
    assert_ok(bench_put(b, table, partition, "the-key", record, STORE_IF_ABSENT, 0));
    const void *found = bench_get(b, table, partition, "the-key");
    assert_non_null(found);
    assert_same_record(table, record, found);
    struct store_request r = {
        .verb = STORE_QUERY, .table = table, .partition = slice_text(partition), .limit = 2};
    assert_ok(bench_do(b, &r));
    assert_int_equal(r.count, 1);
    assert_same_record(table, record, r.rows[0]);
}

static void a_record_comes_back_as_it_was_written(void **state)
{
    assert_round_trip(*state, STORE_SERVICE, "", &full_service);
    assert_round_trip(*state, STORE_HUB, "", &full_hub);
    assert_round_trip(*state, STORE_ENROLLMENT, "0ne1", &full_enrollment);
    assert_round_trip(*state, STORE_GROUP, "0ne1", &full_enrollment);
    assert_round_trip(*state, STORE_REGISTRATION, "0ne1", &full_registration);
    assert_round_trip(*state, STORE_DEVICE, "hub.example", &full_device);
    assert_round_trip(*state, STORE_CERTIFICATE, "0ne1", &full_certificate);
    assert_round_trip(*state, STORE_CRL, "0ne1", &full_crl);
}

static void empty_fields_come_back_empty(void **state)
{
    assert_round_trip(*state, STORE_SERVICE, "", &(struct service_record){.etag = 1});
    assert_round_trip(*state, STORE_HUB, "", &(struct hub_record){.etag = 1});
    assert_round_trip(*state, STORE_ENROLLMENT, "0ne1", &(struct enrollment){.etag = 1});
    assert_round_trip(*state, STORE_GROUP, "0ne1", &(struct enrollment){.etag = 1});
    assert_round_trip(*state, STORE_REGISTRATION, "0ne1", &(struct registration){.etag = 1});
    assert_round_trip(*state, STORE_DEVICE, "h", &(struct device){.etag = 1});
    assert_round_trip(*state, STORE_CERTIFICATE, "0ne1", &(struct ca_certificate){.etag = 1});
    assert_round_trip(*state, STORE_CRL, "0ne1", &(struct ca_crl){.etag = 1});
}

static void an_update_leaves_nothing_of_what_was_there(void **state)
{
    struct bench *b = *state;
    struct enrollment old = full_enrollment;
    struct enrollment new = {.id = SLICE("x"), .etag = 2};
    assert_ok(bench_put(b, STORE_ENROLLMENT, "s", "k", &old, STORE_ALWAYS, 0));
    assert_ok(bench_put(b, STORE_ENROLLMENT, "s", "k", &new, STORE_ALWAYS, 0));
    assert_same_record(STORE_ENROLLMENT, &new, bench_get(b, STORE_ENROLLMENT, "s", "k"));
}

static void the_caller_may_reuse_its_memory_after_the_answer(void **state)
{
    struct bench *b = *state;
    char id[] = "original";
    struct registration r = bench_registration(id, "h", 1);
    assert_ok(bench_put(b, STORE_REGISTRATION, "s", "k", &r, STORE_ALWAYS, 0));
    memset(id, 'x', sizeof id - 1);
    struct registration *found = bench_get(b, STORE_REGISTRATION, "s", "k");
    assert_text(found->id, "original");
}

static void large_documents_are_kept(void **state)
{
    struct bench *b = *state;
    enum { LARGE = 1000000 };
    char *text = malloc(LARGE);
    assert_non_null(text);
    for (size_t i = 0; i < LARGE; i++)
        text[i] = (char)('a' + i % 26);
    struct service_record service = {.name = SLICE("s"), .document = slice_of(text, LARGE), .etag = 1};
    struct device device = {.id = SLICE("d"), .reported = slice_of(text, LARGE), .etag = 1};
    assert_round_trip(b, STORE_SERVICE, "", &service);
    struct ca_crl crl = {.name = SLICE("c"), .crl = slice_of(text, LARGE), .etag = 1};
    assert_round_trip(b, STORE_DEVICE, "h", &device);
    assert_round_trip(b, STORE_CRL, "s", &crl);
    free(text);
}

// --- conditions

static void what_was_never_written_is_absent(void **state)
{
    struct bench *b = *state;
    assert_null(bench_get(b, STORE_ENROLLMENT, "s", "nobody"));
    assert_err(bench_delete(b, STORE_ENROLLMENT, "s", "nobody", STORE_ALWAYS, 0), ERR_ABSENT);
    assert_int_equal(bench_count(b, STORE_ENROLLMENT, "s", NULL), 0);
}

static struct store_request put_of(struct enrollment *e, enum store_condition condition, uint64_t match)
{
    return (struct store_request){.verb = STORE_PUT,
                                  .table = STORE_ENROLLMENT,
                                  .partition = SLICE("s"),
                                  .key = SLICE("k"),
                                  .record = e,
                                  .condition = condition,
                                  .match = match};
}

static void creating_what_exists_is_refused_and_shows_it(void **state)
{
    struct bench *b = *state;
    struct enrollment first = bench_enrollment(ENROLLMENT_INDIVIDUAL, "k", 1);
    struct enrollment second = bench_enrollment(ENROLLMENT_INDIVIDUAL, "k", 2);
    struct store_request r = put_of(&first, STORE_IF_ABSENT, 0);
    assert_ok(bench_do(b, &r));
    assert_null(r.found);
    r = put_of(&second, STORE_IF_ABSENT, 0);
    assert_err(bench_do(b, &r), ERR_CONFLICT);
    assert_same_record(STORE_ENROLLMENT, &first, r.found);
    assert_same_record(STORE_ENROLLMENT, &first, bench_get(b, STORE_ENROLLMENT, "s", "k"));
}

static void updating_needs_something_to_update(void **state)
{
    struct bench *b = *state;
    struct enrollment first = bench_enrollment(ENROLLMENT_INDIVIDUAL, "k", 1);
    struct store_request r = put_of(&first, STORE_IF_PRESENT, 0);
    assert_err(bench_do(b, &r), ERR_ABSENT);
    r = put_of(&first, STORE_IF_MATCH, 1);
    assert_err(bench_do(b, &r), ERR_ABSENT);
    assert_null(bench_get(b, STORE_ENROLLMENT, "s", "k"));
    assert_ok(bench_put(b, STORE_ENROLLMENT, "s", "k", &first, STORE_ALWAYS, 0));
    first.etag = 2;
    r = put_of(&first, STORE_IF_PRESENT, 0);
    assert_ok(bench_do(b, &r));
}

static void an_update_with_an_old_etag_is_refused_and_shows_what_is_there(void **state)
{
    struct bench *b = *state;
    struct enrollment first = bench_enrollment(ENROLLMENT_INDIVIDUAL, "k", UINT64_MAX - 1);
    struct enrollment second = bench_enrollment(ENROLLMENT_INDIVIDUAL, "k", 2);
    assert_ok(bench_put(b, STORE_ENROLLMENT, "s", "k", &first, STORE_ALWAYS, 0));
    struct store_request r = put_of(&second, STORE_IF_MATCH, 3);
    assert_err(bench_do(b, &r), ERR_ETAG);
    assert_same_record(STORE_ENROLLMENT, &first, r.found);
    r = put_of(&second, STORE_IF_MATCH, UINT64_MAX - 1);
    assert_ok(bench_do(b, &r));
    assert_same_record(STORE_ENROLLMENT, &second, bench_get(b, STORE_ENROLLMENT, "s", "k"));
}

static void a_delete_obeys_its_condition(void **state)
{
    struct bench *b = *state;
    struct enrollment e = bench_enrollment(ENROLLMENT_INDIVIDUAL, "k", 5);
    assert_ok(bench_put(b, STORE_ENROLLMENT, "s", "k", &e, STORE_ALWAYS, 0));
    assert_err(bench_delete(b, STORE_ENROLLMENT, "s", "k", STORE_IF_MATCH, 4), ERR_ETAG);
    assert_non_null(bench_get(b, STORE_ENROLLMENT, "s", "k"));
    assert_ok(bench_delete(b, STORE_ENROLLMENT, "s", "k", STORE_IF_MATCH, 5));
    assert_null(bench_get(b, STORE_ENROLLMENT, "s", "k"));
    assert_err(bench_delete(b, STORE_ENROLLMENT, "s", "k", STORE_IF_MATCH, 5), ERR_ABSENT);
    assert_ok(bench_put(b, STORE_ENROLLMENT, "s", "k", &e, STORE_IF_ABSENT, 0));
    assert_ok(bench_delete(b, STORE_ENROLLMENT, "s", "k", STORE_IF_PRESENT, 0));
}

// --- who sees what

static void one_service_never_sees_the_records_of_another(void **state)
{
    struct bench *b = *state;
    struct enrollment one = bench_enrollment(ENROLLMENT_INDIVIDUAL, "dev", 1);
    struct enrollment two = bench_enrollment(ENROLLMENT_INDIVIDUAL, "dev", 2);
    assert_ok(bench_put(b, STORE_ENROLLMENT, "0ne1", "dev", &one, STORE_IF_ABSENT, 0));
    assert_null(bench_get(b, STORE_ENROLLMENT, "0ne2", "dev"));
    assert_err(bench_delete(b, STORE_ENROLLMENT, "0ne2", "dev", STORE_ALWAYS, 0), ERR_ABSENT);
    assert_ok(bench_put(b, STORE_ENROLLMENT, "0ne2", "dev", &two, STORE_IF_ABSENT, 0));
    assert_same_record(STORE_ENROLLMENT, &one, bench_get(b, STORE_ENROLLMENT, "0ne1", "dev"));
    assert_int_equal(bench_count(b, STORE_ENROLLMENT, "0ne1", NULL), 1);
    struct store_request r = {
        .verb = STORE_QUERY, .table = STORE_ENROLLMENT, .partition = SLICE("0ne2"), .limit = 10};
    assert_ok(bench_do(b, &r));
    assert_int_equal(r.count, 1);
    assert_same_record(STORE_ENROLLMENT, &two, r.rows[0]);
    assert_ok(bench_delete(b, STORE_ENROLLMENT, "0ne1", "dev", STORE_ALWAYS, 0));
    assert_same_record(STORE_ENROLLMENT, &two, bench_get(b, STORE_ENROLLMENT, "0ne2", "dev"));
}

static void tables_do_not_mix(void **state)
{
    struct bench *b = *state;
    struct enrollment e = bench_enrollment(ENROLLMENT_INDIVIDUAL, "same", 1);
    assert_ok(bench_put(b, STORE_ENROLLMENT, "s", "same", &e, STORE_IF_ABSENT, 0));
    assert_null(bench_get(b, STORE_GROUP, "s", "same"));
    assert_null(bench_get(b, STORE_REGISTRATION, "s", "same"));
    assert_int_equal(bench_count(b, STORE_GROUP, "", NULL), 0);
}

static void keys_are_compared_with_case_and_names_kept_as_written(void **state)
{
    struct bench *b = *state;
    struct device small = {.id = SLICE("pump"), .etag = 1}, capital = {.id = SLICE("Pump"), .etag = 2};
    assert_ok(bench_put(b, STORE_DEVICE, "h", "pump", &small, STORE_IF_ABSENT, 0));
    assert_null(bench_get(b, STORE_DEVICE, "h", "Pump"));
    assert_ok(bench_put(b, STORE_DEVICE, "h", "Pump", &capital, STORE_IF_ABSENT, 0));
    assert_int_equal(bench_count(b, STORE_DEVICE, "h", NULL), 2);
    struct registration r = bench_registration("DEV-1", "h", 1);
    assert_ok(bench_put(b, STORE_REGISTRATION, "s", "dev-1", &r, STORE_IF_ABSENT, 0));
    struct registration *found = bench_get(b, STORE_REGISTRATION, "s", "dev-1");
    assert_text(found->id, "DEV-1");
}

// --- what is refused

static void requests_that_make_no_sense_are_refused(void **state)
{
    struct bench *b = *state;
    struct enrollment e = bench_enrollment(ENROLLMENT_INDIVIDUAL, "k", 1);
    char long_key[STORE_KEY_MAX + 2];
    memset(long_key, 'k', sizeof long_key);
    long_key[sizeof long_key - 1] = 0;
    assert_err(bench_put(b, STORE_ENROLLMENT, "s", "", &e, STORE_ALWAYS, 0), ERR_INVALID);
    assert_err(bench_put(b, STORE_ENROLLMENT, "s", long_key, &e, STORE_ALWAYS, 0), ERR_INVALID);
    e.etag = 0;
    assert_err(bench_put(b, STORE_ENROLLMENT, "s", "k", &e, STORE_ALWAYS, 0), ERR_INVALID);
    struct store_request r = {.verb = STORE_QUERY, .table = STORE_ENROLLMENT, .limit = 0};
    assert_err(bench_do(b, &r), ERR_INVALID);
    r.limit = STORE_LIMIT_MAX + 1;
    assert_err(bench_do(b, &r), ERR_INVALID);
    assert_true(r.why.text[0] != 0);
}

static void an_answer_too_large_for_the_request_fails_that_request_only(void **state)
{
    struct bench *b = *state;
    struct enrollment e = full_enrollment;
    assert_ok(bench_put(b, STORE_ENROLLMENT, "s", "k", &e, STORE_ALWAYS, 0));
    struct arena tiny = arena_capped(64);
    struct store_request r = {.verb = STORE_GET,
                              .table = STORE_ENROLLMENT,
                              .partition = SLICE("s"),
                              .key = SLICE("k"),
                              .arena = &tiny};
    assert_err(bench_do(b, &r), ERR_NO_MEMORY);
    assert_null(r.found);
    arena_release(&tiny);
    assert_same_record(STORE_ENROLLMENT, &e, bench_get(b, STORE_ENROLLMENT, "s", "k"));
}

const struct CMUnitTest conformance_record_tests[] = {
    cmocka_unit_test(no_field_of_a_record_is_forgotten),
    cmocka_unit_test(a_record_comes_back_as_it_was_written),
    cmocka_unit_test(empty_fields_come_back_empty),
    cmocka_unit_test(an_update_leaves_nothing_of_what_was_there),
    cmocka_unit_test(the_caller_may_reuse_its_memory_after_the_answer),
    cmocka_unit_test(large_documents_are_kept),
    cmocka_unit_test(what_was_never_written_is_absent),
    cmocka_unit_test(creating_what_exists_is_refused_and_shows_it),
    cmocka_unit_test(updating_needs_something_to_update),
    cmocka_unit_test(an_update_with_an_old_etag_is_refused_and_shows_what_is_there),
    cmocka_unit_test(a_delete_obeys_its_condition),
    cmocka_unit_test(one_service_never_sees_the_records_of_another),
    cmocka_unit_test(tables_do_not_mix),
    cmocka_unit_test(keys_are_compared_with_case_and_names_kept_as_written),
    cmocka_unit_test(requests_that_make_no_sense_are_refused),
    cmocka_unit_test(an_answer_too_large_for_the_request_fails_that_request_only),
};
CONFORMANCE_TESTS(record);

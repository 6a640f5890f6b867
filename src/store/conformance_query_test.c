// Looking through records: pages, order, counting, and what the query language finds.
#include "store/conformance_test.h"

#include <stdio.h>

// --- pages

static void put_numbered(struct bench *b, const char *partition, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "dev-%03u", i);
        struct registration r = bench_registration(key, i % 2 == 0 ? "even" : "odd", i + 1);
        assert_ok(bench_put(b, STORE_REGISTRATION, partition, key, &r, STORE_IF_ABSENT, 0));
    }
}

static void assert_row(const struct store_request *r, size_t at, const char *id)
{
    const struct registration *row = r->rows[at];
    assert_text(row->id, id);
}

// Walks all pages and checks that they hold dev-000 … in order, each exactly once.
static void assert_pages(struct bench *b, size_t total, size_t limit)
{
    struct slice after = {0};
    char id[16];
    for (size_t seen = 0; seen < total;) {
        struct store_request r = {.verb = STORE_QUERY,
                                  .table = STORE_REGISTRATION,
                                  .partition = SLICE("s"),
                                  .limit = limit,
                                  .after = after};
        assert_ok(bench_do(b, &r));
        size_t expected = total - seen < limit ? total - seen : limit;
        assert_int_equal(r.count, expected);
        for (size_t i = 0; i < r.count; i++) {
            (void)snprintf(id, sizeof id, "dev-%03zu", seen + i);
            assert_row(&r, i, id);
        }
        seen += r.count;
        assert_int_equal(r.more, seen < total);
        assert_null(r.row_partitions);
        after = r.last;
    }
}

static void pages_have_the_asked_size_and_leave_nothing_out(void **state)
{
    struct bench *b = *state;
    put_numbered(b, "s", 0, 30);
    put_numbered(b, "t", 0, 3);
    assert_pages(b, 30, 10);
    assert_pages(b, 30, 7);
    assert_pages(b, 30, 1);
    assert_pages(b, 30, 30);
    assert_pages(b, 30, STORE_LIMIT_MAX);
}

static void a_walk_goes_on_where_it_was_though_records_come_and_go(void **state)
{
    struct bench *b = *state;
    put_numbered(b, "s", 0, 10);
    struct store_request r = {
        .verb = STORE_QUERY, .table = STORE_REGISTRATION, .partition = SLICE("s"), .limit = 5};
    assert_ok(bench_do(b, &r));
    assert_row(&r, 4, "dev-004");
    struct slice after = r.last;
    assert_ok(bench_delete(b, STORE_REGISTRATION, "s", "dev-004", STORE_ALWAYS, 0));
    assert_ok(bench_delete(b, STORE_REGISTRATION, "s", "dev-005", STORE_ALWAYS, 0));
    struct registration early = bench_registration("dev-0035", "h", 1);
    assert_ok(bench_put(b, STORE_REGISTRATION, "s", "dev-0035", &early, STORE_IF_ABSENT, 0));
    r = (struct store_request){.verb = STORE_QUERY,
                               .table = STORE_REGISTRATION,
                               .partition = SLICE("s"),
                               .limit = 5,
                               .after = after};
    assert_ok(bench_do(b, &r));
    assert_int_equal(r.count, 4);
    assert_row(&r, 0, "dev-006");
    assert_false(r.more);
}

static void pages_of_matches_skip_what_does_not_match(void **state)
{
    struct bench *b = *state;
    put_numbered(b, "s", 0, 20);
    struct slice after = {0};
    for (unsigned page = 0; page < 3; page++) {
        struct store_request r = {.verb = STORE_QUERY,
                                  .table = STORE_REGISTRATION,
                                  .partition = SLICE("s"),
                                  .where = bench_where(b, "assignedHub = 'odd'"),
                                  .limit = 4,
                                  .after = after};
        assert_ok(bench_do(b, &r));
        assert_int_equal(r.count, page < 2 ? 4 : 2);
        assert_int_equal(r.more, page < 2);
        char id[16];
        (void)snprintf(id, sizeof id, "dev-%03u", page * 8 + 1);
        assert_row(&r, 0, id);
        after = r.last;
    }
}

static void a_query_over_all_services_says_whose_each_record_is(void **state)
{
    struct bench *b = *state;
    put_numbered(b, "sb", 0, 2);
    put_numbered(b, "sa", 0, 3);
    put_numbered(b, "s", 7, 8);
    static const char *const partitions[] = {"s", "sa", "sa", "sa", "sb", "sb"};
    static const char *const ids[] = {"dev-007", "dev-000", "dev-001", "dev-002", "dev-000", "dev-001"};
    struct slice after = {0};
    for (size_t seen = 0; seen < 6; seen += 2) {
        struct store_request r = {
            .verb = STORE_QUERY, .table = STORE_REGISTRATION, .limit = 2, .after = after};
        assert_ok(bench_do(b, &r));
        assert_int_equal(r.count, 2);
        for (size_t i = 0; i < 2; i++) {
            assert_row(&r, i, ids[seen + i]);
            assert_text(r.row_partitions[i], partitions[seen + i]);
        }
        assert_int_equal(r.more, seen < 4);
        after = r.last;
    }
    assert_int_equal(bench_count(b, STORE_REGISTRATION, "", NULL), 6);
    assert_int_equal(bench_count(b, STORE_REGISTRATION, "", "registrationId = 'dev-001'"), 2);
}

static void counting_agrees_with_what_a_query_finds(void **state)
{
    struct bench *b = *state;
    put_numbered(b, "s", 0, 15);
    assert_int_equal(bench_count(b, STORE_REGISTRATION, "s", NULL), 15);
    assert_int_equal(bench_count(b, STORE_REGISTRATION, "s", "assignedHub = 'even'"), 8);
    assert_int_equal(bench_count(b, STORE_REGISTRATION, "s", "assignedHub = 'none'"), 0);
    assert_int_equal(bench_count(b, STORE_REGISTRATION, "nobody", NULL), 0);
}

// --- conditions

struct finding {
    const char *where;
    const char *ids; // of what is found, each followed by a blank
};

static void assert_findings(struct bench *b, enum store_table table, const char *partition,
                            const struct finding *findings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct store_request r = {.verb = STORE_QUERY,
                                  .table = table,
                                  .partition = slice_text(partition),
                                  .where = bench_where(b, findings[i].where),
                                  .limit = 100};
        struct err e = bench_do(b, &r);
        if (failed(e))
            fail_msg("%s: %s", findings[i].where, r.why.text);
        struct buf ids = buf_capped(4096);
        for (size_t row = 0; row < r.count; row++) {
            // the ID is the first column of every table
            buf_bytes(&ids, *(const struct slice *)column_field(columns_of(table)->list, r.rows[row]));
            buf_u8(&ids, ' ');
        }
        if (!slice_equal(buf_slice(&ids), slice_text(findings[i].ids)))
            fail_msg("%s: found '%.*s', not '%s'", findings[i].where, SLICE_ARG(buf_slice(&ids)),
                     findings[i].ids);
        buf_release(&ids);
        assert_int_equal(bench_count(b, table, partition, findings[i].where), r.count);
    }
}

static void put_enrollment(struct bench *b, const char *key, struct enrollment e)
{
    assert_ok(bench_put(b, STORE_ENROLLMENT, "s", key, &e, STORE_IF_ABSENT, 0));
}

// Three enrollments that differ in every field that a query can name, and two registrations.
static void put_fleet(struct bench *b)
{
    struct enrollment a = bench_enrollment(ENROLLMENT_INDIVIDUAL, "Alpha", 1);
    a.device_id = SLICE("pump-a");
    a.provisioning_status = PROVISIONING_DISABLED;
    a.iot_edge = SWITCH_ON;
    a.initial_twin = SLICE("{\"tags\":{\"site\":\"north\",\"floor\":2,\"note\":null,\"o\":{\"x\":1}},"
                           "\"properties\":{\"desired\":{\"rate\":1.5,\"on\":true}}}");
    a.allocation = ALLOCATION_STATIC;
    a.hub_host_name = SLICE("h1");
    a.reprovision_set = true;
    a.migrate_device_data = true;
    a.created_us = 1700000000000000; // 2023-11-14T22:13:20Z
    put_enrollment(b, "alpha", a);
    struct enrollment c = bench_enrollment(ENROLLMENT_INDIVIDUAL, "beta", 2);
    c.attestation.type = ATTESTATION_X509;
    c.provisioning_status = PROVISIONING_ENABLED;
    c.initial_twin = SLICE("{\"tags\":{\"site\":\"south\",\"floor\":10}}");
    c.allocation = ALLOCATION_HASHED;
    c.created_us = 1700000000500000;
    put_enrollment(b, "beta", c);
    struct enrollment d = bench_enrollment(ENROLLMENT_INDIVIDUAL, "gamma", 3);
    d.provisioning_status = PROVISIONING_NULL;
    d.created_us = 1800000000000000;
    put_enrollment(b, "gamma", d);
    struct registration r = bench_registration("Alpha", "h1", 1);
    assert_ok(bench_put(b, STORE_REGISTRATION, "s", "alpha", &r, STORE_IF_ABSENT, 0));
    r = bench_registration("beta", "h2", 2);
    r.status = STATUS_FAILED;
    r.error_code = 400207;
    r.payload = SLICE("{\"v\":7}");
    r.updated_us = 1700000000000000;
    assert_ok(bench_put(b, STORE_REGISTRATION, "s", "beta", &r, STORE_IF_ABSENT, 0));
    r = bench_registration("gamma", "other service", 3); // same name, another service
    assert_ok(bench_put(b, STORE_REGISTRATION, "t", "gamma", &r, STORE_IF_ABSENT, 0));
}

#define FINDINGS(table) table, sizeof table / sizeof table[0]

static void enrollments_are_found_by_their_fields(void **state)
{
    static const struct finding findings[] = {
        {"registrationId = 'Alpha'", "Alpha "},
        {"registrationId = 'alpha'", ""},
        {"registrationId IN ('beta', 'gamma', 'x')", "beta gamma "},
        {"deviceId = 'pump-a'", "Alpha "},
        {"deviceId = null", "beta gamma "},
        {"deviceId != 'x'", "Alpha "},
        {"attestation.type = 'symmetricKey'", "Alpha gamma "},
        {"attestation.type = 'x509' OR deviceId = 'pump-a'", "Alpha beta "},
        {"provisioningStatus = 'enabled'", "beta gamma "},
        {"provisioningStatus = 'disabled'", "Alpha "},
        {"NOT provisioningStatus = 'disabled'", "beta gamma "},
        {"capabilities.iotEdge = true", "Alpha "},
        {"capabilities.iotEdge = false", "beta gamma "},
        {"allocationPolicy = 'hashed'", "beta "},
        {"allocationPolicy = null", "gamma "},
        {"allocationPolicy = 'static' AND iotHubHostName = 'h1'", "Alpha "},
        {"reprovisionPolicy.migrateDeviceData = true", "Alpha "},
        {"reprovisionPolicy.updateHubAssignment = false", "Alpha "},
        {"reprovisionPolicy.updateHubAssignment = null", "beta gamma "},
    };
    put_fleet(*state);
    assert_findings(*state, STORE_ENROLLMENT, "s", FINDINGS(findings));
}

static void enrollments_are_found_by_time(void **state)
{
    static const struct finding findings[] = {
        {"createdDateTimeUtc = '2023-11-14T22:13:20Z'", "Alpha "},
        {"createdDateTimeUtc = '2023-11-14T22:13:20.5Z'", "beta "},
        {"createdDateTimeUtc > '2023-11-14T22:13:20Z'", "beta gamma "},
        {"createdDateTimeUtc >= '2023-11-14T22:13:20.0000000Z'", "Alpha beta gamma "},
        {"createdDateTimeUtc < '2023-11-15'", "Alpha beta "},
        {"createdDateTimeUtc >= '2023-11-15'", "gamma "},
    };
    put_fleet(*state);
    assert_findings(*state, STORE_ENROLLMENT, "s", FINDINGS(findings));
}

static void enrollments_are_found_by_what_is_in_their_twin(void **state)
{
    static const struct finding findings[] = {
        {"initialTwin.tags.site = 'north'", "Alpha "},
        {"initialTwin.tags.site != 'north'", "beta "},
        {"initialTwin.tags.site = null", "gamma "},
        {"initialTwin.tags.floor > 2", "beta "},
        {"initialTwin.tags.floor >= 2", "Alpha beta "},
        {"initialTwin.tags.floor = '2'", ""},
        {"initialTwin.tags.note = null", "Alpha beta gamma "},
        {"initialTwin.tags.o != null", "Alpha "},
        {"initialTwin.tags.o.x = 1", "Alpha "},
        {"initialTwin.tags.site.deeper = 'north'", ""},
        {"initialTwin.properties.desired.rate < 2", "Alpha "},
        {"initialTwin.properties.desired.on = true", "Alpha "},
    };
    put_fleet(*state);
    assert_findings(*state, STORE_ENROLLMENT, "s", FINDINGS(findings));
}

static void enrollments_are_found_by_where_their_device_is(void **state)
{
    static const struct finding findings[] = {
        {"registrationState.status = 'assigned'", "Alpha "},
        {"registrationState.status = 'unassigned'", "gamma "},
        {"registrationState.status != 'assigned'", "beta gamma "},
        {"registrationState.assignedHub = 'h2'", "beta "},
        {"registrationState.assignedHub = 'other service'", ""},
        {"registrationState.assignedHub = null", "gamma "},
        {"registrationState.errorCode = 400207", "beta "},
        {"registrationState.errorCode = null", "Alpha gamma "},
        {"registrationState.lastUpdatedDateTimeUtc > '2023-01-01'", "beta "},
        {"registrationState.payload.v IN (6, 7)", "beta "},
        {"registrationState.substatus = 'initialAssignment' AND attestation.type = 'symmetricKey'", "Alpha "},
    };
    put_fleet(*state);
    assert_findings(*state, STORE_ENROLLMENT, "s", FINDINGS(findings));
}

static void registrations_are_found_by_status_and_group(void **state)
{
    struct bench *b = *state;
    static const struct finding findings[] = {
        {"enrollmentGroupId = 'fleet'", "g1 g2 "},
        {"enrollmentGroupId = 'fleet' AND status = 'assigning'", "g2 "},
        {"status = 'assigning'", "g2 "},
        {"status = 'Assigning'", ""},
        {"status IN ('assigning', 'failed')", "beta g2 "},
        {"enrollmentGroupId = null", "Alpha beta "},
        {"enrollmentGroupId = 'beta'", ""}, // an individual enrollment of that name
        {"errorCode > 0", "beta "},
    };
    put_fleet(b);
    struct registration r = bench_registration("g1", "h1", 4);
    r.enrollment_kind = ENROLLMENT_GROUP;
    r.enrollment_id = SLICE("fleet");
    assert_ok(bench_put(b, STORE_REGISTRATION, "s", "g1", &r, STORE_IF_ABSENT, 0));
    r.id = SLICE("g2");
    r.status = STATUS_ASSIGNING;
    assert_ok(bench_put(b, STORE_REGISTRATION, "s", "g2", &r, STORE_IF_ABSENT, 0));
    assert_findings(b, STORE_REGISTRATION, "s", FINDINGS(findings));
    static const struct finding everywhere[] = {{"status = 'assigning'", "g2 "},
                                                {"status = 'assigned'", "Alpha g1 gamma "}};
    assert_findings(b, STORE_REGISTRATION, "", FINDINGS(everywhere));
}

static void put_leaver(struct bench *b, const char *partition, const char *id, const char *hub,
                       const char *left)
{
    struct registration r = bench_registration(id, hub, 1);
    r.left_hub = slice_text(left);
    assert_ok(bench_put(b, STORE_REGISTRATION, partition, id, &r, STORE_ALWAYS, 0));
}

static void devices_that_left_something_behind_are_found(void **state)
{
    struct bench *b = *state;
    static const struct finding findings[] = {
        {"leftHub != ''", "a c "},
        {"leftHub <> null", "a c "},
        {"leftHub = 'h1'", "a "},
        {"leftHub = null", "b "},
        {"leftHub != 'h1'", "c "},
        {"leftHub != '' AND assignedHub = 'h2'", "a "},
        {"leftHub != '' OR status = 'assigned'", "a b c "},
    };
    put_leaver(b, "s", "a", "h2", "h1");
    put_leaver(b, "s", "b", "h2", "");
    put_leaver(b, "s", "c", "h3", "h2");
    put_leaver(b, "t", "d", "h3", "h1");
    assert_findings(b, STORE_REGISTRATION, "s", FINDINGS(findings));
    static const struct finding everywhere[] = {{"leftHub != ''", "a c d "}, {"leftHub = 'h1'", "a d "}};
    assert_findings(b, STORE_REGISTRATION, "", FINDINGS(everywhere));
    put_leaver(b, "s", "a", "h2", ""); // and once it is removed, not any more
    static const struct finding later[] = {{"leftHub != ''", "c "}, {"assignedHub = 'h2'", "a b "}};
    assert_findings(b, STORE_REGISTRATION, "s", FINDINGS(later));
}

static void devices_are_found_by_tags_and_properties(void **state)
{
    struct bench *b = *state;
    static const struct finding findings[] = {
        {"tags.site = 'north'", "d1 "},
        {"properties.desired.rate = 5", "d1 d2 "},
        {"properties.reported.fw >= '1.2'", "d2 "},
        {"status = 'enabled'", "d1 "},
        {"deviceId > 'd1'", "d2 "},
        {"capabilities.iotEdge = true", "d2 "},
    };
    struct device d1 = {.id = SLICE("d1"),
                        .tags = SLICE("{\"site\":\"north\"}"),
                        .desired = SLICE("{\"rate\":5}"),
                        .etag = 1};
    struct device d2 = {.id = SLICE("d2"),
                        .status = DEVICE_DISABLED,
                        .iot_edge = SWITCH_ON,
                        .desired = SLICE("{\"rate\":5.0}"),
                        .reported = SLICE("{\"fw\":\"1.3\"}"),
                        .etag = 2};
    assert_ok(bench_put(b, STORE_DEVICE, "h", "d1", &d1, STORE_IF_ABSENT, 0));
    assert_ok(bench_put(b, STORE_DEVICE, "h", "d2", &d2, STORE_IF_ABSENT, 0));
    assert_findings(b, STORE_DEVICE, "h", FINDINGS(findings));
}

static void assert_refused(struct bench *b, enum store_table table, const char *where, const char *because)
{
    struct store_request r = {.verb = STORE_QUERY,
                              .table = table,
                              .partition = SLICE("s"),
                              .where = bench_where(b, where),
                              .limit = 10};
    assert_err(bench_do(b, &r), ERR_QUERY);
    if (strstr(r.why.text, because) == NULL)
        fail_msg("%s: '%s' does not say '%s'", where, r.why.text, because);
    r.verb = STORE_COUNT;
    assert_err(bench_do(b, &r), ERR_QUERY);
}

static void a_field_that_does_not_exist_is_named_with_those_that_do(void **state)
{
    assert_refused(*state, STORE_ENROLLMENT, "colour = 'red'", "colour");
    assert_refused(*state, STORE_ENROLLMENT, "colour = 'red'", "registrationId");
    assert_refused(*state, STORE_REGISTRATION, "status = 'x' AND colour = 1", "colour");
    assert_refused(*state, STORE_ENROLLMENT, "registrationState.colour = 1", "colour");
    assert_refused(*state, STORE_REGISTRATION, "registrationState.status = 'x'", "registrationState");
    assert_refused(*state, STORE_GROUP, "registrationId = 'x'", "enrollmentGroupId");
    assert_refused(*state, STORE_ENROLLMENT, "createdDateTimeUtc > 'yesterday'", "createdDateTimeUtc");
    assert_refused(*state, STORE_ENROLLMENT, "createdDateTimeUtc > 5", "createdDateTimeUtc");
}

static void secrets_and_internals_cannot_be_asked_for(void **state)
{
    static const char *const paths[] = {
        "primary_key",   "primaryKey",   "attestation.symmetricKey.primaryKey",
        "document",      "etag",         "webhook_url",
        "operation_id",  "registration", "attestation",
        "initialTwinX.y"};
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        for (unsigned table = 0; table < STORE_TABLES; table++)
            assert_false(columns_known_path((enum store_table)table, slice_text(paths[i])));
    }
    assert_true(columns_known_path(STORE_ENROLLMENT, SLICE("initialTwin.tags.a")));
    assert_true(columns_known_path(STORE_ENROLLMENT, SLICE("registrationState.status")));
    assert_true(columns_known_path(STORE_DEVICE, SLICE("tags.a.b.c")));
}

const struct CMUnitTest conformance_query_tests[] = {
    cmocka_unit_test(pages_have_the_asked_size_and_leave_nothing_out),
    cmocka_unit_test(a_walk_goes_on_where_it_was_though_records_come_and_go),
    cmocka_unit_test(pages_of_matches_skip_what_does_not_match),
    cmocka_unit_test(a_query_over_all_services_says_whose_each_record_is),
    cmocka_unit_test(counting_agrees_with_what_a_query_finds),
    cmocka_unit_test(enrollments_are_found_by_their_fields),
    cmocka_unit_test(enrollments_are_found_by_time),
    cmocka_unit_test(enrollments_are_found_by_what_is_in_their_twin),
    cmocka_unit_test(enrollments_are_found_by_where_their_device_is),
    cmocka_unit_test(registrations_are_found_by_status_and_group),
    cmocka_unit_test(devices_that_left_something_behind_are_found),
    cmocka_unit_test(devices_are_found_by_tags_and_properties),
    cmocka_unit_test(a_field_that_does_not_exist_is_named_with_those_that_do),
    cmocka_unit_test(secrets_and_internals_cannot_be_asked_for),
};
CONFORMANCE_TESTS(query);

// Records are found by words: what a device that shows certificates gets, and that the words follow the
// records.
#include "store/conformance_test.h"

#include <stdio.h>

// At most STORE_WORDS_MAX words, separated by blanks.
static struct store_admission look(struct bench *b, const char *partition, const char *key, const char *words)
{
    struct slice list[STORE_WORDS_MAX], rest = slice_text(words);
    size_t count = 0;
    while (slice_cut(&rest, ' ', &list[count]))
        count++;
    struct store_request r = {.verb = STORE_ADMISSION,
                              .partition = slice_text(partition),
                              .key = slice_text(key),
                              .words = list,
                              .word_count = count};
    assert_ok(bench_do(b, &r));
    return r.admission;
}

static struct enrollment with_words(enum enrollment_kind kind, const char *id, const char *words,
                                    int64_t written_us)
{
    struct enrollment e = bench_enrollment(kind, id, 1);
    e.attestation.type = ATTESTATION_X509;
    e.words = slice_text(words);
    e.updated_us = written_us;
    return e;
}

static void put_group(struct bench *b, const char *partition, const char *key, const char *words, int64_t at)
{
    struct enrollment e = with_words(ENROLLMENT_GROUP, key, words, at);
    assert_ok(bench_put(b, STORE_GROUP, partition, key, &e, STORE_ALWAYS, 0));
}

static void put_individual(struct bench *b, const char *key, const char *words, int64_t at)
{
    struct enrollment e = with_words(ENROLLMENT_INDIVIDUAL, key, words, at);
    assert_ok(bench_put(b, STORE_ENROLLMENT, "s", key, &e, STORE_ALWAYS, 0));
}

static void put_certificate(struct bench *b, const char *key, const char *words, int64_t at)
{
    struct ca_certificate c = {
        .name = slice_text(key), .words = slice_text(words), .updated_us = at, .etag = 1};
    assert_ok(bench_put(b, STORE_CERTIFICATE, "s", key, &c, STORE_ALWAYS, 0));
}

// The IDs of the groups found, in their order, separated by blanks.
static const char *groups_of(struct bench *b, struct store_admission a)
{
    struct slice text = SLICE("");
    for (size_t i = 0; i < a.group_count; i++)
        assert_ok(arena_printf(&b->arena, &text, "%.*s%s%.*s", SLICE_ARG(text), i > 0 ? " " : "",
                               SLICE_ARG(a.groups[i]->id)));
    return arena_cstr(&b->arena, text);
}

static void assert_groups(struct bench *b, const char *words, const char *expected)
{
    assert_string_equal(groups_of(b, look(b, "s", "dev", words)), expected);
}

static void a_record_is_found_by_each_of_its_words(void **state)
{
    struct bench *b = *state;
    put_group(b, "s", "fleet", "n:00000001 n:00000002", 1);
    assert_groups(b, "n:00000001", "fleet");
    assert_groups(b, "n:00000002", "fleet");
    assert_groups(b, "n:00000009 n:00000002", "fleet");
    assert_groups(b, "n:00000001 n:00000002", "fleet"); // once
    assert_groups(b, "n:00000001 n:00000001", "fleet");
    assert_groups(b, "n:0000000", "");
    assert_groups(b, "n:000000011", "");
    assert_groups(b, "N:00000001", "");
    assert_groups(b, "fleet", "");
    put_group(b, "s", "twice", "n:00000007 n:00000007", 1); // two certificates of one name
    assert_groups(b, "n:00000007", "twice");
}

static void a_device_of_unknown_certificates_finds_nothing(void **state)
{
    struct store_admission a = look(*state, "s", "dev", "n:00000001 f:00");
    assert_null(a.individual);
    assert_null(a.registration);
    assert_null(a.former);
    assert_int_equal(a.group_count + a.certificate_count + a.holder_count + a.crl_count, 0);
}

static void words_lead_to_every_kind_of_record_that_has_them(void **state)
{
    struct bench *b = *state;
    put_group(b, "s", "fleet", "n:1", 1);
    put_group(b, "s", "keys", "", 1);
    put_certificate(b, "ca", "n:1", 1);
    put_individual(b, "blocked", "f:2", 1);
    put_individual(b, "dev", "", 1);
    struct store_admission a = look(b, "s", "dev", "f:2 n:1");
    assert_non_null(a.individual); // beside what its words lead to
    assert_text(a.individual->id, "dev");
    assert_string_equal(groups_of(b, a), "fleet");
    assert_int_equal(a.certificate_count, 1);
    assert_text(a.certificates[0]->name, "ca");
    assert_int_equal(a.holder_count, 1);
    assert_text(a.holders[0]->id, "blocked");
    a = look(b, "s", "dev", "f:2");
    assert_int_equal(a.group_count + a.certificate_count, 0);
    assert_int_equal(a.holder_count, 1);
    a = look(b, "s", "blocked", "f:2"); // it shows its own
    assert_non_null(a.individual);
    assert_int_equal(a.holder_count, 1);
    assert_text(a.holders[0]->id, "blocked");
}

static void without_words_only_keys_admit(void **state)
{
    struct bench *b = *state;
    put_group(b, "s", "fleet", "n:1", 1);
    put_certificate(b, "ca", "n:1", 1);
    put_individual(b, "blocked", "f:2", 1);
    struct store_admission a = look(b, "s", "dev", "");
    assert_int_equal(a.group_count + a.certificate_count + a.holder_count, 0);
}

static void groups_that_refer_to_a_certificate_found_are_found(void **state)
{
    struct bench *b = *state;
    put_certificate(b, "root", "n:1", 1);
    put_certificate(b, "other", "n:2", 1);
    put_group(b, "s", "by-name", "c:root", 1);
    put_group(b, "s", "by-both", "c:other c:root", 2);
    put_group(b, "s", "by-other", "c:other", 3);
    put_group(b, "s", "by-itself", "n:1 c:root", 4);
    put_group(b, "t", "elsewhere", "c:root", 5);
    assert_groups(b, "n:1", "by-itself by-both by-name");
    assert_groups(b, "n:2", "by-other by-both");
    assert_groups(b, "n:1 n:2", "by-itself by-other by-both by-name");
    assert_groups(b, "c:root", "by-itself by-both by-name");
    assert_ok(bench_delete(b, STORE_CERTIFICATE, "s", "root", STORE_ALWAYS, 0)); // counts from then on
    assert_groups(b, "n:1", "by-itself");
}

static void words_of_one_service_find_nothing_of_another(void **state)
{
    struct bench *b = *state;
    put_group(b, "s", "fleet", "n:1", 1);
    assert_int_equal(look(b, "t", "dev", "n:1").group_count, 0);
    assert_int_equal(look(b, "", "dev", "n:1").group_count, 0);
    assert_int_equal(look(b, "sn:1", "dev", "n:1").group_count, 0);
    put_group(b, "t", "fleet", "n:1", 1);
    assert_int_equal(look(b, "t", "dev", "n:1").group_count, 1);
    assert_ok(bench_delete(b, STORE_GROUP, "s", "fleet", STORE_ALWAYS, 0));
    assert_int_equal(look(b, "s", "dev", "n:1").group_count, 0);
    assert_int_equal(look(b, "t", "dev", "n:1").group_count, 1);
}

// --- words follow the records

static void a_changed_record_is_found_by_its_new_words_only(void **state)
{
    struct bench *b = *state;
    put_group(b, "s", "fleet", "n:1 n:2", 1);
    put_group(b, "s", "fleet", "n:2 n:3", 1); // at the same moment
    assert_groups(b, "n:1", "");
    assert_groups(b, "n:2", "fleet");
    assert_groups(b, "n:3", "fleet");
    put_group(b, "s", "fleet", "n:2 n:3", 9); // the words as they were
    assert_groups(b, "n:2 n:3", "fleet");
    put_group(b, "s", "fleet", "", 10);
    assert_groups(b, "n:1 n:2 n:3", "");
    put_group(b, "s", "fleet", "n:1", 10);
    assert_groups(b, "n:1", "fleet");
    assert_ok(bench_delete(b, STORE_GROUP, "s", "fleet", STORE_ALWAYS, 0));
    assert_groups(b, "n:1 n:2 n:3", "");
    put_group(b, "s", "fleet", "n:3", 1);
    assert_groups(b, "n:1 n:2 n:3", "fleet");
}

static void a_changed_record_comes_as_it_is_now(void **state)
{
    struct bench *b = *state;
    struct enrollment e = with_words(ENROLLMENT_GROUP, "fleet", "n:1", 1);
    for (uint64_t i = 1; i <= 20; i++) {
        e.etag = i;
        e.provisioning_status = i % 2 == 0 ? PROVISIONING_DISABLED : PROVISIONING_ENABLED;
        assert_ok(bench_put(b, STORE_GROUP, "s", "fleet", &e, STORE_ALWAYS, 0));
        struct store_admission a = look(b, "s", "dev", "n:1");
        assert_int_equal(a.group_count, 1);
        assert_int_equal(a.groups[0]->etag, i);
        assert_int_equal(a.groups[0]->provisioning_status, e.provisioning_status);
    }
}

static void a_write_that_is_refused_leaves_the_words_alone(void **state)
{
    struct bench *b = *state;
    put_group(b, "s", "fleet", "n:1", 1);
    struct enrollment e = with_words(ENROLLMENT_GROUP, "fleet", "n:2", 2);
    e.etag = 7;
    assert_err(bench_put(b, STORE_GROUP, "s", "fleet", &e, STORE_IF_ABSENT, 0), ERR_CONFLICT);
    assert_err(bench_put(b, STORE_GROUP, "s", "fleet", &e, STORE_IF_MATCH, 5), ERR_ETAG);
    assert_err(bench_delete(b, STORE_GROUP, "s", "fleet", STORE_IF_MATCH, 5), ERR_ETAG);
    assert_err(bench_put(b, STORE_GROUP, "s", "none", &e, STORE_IF_PRESENT, 0), ERR_ABSENT);
    assert_groups(b, "n:2", "");
    assert_groups(b, "n:1", "fleet");
    assert_ok(bench_put(b, STORE_GROUP, "s", "fleet", &e, STORE_IF_MATCH, 1));
    assert_groups(b, "n:1", "");
    assert_groups(b, "n:2", "fleet");
}

// A certificate and a group that is written with it.
static struct err put_together(struct bench *b, const char *certificate_words, const char *group_words,
                               enum store_condition condition)
{
    struct enrollment group = with_words(ENROLLMENT_GROUP, "fleet", group_words, 1);
    struct ca_certificate c = {
        .name = SLICE("root"), .words = slice_text(certificate_words), .updated_us = 1, .etag = 1};
    struct store_request also = {.verb = STORE_PUT,
                                 .table = STORE_GROUP,
                                 .partition = SLICE("s"),
                                 .key = SLICE("fleet"),
                                 .record = &group,
                                 .condition = condition};
    struct store_request r = {.verb = STORE_PUT,
                              .table = STORE_CERTIFICATE,
                              .partition = SLICE("s"),
                              .key = SLICE("root"),
                              .record = &c,
                              .also = &also};
    return bench_do(b, &r);
}

static void words_of_records_written_together_count_together(void **state)
{
    struct bench *b = *state;
    assert_ok(put_together(b, "n:1", "n:2", STORE_IF_ABSENT));
    assert_groups(b, "n:2", "fleet");
    assert_int_equal(look(b, "s", "dev", "n:1").certificate_count, 1);
    assert_err(put_together(b, "n:3", "n:4", STORE_IF_ABSENT), ERR_CONFLICT);
    assert_groups(b, "n:4", "");
    assert_int_equal(look(b, "s", "dev", "n:3").certificate_count, 0);
    assert_int_equal(look(b, "s", "dev", "n:1").certificate_count, 1);
    assert_ok(put_together(b, "n:5", "n:6", STORE_IF_PRESENT));
    assert_groups(b, "n:2 n:6", "fleet");
    struct store_admission a = look(b, "s", "dev", "n:1 n:2");
    assert_int_equal(a.certificate_count + a.group_count, 0);
    a = look(b, "s", "dev", "n:5 n:6");
    assert_int_equal(a.certificate_count, 1);
    assert_int_equal(a.group_count, 1);
}

static void words_written_by_another_client_count_from_the_answer_on(void **state)
{
    struct bench *b = *state;
    struct bench other = {0};
    bench_join(&other, b->store);
    for (uint64_t i = 0; i < 20; i++) {
        put_group(b, "s", "fleet", i % 2 == 0 ? "n:1" : "n:2", (int64_t)i);
        assert_groups(&other, "n:1", i % 2 == 0 ? "fleet" : "");
        assert_groups(&other, "n:2", i % 2 == 0 ? "" : "fleet");
    }
    bench_leave(&other);
}

// --- order and limits

static void what_was_written_last_comes_first(void **state)
{
    struct bench *b = *state;
    put_group(b, "s", "b", "n:1", 20);
    put_group(b, "s", "c", "n:1 n:2", 10);
    put_group(b, "s", "a", "n:2", 30);
    put_group(b, "s", "d", "n:1", -5);
    put_group(b, "s", "e", "n:1", INT64_MIN);
    put_group(b, "s", "f", "n:1", INT64_MAX);
    put_group(b, "s", "g", "n:1", 20); // of the same moment: in the order of their keys
    assert_groups(b, "n:1", "f b g c d e");
    assert_groups(b, "n:1 n:2", "f a b g c d e");
    assert_groups(b, "n:2 n:1", "f a b g c d e");
    put_group(b, "s", "c", "n:1 n:2", 40);
    assert_groups(b, "n:2 n:1", "f c a b g d e");
}

static void of_too_many_only_the_latest_are_given(void **state)
{
    struct bench *b = *state;
    enum { EXTRA = 9, ALL = STORE_FOUND_MAX + EXTRA };
    for (int i = 0; i < ALL; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "g%03d", i * 7 % ALL);
        put_group(b, "s", key, "n:1", i);
        put_individual(b, key, "n:1", i);
        (void)snprintf(key, sizeof key, "h%03d", i * 7 % ALL);
        put_group(b, "s", key, "n:2", i);
    }
    put_certificate(b, "ca", "n:1", -1); // others do not crowd it out
    struct store_admission a = look(b, "s", "dev", "n:1");
    assert_int_equal(a.group_count, STORE_FOUND_MAX);
    assert_int_equal(a.holder_count, STORE_FOUND_MAX);
    assert_int_equal(a.certificate_count, 1);
    for (int i = 0; i < STORE_FOUND_MAX; i++) {
        assert_int_equal(a.groups[i]->updated_us, ALL - 1 - i);
        assert_int_equal(a.holders[i]->updated_us, ALL - 1 - i);
    }
    a = look(b, "s", "dev", "n:1 n:2"); // the latest of all words together
    assert_int_equal(a.group_count, STORE_FOUND_MAX);
    for (int i = 0; i < STORE_FOUND_MAX; i++)
        assert_int_equal(a.groups[i]->updated_us, ALL - 1 - i / 2);
}

static void looks_that_make_no_sense_are_refused(void **state)
{
    struct bench *b = *state;
    struct slice words[STORE_WORDS_MAX + 1];
    for (size_t i = 0; i < STORE_WORDS_MAX + 1; i++)
        words[i] = SLICE("n:1");
    struct store_request r = {.verb = STORE_ADMISSION,
                              .partition = SLICE("s"),
                              .key = SLICE("dev"),
                              .words = words,
                              .word_count = STORE_WORDS_MAX + 1};
    assert_err(bench_do(b, &r), ERR_INVALID);
    r.word_count = STORE_WORDS_MAX;
    assert_ok(bench_do(b, &r));
    r.crls = words;
    r.crl_count = STORE_WORDS_MAX + 1;
    assert_err(bench_do(b, &r), ERR_INVALID);
    char text[STORE_WORD_MAX + 2];
    memset(text, 'w', sizeof text - 1);
    text[sizeof text - 1] = 0;
    struct enrollment e = with_words(ENROLLMENT_GROUP, "fleet", text, 1);
    assert_err(bench_put(b, STORE_GROUP, "s", "fleet", &e, STORE_ALWAYS, 0), ERR_INVALID);
    assert_null(bench_get(b, STORE_GROUP, "s", "fleet"));
    assert_groups(b, text, "");
    text[STORE_WORD_MAX] = 0;
    put_group(b, "s", "fleet", text, 1);
    assert_groups(b, text, "fleet");
}

// --- the group of the registration, and revocation lists

static void register_by(struct bench *b, enum enrollment_kind kind, const char *enrollment)
{
    struct registration r = bench_registration("dev", "h1", 1);
    r.enrollment_kind = kind;
    r.enrollment_id = slice_text(enrollment);
    assert_ok(bench_put(b, STORE_REGISTRATION, "s", "dev", &r, STORE_ALWAYS, 0));
}

static void put_key_group(struct bench *b, const char *key)
{
    struct enrollment g = bench_enrollment(ENROLLMENT_GROUP, key, 1);
    assert_ok(bench_put(b, STORE_GROUP, "s", key, &g, STORE_ALWAYS, 0));
}

static void assert_former(struct bench *b, const char *words, const char *expected)
{
    struct store_admission a = look(b, "s", "dev", words);
    assert_non_null(a.registration);
    if (expected == NULL) {
        assert_null(a.former);
        return;
    }
    assert_non_null(a.former);
    assert_text(a.former->id, expected);
    for (size_t i = 0; i < a.group_count; i++) {
        if (slice_equal(a.groups[i]->id, a.former->id))
            assert_ptr_equal(a.groups[i], a.former); // not read twice
    }
}

static void the_group_of_the_registration_is_named_whatever_its_attestation(void **state)
{
    struct bench *b = *state;
    put_group(b, "s", "certs", "n:1", 1);
    put_group(b, "s", "other", "n:2", 1);
    put_key_group(b, "a-keys");
    put_key_group(b, "keys");
    static const char *const names[] = {"certs", "other", "a-keys", "keys"};
    for (unsigned individual = 0; individual < 2; individual++) {
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            register_by(b, ENROLLMENT_GROUP, names[i]);
            assert_former(b, "", names[i]);
            assert_former(b, "n:1", names[i]);
            assert_former(b, "n:9", names[i]);
        }
        register_by(b, ENROLLMENT_GROUP, "gone");
        assert_former(b, "", NULL);
        assert_former(b, "n:1", NULL);
        register_by(b, ENROLLMENT_INDIVIDUAL, "certs");
        assert_former(b, "", NULL);
        assert_former(b, "n:1", NULL);
        put_individual(b, "dev", "", 1);
    }
    assert_ok(bench_delete(b, STORE_REGISTRATION, "s", "dev", STORE_ALWAYS, 0));
    assert_null(look(b, "s", "dev", "n:1").former);
}

static void revocation_lists_come_by_their_names(void **state)
{
    struct bench *b = *state;
    static const struct slice names[] = {SLICE("root"), SLICE("gone"), SLICE("other")};
    struct slice word = SLICE("n:1");
    for (uint64_t i = 0; i < 3; i += 2) {
        struct ca_crl crl = {.name = names[i], .crl = names[i], .etag = i + 1};
        struct store_request put = {
            .verb = STORE_PUT, .table = STORE_CRL, .partition = SLICE("s"), .key = names[i], .record = &crl};
        assert_ok(bench_do(b, &put));
    }
    struct store_request r = {.verb = STORE_ADMISSION,
                              .partition = SLICE("s"),
                              .key = SLICE("dev"),
                              .words = &word,
                              .word_count = 1,
                              .crls = names,
                              .crl_count = 3};
    assert_ok(bench_do(b, &r));
    assert_int_equal(r.admission.crl_count, 2);
    assert_text(r.admission.crls[0]->crl, "root");
    assert_text(r.admission.crls[1]->crl, "other");
    r.partition = SLICE("t");
    assert_ok(bench_do(b, &r));
    assert_int_equal(r.admission.crl_count, 0);
    r.partition = SLICE("s");
    r.crl_count = 0;
    assert_ok(bench_do(b, &r));
    assert_int_equal(r.admission.crl_count, 0);
}

const struct CMUnitTest conformance_words_tests[] = {
    cmocka_unit_test(a_record_is_found_by_each_of_its_words),
    cmocka_unit_test(a_device_of_unknown_certificates_finds_nothing),
    cmocka_unit_test(words_lead_to_every_kind_of_record_that_has_them),
    cmocka_unit_test(without_words_only_keys_admit),
    cmocka_unit_test(groups_that_refer_to_a_certificate_found_are_found),
    cmocka_unit_test(words_of_one_service_find_nothing_of_another),
    cmocka_unit_test(a_changed_record_is_found_by_its_new_words_only),
    cmocka_unit_test(a_changed_record_comes_as_it_is_now),
    cmocka_unit_test(a_write_that_is_refused_leaves_the_words_alone),
    cmocka_unit_test(words_of_records_written_together_count_together),
    cmocka_unit_test(words_written_by_another_client_count_from_the_answer_on),
    cmocka_unit_test(what_was_written_last_comes_first),
    cmocka_unit_test(of_too_many_only_the_latest_are_given),
    cmocka_unit_test(looks_that_make_no_sense_are_refused),
    cmocka_unit_test(the_group_of_the_registration_is_named_whatever_its_attestation),
    cmocka_unit_test(revocation_lists_come_by_their_names),
};
CONFORMANCE_TESTS(words);

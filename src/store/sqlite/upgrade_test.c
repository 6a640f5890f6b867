// A database of an older version: what was in it is still there, and counts for certificates and TPMs too.
#include "store/sqlite/scratch_test.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "crypto/bench_pki.h"
#include "crypto/certificate.h"
#include "domain/words.h"
#include "store/sqlite/schema.h"

struct upgrade {
    struct scratch scratch;
    struct arena arena;
    struct slice certificate; // DER
    struct log log;
    char lines[4096]; // that were logged
};

static void keep_line(void *context, struct slice line)
{
    struct upgrade *u = context;
    size_t used = strlen(u->lines);
    assert_true(used + line.len < sizeof u->lines);
    memcpy(u->lines + used, line.at, line.len);
}

static int64_t no_time(void *context)
{
    (void)context;
    return 0;
}

static void make_certificate(struct upgrade *u)
{
    struct buf certificate = buf_capped(BENCH_PEM_MAX), key = buf_capped(BENCH_PEM_MAX);
    struct why why = {0};
    struct bench_spec spec = {.role = BENCH_ROOT,
                              .common_name = SLICE("Plant CA"),
                              .path_len = BENCH_ANY_DEPTH,
                              .now_us = 1700000000000000};
    if (failed(bench_make(&spec, &certificate, &key, &why)))
        fail_msg("%s", why.text);
    assert_ok(certificate_read(&u->arena, buf_slice(&certificate), &u->certificate, &why));
    buf_release(&certificate);
    buf_release(&key);
}

static int set_up(void **state)
{
    struct upgrade *u = calloc(1, sizeof *u);
    if (u == NULL)
        return -1;
    *state = u;
    scratch_init(&u->scratch);
    u->arena = arena_capped(1 << 20);
    u->log = (struct log){.least = ERR_LEVEL_INFO, .write = keep_line, .now_us = no_time, .context = u};
    u->scratch.options.log = &u->log;
    make_certificate(u);
    return 0;
}

static int tear_down(void **state)
{
    struct upgrade *u = *state;
    scratch_release(&u->scratch);
    arena_release(&u->arena);
    free(u);
    return 0;
}

static struct enrollment with_certificates(enum enrollment_kind kind, const char *id,
                                           enum certificate_role role)
{
    struct enrollment e = {.kind = kind, .id = slice_text(id), .updated_us = 1, .etag = 1};
    e.attestation.type = ATTESTATION_X509;
    e.attestation.certificate_role = role;
    return e;
}

static void put(struct upgrade *u, enum store_table table, const struct enrollment *e)
{
    struct store_request r = {
        .verb = STORE_PUT, .table = table, .partition = SLICE("s"), .key = e->id, .record = e};
    assert_ok(bench_do(&u->scratch.bench, &r));
}

// As versions before 3 wrote it: without words.
static void put_tpm(struct upgrade *u, const char *id, enum provisioning_status status)
{
    struct enrollment e = {.kind = ENROLLMENT_INDIVIDUAL,
                           .id = slice_text(id),
                           .provisioning_status = status,
                           .attestation = {.type = ATTESTATION_TPM, .endorsement_key = SLICE("a key")},
                           .updated_us = 1,
                           .etag = 1};
    put(u, STORE_ENROLLMENT, &e);
}

// As version 1 wrote them: without words.
static void put_enrollments(struct upgrade *u)
{
    struct enrollment keys = bench_enrollment(ENROLLMENT_INDIVIDUAL, "keys", 5);
    put(u, STORE_ENROLLMENT, &keys);
    struct enrollment key_group = bench_enrollment(ENROLLMENT_GROUP, "key-group", 6);
    put(u, STORE_GROUP, &key_group);
    struct enrollment e = with_certificates(ENROLLMENT_GROUP, "fleet", CERTIFICATE_SIGNING);
    e.attestation.primary_certificate = u->certificate;
    e.attestation.secondary_certificate = u->certificate;
    put(u, STORE_GROUP, &e);
    e = with_certificates(ENROLLMENT_GROUP, "by-name", CERTIFICATE_CA_REFERENCE);
    e.attestation.primary_ca = SLICE("Root-1");
    e.attestation.secondary_ca = SLICE("Root-2");
    put(u, STORE_GROUP, &e);
    e = with_certificates(ENROLLMENT_GROUP, "damaged", CERTIFICATE_SIGNING);
    e.attestation.primary_certificate = SLICE("no certificate");
    put(u, STORE_GROUP, &e);
    e = with_certificates(ENROLLMENT_INDIVIDUAL, "dev", CERTIFICATE_CLIENT);
    e.attestation.primary_certificate = u->certificate;
    put(u, STORE_ENROLLMENT, &e);
    e.id = SLICE("lost");
    e.provisioning_status = PROVISIONING_DISABLED;
    put(u, STORE_ENROLLMENT, &e);
    put_tpm(u, "pump", PROVISIONING_DISABLED);
    struct registration r = bench_registration("keys", "h1", 9);
    assert_ok(bench_put(&u->scratch.bench, STORE_REGISTRATION, "s", "keys", &r, STORE_ALWAYS, 0));
}

static void make_version_1(struct upgrade *u)
{
    scratch_open(&u->scratch);
    put_enrollments(u);
    scratch_close(&u->scratch);
    scratch_make_version(&u->scratch, 1);
    u->lines[0] = '\0';
}

// Words made as a write of today makes them.
static struct slice words_of(struct upgrade *u, const struct enrollment *e)
{
    struct slice words;
    assert_ok(enrollment_words(&u->arena, e, &words));
    return words;
}

static struct store_admission look(struct upgrade *u, struct slice word)
{
    assert_true(word.len > 0);
    struct store_request r = {.verb = STORE_ADMISSION,
                              .partition = SLICE("s"),
                              .key = SLICE("dev"),
                              .words = &word,
                              .word_count = 1};
    assert_ok(bench_do(&u->scratch.bench, &r));
    return r.admission;
}

static void what_was_there_is_still_there(void **state)
{
    struct upgrade *u = *state;
    struct bench *b = &u->scratch.bench;
    make_version_1(u);
    scratch_open(&u->scratch);
    struct enrollment expected = bench_enrollment(ENROLLMENT_INDIVIDUAL, "keys", 5);
    const struct enrollment *e = bench_get(b, STORE_ENROLLMENT, "s", "keys");
    assert_non_null(e);
    assert_true(secret_equal(&e->attestation.primary_key, &expected.attestation.primary_key));
    assert_int_equal(e->words.len, 0);
    const struct registration *r = bench_get(b, STORE_REGISTRATION, "s", "keys");
    assert_non_null(r);
    assert_int_equal(r->etag, 9);
    assert_int_equal(r->primary_thumbprint.len, 0);
    e = bench_get(b, STORE_GROUP, "s", "fleet");
    assert_non_null(e);
    assert_true(slice_equal(e->attestation.primary_certificate, u->certificate));
    assert_int_equal(bench_count(b, STORE_ENROLLMENT, "s", NULL), 4);
    assert_int_equal(bench_count(b, STORE_GROUP, "s", NULL), 4);
    struct store_request admission = {.verb = STORE_ADMISSION, .partition = SLICE("s"), .key = SLICE("new")};
    assert_ok(bench_do(b, &admission));
    assert_int_equal(admission.admission.group_count, 1);
    assert_text(admission.admission.groups[0]->id, "key-group");
}

static void enrollments_with_certificates_are_found_by_them(void **state)
{
    struct upgrade *u = *state;
    struct bench *b = &u->scratch.bench;
    make_version_1(u);
    scratch_open(&u->scratch);
    const struct enrollment *fleet = bench_get(b, STORE_GROUP, "s", "fleet");
    struct store_admission a = look(u, words_of(u, fleet)); // one word: both certificates are the same
    assert_int_equal(a.group_count, 1);
    assert_text(a.groups[0]->id, "fleet");
    assert_true(slice_equal(fleet->words, words_of(u, fleet)));
    struct slice word;
    assert_ok(word_of_reference(&u->arena, SLICE("root-2"), &word));
    a = look(u, word);
    assert_int_equal(a.group_count, 1);
    assert_text(a.groups[0]->id, "by-name");
    const struct enrollment *lost = bench_get(b, STORE_ENROLLMENT, "s", "lost");
    a = look(u, words_of(u, lost));
    assert_int_equal(a.holder_count, 1);
    assert_text(a.holders[0]->id, "lost");
    const struct enrollment *damaged = bench_get(b, STORE_GROUP, "s", "damaged");
    assert_non_null(damaged);
    assert_int_equal(damaged->words.len, 0);
}

static void a_tpm_that_is_disabled_is_found_by_its_key(void **state)
{
    struct upgrade *u = *state;
    make_version_1(u);
    scratch_open(&u->scratch);
    struct slice word;
    assert_ok(word_of_endorsement_key(&u->arena, SLICE("a key"), &word));
    struct store_admission a = look(u, word);
    assert_int_equal(a.holder_count, 1);
    assert_text(a.holders[0]->id, "pump");
}

// ---- from version 2, which had certificates

static void put_with_words(struct upgrade *u, struct enrollment *e)
{
    e->words = words_of(u, e);
    assert_true(e->words.len > 0);
    put(u, e->kind == ENROLLMENT_GROUP ? STORE_GROUP : STORE_ENROLLMENT, e);
}

static void make_version_2(struct upgrade *u)
{
    struct bench *b = &u->scratch.bench;
    scratch_open(&u->scratch);
    struct enrollment e = with_certificates(ENROLLMENT_GROUP, "fleet", CERTIFICATE_SIGNING);
    e.attestation.primary_certificate = u->certificate;
    put_with_words(u, &e);
    struct ca_certificate ca = {
        .name = SLICE("root"), .certificate = u->certificate, .words = SLICE("n:1"), .etag = 1};
    assert_ok(bench_put(b, STORE_CERTIFICATE, "s", "root", &ca, STORE_ALWAYS, 0));
    put_tpm(u, "pump", PROVISIONING_DISABLED);
    put_tpm(u, "valve", PROVISIONING_ENABLED);
    struct registration r = bench_registration("dev", "h1", 9);
    r.primary_thumbprint = SLICE("AB");
    assert_ok(bench_put(b, STORE_REGISTRATION, "s", "dev", &r, STORE_ALWAYS, 0));
    scratch_close(&u->scratch);
    scratch_make_version(&u->scratch, 2);
    u->lines[0] = '\0';
}

static void what_version_2_had_is_still_there(void **state)
{
    struct upgrade *u = *state;
    struct bench *b = &u->scratch.bench;
    make_version_2(u);
    scratch_open(&u->scratch);
    const struct registration *r = bench_get(b, STORE_REGISTRATION, "s", "dev");
    assert_non_null(r);
    assert_int_equal(r->etag, 9);
    assert_text(r->primary_thumbprint, "AB");
    assert_int_equal(r->hub_key.len, 0);
    const struct enrollment *fleet = bench_get(b, STORE_GROUP, "s", "fleet");
    assert_true(slice_equal(fleet->attestation.primary_certificate, u->certificate));
    struct store_admission a = look(u, fleet->words);
    assert_int_equal(a.group_count, 1);
    a = look(u, SLICE("n:1"));
    assert_int_equal(a.certificate_count, 1);
    assert_int_equal(bench_count(b, STORE_ENROLLMENT, "s", NULL), 2);
    const struct enrollment *valve = bench_get(b, STORE_ENROLLMENT, "s", "valve");
    assert_int_equal(valve->words.len, 0);
}

static void what_version_2_could_not_keep_can_be_written(void **state)
{
    struct upgrade *u = *state;
    struct bench *b = &u->scratch.bench;
    make_version_2(u);
    scratch_open(&u->scratch);
    struct registration r = bench_registration("dev", "h2", 10);
    r.hub_key = (struct secret){.bytes = "for one TPM", .len = 11};
    assert_ok(bench_put(b, STORE_REGISTRATION, "s", "dev", &r, STORE_IF_MATCH, 9));
    const struct registration *found = bench_get(b, STORE_REGISTRATION, "s", "dev");
    assert_true(secret_equal(&found->hub_key, &r.hub_key));
    struct slice word;
    assert_ok(word_of_endorsement_key(&u->arena, SLICE("a key"), &word));
    struct store_admission a = look(u, word);
    assert_int_equal(a.holder_count, 1);
    assert_text(a.holders[0]->id, "pump");
    assert_non_null(strstr(u->lines, "\"detail\":\"schema 2 to 4\""));
    assert_non_null(strstr(u->lines, "\"count\":1"));
}

// ---- from version 3, which had TPMs

static void make_version_3(struct upgrade *u)
{
    struct bench *b = &u->scratch.bench;
    scratch_open(&u->scratch);
    struct registration r = bench_registration("dev", "h1", 9);
    r.hub_key = (struct secret){.bytes = "for one TPM", .len = 11};
    r.hub_key_tpm = SLICE("e:00");
    assert_ok(bench_put(b, STORE_REGISTRATION, "s", "dev", &r, STORE_ALWAYS, 0));
    r = bench_registration("pump", "h2", 10);
    assert_ok(bench_put(b, STORE_REGISTRATION, "s", "pump", &r, STORE_ALWAYS, 0));
    scratch_close(&u->scratch);
    scratch_make_version(&u->scratch, 3);
    u->lines[0] = '\0';
}

static void what_version_3_had_is_still_there(void **state)
{
    struct upgrade *u = *state;
    struct bench *b = &u->scratch.bench;
    make_version_3(u);
    scratch_open(&u->scratch);
    assert_non_null(strstr(u->lines, "\"detail\":\"schema 3 to 4\""));
    const struct registration *r = bench_get(b, STORE_REGISTRATION, "s", "dev");
    assert_non_null(r);
    assert_int_equal(r->etag, 9);
    assert_int_equal(r->hub_key.len, 11);
    assert_text(r->hub_key_tpm, "e:00");
    assert_int_equal(r->left_hub.len + r->left_device_id.len, 0);
    assert_int_equal(r->question.len + r->twin.len + r->address.len, 0);
    assert_int_equal(bench_count(b, STORE_REGISTRATION, "s", "assignedHub = 'h1'"), 1);
    assert_int_equal(bench_count(b, STORE_REGISTRATION, "", "leftHub != ''"), 0);
}

static void what_version_3_could_not_keep_can_be_written(void **state)
{
    struct upgrade *u = *state;
    struct bench *b = &u->scratch.bench;
    make_version_3(u);
    scratch_open(&u->scratch);
    struct registration r = bench_registration("dev", "h2", 10);
    r.left_hub = SLICE("h1");
    r.left_device_id = SLICE("dev");
    r.address = SLICE("192.0.2.1");
    assert_ok(bench_put(b, STORE_REGISTRATION, "s", "dev", &r, STORE_IF_MATCH, 9));
    const struct registration *found = bench_get(b, STORE_REGISTRATION, "s", "dev");
    assert_text(found->left_hub, "h1");
    assert_text(found->left_device_id, "dev");
    assert_text(found->address, "192.0.2.1");
    assert_int_equal(bench_count(b, STORE_REGISTRATION, "", "leftHub != ''"), 1);
    assert_int_equal(bench_count(b, STORE_REGISTRATION, "s", "assignedHub = 'h2'"), 2);
}

// ---- from any of them

static void what_is_changed_afterwards_is_no_longer_found_by_its_old_words(void **state)
{
    struct upgrade *u = *state;
    struct bench *b = &u->scratch.bench;
    make_version_1(u);
    scratch_open(&u->scratch);
    struct slice word;
    assert_ok(word_of_reference(&u->arena, SLICE("root-1"), &word));
    assert_int_equal(look(u, word).group_count, 1);
    struct enrollment group = bench_enrollment(ENROLLMENT_GROUP, "by-name", 2);
    group.updated_us = 99;
    put(u, STORE_GROUP, &group);
    assert_int_equal(look(u, word).group_count, 0);
    const struct enrollment *lost = bench_get(b, STORE_ENROLLMENT, "s", "lost");
    word = words_of(u, lost);
    assert_ok(bench_delete(b, STORE_ENROLLMENT, "s", "lost", STORE_ALWAYS, 0));
    assert_int_equal(look(u, word).holder_count, 0);
}

static void what_version_1_could_not_keep_can_be_written(void **state)
{
    struct upgrade *u = *state;
    struct bench *b = &u->scratch.bench;
    make_version_1(u);
    scratch_open(&u->scratch);
    struct ca_certificate c = {.name = SLICE("root-1"),
                               .certificate = u->certificate,
                               .words = SLICE("n:1"),
                               .code = {.bytes = "code", .len = 4},
                               .etag = 1};
    assert_ok(bench_put(b, STORE_CERTIFICATE, "s", "root-1", &c, STORE_IF_ABSENT, 0));
    struct ca_crl crl = {.name = SLICE("root-1"), .crl = SLICE("list"), .etag = 1};
    assert_ok(bench_put(b, STORE_CRL, "s", "root-1", &crl, STORE_IF_ABSENT, 0));
    struct registration r = bench_registration("keys", "h2", 10);
    r.primary_thumbprint = SLICE("AB");
    assert_ok(bench_put(b, STORE_REGISTRATION, "s", "keys", &r, STORE_IF_MATCH, 9));
    const struct registration *found = bench_get(b, STORE_REGISTRATION, "s", "keys");
    assert_text(found->primary_thumbprint, "AB");
    struct store_admission a = look(u, SLICE("n:1"));
    assert_int_equal(a.certificate_count, 1);
    assert_int_equal(a.group_count, 1); // that refers to it since version 1
    assert_text(a.groups[0]->id, "by-name");
}

static void an_upgrade_happens_once_and_is_logged(void **state)
{
    struct upgrade *u = *state;
    make_version_1(u);
    scratch_open(&u->scratch);
    assert_non_null(strstr(u->lines, "\"event\":\"store.upgraded\""));
    assert_non_null(strstr(u->lines, "\"detail\":\"schema 1 to 4\""));
    assert_non_null(strstr(u->lines, "\"count\":4"));
    scratch_close(&u->scratch);
    u->lines[0] = '\0';
    scratch_open(&u->scratch);
    assert_string_equal(u->lines, "");
}

static void another_master_key_upgrades_nothing(void **state)
{
    struct upgrade *u = *state;
    struct why why = {0};
    make_version_1(u);
    scratch_seal_with(&u->scratch, 8);
    assert_err(scratch_try_open(&u->scratch, &why), ERR_SEAL);
    scratch_seal_with(&u->scratch, 7);
    scratch_open(&u->scratch);
    assert_non_null(strstr(u->lines, "schema 1 to 4"));
}

// Every table with its columns, whatever their order, and every index.
static void read_tables(const char *path, char *out, size_t size)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(
                         db,
                         "SELECT group_concat(line, char(10)) FROM (SELECT t.name || ' ' || c.name || ' ' || "
                         "c.type || ' ' || c.pk || c.\"notnull\" AS line FROM sqlite_schema t, "
                         "pragma_table_info(t.name) c UNION ALL SELECT replace(sql, 'IF NOT EXISTS ', '') "
                         "FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY line)",
                         -1, &s, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    const char *text = (const char *)sqlite3_column_text(s, 0);
    assert_true(strlen(text) > 1000 && strlen(text) < size);
    memcpy(out, text, strlen(text) + 1);
    sqlite3_finalize(s);
    sqlite3_close(db);
}

static void an_upgraded_database_has_the_tables_of_a_new_one(void **state)
{
    struct upgrade *u = *state;
    static char new[16384], older[16384], upgraded[16384];
    scratch_open(&u->scratch);
    scratch_close(&u->scratch);
    read_tables(u->scratch.path, new, sizeof new);
    for (int version = 1; version < SCHEMA_VERSION; version++) {
        scratch_make_version(&u->scratch, version);
        read_tables(u->scratch.path, older, sizeof older);
        scratch_open(&u->scratch);
        scratch_close(&u->scratch);
        read_tables(u->scratch.path, upgraded, sizeof upgraded);
        assert_string_not_equal(older, new);
        assert_string_equal(upgraded, new);
    }
}

int main(void)
{
#define WITH_DATABASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        WITH_DATABASE(what_was_there_is_still_there),
        WITH_DATABASE(enrollments_with_certificates_are_found_by_them),
        WITH_DATABASE(a_tpm_that_is_disabled_is_found_by_its_key),
        WITH_DATABASE(what_version_2_had_is_still_there),
        WITH_DATABASE(what_version_2_could_not_keep_can_be_written),
        WITH_DATABASE(what_version_3_had_is_still_there),
        WITH_DATABASE(what_version_3_could_not_keep_can_be_written),
        WITH_DATABASE(what_is_changed_afterwards_is_no_longer_found_by_its_old_words),
        WITH_DATABASE(what_version_1_could_not_keep_can_be_written),
        WITH_DATABASE(an_upgrade_happens_once_and_is_logged),
        WITH_DATABASE(another_master_key_upgrades_nothing),
        WITH_DATABASE(an_upgraded_database_has_the_tables_of_a_new_one),
    };
    return cmocka_run_group_tests_name("store_sqlite_upgrade", tests, NULL, NULL);
}

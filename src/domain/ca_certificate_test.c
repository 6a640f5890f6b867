// CA certificates of a service: what is taken and shown, what replacing one means, and proof of possession.
#include "domain/x509_world_test.h"

#include "base/text.h"
#include "crypto/possession.h"
#include "domain/words.h"

static const int64_t day_us = INT64_C(86400000000);

struct bench {
    struct arena arena;
    struct why why;
};

static int set_up(void **state)
{
    static struct bench b;
    b = (struct bench){.arena = arena_capped(1 << 20)};
    world_make_certificates();
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    arena_release(&b->arena);
    world_drop_certificates();
    return 0;
}

// A body: the certificate or none, isVerified or none (-1), in `properties` or not.
static struct slice body_of(struct bench *b, struct slice certificate, int verified, bool wrapped)
{
    struct buf text = buf_capped(65536);
    struct json_writer w;
    struct slice out;
    json_begin(&w, &text);
    json_object_open(&w);
    if (wrapped) {
        json_key(&w, "properties");
        json_object_open(&w);
    }
    json_field_text_if(&w, "certificate", certificate);
    if (verified >= 0)
        json_field_bool(&w, "isVerified", verified == 1);
    if (wrapped)
        json_object_close(&w);
    json_object_close(&w);
    assert_false(failed(arena_copy(&b->arena, buf_slice(&text), &out)));
    buf_release(&text);
    return out;
}

static struct err put(struct bench *b, struct slice body, const struct ca_certificate *stored,
                      struct ca_certificate *out)
{
    struct json_doc doc = {0};
    *out = (struct ca_certificate){.etag = 5, .created_us = WORLD_NOW_US};
    assert_false(failed(json_read(body, JSON_LIMITS_DEFAULT, &doc, NULL)));
    struct err e =
        ca_certificate_read(&b->arena, json_root(&doc), SLICE("Factory"), stored, WORLD_NOW_US, out, &b->why);
    json_doc_release(&doc);
    return e;
}

static struct ca_certificate stored_a(struct bench *b)
{
    struct ca_certificate c;
    if (failed(put(b, body_of(b, world_pem("A"), -1, false), NULL, &c)))
        fail_msg("%s", b->why.text);
    return c;
}

static void all_wrappings_of_a_certificate_are_taken(void **state)
{
    struct bench *b = *state;
    struct buf text = buf_capped(65536);
    struct slice forms[3] = {world_pem("A")};
    b64_encode(&text, world_der("A"));
    assert_false(failed(arena_copy(&b->arena, buf_slice(&text), &forms[1])));
    buf_clear(&text);
    b64_encode(&text, world_pem("A"));
    assert_false(failed(arena_copy(&b->arena, buf_slice(&text), &forms[2])));
    buf_release(&text);
    for (size_t i = 0; i < 3; i++) {
        for (int wrapped = 0; wrapped < 2; wrapped++) {
            struct ca_certificate c;
            struct slice words;
            if (failed(put(b, body_of(b, forms[i], -1, wrapped == 1), NULL, &c)))
                fail_msg("form %zu: %s", i, b->why.text);
            assert_true(slice_equal(c.certificate, world_der("A")));
            assert_true(slice_equal(c.name, SLICE("Factory")));
            assert_false(c.verified);
            assert_int_equal(c.etag, 5);
            assert_int_equal(c.created_us, WORLD_NOW_US);
            assert_int_equal(c.not_after_us, WORLD_NOW_US + 365 * day_us);
            assert_false(failed(ca_certificate_words(&b->arena, &c, &words)));
            assert_true(words.len > 0 && slice_equal(c.words, words));
        }
    }
}

static void what_can_vouch_for_nobody_is_refused(void **state)
{
    struct bench *b = *state;
    struct ca_certificate c;
    assert_int_equal(put(b, body_of(b, world_pem("dA"), -1, false), NULL, &c).code, ERR_INVALID); // no CA
    assert_non_null(strstr(b->why.text, "certificate"));
    assert_int_equal(put(b, body_of(b, SLICE(""), 1, false), NULL, &c).code, ERR_INVALID);
    assert_non_null(strstr(b->why.text, "missing"));
    assert_int_equal(put(b, body_of(b, SLICE("nonsense"), -1, true), NULL, &c).code, ERR_INVALID);
}

static void a_name_must_fit_into_a_path(void **state)
{
    struct bench *b = *state;
    static const char *const names[] = {"", "two words", "a/b", "a%20", "caf\xc3\xa9"};
    struct slice body = body_of(b, world_pem("A"), -1, false);
    char longest[CA_CERTIFICATE_NAME_MAX + 1];
    struct ca_certificate c = {0};
    struct json_doc doc = {0};
    assert_false(failed(json_read(body, JSON_LIMITS_DEFAULT, &doc, NULL)));
    const struct json *root = json_root(&doc);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct err e =
            ca_certificate_read(&b->arena, root, slice_text(names[i]), NULL, WORLD_NOW_US, &c, &b->why);
        if (e.code != ERR_INVALID)
            fail_msg("\"%s\" is taken", names[i]);
    }
    memset(longest, 'a', sizeof longest);
    struct slice name = slice_of(longest, CA_CERTIFICATE_NAME_MAX);
    assert_false(failed(ca_certificate_read(&b->arena, root, name, NULL, WORLD_NOW_US, &c, NULL)));
    name.len++;
    assert_int_equal(ca_certificate_read(&b->arena, root, name, NULL, WORLD_NOW_US, &c, NULL).code,
                     ERR_INVALID);
    json_doc_release(&doc);
}

static void an_operator_may_vouch_for_it(void **state)
{
    struct bench *b = *state;
    struct ca_certificate c;
    assert_false(failed(put(b, body_of(b, world_pem("A"), 1, true), NULL, &c)));
    assert_true(c.verified);
    struct ca_certificate stored = stored_a(b);
    assert_false(failed(put(b, body_of(b, SLICE(""), 1, false), &stored, &c)));
    assert_true(c.verified);
    assert_true(slice_equal(c.certificate, stored.certificate));
    stored.verified = true;
    assert_false(failed(put(b, body_of(b, SLICE(""), 0, false), &stored, &c)));
    assert_false(c.verified);
}

static void replacing_keeps_what_was_proved_of_the_same_certificate_only(void **state)
{
    struct bench *b = *state;
    static uint8_t random[POSSESSION_CODE_SIZE] = {9};
    struct ca_certificate stored = stored_a(b);
    struct ca_certificate c;
    stored.verified = true;
    stored.crl_digest = SLICE("digest");
    stored.crl_next_update_us = 17;
    stored.crl_required = true;
    ca_certificate_make_code(&stored, random, WORLD_NOW_US);

    assert_false(failed(put(b, body_of(b, world_pem("A"), -1, false), &stored, &c)));
    assert_true(c.verified);
    assert_true(secret_equal(&c.code, &stored.code));
    assert_int_equal(c.code_until_us, stored.code_until_us);
    assert_true(slice_equal(c.crl_digest, stored.crl_digest));
    assert_int_equal(c.crl_next_update_us, 17);
    assert_true(c.crl_required);

    assert_false(failed(put(b, body_of(b, world_pem("B"), -1, false), &stored, &c)));
    assert_true(slice_equal(c.certificate, world_der("B")));
    assert_false(c.verified);
    assert_int_equal(c.code.len, 0);
    assert_int_equal(c.code_until_us, 0);
    assert_int_equal(c.crl_digest.len, 0);
    assert_int_equal(c.crl_next_update_us, 0);
    assert_true(c.crl_required); // an operator who wanted a list before wants one now: fail closed
    assert_false(slice_equal(c.words, stored.words));
    assert_int_equal(c.etag, 5);
    assert_int_equal(c.created_us, WORLD_NOW_US);

    assert_false(failed(put(b, body_of(b, world_pem("B"), 1, false), &stored, &c)));
    assert_true(c.verified);
}

// ---- what is shown

static struct slice written(struct bench *b, const struct ca_certificate *c, bool with_code)
{
    struct buf text = buf_capped(65536);
    struct json_writer w;
    struct slice out;
    json_begin(&w, &text);
    assert_false(failed(ca_certificate_write(&w, c, with_code)));
    assert_false(failed(arena_copy(&b->arena, buf_slice(&text), &out)));
    buf_release(&text);
    return out;
}

static void it_is_shown_as_azure_shows_it(void **state)
{
    struct bench *b = *state;
    struct ca_certificate c = stored_a(b);
    static const char *const members[] = {"subject", "expiry",  "thumbprint",  "isVerified",
                                          "created", "updated", "certificate", "verificationCode"};
    static uint8_t random[POSSESSION_CODE_SIZE] = {0xab, 0xcd};
    struct json_doc doc = {0};
    c.updated_us = c.created_us = WORLD_NOW_US;
    ca_certificate_make_code(&c, random, WORLD_NOW_US);
    struct slice text = written(b, &c, true);
    assert_false(failed(json_read(text, JSON_LIMITS_DEFAULT, &doc, NULL)));
    const struct json *root = json_root(&doc);
    const struct json *properties = json_get(root, "properties");
    assert_int_equal(json_count(root), 3);
    assert_int_equal(json_count(properties), 8);
    size_t last = 0;
    for (size_t i = 0; i < 8; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "\"%s\":", members[i]);
        size_t found = slice_find(text, slice_text(key));
        assert_true(found > last && found < text.len);
        last = found;
    }
    assert_true(slice_equal(json_as_string(json_get(root, "name")), SLICE("Factory")));
    assert_true(json_as_string(json_get(root, "etag")).len > 0);
    assert_true(slice_equal(json_as_string(json_get(properties, "subject")), SLICE("CN=Acme Root")));
    assert_true(
        slice_equal(json_as_string(json_get(properties, "expiry")), SLICE("Sat, 15 Jan 2028 08:00:00 GMT")));
    assert_true(
        slice_equal(json_as_string(json_get(properties, "created")), SLICE("Fri, 15 Jan 2027 08:00:00 GMT")));
    assert_int_equal(json_as_string(json_get(properties, "thumbprint")).len, 40);
    struct slice code = json_as_string(json_get(properties, "verificationCode"));
    assert_int_equal(code.len, 64);
    assert_true(slice_starts_with(code, SLICE("ABCD00")));
    struct slice der;
    assert_false(
        failed(b64_decode_arena(&b->arena, json_as_string(json_get(properties, "certificate")), &der)));
    assert_true(slice_equal(der, world_der("A")));
    json_doc_release(&doc);
}

static void a_code_is_shown_only_when_it_was_asked_for(void **state)
{
    struct bench *b = *state;
    struct ca_certificate c = stored_a(b);
    static uint8_t random[POSSESSION_CODE_SIZE] = {1};
    ca_certificate_make_code(&c, random, WORLD_NOW_US);
    struct slice text = written(b, &c, false);
    assert_int_equal(slice_find(text, SLICE("verificationCode")), text.len);
}

static void a_revocation_list_is_shown_when_there_is_one(void **state)
{
    struct bench *b = *state;
    struct ca_certificate c = stored_a(b);
    struct slice text = written(b, &c, false);
    assert_int_equal(slice_find(text, SLICE("\"crl\"")), text.len);
    c.crl_digest = SLICE("digest");
    c.crl_next_update_us = WORLD_NOW_US;
    text = written(b, &c, false);
    struct slice expected =
        SLICE("\"crl\":{\"nextUpdate\":\"Fri, 15 Jan 2027 08:00:00 GMT\",\"required\":false}");
    assert_true(slice_find(text, expected) < text.len);
}

// ---- possession

static struct slice code_of(struct bench *b, const struct ca_certificate *c)
{
    struct buf hex = buf_capped(64);
    struct slice out;
    hex_encode_upper(&hex, secret_slice(&c->code));
    assert_false(failed(arena_copy(&b->arena, buf_slice(&hex), &out)));
    buf_release(&hex);
    return out;
}

static uint32_t prove(struct bench *b, struct ca_certificate *c, struct slice proof, int64_t now_us)
{
    b->why.text[0] = '\0';
    struct err e = ca_certificate_prove(c, &b->arena, proof, now_us, &b->why);
    assert_int_equal(b->why.text[0] != '\0', failed(e));
    assert_int_equal(c->verified, !failed(e));
    return e.code;
}

static void a_proof_verifies_and_uses_the_code_up(void **state)
{
    struct bench *b = *state;
    static uint8_t random[POSSESSION_CODE_SIZE] = {3};
    struct ca_certificate c = stored_a(b);
    ca_certificate_make_code(&c, random, WORLD_NOW_US);
    struct slice proof = world_proof("A", code_of(b, &c), 0);
    if (prove(b, &c, proof, WORLD_NOW_US + 1) != ERR_NONE)
        fail_msg("%s", b->why.text);
    assert_int_equal(c.code.len, 0);
    // the same proof again
    c.verified = false;
    assert_int_equal(prove(b, &c, proof, WORLD_NOW_US + 2), ERR_INVALID);
    assert_non_null(strstr(b->why.text, "no verification code"));
}

static void a_wrong_proof_verifies_nothing_and_leaves_the_code(void **state)
{
    struct bench *b = *state;
    static uint8_t random[POSSESSION_CODE_SIZE] = {3};
    struct ca_certificate c = stored_a(b);
    assert_int_equal(prove(b, &c, world_pem("dA"), WORLD_NOW_US), ERR_INVALID); // no code was made
    ca_certificate_make_code(&c, random, WORLD_NOW_US);
    struct slice code = code_of(b, &c);
    struct slice other_ca = world_proof("B", code, 0);
    struct slice same_name = world_proof("C", code, 0);
    struct slice below = world_proof("A1", code, 0);
    struct slice other_code = world_proof("A", SLICE("not the code"), 0);
    struct slice expired = world_proof("A", code, -30 * day_us);
    assert_int_equal(prove(b, &c, other_ca, WORLD_NOW_US), ERR_INVALID);
    assert_int_equal(prove(b, &c, same_name, WORLD_NOW_US), ERR_INVALID);
    assert_int_equal(prove(b, &c, below, WORLD_NOW_US), ERR_INVALID);
    assert_int_equal(prove(b, &c, other_code, WORLD_NOW_US), ERR_INVALID);
    assert_int_equal(prove(b, &c, expired, WORLD_NOW_US), ERR_INVALID);
    assert_int_equal(prove(b, &c, SLICE("nonsense"), WORLD_NOW_US), ERR_INVALID);
    assert_int_equal(prove(b, &c, world_proof("A", code, 0), WORLD_NOW_US), ERR_NONE);
}

static void a_code_lives_seven_days_and_the_next_one_replaces_it(void **state)
{
    struct bench *b = *state;
    static uint8_t first[POSSESSION_CODE_SIZE] = {1};
    static uint8_t second[POSSESSION_CODE_SIZE] = {2};
    struct ca_certificate c = stored_a(b);
    ca_certificate_make_code(&c, first, WORLD_NOW_US);
    struct slice late = world_proof("A", code_of(b, &c), 7 * day_us);
    struct slice old = world_proof("A", code_of(b, &c), 0);
    assert_int_equal(prove(b, &c, late, WORLD_NOW_US + 7 * day_us + 1), ERR_INVALID);
    assert_non_null(strstr(b->why.text, "ran out"));
    ca_certificate_make_code(&c, second, WORLD_NOW_US);
    assert_int_equal(prove(b, &c, old, WORLD_NOW_US), ERR_INVALID);
    ca_certificate_make_code(&c, first, WORLD_NOW_US);
    assert_int_equal(prove(b, &c, late, WORLD_NOW_US + 7 * day_us), ERR_NONE);
}

static void the_end_is_seen_coming(void **state)
{
    (void)state;
    static const struct {
        int64_t left_us;
        enum ca_expiry expiry;
    } rows[] = {
        {400 * INT64_C(86400000000), CA_EXPIRY_FAR},
        {30 * INT64_C(86400000000) + 1, CA_EXPIRY_FAR},
        {30 * INT64_C(86400000000), CA_EXPIRY_30_DAYS},
        {7 * INT64_C(86400000000) + 1, CA_EXPIRY_30_DAYS},
        {7 * INT64_C(86400000000), CA_EXPIRY_7_DAYS},
        {INT64_C(86400000000), CA_EXPIRY_1_DAY},
        {0, CA_EXPIRY_1_DAY},
        {-1, CA_EXPIRY_PAST},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ca_certificate c = {.not_after_us = WORLD_NOW_US + rows[i].left_us};
        if (ca_certificate_expiry(&c, WORLD_NOW_US) != rows[i].expiry)
            fail_msg("row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_wrappings_of_a_certificate_are_taken),
        cmocka_unit_test(what_can_vouch_for_nobody_is_refused),
        cmocka_unit_test(a_name_must_fit_into_a_path),
        cmocka_unit_test(an_operator_may_vouch_for_it),
        cmocka_unit_test(replacing_keeps_what_was_proved_of_the_same_certificate_only),
        cmocka_unit_test(it_is_shown_as_azure_shows_it),
        cmocka_unit_test(a_code_is_shown_only_when_it_was_asked_for),
        cmocka_unit_test(a_revocation_list_is_shown_when_there_is_one),
        cmocka_unit_test(a_proof_verifies_and_uses_the_code_up),
        cmocka_unit_test(a_wrong_proof_verifies_nothing_and_leaves_the_code),
        cmocka_unit_test(a_code_lives_seven_days_and_the_next_one_replaces_it),
        cmocka_unit_test(the_end_is_seen_coming),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

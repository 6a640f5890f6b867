// What is asked for when a device shows certificates, how often, and how records say what they are found by.
#include "domain/x509_world_test.h"

#include "base/text.h"
#include "crypto/certificate.h"
#include "crypto/hmac.h"
#include "domain/words.h"

static void opened(struct world *w, const char *has, const char *shows)
{
    world_open(w, has, shows);
    world_look(w);
}

static bool let_in_by(struct world *w, const char *group)
{
    struct decision out;
    struct err e = decide_admission(&w->admission, &w->arena, &out, NULL, NULL);
    return !failed(e) && slice_equal(out.enrollment->id, slice_text(group));
}

static void a_device_with_a_key_is_found_by_its_id(void **state)
{
    (void)state;
    struct admission admission = {.credential.kind = CREDENTIAL_SAS};
    struct arena arena = arena_capped(4096);
    struct lookup lookup = {0};
    bool more = true;
    assert_false(failed(decide_lookup(&admission, &arena, &lookup, &more)));
    assert_false(more);
    assert_int_equal(lookup.word_count, 0);
    arena_release(&arena);
}

static void a_whole_chain_needs_one_look(void **state)
{
    (void)state;
    struct world w;
    opened(&w, "A g:A1", "dA1 A1");
    assert_int_equal(w.looks, 1);
    assert_true(let_in_by(&w, "g"));
    world_close(&w);
    opened(&w, "A g:A", "dA2 A2 A1");
    assert_int_equal(w.looks, 1);
    assert_true(let_in_by(&w, "g"));
    world_close(&w);
}

static void what_is_above_a_leaf_is_looked_for_step_by_step(void **state)
{
    (void)state;
    struct world w;
    opened(&w, "A g:A", "dA"); // the CA issued it
    assert_int_equal(w.looks, 1);
    assert_true(let_in_by(&w, "g"));
    world_close(&w);
    opened(&w, "A g:A1", "dA1"); // a group has the intermediate
    assert_int_equal(w.looks, 2);
    assert_true(let_in_by(&w, "g"));
    world_close(&w);
    opened(&w, "A A1? A2? g:A", "dA2"); // two levels, as CA certificates
    assert_int_equal(w.looks, 3);
    assert_true(let_in_by(&w, "g"));
    world_close(&w);
    opened(&w, "A g:A1 h:B,A2", "dA2"); // two levels, of groups, one as a secondary
    assert_int_equal(w.looks, 3);
    assert_true(let_in_by(&w, "h"));
    world_close(&w);
}

static void what_nobody_knows_is_looked_for_once(void **state)
{
    (void)state;
    struct world w;
    opened(&w, "A g:A1", "dB");
    assert_int_equal(w.looks, 1);
    assert_int_equal(w.lookup.word_count, 2); // the leaf itself, and its issuer
    world_close(&w);
}

static void chains_that_are_no_good_are_not_looked_up(void **state)
{
    (void)state;
    struct world w;
    opened(&w, "A g:A1", "dA1 A1 A2 A3 B C C1");
    assert_int_equal(w.lookup.word_count, 0);
    world_close(&w);
}

static void a_full_lookup_asks_for_no_more(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, "A g:A1", "dA1");
    for (size_t i = 0; i < LOOKUP_WORDS_MAX - 1; i++)
        assert_false(failed(word_of_name(&w.arena, (uint32_t)i, &w.lookup.words[w.lookup.word_count++])));
    w.found_cas[0] = &w.cas[0];
    w.found_groups[0] = &w.groups[0];
    w.admission.groups = w.found_groups;
    w.admission.group_count = 1;
    bool more = false;
    assert_false(failed(decide_lookup(&w.admission, &w.arena, &w.lookup, &more)));
    assert_true(more); // the issuer of A1 is the last that fits
    assert_false(w.lookup.cut);
    w.groups[0].attestation.secondary_certificate = world_der("dB");
    assert_false(failed(decide_lookup(&w.admission, &w.arena, &w.lookup, &more)));
    assert_false(more);
    assert_int_equal(w.lookup.word_count, LOOKUP_WORDS_MAX);
    assert_true(w.lookup.cut);
    world_close(&w);
}

static void a_list_that_is_not_kept_is_asked_for_once(void **state)
{
    (void)state;
    static uint8_t digest[SHA256_SIZE] = {7};
    struct world w;
    world_open(&w, "A B g:A", "dA");
    for (size_t i = 0; i < 2; i++) {
        w.cas[i].name = i == 0 ? SLICE("Acme") : SLICE("Other");
        w.cas[i].crl_digest = slice_of(digest, sizeof digest);
    }
    world_look(&w);
    assert_int_equal(w.looks, 2);
    assert_int_equal(w.lookup.crl_count, 1); // B is not above the device
    assert_true(slice_equal(w.lookup.crls[0], SLICE("acme")));
    world_close(&w);
    world_open(&w, "A g:A", "dA");
    w.cas[0].crl_digest = slice_of(digest, sizeof digest);
    w.crls[w.crl_count++] = (struct ca_crl){.name = SLICE("a"), .crl = SLICE("a list")};
    world_look(&w);
    assert_int_equal(w.looks, 2);
    assert_int_equal(w.admission.crl_count, 1);
    world_close(&w);
}

// ---- words of records

static struct slice name_word(struct arena *arena, const char *certificate, bool of_issuer)
{
    uint32_t subject = 0;
    uint32_t issuer = 0;
    struct slice word;
    assert_false(failed(certificate_names(world_der(certificate), &subject, &issuer)));
    assert_false(failed(word_of_name(arena, of_issuer ? issuer : subject, &word)));
    return word;
}

static void words_are(struct arena *arena, const struct enrollment *e, struct slice expected)
{
    struct slice words;
    assert_false(failed(enrollment_words(arena, e, &words)));
    if (!slice_equal(words, expected))
        fail_msg("%.*s: %.*s, not %.*s", SLICE_ARG(e->id), SLICE_ARG(words), SLICE_ARG(expected));
}

static void records_are_found_by_what_they_hold(void **state)
{
    (void)state;
    struct world w;
    struct slice expected;
    struct slice first;
    struct slice second;
    world_open(&w, "one:A1 two:A1,A2 twins:A,C ref@Factory.CA,B ref2@A,a keys#", "dA");
    assert_true(slice_equal(name_word(&w.arena, "dA1", true), name_word(&w.arena, "A1", false)));
    words_are(&w.arena, &w.groups[0], name_word(&w.arena, "A1", false));
    first = name_word(&w.arena, "A1", false);
    second = name_word(&w.arena, "A2", false);
    assert_false(failed(arena_printf(&w.arena, &expected, "%.*s %.*s", SLICE_ARG(first), SLICE_ARG(second))));
    words_are(&w.arena, &w.groups[1], expected);
    words_are(&w.arena, &w.groups[2], name_word(&w.arena, "A", false)); // two of one name are one word
    words_are(&w.arena, &w.groups[3], SLICE("c:factory.ca c:b"));
    words_are(&w.arena, &w.groups[4], SLICE("c:a"));
    words_are(&w.arena, &w.groups[5], SLICE(""));
    world_close(&w);
}

static void only_a_disabled_enrollment_is_found_by_its_certificate(void **state)
{
    (void)state;
    struct world w;
    struct slice word, rewritten;
    world_open(&w, "i=s1", "s1");
    words_are(&w.arena, &w.individuals[0], SLICE(""));
    w.individuals[0].provisioning_status = PROVISIONING_DISABLED;
    assert_false(failed(word_of_certificate(&w.arena, world_der("s1"), &word)));
    assert_false(failed(word_of_certificate(&w.arena, world_der("s1w"), &rewritten)));
    assert_true(slice_equal(word, rewritten));
    words_are(&w.arena, &w.individuals[0], word);
    assert_int_equal(word.len, 2 + 64);
    world_close(&w);
}

static void a_name_with_blanks_is_one_word(void **state)
{
    (void)state;
    struct arena arena = arena_capped(4096);
    struct slice word;
    assert_false(failed(word_of_reference(&arena, SLICE("Factory CA n:0"), &word)));
    assert_true(slice_find_byte(word, ' ') == word.len);
    arena_release(&arena);
}

// Words come with the request, so that what changes about a record changes what it is found by.
static void an_enrollment_that_is_read_has_its_words(void **state)
{
    (void)state;
    static const char body[] = "{\"enrollmentGroupId\":\"g\",\"attestation\":{\"type\":\"x509\",\"x509\":"
                               "{\"caReferences\":{\"primary\":\"Acme\"}}}}";
    struct arena arena = arena_capped(65536);
    struct json_doc doc = {0};
    struct enrollment e;
    assert_false(failed(json_read(slice_text(body), JSON_LIMITS_DEFAULT, &doc, NULL)));
    assert_false(
        failed(enrollment_read(&arena, json_root(&doc), ENROLLMENT_GROUP, SLICE("g"), NULL, &e, NULL)));
    assert_true(slice_equal(e.words, SLICE("c:acme")));
    json_doc_release(&doc);
    arena_release(&arena);
}

static int set_up(void **state)
{
    (void)state;
    world_make_certificates();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_drop_certificates();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_with_a_key_is_found_by_its_id),
        cmocka_unit_test(a_whole_chain_needs_one_look),
        cmocka_unit_test(what_is_above_a_leaf_is_looked_for_step_by_step),
        cmocka_unit_test(what_nobody_knows_is_looked_for_once),
        cmocka_unit_test(chains_that_are_no_good_are_not_looked_up),
        cmocka_unit_test(a_full_lookup_asks_for_no_more),
        cmocka_unit_test(a_list_that_is_not_kept_is_asked_for_once),
        cmocka_unit_test(records_are_found_by_what_they_hold),
        cmocka_unit_test(only_a_disabled_enrollment_is_found_by_its_certificate),
        cmocka_unit_test(a_name_with_blanks_is_one_word),
        cmocka_unit_test(an_enrollment_that_is_read_has_its_words),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

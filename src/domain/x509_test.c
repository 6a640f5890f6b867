// Which devices with certificates are let in, by what, and which are not: what the service has, what the
// device shows, what follows. Each row runs with the records found in both orders.
#include "domain/x509_world_test.h"

#include "base/text.h"
#include "crypto/hmac.h"
#include "domain/ways.h"

static const struct row {
    const char *says;
    const char *has;
    const char *shows;
    enum err_code code;
    const char *by;        // the enrollment that lets it in, or refuses because it is disabled; NULL: none
    const char *secondary; // the certificate of the second thumbprint; NULL: the one that was shown
    const char *told;      // in the reason
} rows[] = {
    // clang-format off
    // the name
    {"a name that is not the registration ID", "A g:A1", "x A1", ERR_IDENTITY_MISMATCH, NULL, NULL, "Devil"},

    // individual enrollments: exactly this certificate
    {"the primary", "i=s1,s2", "s1", ERR_NONE, "DEV", "s2", NULL},
    {"the secondary", "i=s1,s2", "s2", ERR_NONE, "DEV", "s1", NULL},
    {"the only one", "i=s1", "s1", ERR_NONE, "DEV", NULL, NULL},
    {"its signature written otherwise", "i=s1", "s1w", ERR_CERTIFICATE_UNTRUSTED, NULL, NULL, ""},
    {"whoever issued it", "i=dA1", "dA1", ERR_NONE, "DEV", NULL, NULL},
    {"whatever else it shows", "i=dA1", "dA1 B C1", ERR_NONE, "DEV", NULL, NULL},
    {"before all groups", "A g:A1 i=dA1", "dA1 A1", ERR_NONE, "DEV", NULL, NULL},
    {"even below a disabled group", "A -g:A1 i=dA1", "dA1 A1", ERR_NONE, "DEV", NULL, NULL},
    {"another of the same name", "i=s1", "s2", ERR_CERTIFICATE_UNTRUSTED, NULL, NULL, "is not one of those"},
    {"another, that a group would let in", "A g:A1 i=s1", "dA1 A1", ERR_CERTIFICATE_UNTRUSTED, NULL, NULL, "is not one of those"},
    {"expired", "i=sold", "sold", ERR_CERTIFICATE_EXPIRED, NULL, NULL, ""},
    {"disabled", "-i=s1", "s1", ERR_ENROLLMENT_DISABLED, "DEV", NULL, "DEV is disabled"},
    {"disabled, another certificate", "-i=s1", "s2", ERR_CERTIFICATE_UNTRUSTED, NULL, NULL, ""},

    // individual enrollments: below a CA certificate
    {"below the one it refers to", "A i@A", "dA1 A1", ERR_NONE, "DEV", NULL, NULL},
    {"below the second", "A B i@B,A", "dA1 A1", ERR_NONE, "DEV", NULL, NULL},
    {"written otherwise", "A i@a", "dA", ERR_NONE, "DEV", NULL, NULL},
    {"not verified, but one above it is", "A A1? i@A1", "dA1 A1", ERR_NONE, "DEV", NULL, NULL},
    {"below another one", "A B i@B", "dA1 A1", ERR_CERTIFICATE_UNTRUSTED, NULL, NULL, "is not above"},
    {"not verified", "A? i@A", "dA", ERR_CERTIFICATE_UNTRUSTED, NULL, NULL, ""},
    {"a CA certificate that is gone", "i@A", "dA", ERR_CERTIFICATE_UNTRUSTED, NULL, NULL, ""},
    {"refers to, disabled", "A -i@A", "dA", ERR_ENROLLMENT_DISABLED, "DEV", NULL, ""},

    // individual enrollments: another proof is wanted
    {"a key is expected", "i#", "dA", ERR_ATTESTATION_TYPE, NULL, NULL, "expects symmetricKey, and the device proves itself with a certificate"},
    {"a key is expected, a group would let it in", "A g:A1 i#", "dA1 A1", ERR_ATTESTATION_TYPE, NULL, NULL, ""},
    {"one device of a group is blocked", "A g:A1 -i#", "dA1 A1", ERR_ENROLLMENT_DISABLED, "DEV", NULL, "DEV is disabled"},
    {"blocked, and the group is disabled too", "A -g:A1 -i#", "dA1 A1", ERR_ENROLLMENT_DISABLED, "DEV", NULL, ""},
    {"blocked by another certificate", "A g:A1 -i=s1", "dA1 A1", ERR_ENROLLMENT_DISABLED, "DEV", NULL, ""},
    {"blocked by a reference", "A B g:A1 -i@B", "dA1 A1", ERR_ENROLLMENT_DISABLED, "DEV", NULL, ""},
    {"a stranger is not told that it is blocked", "A g:A1 -i#", "dB B", ERR_ATTESTATION_TYPE, NULL, NULL, ""},
    {"nor is one that no group knows", "A -i#", "dA", ERR_ATTESTATION_TYPE, NULL, NULL, ""},

    // a certificate in a disabled enrollment
    {"of another device", "A g:A1 -old=dA1", "dA1 A1", ERR_ENROLLMENT_DISABLED, "old", NULL, "old is disabled"},
    {"of another device, its signature written otherwise", "A g:A1 -old=dA1", "dA1w A1", ERR_ENROLLMENT_DISABLED, "old", NULL, "old is disabled"},
    {"as its secondary", "A g:A1 -old=s1,dA1", "dA1 A1", ERR_ENROLLMENT_DISABLED, "old", NULL, ""},
    {"enabled in its own", "i=s1 -old=s1", "s1", ERR_ENROLLMENT_DISABLED, "old", NULL, ""},
    {"as an expired one", "A g:A1 -old=dA1old", "dA1old A1", ERR_CERTIFICATE_EXPIRED, NULL, NULL, ""},
    {"another certificate is", "A g:A1 -old=s1", "dA1 A1", ERR_NONE, "g", NULL, NULL},
    {"in an enabled one of another device", "A g:A1 old=dA1", "dA1 A1", ERR_NONE, "g", NULL, NULL},
    {"only there, and enabled", "old=s1", "s1", ERR_CERTIFICATE_UNTRUSTED, NULL, NULL, ""},

    // groups: which one
    {"root", "A g:A", "dA", ERR_NONE, "g", NULL, NULL},
    {"root, by reference", "A g@A", "dA", ERR_NONE, "g", NULL, NULL},
    {"root, by the second reference", "A g@B,A", "dA", ERR_NONE, "g", NULL, NULL},
    {"root, with an intermediate between", "A g:A", "dA1 A1", ERR_NONE, "g", NULL, NULL},
    {"root, with two between", "A g:A", "dA2 A2 A1", ERR_NONE, "g", NULL, NULL},
    {"two between, in another order, with the root", "A g:A", "dA2 A A1 A2", ERR_NONE, "g", NULL, NULL},
    {"intermediate", "A g:A1", "dA1 A1", ERR_NONE, "g", NULL, NULL},
    {"intermediate as the secondary", "A g:B,A1", "dA1 A1", ERR_NONE, "g", NULL, NULL},
    {"the leaf alone, the group has the intermediate", "A g:A1", "dA1", ERR_NONE, "g", NULL, NULL},
    {"the leaf alone, CA certificates all the way", "A A1? A2? g:A", "dA2", ERR_NONE, "g", NULL, NULL},
    {"the leaf alone, groups all the way", "A g:A1 h:A2", "dA2", ERR_NONE, "h", NULL, NULL},
    {"the nearest", "A far:A near:A1", "dA1 A1", ERR_NONE, "near", NULL, NULL},
    {"the nearest that there is", "A far:A mid:A1", "dA2 A2 A1", ERR_NONE, "mid", NULL, NULL},
    {"the nearest, by reference", "A A1? far:A near@A1", "dA1 A1", ERR_NONE, "near", NULL, NULL},
    {"the nearest is disabled", "A far:A -near:A1", "dA1 A1", ERR_ENROLLMENT_DISABLED, "near", NULL, "group near is disabled"},
    {"the nearest is disabled, its signature written otherwise", "A far:A -near:A1", "dA1 A1w", ERR_ENROLLMENT_DISABLED, "near", NULL, ""},
    {"a farther one is disabled", "A -far:A near:A1", "dA1 A1", ERR_NONE, "near", NULL, NULL},
    {"only the farther one is for it", "A -far:A near:A1", "dA", ERR_ENROLLMENT_DISABLED, "far", NULL, ""},
    {"another branch is disabled", "A far:A -near:A1", "dA3 A3", ERR_NONE, "far", NULL, NULL},
    {"two have it, one is disabled", "A g:A1 -h:A1", "dA1 A1", ERR_ENROLLMENT_DISABLED, "h", NULL, ""},
    {"two have it", "A g:A1 h:A1", "dA1 A1", ERR_NONE, "g", NULL, NULL},
    {"two have it, one let it in before", "A g:A1 h:A1 <h", "dA1 A1", ERR_NONE, "h", NULL, NULL},
    {"no group", "A", "dA", ERR_REGISTRATION_UNKNOWN, NULL, NULL, "no enrollment group"},
    {"no group above it", "A B g:B", "dA", ERR_REGISTRATION_UNKNOWN, NULL, NULL, ""},

    // groups: two CAs of one name
    {"two roots of one name, the first", "A C a:A c:C", "dA", ERR_NONE, "a", NULL, NULL},
    {"two roots of one name, the second", "A C a:A c:C", "dC", ERR_NONE, "c", NULL, NULL},
    {"two intermediates of one name, the first", "A C a:A1 c:C1", "dA1", ERR_NONE, "a", NULL, NULL},
    {"two intermediates of one name, the second", "A C a:A1 c:C1", "dC1", ERR_NONE, "c", NULL, NULL},
    {"with the other's intermediate", "A C a:A1 c:C1", "dC1 A1", ERR_NONE, "c", NULL, NULL},
    {"by reference, the other is disabled", "A C a@A -c@C", "dA", ERR_NONE, "a", NULL, NULL},
    {"only the other is there", "A a:A", "dC", ERR_CERTIFICATE_REFUSED, NULL, NULL, "another CA has the same name"},
    {"only the other is there, and is shown", "A a:A1", "dC1 A1", ERR_CERTIFICATE_REFUSED, NULL, NULL, "another CA has the same name"},
    {"both are there, only one is verified", "A C? a:A c:C", "dC", ERR_CERTIFICATE_REFUSED, NULL, NULL, ""},

    // groups: several ways
    {"cross-signed: the nearest of all ways", "A B far:A near:B1", "dA1 A1", ERR_NONE, "near", NULL, NULL},
    {"cross-signed, and the leaf alone", "A B far:A1 near:B1", "dA1", ERR_NONE, "far", NULL, NULL},
    {"cross-signed: one of two as near is disabled", "A B a:A1 -b:B1", "dA1 A1", ERR_ENROLLMENT_DISABLED, "b", NULL, ""},
    {"cross-signed by one that is not verified", "A B? far:A near:B1", "dA1 A1", ERR_NONE, "far", NULL, NULL},

    // groups: what is trusted
    {"a group's certificate alone is not", "g:A", "dA", ERR_CERTIFICATE_UNTRUSTED, NULL, NULL, ""},
    {"nor one that is not verified", "A? g:A", "dA", ERR_CERTIFICATE_UNTRUSTED, NULL, NULL, ""},
    {"nor an intermediate below that", "A? g:A1", "dA1 A1", ERR_CERTIFICATE_UNTRUSTED, NULL, NULL, ""},
    {"a verified intermediate is", "A1 g:A1", "dA1", ERR_NONE, "g", NULL, NULL},
    {"but not for what is above it", "A1 g:A", "dA1 A1 A", ERR_REGISTRATION_UNKNOWN, NULL, NULL, ""},
    {"nor for what is beside it", "A1 g:A", "dA", ERR_CERTIFICATE_UNTRUSTED, NULL, NULL, ""},
    {"referred to, not verified itself", "A A1? g@A1", "dA1", ERR_NONE, "g", NULL, NULL},
    {"referred to, and gone", "g@A", "dA", ERR_CERTIFICATE_UNTRUSTED, NULL, NULL, ""},
    {"expired leaf", "A g:A1", "dA1old A1", ERR_CERTIFICATE_EXPIRED, NULL, NULL, ""},
    {"self-signed", "A g:A", "s1", ERR_CERTIFICATE_UNTRUSTED, NULL, NULL, ""},
    {"of nobody we know", "A g:A", "dB B", ERR_CERTIFICATE_UNTRUSTED, NULL, NULL, ""},

    // who came first
    {"another group's device", "A C a:A c:C <a", "dC", ERR_REGISTRATION_TAKEN, NULL, NULL, "registered through enrollment group a"},
    {"the other way round", "A C a:A c:C <c", "dA", ERR_REGISTRATION_TAKEN, NULL, NULL, "registered through enrollment group c"},
    {"its own group", "A C a:A c:C <a", "dA", ERR_NONE, "a", NULL, NULL},
    {"that group is gone", "A C c:C <a", "dC", ERR_NONE, "c", NULL, NULL},
    {"an individual enrollment means it", "A a:A i=s1 <a", "s1", ERR_NONE, "DEV", NULL, NULL},
    {"its group vouches for the new one too", "A root:A new:A1 <root", "dA1 A1", ERR_NONE, "new", NULL, NULL},
    {"so it does when it is disabled", "A -root:A new:A1 <root", "dA1 A1", ERR_NONE, "new", NULL, NULL},
    {"an intermediate's group does not vouch for the root's", "A root:A new:A1 <new", "dA", ERR_REGISTRATION_TAKEN, NULL, NULL, ""},
    {"it vouches in another way", "A B a:A1 b:B <b", "dA1 A1 B1", ERR_NONE, "a", NULL, NULL},
    {"a disabled group leaves no mark on it", "A C a:A -c:C <a", "dC", ERR_REGISTRATION_TAKEN, NULL, NULL, ""},
    {"nor does a disabled enrollment of another device", "A a:A -old=s1 <a", "s1", ERR_REGISTRATION_TAKEN, NULL, NULL, ""},
    {"its group knows it by a key", "A a:A k# <k", "dA", ERR_REGISTRATION_TAKEN, NULL, NULL, ""},
    {"its group knows it by its TPM", "A a:A t%A <t", "dA", ERR_REGISTRATION_TAKEN, NULL, NULL, ""},

    // who vouches for TPMs vouches for nothing else
    {"a group of TPMs", "A t%A", "dA", ERR_REGISTRATION_UNKNOWN, NULL, NULL, "no enrollment group has a certificate above it"},
    {"nor does such a group stop it", "A a:A -t%A", "dA", ERR_NONE, "a", NULL, NULL},
    {"a TPM is expected", "A a:A i~e1", "dA", ERR_ATTESTATION_TYPE, NULL, NULL, "expects tpm"},
    {"a TPM is expected, disabled", "A a:A -i~e1", "dA", ERR_ENROLLMENT_DISABLED, "DEV", NULL, ""},
    // clang-format on
};

static bool is_thumbprint(struct slice text, struct slice der)
{
    uint8_t digest[SHA256_SIZE];
    char hex[2 * SHA256_SIZE];
    struct buf out = {.at = (uint8_t *)hex, .room = sizeof hex, .cap = sizeof hex};
    assert_false(failed(sha256(der, digest)));
    hex_encode_upper(&out, slice_of(digest, sizeof digest));
    return slice_equal(text, buf_slice(&out));
}

static void check_identity(const struct row *row, const struct decision *out)
{
    char first[16];
    (void)snprintf(first, sizeof first, "%.*s", (int)strcspn(row->shows, " "), row->shows);
    assert_int_equal(out->authentication, HUB_AUTH_SELF_SIGNED);
    if (!is_thumbprint(out->primary_thumbprint, world_der(first)))
        fail_msg("%s: the first thumbprint is not that of %s", row->says, first);
    const char *second = row->secondary != NULL ? row->secondary : first;
    if (!is_thumbprint(out->secondary_thumbprint, world_der(second)))
        fail_msg("%s: the second thumbprint is not that of %s", row->says, second);
}

static void check_row(const struct row *row, bool backwards)
{
    struct world w;
    struct trace trace = {0};
    struct decision out;
    struct why why = {0};
    world_open(&w, row->has, row->shows);
    w.backwards = backwards;
    world_look(&w);
    struct err e = decide_admission(&w.admission, &w.arena, &out, &trace, &why);
    if (e.code != row->code || (row->told != NULL && strstr(why.text, row->told) == NULL))
        fail_msg("%s: %s: %s", row->says, err_info(e)->name, why.text);
    if (failed(e) && (why.text[0] == '\0' || err_info(e)->class != ERR_CLASS_AUTH))
        fail_msg("%s: refused without a word", row->says);
    if (row->by != NULL && (out.enrollment == NULL || !slice_equal(out.enrollment->id, slice_text(row->by))))
        fail_msg("%s: not by %s", row->says, row->by);
    bool proved = !failed(e) || e.code == ERR_ENROLLMENT_DISABLED || e.code == ERR_REGISTRATION_TAKEN;
    if ((out.enrollment != NULL) != proved)
        fail_msg("%s: an enrollment speaks for a device that proved itself, and for no other", row->says);
    if (!failed(e))
        check_identity(row, &out);
    else
        assert_int_equal(out.primary_thumbprint.len, 0);
    assert_true(trace.count > 0);
    world_close(&w);
}

static void only_a_certificate_that_an_enrollment_wants_lets_a_device_in(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(&rows[i], false);
        check_row(&rows[i], true);
    }
}

static void a_device_without_a_certificate_is_refused(void **state)
{
    (void)state;
    struct world w;
    struct decision out;
    world_open(&w, "A g:A", "dA");
    chain_release(w.admission.credential.chain);
    w.admission.credential.chain = NULL;
    world_look(&w);
    assert_int_equal(decide_admission(&w.admission, &w.arena, &out, NULL, NULL).code, ERR_CREDENTIAL_MISSING);
    world_close(&w);
}

static void a_chain_that_is_too_long_is_refused(void **state)
{
    (void)state;
    struct world w;
    struct decision out;
    struct why why = {0};
    world_open(&w, "A g:A", "dA B C A1 C1 A2 A3");
    world_look(&w);
    assert_int_equal(decide_admission(&w.admission, &w.arena, &out, NULL, &why).code,
                     ERR_CERTIFICATE_REFUSED);
    assert_true(why.text[0] != '\0');
    world_close(&w);
}

// Else a device below a disabled group's certificate could show a copy of it that the group does not have.
static void a_groups_certificate_is_the_same_however_its_signature_is_written(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, "A1 g:A1 h@A1", "dA1");
    world_look(&w);
    for (size_t i = 0; i < 2; i++) {
        assert_true(ways_enrolled(&w.admission, &w.groups[i], world_der("A1")));
        assert_true(ways_enrolled(&w.admission, &w.groups[i], world_der("A1w")));
        assert_false(ways_enrolled(&w.admission, &w.groups[i], world_der("B1")));
    }
    world_close(&w);
}

// ---- what is known of the way

static bool traced(const struct trace *trace, const char *rule, const char *text)
{
    for (size_t i = 0; i < trace->count; i++) {
        struct slice line = trace->lines[i].text;
        if (strcmp(trace->lines[i].rule, rule) == 0 && slice_find(line, slice_text(text)) < line.len)
            return true;
    }
    return false;
}

static void admit(struct world *w, const char *has, const char *shows, struct trace *trace)
{
    struct decision out;
    struct why why = {0};
    *trace = (struct trace){0};
    world_open(w, has, shows);
    world_look(w);
    if (failed(decide_admission(&w->admission, &w->arena, &out, trace, &why)))
        fail_msg("%s", why.text);
}

static void the_trace_says_which_way_was_taken_and_what_decided(void **state)
{
    (void)state;
    struct world w;
    struct trace trace;
    admit(&w, "A far:A near:A1", "dA2 A2 A1", &trace);
    assert_true(traced(&trace, "way", "Dev < CN=Acme Line 2 < CN=Acme East < CN=Acme Root"));
    assert_true(
        traced(&trace, "match", "group near, by the nearest certificate that a group has: CN=Acme East"));
    assert_false(traced(&trace, "expiry", ""));
    world_close(&w);
    admit(&w, "i=s1", "s1", &trace);
    assert_true(traced(&trace, "match", "individual enrollment DEV"));
    assert_true(traced(&trace, "match", "primary"));
    world_close(&w);
}

static void a_certificate_that_ends_within_a_month_is_warned_of(void **state)
{
    (void)state;
    struct world w;
    struct trace trace;
    admit(&w, "A g:A", "dA3 A3", &trace);
    assert_true(traced(&trace, "expiry", "CN=Acme West expires in 9 days, on Sun, 24 Jan 2027 08:00:00 GMT"));
    assert_false(traced(&trace, "expiry", "Acme Root"));
    world_close(&w);
    admit(&w, "A g:A1", "dA1soon A1", &trace);
    assert_true(traced(&trace, "expiry", "the device's own certificate expires in 20 days"));
    world_close(&w);
}

static void a_ca_certificate_that_does_not_count_is_named(void **state)
{
    (void)state;
    struct world w;
    struct trace trace = {0};
    struct decision out;
    world_open(&w, "A? g:A", "dA");
    world_look(&w);
    assert_true(failed(decide_admission(&w.admission, &w.arena, &out, &trace, NULL)));
    assert_true(traced(&trace, "way", "CA certificate A does not count: it is not verified"));
    world_close(&w);
}

static void an_expired_ca_certificate_counts_only_where_that_is_allowed(void **state)
{
    (void)state;
    struct world w;
    struct trace trace = {0};
    struct decision out;
    world_open(&w, "old g:old", "dold");
    world_look(&w);
    assert_int_equal(decide_admission(&w.admission, &w.arena, &out, NULL, NULL).code,
                     ERR_CERTIFICATE_EXPIRED);
    w.admission.expired_anchors = true;
    assert_false(failed(decide_admission(&w.admission, &w.arena, &out, &trace, NULL)));
    assert_true(traced(&trace, "expiry", "CN=Old Root expired on Tue, 12 Jan 2027 08:00:00 GMT"));
    world_close(&w);
}

// ---- revocation lists

static void give_list(struct world *w, size_t ca, struct slice list)
{
    uint8_t *digest = arena_take(&w->arena, SHA256_SIZE);
    assert_false(failed(sha256(list, digest)));
    w->cas[ca].crl_digest = slice_of(digest, SHA256_SIZE);
    struct ca_crl *crl = &w->crls[w->crl_count++];
    *crl = (struct ca_crl){.crl = list};
    assert_false(failed(arena_lower(&w->arena, w->cas[ca].name, &crl->name)));
}

static uint32_t admitted(struct world *w)
{
    struct decision out;
    world_look(w);
    return decide_admission(&w->admission, &w->arena, &out, NULL, NULL).code;
}

static void a_revoked_device_is_refused_and_the_others_are_not(void **state)
{
    (void)state;
    static const struct {
        const char *shows;
        const char *revoked;
        int64_t days; // until the next list
        bool required;
        enum err_code code;
    } lists[] = {
        {"dA", "dA", 1, false, ERR_CERTIFICATE_REVOKED},
        {"dA", "A1", 1, false, ERR_NONE},
        {"dA1 A1", "A1", 1, false, ERR_CERTIFICATE_REVOKED},
        {"dA", "dA", -1, false, ERR_CERTIFICATE_REVOKED}, // a stale list still revokes
        {"dA", "A1", -1, false, ERR_NONE},
        {"dA", "A1", -1, true, ERR_CERTIFICATE_REVOKED},
        {"dA", "A1", 1, true, ERR_NONE},
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct world w;
        world_open(&w, "A g:A", lists[i].shows);
        give_list(&w, 0, world_list("A", lists[i].revoked, lists[i].days * INT64_C(43200000000)));
        w.cas[0].crl_required = lists[i].required;
        uint32_t code = admitted(&w);
        if (code != lists[i].code)
            fail_msg("list %zu: %s", i, err_info(FAIL(code))->name);
        world_close(&w);
    }
}

static void a_list_that_is_required_and_not_there_refuses(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, "A g:A", "dA");
    w.cas[0].crl_required = true;
    assert_int_equal(admitted(&w), ERR_CERTIFICATE_REVOKED);
    world_close(&w);
}

static void a_list_that_cannot_be_had_refuses(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, "A g:A", "dA");
    give_list(&w, 0, world_list("A", "A1", INT64_C(86400000000)));
    w.crl_count = 0;
    assert_int_equal(admitted(&w), ERR_CERTIFICATE_REVOKED);
    world_close(&w);
}

// One certificate under two names: the list of either counts, whichever is found first.
static void the_list_of_one_name_counts_for_the_other(void **state)
{
    (void)state;
    for (unsigned order = 0; order < 2; order++) {
        struct world w;
        world_open(&w, "A A g:A", "dA");
        w.cas[1].name = SLICE("again");
        w.backwards = order == 1;
        give_list(&w, 0, world_list("A", "A1", INT64_C(86400000000)));
        give_list(&w, 1, world_list("A", "dA", INT64_C(86400000000)));
        assert_int_equal(admitted(&w), ERR_CERTIFICATE_REVOKED);
        world_close(&w);
    }
}

// ---- where it is taken

static void a_device_of_a_group_is_called_as_its_certificate_spells_it(void **state)
{
    (void)state;
    static struct linked_hub hub = {.host = SLICE("hub.example.com"), .weight = 1, .allocate = true};
    struct world w;
    struct decision out;
    world_open(&w, "A g:A", "dA");
    w.service.hubs = &hub;
    w.service.hub_count = 1;
    w.service.allocation = ALLOCATION_HASHED;
    world_look(&w);
    assert_false(failed(decide_admission(&w.admission, &w.arena, &out, NULL, NULL)));
    assert_false(failed(decide_plan(&w.admission, &w.arena, &out, NULL, NULL)));
    assert_true(slice_equal(out.device_id, SLICE("Dev")));
    world_close(&w);
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
        cmocka_unit_test(only_a_certificate_that_an_enrollment_wants_lets_a_device_in),
        cmocka_unit_test(a_device_without_a_certificate_is_refused),
        cmocka_unit_test(a_chain_that_is_too_long_is_refused),
        cmocka_unit_test(a_groups_certificate_is_the_same_however_its_signature_is_written),
        cmocka_unit_test(the_trace_says_which_way_was_taken_and_what_decided),
        cmocka_unit_test(a_certificate_that_ends_within_a_month_is_warned_of),
        cmocka_unit_test(a_ca_certificate_that_does_not_count_is_named),
        cmocka_unit_test(an_expired_ca_certificate_counts_only_where_that_is_allowed),
        cmocka_unit_test(a_revoked_device_is_refused_and_the_others_are_not),
        cmocka_unit_test(a_list_that_is_required_and_not_there_refuses),
        cmocka_unit_test(a_list_that_cannot_be_had_refuses),
        cmocka_unit_test(the_list_of_one_name_counts_for_the_other),
        cmocka_unit_test(a_device_of_a_group_is_called_as_its_certificate_spells_it),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

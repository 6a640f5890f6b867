// Which devices with a TPM are asked for a proof, and let in once they gave it: what the service has, which
// TPM it is and what certificates it shows, what follows. Each row runs before and after the challenge, with
// the records found in both orders.
#include "domain/x509_world_test.h"

#include "base/text.h"
#include "domain/words.h"

enum { NOW_S = WORLD_NOW_US / 1000000, OWN = 1, REQUIRED = 2 };

static const struct row {
    const char *says;
    const char *has;
    const char *key; // the TPM's, by a certificate of it
    const char *shows;
    int how; // OWN: the device calls itself as its TPM does, else "dev". REQUIRED: tpm_certificate_required
    enum err_code code; // in the end
    const char *by;     // the enrollment that lets it in, or refuses because it is disabled; i: its own
    const char *told;   // in the reason
} rows[] = {
    // clang-format off
    // individual enrollments
    {"its endorsement key", "i~e1", "e1", "", 0, ERR_NONE, "i", NULL},
    {"under the TPM's own name", "i~e1", "e1", "", OWN, ERR_NONE, "i", NULL},
    {"another TPM", "i~e2", "e1", "", 0, ERR_TPM_KEY, NULL, "is not the one that individual enrollment dev has"},
    {"whatever certificates it shows", "A i~e1", "e1", "e1C C", 0, ERR_NONE, "i", NULL},
    {"even too many", "A i~e1", "e1", "e1 A1 A B C A2 A3", 0, ERR_NONE, "i", NULL},
    {"even those of another TPM", "A i~e1", "e1", "e2 A1", 0, ERR_NONE, "i", NULL},
    {"a certificate does not replace the key", "A i~e2", "e1", "e1 A1", 0, ERR_TPM_KEY, NULL, ""},
    {"a key is expected", "i#", "e1", "", 0, ERR_ATTESTATION_TYPE, NULL, "expects symmetricKey, and the device proves itself with a TPM"},
    {"a certificate is expected", "i=s1", "e1", "e1 A1", 0, ERR_ATTESTATION_TYPE, NULL, "expects x509, and the device proves itself with a TPM"},
    {"disabled", "-i~e1", "e1", "", 0, ERR_ENROLLMENT_DISABLED, "i", "dev is disabled"},
    {"disabled, another TPM", "-i~e2", "e1", "", 0, ERR_TPM_KEY, NULL, ""},
    {"nobody knows it", "A B", "e1", "", 0, ERR_REGISTRATION_UNKNOWN, NULL, "no individual enrollment has the registration ID dev"},
    {"before all groups", "A t%A i~e1", "e1", "e1 A1", OWN, ERR_NONE, "i", NULL},
    {"even below a disabled group", "A -t%A i~e1", "e1", "e1 A1", OWN, ERR_NONE, "i", NULL},
    {"another TPM, that a group would let in", "A t%A i~e2", "e1", "e1 A1", OWN, ERR_TPM_KEY, NULL, ""},

    // individual enrollments of a service that wants certificates
    {"required", "A i~e1", "e1", "e1 A1", REQUIRED, ERR_NONE, "i", NULL},
    {"required, directly below the root", "A i~e1", "e1", "e1A", REQUIRED, ERR_NONE, "i", NULL},
    {"required, the leaf alone", "A A1? i~e1", "e1", "e1", REQUIRED, ERR_NONE, "i", NULL},
    {"required, and missing", "A i~e1", "e1", "", REQUIRED, ERR_CERTIFICATE_REFUSED, NULL, "tpm.endorsementCertificates"},
    {"required, of another TPM", "A i~e1", "e1", "e2 A1", REQUIRED, ERR_CERTIFICATE_REFUSED, NULL, ""},
    {"required, of nobody we know", "A i~e1", "e1", "e1B B", REQUIRED, ERR_CERTIFICATE_UNTRUSTED, NULL, ""},
    {"required, of another CA of that name", "A i~e1", "e1", "e1C C", REQUIRED, ERR_CERTIFICATE_REFUSED, NULL, "another CA has the same name"},
    {"required, of a CA that is not verified", "A? i~e1", "e1", "e1 A1", REQUIRED, ERR_CERTIFICATE_UNTRUSTED, NULL, ""},
    {"required, too many", "A i~e1", "e1", "e1 A1 A B C A2 A3", REQUIRED, ERR_CERTIFICATE_REFUSED, NULL, ""},
    {"required, and disabled", "A -i~e1", "e1", "e1 A1", REQUIRED, ERR_ENROLLMENT_DISABLED, "i", ""},
    {"required, missing, and disabled", "A -i~e1", "e1", "", REQUIRED, ERR_CERTIFICATE_REFUSED, NULL, ""},

    // groups: which one
    {"root", "A t%A", "e1", "e1A", OWN, ERR_NONE, "t", NULL},
    {"root, with an intermediate between", "A t%A", "e1", "e1 A1", OWN, ERR_NONE, "t", NULL},
    {"root, with two between, in another order, with the root", "A t%A", "e1", "e1A2 A A1 A2", OWN, ERR_NONE, "t", NULL},
    {"root, by the second reference", "A t%B,A", "e1", "e1 A1", OWN, ERR_NONE, "t", NULL},
    {"root, whose name is written otherwise", "A t%a", "e1", "e1 A1", OWN, ERR_NONE, "t", NULL},
    {"intermediate", "A A1? t%A1", "e1", "e1 A1", OWN, ERR_NONE, "t", NULL},
    {"the leaf alone, CA certificates all the way", "A A1? A2? t%A", "e1", "e1A2", OWN, ERR_NONE, "t", NULL},
    {"the nearest", "A A1? far%A near%A1", "e1", "e1 A1", OWN, ERR_NONE, "near", NULL},
    {"the nearest is disabled", "A A1? far%A -near%A1", "e1", "e1 A1", OWN, ERR_ENROLLMENT_DISABLED, "near", "group near is disabled"},
    {"a farther one is disabled", "A A1? -far%A near%A1", "e1", "e1 A1", OWN, ERR_NONE, "near", NULL},
    {"only the farther one is for it", "A A1? -far%A near%A1", "e1", "e1A", OWN, ERR_ENROLLMENT_DISABLED, "far", ""},
    {"two have it, one is disabled", "A t%A -u%A", "e1", "e1 A1", OWN, ERR_ENROLLMENT_DISABLED, "u", ""},
    {"two have it", "A t%A u%A", "e1", "e1 A1", OWN, ERR_NONE, "t", NULL},
    {"two have it, one let it in before", "A t%A u%A <u", "e1", "e1 A1", OWN, ERR_NONE, "u", NULL},
    {"no group", "A", "e1", "e1 A1", OWN, ERR_REGISTRATION_UNKNOWN, NULL, "no enrollment group of type tpm"},
    {"no group above it", "A B t%B", "e1", "e1 A1", OWN, ERR_REGISTRATION_UNKNOWN, NULL, ""},
    {"a group of devices with certificates", "A g:A1", "e1", "e1 A1", OWN, ERR_REGISTRATION_UNKNOWN, NULL, ""},
    {"nor by reference", "A g@A", "e1", "e1 A1", OWN, ERR_REGISTRATION_UNKNOWN, NULL, ""},
    {"nor does such a group stop it", "A t%A -g:A1", "e1", "e1 A1", OWN, ERR_NONE, "t", NULL},
    {"nor a group with keys", "A k#", "e1", "e1 A1", OWN, ERR_REGISTRATION_UNKNOWN, NULL, ""},

    // groups: which device
    {"under a name that it chose", "A t%A", "e1", "e1 A1", 0, ERR_IDENTITY_MISMATCH, NULL, "know this TPM only as"},
    {"the certificate of another TPM", "A t%A", "e1", "e2 A1", OWN, ERR_CERTIFICATE_REFUSED, NULL, ""},
    {"the certificate of a device", "A t%A", "e1", "dA", OWN, ERR_CERTIFICATE_REFUSED, NULL, ""},
    {"no certificate", "A t%A", "e1", "", OWN, ERR_REGISTRATION_UNKNOWN, NULL,
     "no certificate of its endorsement key for a group: enroll the key, or send tpm.endorsementCertificates"},
    {"too many certificates", "A t%A", "e1", "e1 A1 A B C A2 A3", OWN, ERR_CERTIFICATE_REFUSED, NULL, ""},

    // groups: what is trusted
    {"a CA that is not verified", "A? t%A", "e1", "e1 A1", OWN, ERR_CERTIFICATE_UNTRUSTED, NULL, ""},
    {"referred to, not verified itself", "A A1? t%A1", "e1", "e1", OWN, ERR_NONE, "t", NULL},
    {"referred to, and gone", "t%A", "e1", "e1 A1", OWN, ERR_CERTIFICATE_UNTRUSTED, NULL, ""},
    {"expired", "A t%A", "e1", "e1old A1", OWN, ERR_CERTIFICATE_EXPIRED, NULL, ""},
    {"self-signed", "A t%A", "e1", "e1s", OWN, ERR_CERTIFICATE_UNTRUSTED, NULL, ""},
    {"another CA of the same name", "A t%A", "e1", "e1C", OWN, ERR_CERTIFICATE_REFUSED, NULL, "another CA has the same name"},
    {"of nobody we know", "B t%B", "e1", "e1 A1", OWN, ERR_CERTIFICATE_UNTRUSTED, NULL, ""},

    // one TPM is blocked
    {"by a disabled enrollment of its name", "A t%A -i~e1", "e1", "e1 A1", OWN, ERR_ENROLLMENT_DISABLED, "i", ""},
    {"that expects a key", "A t%A -i#", "e1", "e1 A1", OWN, ERR_ENROLLMENT_DISABLED, "i", ""},
    {"that expects a certificate", "A t%A -i=s1", "e1", "e1 A1", OWN, ERR_ENROLLMENT_DISABLED, "i", ""},
    {"that expects another TPM", "A t%A -i~e2", "e1", "e1 A1", OWN, ERR_ENROLLMENT_DISABLED, "i", ""},
    {"and the group is disabled too", "A -t%A -i#", "e1", "e1 A1", OWN, ERR_ENROLLMENT_DISABLED, "i", ""},
    {"a stranger is not told", "A t%A -i#", "e1", "e1 A1", 0, ERR_ATTESTATION_TYPE, NULL, ""},
    {"nor is one that no group knows", "A -i#", "e1", "e1 A1", OWN, ERR_ATTESTATION_TYPE, NULL, ""},
    {"by a disabled enrollment of another name", "A t%A -old~e1", "e1", "e1 A1", OWN, ERR_ENROLLMENT_DISABLED, "old", "old is disabled"},
    {"even one that is enrolled itself", "i~e1 -old~e1", "e1", "", 0, ERR_ENROLLMENT_DISABLED, "old", ""},
    {"not by an enabled one", "A t%A old~e1", "e1", "e1 A1", OWN, ERR_NONE, "t", NULL},
    {"not by that of another TPM", "A t%A -old~e2", "e1", "e1 A1", OWN, ERR_NONE, "t", NULL},
    {"blocked under another name, it has no say in this one", "-old~e1", "e1", "", 0, ERR_REGISTRATION_UNKNOWN, NULL, ""},
    {"nor where a group knows it", "A t%A -old~e1", "e1", "e1 A1", 0, ERR_IDENTITY_MISMATCH, NULL, ""},
    {"nor where another is expected", "i~e2 -old~e1", "e1", "", 0, ERR_TPM_KEY, NULL, ""},

    // who came first
    {"another group's device", "A C a%A c%C <a", "e1", "e1C", OWN, ERR_REGISTRATION_TAKEN, NULL, "registered through enrollment group a"},
    {"the other way round", "A C a%A c%C <c", "e1", "e1 A1", OWN, ERR_REGISTRATION_TAKEN, NULL, "registered through enrollment group c"},
    {"its own group", "A C a%A c%C <a", "e1", "e1 A1", OWN, ERR_NONE, "a", NULL},
    {"that group is gone", "A C c%C <a", "e1", "e1C", OWN, ERR_NONE, "c", NULL},
    {"an individual enrollment means it", "A a%A i~e1 <a", "e1", "", OWN, ERR_NONE, "i", NULL},
    {"its group vouches for the new one too", "A A1? root%A new%A1 <root", "e1", "e1 A1", OWN, ERR_NONE, "new", NULL},
    {"so it does when it is disabled", "A A1? -root%A new%A1 <root", "e1", "e1 A1", OWN, ERR_NONE, "new", NULL},
    {"an intermediate's group does not vouch for the root's", "A A1? root%A new%A1 <new", "e1", "e1A", OWN, ERR_REGISTRATION_TAKEN, NULL, ""},
    {"a disabled group leaves no mark on it", "A C a%A -c%C <a", "e1", "e1C", OWN, ERR_REGISTRATION_TAKEN, NULL, ""},
    {"nor does a disabled enrollment of another name", "A C a%A c%C -old~e1 <a", "e1", "e1C", OWN, ERR_REGISTRATION_TAKEN, NULL, ""},
    {"nor without a certificate", "A a%A i~e1 -old~e1 <a", "e1", "", OWN, ERR_REGISTRATION_TAKEN, NULL, ""},
    {"nor with that of another TPM", "A a%A i~e1 -old~e1 <a", "e1", "e2 A1", OWN, ERR_REGISTRATION_TAKEN, NULL, ""},
    {"blocked, and its own group's", "A a%A -old~e1 <a", "e1", "e1 A1", OWN, ERR_ENROLLMENT_DISABLED, "old", ""},
    {"its group knows it by a key", "A t%A k# <k", "e1", "e1 A1", OWN, ERR_REGISTRATION_TAKEN, NULL, ""},
    {"its group knows it by its own certificate", "A t%A g:A <g", "e1", "e1 A1", OWN, ERR_REGISTRATION_TAKEN, NULL, ""},
    // clang-format on
};

// ---- what the device does

static struct slice own_name(struct arena *arena, const char *key)
{
    char name[TPM_REGISTRATION_ID];
    struct slice out;
    assert_false(failed(tpm_own_registration_id(world_endorsement_key(arena, key), name)));
    assert_false(failed(arena_copy(arena, slice_of(name, sizeof name), &out)));
    return out;
}

static struct secret key_of(uint8_t byte)
{
    struct secret key = {.len = 32};
    memset(key.bytes, byte, 32);
    return key;
}

// A token as it is made with a key that was planted, though not necessarily that of this challenge.
static void answer(struct world *w, struct slice resource, int64_t expires_in_s, const char *policy,
                   uint8_t key)
{
    struct credential *credential = &w->admission.credential;
    struct buf out = buf_capped(SAS_TOKEN_MAX);
    struct slice text;
    struct secret secret = key_of(key);
    sas_sign(&out, resource, NOW_S + expires_in_s, &secret, slice_text(policy));
    assert_false(failed(arena_copy(&w->arena, buf_slice(&out), &text)));
    assert_false(failed(sas_parse(text, &credential->sas, NULL)));
    buf_release(&out);
    credential->answered = true;
    credential->challenge = key_of(1);
}

static void answer_well(struct world *w)
{
    struct slice resource;
    assert_false(failed(arena_printf(&w->arena, &resource, "0ne1%%2Fregistrations%%2F%.*s",
                                     SLICE_ARG(w->admission.registration_id))));
    answer(w, resource, 60, "registration", 1);
}

// ---- which enrollment

static void open_row(struct world *w, const struct row *row, struct arena *names)
{
    struct slice id = (row->how & OWN) != 0 ? own_name(names, row->key) : SLICE("dev");
    world_open_tpm(w, row->has, row->key, row->shows, id);
    w->service.tpm_certificate_required = (row->how & REQUIRED) != 0;
}

// What a device that was not asked yet may learn: nothing that needs a proof.
static enum err_code code_before(enum err_code code)
{
    return code == ERR_ENROLLMENT_DISABLED || code == ERR_REGISTRATION_TAKEN ? ERR_NONE : code;
}

static void check_promises(const struct row *row, const struct decision *out, bool answered, bool let_in)
{
    if (out->challenge != (let_in && !answered))
        fail_msg("%s: a challenge is for who has not answered one", row->says);
    if (out->fresh_key != (let_in && answered))
        fail_msg("%s: a key is for who has proved itself", row->says);
    assert_int_equal(out->authentication, HUB_AUTH_SAS);
    assert_int_equal(out->primary_key.len + out->secondary_key.len, 0);
    assert_int_equal(out->primary_thumbprint.len + out->secondary_thumbprint.len, 0);
}

static void check_row(const struct row *row, bool backwards, bool answered)
{
    struct arena names = arena_capped(4096);
    struct world w;
    struct trace trace = {0};
    struct decision out;
    struct why why = {0};
    open_row(&w, row, &names);
    w.backwards = backwards;
    if (answered)
        answer_well(&w);
    world_look(&w);
    enum err_code code = answered ? row->code : code_before(row->code);
    struct err e = decide_admission(&w.admission, &w.arena, &out, &trace, &why);
    if (e.code != code || (failed(e) && row->told != NULL && strstr(why.text, row->told) == NULL))
        fail_msg("%s: %s: %s", row->says, err_info(e)->name, why.text);
    if (failed(e) && (why.text[0] == '\0' || err_info(e)->class != ERR_CLASS_AUTH))
        fail_msg("%s: refused without a word", row->says);
    struct slice by = row->by == NULL             ? (struct slice){0}
                      : strcmp(row->by, "i") == 0 ? w.device
                                                  : slice_text(row->by);
    if (row->by != NULL && (out.enrollment == NULL || !slice_equal(out.enrollment->id, by)))
        fail_msg("%s: not by %s", row->says, row->by);
    bool known = !failed(e) || e.code == ERR_ENROLLMENT_DISABLED || e.code == ERR_REGISTRATION_TAKEN;
    if ((out.enrollment != NULL) != known)
        fail_msg("%s: an enrollment speaks for a device that it knows, and for no other", row->says);
    check_promises(row, &out, answered, !failed(e));
    assert_true(trace.count > 0);
    world_close(&w);
    arena_release(&names);
}

static void only_a_tpm_that_an_enrollment_knows_is_asked_and_let_in(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (unsigned order = 0; order < 2; order++) {
            check_row(&rows[i], order == 1, false);
            check_row(&rows[i], order == 1, true);
        }
    }
}

// ---- the proof

static const struct proof {
    const char *says;
    const char *resource;
    int64_t expires_in_s;
    const char *policy;
    uint8_t key; // 1: that of the challenge
    enum err_code code;
    const char *told;
} proofs[] = {
    // clang-format off
    {"as it should be", "0ne1%2Fregistrations%2Fdev", 60, "registration", 1, ERR_NONE, NULL},
    {"without a policy, in capitals", "0NE1/registrations/DEV", 60, "", 1, ERR_NONE, NULL},
    {"the key of another challenge", "0ne1/registrations/dev", 60, "", 2, ERR_SAS_SIGNATURE, "latest challenge"},
    {"another device's resource", "0ne1/registrations/dev2", 60, "", 1, ERR_SAS_RESOURCE, ""},
    {"another scope's resource", "0ne2/registrations/dev", 60, "", 1, ERR_SAS_RESOURCE, ""},
    {"expired within the skew", "0ne1/registrations/dev", -299, "", 1, ERR_NONE, NULL},
    {"expired", "0ne1/registrations/dev", -301, "", 1, ERR_SAS_EXPIRED, "expired 301 s ago"},
    {"another policy", "0ne1/registrations/dev", 60, "owner", 1, ERR_POLICY_UNKNOWN, ""},
    // clang-format on
};

static void only_the_answer_to_this_challenge_is_a_proof(void **state)
{
    (void)state;
    static const char *const has[] = {"i~e1", "-i~e1", "i~e2", "B"};
    static const enum err_code then[] = {ERR_NONE, ERR_ENROLLMENT_DISABLED, ERR_TPM_KEY,
                                         ERR_REGISTRATION_UNKNOWN};
    for (size_t i = 0; i < sizeof proofs / sizeof proofs[0]; i++) {
        for (size_t k = 0; k < sizeof has / sizeof has[0]; k++) {
            const struct proof *proof = &proofs[i];
            struct world w;
            struct decision out;
            struct why why = {0};
            world_open_tpm(&w, has[k], "e1", "", SLICE("dev"));
            answer(&w, slice_text(proof->resource), proof->expires_in_s, proof->policy, proof->key);
            world_look(&w);
            struct err e = decide_admission(&w.admission, &w.arena, &out, NULL, &why);
            enum err_code expected = proof->code != ERR_NONE ? proof->code : then[k];
            if (e.code != expected || (proof->told != NULL && strstr(why.text, proof->told) == NULL))
                fail_msg("%s, %s: %s: %s", proof->says, has[k], err_info(e)->name, why.text);
            assert_int_equal(out.fresh_key, !failed(e));
            assert_false(out.challenge);
            if (proof->code != ERR_NONE)
                assert_null(out.enrollment);
            world_close(&w);
        }
    }
}

static void an_answer_to_no_challenge_is_no_proof(void **state)
{
    (void)state;
    struct world w;
    struct decision out;
    world_open_tpm(&w, "i~e1", "e1", "", SLICE("dev"));
    answer(&w, SLICE("0ne1/registrations/dev"), 60, "", 0);
    w.admission.credential.challenge = (struct secret){0};
    world_look(&w);
    assert_int_equal(decide_admission(&w.admission, &w.arena, &out, NULL, NULL).code, ERR_SAS_SIGNATURE);
    world_close(&w);
}

// A token of a device that was not told apart from one with a symmetric key proves nothing by itself.
static void a_token_alone_is_no_tpm(void **state)
{
    (void)state;
    static const char *const has[] = {"i~e1", "A t%A"};
    static const enum err_code code[] = {ERR_ATTESTATION_TYPE, ERR_REGISTRATION_UNKNOWN};
    for (size_t i = 0; i < 2; i++) {
        struct world w;
        struct decision out;
        world_open_tpm(&w, has[i], "e1", "", SLICE("dev"));
        answer_well(&w);
        w.admission.credential.kind = CREDENTIAL_SAS;
        world_look(&w);
        assert_int_equal(decide_admission(&w.admission, &w.arena, &out, NULL, NULL).code, code[i]);
        world_close(&w);
    }
}

// ---- one TPM is one device

// Attributes and policy can be claimed to be others; the TPM answers all the same.
static void write_otherwise(struct world *w)
{
    struct slice *key = &w->admission.credential.tpm.endorsement_key;
    uint8_t *room = arena_take(&w->arena, key->len);
    assert_non_null(room);
    memcpy(room, key->at, key->len);
    room[20] ^= 1; // of the policy
    *key = slice_of(room, key->len);
    assert_false(failed(tpm_public_check(*key, TPM_ENDORSEMENT_KEY, NULL)));
}

static uint32_t admit_otherwise(const char *has, struct slice id)
{
    struct world w;
    struct decision out;
    world_open_tpm(&w, has, "e1", "e1 A1", id);
    write_otherwise(&w);
    answer_well(&w);
    world_look(&w);
    uint32_t code = decide_admission(&w.admission, &w.arena, &out, NULL, NULL).code;
    world_close(&w);
    return code;
}

static void a_tpm_has_one_name_however_its_key_is_written(void **state)
{
    (void)state;
    struct arena arena = arena_capped(65536);
    struct world w;
    char written[TPM_REGISTRATION_ID];
    struct slice own = own_name(&arena, "e1");
    world_open_tpm(&w, "", "e1", "", own);
    assert_false(failed(tpm_registration_id(w.admission.credential.tpm.endorsement_key, written)));
    assert_true(slice_equal(own, slice_of(written, sizeof written)));
    write_otherwise(&w);
    assert_false(failed(tpm_registration_id(w.admission.credential.tpm.endorsement_key, written)));
    assert_false(slice_equal(own, slice_of(written, sizeof written)));
    world_close(&w);

    assert_int_equal(admit_otherwise("A t%A", own), ERR_NONE);
    assert_int_equal(admit_otherwise("A t%A", slice_of(written, sizeof written)), ERR_IDENTITY_MISMATCH);
    assert_int_equal(admit_otherwise("A t%A -old~e1", own), ERR_ENROLLMENT_DISABLED);
    assert_int_equal(admit_otherwise("i~e1", SLICE("dev")), ERR_TPM_KEY);
    arena_release(&arena);
}

static void the_name_that_a_group_wants_is_told(void **state)
{
    (void)state;
    struct arena arena = arena_capped(65536);
    struct world w;
    struct decision out;
    struct why why = {0};
    struct slice own = own_name(&arena, "e1");
    world_open_tpm(&w, "A t%A", "e1", "e1 A1", SLICE("pump-7"));
    world_look(&w);
    assert_true(failed(decide_admission(&w.admission, &w.arena, &out, NULL, &why)));
    assert_true(slice_find(slice_text(why.text), own) < strlen(why.text));
    assert_non_null(strstr(why.text, "pump-7"));
    world_close(&w);
    arena_release(&arena);
}

static void a_device_of_a_group_is_called_as_it_calls_itself(void **state)
{
    (void)state;
    static struct linked_hub hub = {.host = SLICE("hub.example.com"), .weight = 1, .allocate = true};
    struct arena arena = arena_capped(65536);
    struct world w;
    struct decision out;
    struct slice own = own_name(&arena, "e1");
    world_open_tpm(&w, "A t%A", "e1", "e1 A1", own);
    answer_well(&w);
    w.service.hubs = &hub;
    w.service.hub_count = 1;
    w.service.allocation = ALLOCATION_HASHED;
    world_look(&w);
    assert_false(failed(decide_admission(&w.admission, &w.arena, &out, NULL, NULL)));
    assert_false(failed(decide_plan(&w.admission, &w.arena, &out, NULL, NULL)));
    assert_true(slice_equal(out.device_id, own));
    assert_true(out.fresh_key);
    world_close(&w);
    arena_release(&arena);
}

// ---- what is looked for, and told

static void a_tpm_is_looked_for_with_or_without_certificates(void **state)
{
    (void)state;
    static const struct {
        const char *shows;
        size_t words;
        unsigned looks;
    } looks[] = {
        {"", 1, 1},                  // what blocks it
        {"e1 A1", 3, 1},             // and two issuers
        {"e1", 3, 2},                // the second from the CA certificate that was found
        {"e1 A1 A B C A2 A3", 1, 1}, // certificates that are no good
    };
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        struct arena names = arena_capped(4096);
        struct world w;
        struct slice word;
        world_open_tpm(&w, "A A1? t%A", "e1", looks[i].shows, own_name(&names, "e1"));
        world_look(&w);
        assert_int_equal(w.lookup.word_count, looks[i].words);
        assert_int_equal(w.looks, looks[i].looks);
        assert_false(
            failed(word_of_endorsement_key(&w.arena, w.admission.credential.tpm.endorsement_key, &word)));
        assert_true(slice_equal(w.lookup.words[0], word));
        world_close(&w);
        arena_release(&names);
    }
}

static void only_a_disabled_enrollment_is_found_by_its_endorsement_key(void **state)
{
    (void)state;
    struct world w;
    struct slice words, word;
    world_open_tpm(&w, "i~e1 -old~e2 t%A,Maker", "e1", "", SLICE("dev"));
    assert_int_equal(w.individuals[0].words.len, 0);
    assert_false(failed(word_of_endorsement_key(&w.arena, world_endorsement_key(&w.arena, "e2"), &word)));
    assert_true(slice_equal(w.individuals[1].words, word));
    assert_int_equal(word.len, 2 + 64);
    assert_true(slice_equal(slice_to(word, 2), SLICE("e:")));
    assert_false(failed(enrollment_words(&w.arena, &w.groups[0], &words)));
    assert_true(slice_equal(words, SLICE("c:a c:maker")));
    world_close(&w);
}

static bool traced(const struct trace *trace, const char *rule, const char *text)
{
    for (size_t i = 0; i < trace->count; i++) {
        struct slice line = trace->lines[i].text;
        if (strcmp(trace->lines[i].rule, rule) == 0 && slice_find(line, slice_text(text)) < line.len)
            return true;
    }
    return false;
}

static void the_trace_says_what_was_proved_and_what_decided(void **state)
{
    (void)state;
    struct arena names = arena_capped(4096);
    for (unsigned answered = 0; answered < 2; answered++) {
        struct world w;
        struct decision out;
        struct trace trace = {0};
        world_open_tpm(&w, "A t%A", "e1", "e1 A1", own_name(&names, "e1"));
        if (answered == 1)
            answer_well(&w);
        world_look(&w);
        assert_false(failed(decide_admission(&w.admission, &w.arena, &out, &trace, NULL)));
        assert_true(traced(&trace, "way", "TPM 1 < CN=Acme East < CN=Acme Root"));
        assert_true(
            traced(&trace, "match", "group t, by the nearest certificate that a group has: CN=Acme Root"));
        assert_true(traced(&trace, "attest",
                           answered == 1 ? "answers the challenge, holds" : "nothing is proved yet"));
        world_close(&w);
    }
    struct world w;
    struct decision out;
    struct trace trace = {0};
    world_open_tpm(&w, "i~e1 -old~e1", "e1", "", SLICE("dev"));
    world_look(&w);
    assert_false(failed(decide_admission(&w.admission, &w.arena, &out, &trace, NULL)));
    assert_true(traced(&trace, "match", "the endorsement key is the enrollment's"));
    assert_true(traced(&trace, "match", "individual enrollment old, disabled, has this TPM"));
    world_close(&w);
    arena_release(&names);
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
        cmocka_unit_test(only_a_tpm_that_an_enrollment_knows_is_asked_and_let_in),
        cmocka_unit_test(only_the_answer_to_this_challenge_is_a_proof),
        cmocka_unit_test(an_answer_to_no_challenge_is_no_proof),
        cmocka_unit_test(a_token_alone_is_no_tpm),
        cmocka_unit_test(a_tpm_has_one_name_however_its_key_is_written),
        cmocka_unit_test(the_name_that_a_group_wants_is_told),
        cmocka_unit_test(a_device_of_a_group_is_called_as_it_calls_itself),
        cmocka_unit_test(a_tpm_is_looked_for_with_or_without_certificates),
        cmocka_unit_test(only_a_disabled_enrollment_is_found_by_its_endorsement_key),
        cmocka_unit_test(the_trace_says_what_was_proved_and_what_decided),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

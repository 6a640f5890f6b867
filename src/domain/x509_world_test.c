// What x509_world_test.h describes.
#include "domain/x509_world_test.h"

#include <openssl/core_names.h>

#include "base/text.h"
#include "crypto/making_test.h"
#include "domain/words.h"

// ---- certificates

enum kind { CA, DEVICE, ENDORSEMENT };
static struct named {
    const char *name; // short
    const char *common_name;
    const char *issuer; // short; NULL: itself
    enum kind kind;
    const char *same_key;  // as; NULL: a new one
    const char *rewritten; // it is this one, its signature written otherwise; NULL: not so
    int from_days;         // from now; both 0: from a day ago, for a year
    int to_days;
    const struct made *made;
} named[] = {
    {.name = "A", .common_name = "Acme Root"},
    {.name = "C", .common_name = "Acme Root"}, // another CA of the same name
    {.name = "B", .common_name = "Other Root"},
    {.name = "old", .common_name = "Old Root", .from_days = -400, .to_days = -3},
    {.name = "A1", .common_name = "Acme East", .issuer = "A"},
    {.name = "B1", .common_name = "Acme East", .issuer = "B", .same_key = "A1"}, // cross-signed
    {.name = "A2", .common_name = "Acme Line 2", .issuer = "A1"},
    {.name = "A3", .common_name = "Acme West", .issuer = "A", .from_days = -9, .to_days = 9},
    {.name = "C1", .common_name = "Acme East", .issuer = "C"},
    {.name = "dA", .common_name = "Dev", .issuer = "A", .kind = DEVICE},
    {.name = "dA1", .common_name = "Dev", .issuer = "A1", .kind = DEVICE},
    {.name = "dA1old", .common_name = "Dev", .issuer = "A1", .kind = DEVICE, .from_days = -9, .to_days = -1},
    {.name = "dA1soon", .common_name = "Dev", .issuer = "A1", .kind = DEVICE, .from_days = -9, .to_days = 20},
    {.name = "dA2", .common_name = "Dev", .issuer = "A2", .kind = DEVICE},
    {.name = "dA3", .common_name = "Dev", .issuer = "A3", .kind = DEVICE},
    {.name = "dB", .common_name = "Dev", .issuer = "B", .kind = DEVICE},
    {.name = "dC", .common_name = "Dev", .issuer = "C", .kind = DEVICE},
    {.name = "dC1", .common_name = "Dev", .issuer = "C1", .kind = DEVICE},
    {.name = "dold", .common_name = "Dev", .issuer = "old", .kind = DEVICE},
    {.name = "s1", .common_name = "Dev", .kind = DEVICE},
    {.name = "s2", .common_name = "Dev", .kind = DEVICE},
    {.name = "sold", .common_name = "Dev", .kind = DEVICE, .from_days = -9, .to_days = -1},
    {.name = "dA1w", .rewritten = "dA1"},
    {.name = "A1w", .rewritten = "A1"},
    {.name = "s1w", .rewritten = "s1"},
    {.name = "x", .common_name = "Devil", .issuer = "A1", .kind = DEVICE},
    {.name = "e1", .common_name = "TPM 1", .issuer = "A1", .kind = ENDORSEMENT},
    {.name = "e1A", .common_name = "TPM 1", .issuer = "A", .kind = ENDORSEMENT, .same_key = "e1"},
    {.name = "e1A2", .common_name = "TPM 1", .issuer = "A2", .kind = ENDORSEMENT, .same_key = "e1"},
    {.name = "e1B", .common_name = "TPM 1", .issuer = "B", .kind = ENDORSEMENT, .same_key = "e1"},
    {.name = "e1C", .common_name = "TPM 1", .issuer = "C", .kind = ENDORSEMENT, .same_key = "e1"},
    {.name = "e1s", .common_name = "TPM 1", .kind = ENDORSEMENT, .same_key = "e1"},
    {.name = "e1old",
     .common_name = "TPM 1",
     .issuer = "A1",
     .kind = ENDORSEMENT,
     .same_key = "e1",
     .from_days = -9,
     .to_days = -1},
    {.name = "e2", .common_name = "TPM 2", .issuer = "A1", .kind = ENDORSEMENT},
};
enum { NAMED = sizeof named / sizeof named[0] };
static struct arena named_arena;

static const struct named *find_named(struct slice name)
{
    for (size_t i = 0; i < NAMED; i++) {
        if (slice_equal(slice_text(named[i].name), name))
            return &named[i];
    }
    fail_msg("no certificate is called %.*s", SLICE_ARG(name));
    return NULL;
}

static const struct made *made_of(const char *name)
{
    return name != NULL ? find_named(slice_text(name))->made : NULL;
}

void world_make_certificates(void)
{
    named_arena = arena_capped(1 << 20);
    for (size_t i = 0; i < NAMED; i++) {
        struct named *n = &named[i];
        if (n->rewritten != NULL) {
            n->made = make_rewritten(made_of(n->rewritten));
            continue;
        }
        static const char *const extensions[] = {NULL, DEVICE_EXTENSIONS, TPM_EXTENSIONS};
        // each TPM has a key of its own; make_key has one RSA key for all
        EVP_PKEY *key = n->kind == ENDORSEMENT && n->same_key == NULL ? EVP_RSA_gen(2048) : NULL;
        n->made = make(&(struct spec){.subject = n->common_name,
                                      .issuer = made_of(n->issuer),
                                      .same_key = made_of(n->same_key),
                                      .key = key,
                                      .extensions = extensions[n->kind],
                                      .from_us = n->from_days * DAY_US,
                                      .to_us = n->to_days * DAY_US});
        EVP_PKEY_free(key);
    }
}

void world_drop_certificates(void)
{
    made_release();
    arena_release(&named_arena);
}

static struct slice der_of(struct slice name)
{
    return find_named(name)->made->der;
}

struct slice world_der(const char *name)
{
    return der_of(slice_text(name));
}

struct slice world_endorsement_key(struct arena *arena, const char *name)
{
    // device-protocol 6.1
    static const char head[] = "013a0001000b000300b20020837197674484b3f81a90cc8d46a5d724fd52d76e"
                               "06520b64f2a1da1b331469aa00060080004300100800000000000100";
    uint8_t *room = arena_take(arena, 60 + 256);
    size_t len = 0;
    BIGNUM *modulus = NULL;
    assert_non_null(room);
    assert_true(hex_decode(slice_text(head), room, 60, &len) && len == 60);
    assert_int_equal(EVP_PKEY_get_bn_param(made_of(name)->key, OSSL_PKEY_PARAM_RSA_N, &modulus), 1);
    assert_int_equal(BN_bn2binpad(modulus, room + 60, 256), 256);
    BN_free(modulus);
    return slice_of(room, 60 + 256);
}

static struct slice to_pem(struct arena *arena, struct slice der)
{
    struct buf text = buf_capped(65536);
    struct slice out;
    buf_text(&text, "-----BEGIN CERTIFICATE-----\n");
    b64_encode(&text, der);
    buf_text(&text, "\n-----END CERTIFICATE-----\n");
    assert_false(failed(arena_copy(arena, buf_slice(&text), &out)));
    buf_release(&text);
    return out;
}

struct slice world_pem(const char *name)
{
    return to_pem(&named_arena, world_der(name));
}

struct slice world_proof(const char *issuer, struct slice common_name, int64_t from_us)
{
    const struct made *proof = make(&(struct spec){.subject = arena_cstr(&named_arena, common_name),
                                                   .issuer = made_of(issuer),
                                                   .extensions = "keyUsage=digitalSignature\n",
                                                   .from_us = from_us - DAY_US,
                                                   .to_us = from_us + 7 * DAY_US});
    return to_pem(&named_arena, proof->der);
}

struct slice world_list(const char *issuer, const char *revoked, int64_t to_us)
{
    const struct made *const all[] = {made_of(revoked), NULL};
    return make_list(
        &(struct list_spec){.issuer = made_of(issuer), .revoked = all, .from_us = -DAY_US, .to_us = to_us});
}

// ---- the service

#define HOW ":=@#%~"

static struct slice take_name(struct slice *text, const char *ends)
{
    size_t len = 0;
    while (len < text->len && strchr(ends, text->at[len]) == NULL)
        len++;
    struct slice name = slice_to(*text, len);
    *text = slice_from(*text, len);
    return name;
}

static void give_pair(struct attestation *a, struct slice pair)
{
    struct slice first = {0};
    struct slice second = {0};
    (void)slice_cut(&pair, ',', &first);
    bool two = slice_cut(&pair, ',', &second);
    a->type = ATTESTATION_X509;
    if (a->certificate_role == CERTIFICATE_CA_REFERENCE) {
        a->primary_ca = first;
        a->secondary_ca = second;
        return;
    }
    a->primary_certificate = der_of(first);
    a->secondary_certificate = two ? der_of(second) : a->primary_certificate;
}

static void give_tpm(struct world *w, struct attestation *a, uint8_t how, struct slice what)
{
    char name[16];
    a->certificate_role = how == '%' ? CERTIFICATE_CA_REFERENCE : CERTIFICATE_NONE;
    if (how == '%') {
        give_pair(a, what);
    } else {
        (void)snprintf(name, sizeof name, "%.*s", SLICE_ARG(what));
        a->endorsement_key = world_endorsement_key(&w->arena, name);
    }
    a->type = ATTESTATION_TPM;
}

static void give_attestation(struct world *w, struct attestation *a, uint8_t how, struct slice what)
{
    switch (how) {
    case '%':
    case '~':
        give_tpm(w, a, how, what);
        return;
    case ':':
        a->certificate_role = CERTIFICATE_SIGNING;
        break;
    case '=':
        a->certificate_role = CERTIFICATE_CLIENT;
        break;
    case '@':
        a->certificate_role = CERTIFICATE_CA_REFERENCE;
        break;
    default:
        *a = (struct attestation){
            .type = ATTESTATION_SYMMETRIC_KEY, .primary_key.len = 32, .secondary_key.len = 32};
        return;
    }
    give_pair(a, what);
}

static void add_enrollment(struct world *w, struct slice word)
{
    bool disabled = word.at[0] == '-';
    word = slice_from(word, disabled ? 1 : 0);
    struct slice id = take_name(&word, HOW);
    bool of_device = slice_equal(id, SLICE("i"));
    bool individual = of_device || word.at[0] == '=' || word.at[0] == '~';
    struct enrollment *e = individual ? &w->individuals[w->individual_count++] : &w->groups[w->group_count++];
    *e = (struct enrollment){
        .kind = individual ? ENROLLMENT_INDIVIDUAL : ENROLLMENT_GROUP,
        .id = of_device ? w->device : id,
        .provisioning_status = disabled ? PROVISIONING_DISABLED : PROVISIONING_UNSET,
    };
    give_attestation(w, &e->attestation, word.at[0], slice_from(word, 1));
    assert_false(failed(enrollment_words(&w->arena, e, &e->words)));
}

static void add_ca(struct world *w, struct slice word)
{
    bool verified = word.at[word.len - 1] != '?';
    struct slice name = verified ? word : slice_to(word, word.len - 1);
    struct ca_certificate *ca = &w->cas[w->ca_count++];
    *ca = (struct ca_certificate){.name = name, .certificate = der_of(name), .verified = verified};
    assert_false(failed(ca_certificate_words(&w->arena, ca, &ca->words)));
}

static void add_prior(struct world *w, struct slice group)
{
    w->prior = (struct registration){.id = SLICE("dev"),
                                     .status = STATUS_ASSIGNED,
                                     .enrollment_kind = ENROLLMENT_GROUP,
                                     .enrollment_id = group,
                                     .assigned_hub = SLICE("hub.example.com"),
                                     .device_id = SLICE("Dev")};
}

static void show(struct world *w, const char *shows)
{
    struct slice certificates[WORLD_MAX];
    struct slice text = slice_text(shows);
    struct slice name;
    size_t count = 0;
    while (slice_cut(&text, ' ', &name))
        certificates[count++] = der_of(name);
    if (count > 0)
        assert_false(failed(chain_new(certificates, count, &w->admission.credential.chain)));
}

static void begin(struct world *w, const char *has, struct slice id, struct slice enrolled)
{
    struct slice text = slice_text(has);
    struct slice word;
    *w =
        (struct world){.arena = arena_capped(1 << 20), .service.id_scope = SLICE("0ne1"), .device = enrolled};
    assert_false(failed(issuers_new(100, 1 << 20, &w->issuers)));
    w->admission = (struct admission){
        .service = &w->service, .registration_id = id, .issuers = w->issuers, .now_us = WORLD_NOW_US};
    while (slice_cut(&text, ' ', &word)) {
        struct slice rest = word;
        (void)take_name(&rest, HOW);
        if (word.at[0] == '<')
            add_prior(w, slice_from(word, 1));
        else if (rest.len > 0)
            add_enrollment(w, word);
        else
            add_ca(w, word);
    }
}

void world_open(struct world *w, const char *has, const char *shows)
{
    begin(w, has, SLICE("dev"), SLICE("DEV"));
    w->admission.credential.kind = CREDENTIAL_X509;
    show(w, shows);
}

void world_open_tpm(struct world *w, const char *has, const char *key, const char *shows, struct slice id)
{
    struct credential *credential = &w->admission.credential;
    begin(w, has, id, id);
    credential->kind = CREDENTIAL_TPM;
    credential->tpm.endorsement_key = world_endorsement_key(&w->arena, key);
    credential->tpm.storage_root_key = world_endorsement_key(&w->arena, "e2"); // any; it is not compared
    show(w, shows);
}

void world_close(struct world *w)
{
    chain_release(w->admission.credential.chain);
    issuers_free(w->issuers);
    arena_release(&w->arena);
}

// ---- what the store does (ports/store.h)

static bool has_word(struct slice words, struct slice wanted)
{
    struct slice one;
    while (slice_cut(&words, ' ', &one)) {
        if (slice_equal(one, wanted))
            return true;
    }
    return false;
}

static bool is_asked(const struct world *w, struct slice words)
{
    for (size_t i = 0; i < w->lookup.word_count; i++) {
        if (has_word(words, w->lookup.words[i]))
            return true;
    }
    return false;
}

static bool refers_to_found(struct world *w, struct slice words)
{
    for (size_t i = 0; i < w->admission.certificate_count; i++) {
        struct slice word;
        assert_false(failed(word_of_reference(&w->arena, w->found_cas[i]->name, &word)));
        if (has_word(words, word))
            return true;
    }
    return false;
}

static size_t at(const struct world *w, size_t i, size_t count)
{
    return w->backwards ? count - 1 - i : i;
}

static void find_crls(struct world *w)
{
    w->admission.crls = w->found_crls;
    w->admission.crl_count = 0;
    for (size_t i = 0; i < w->crl_count; i++) {
        for (size_t k = 0; k < w->lookup.crl_count; k++) {
            if (slice_equal(w->lookup.crls[k], w->crls[i].name))
                w->found_crls[w->admission.crl_count++] = &w->crls[i];
        }
    }
}

static void ask_store(struct world *w)
{
    struct admission *a = &w->admission;
    w->looks++;
    a->certificates = w->found_cas;
    a->groups = w->found_groups;
    a->holders = w->found_holders;
    a->certificate_count = a->group_count = a->holder_count = 0;
    for (size_t i = 0; i < w->ca_count; i++) {
        const struct ca_certificate *ca = &w->cas[at(w, i, w->ca_count)];
        if (is_asked(w, ca->words))
            w->found_cas[a->certificate_count++] = ca;
    }
    for (size_t i = 0; i < w->group_count; i++) {
        const struct enrollment *group = &w->groups[at(w, i, w->group_count)];
        if (is_asked(w, group->words) || refers_to_found(w, group->words))
            w->found_groups[a->group_count++] = group;
        if (slice_equal(group->id, w->prior.enrollment_id))
            a->former = group;
    }
    for (size_t i = 0; i < w->individual_count; i++) {
        if (is_asked(w, w->individuals[i].words))
            w->found_holders[a->holder_count++] = &w->individuals[i];
        if (slice_equal(w->individuals[i].id, w->device))
            a->individual = &w->individuals[i];
    }
    find_crls(w);
    a->prior = w->prior.id.len > 0 ? &w->prior : NULL;
}

void world_look(struct world *w)
{
    bool more = false;
    assert_false(failed(decide_lookup(&w->admission, &w->arena, &w->lookup, &more)));
    ask_store(w);
    for (int round = 1; round < 4 && more; round++) {
        assert_false(failed(decide_lookup(&w->admission, &w->arena, &w->lookup, &more)));
        if (more)
            ask_store(w);
    }
}

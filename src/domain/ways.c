// Gathers what the service holds, has it judged (crypto/path.h), and says what was found.
#include "domain/ways.h"

#include "base/instant.h"
#include "crypto/certificate.h"

enum { SOON_DAYS = 30 };
static const int64_t day_us = 24 * 3600 * INT64_C(1000000);

static const struct ca_certificate *ca_of(const struct admission *admission, struct slice name)
{
    for (size_t i = 0; i < admission->certificate_count && name.len > 0; i++) {
        if (slice_equal_nocase(admission->certificates[i]->name, name))
            return admission->certificates[i];
    }
    return NULL;
}

static bool refers_to(const struct admission *admission, struct slice name, struct slice der)
{
    const struct ca_certificate *ca = ca_of(admission, name);
    return ca != NULL && certificate_same(ca->certificate, der);
}

bool ways_enrolled(const struct admission *admission, const struct enrollment *e, struct slice der)
{
    const struct attestation *a = &e->attestation;
    bool tpm = admission->credential.kind == CREDENTIAL_TPM; // who vouches for devices vouches for no TPM
    if (a->type != (tpm ? ATTESTATION_TPM : ATTESTATION_X509))
        return false;
    if (a->certificate_role == CERTIFICATE_SIGNING)
        return certificate_same(a->primary_certificate, der) ||
               certificate_same(a->secondary_certificate, der);
    return a->certificate_role == CERTIFICATE_CA_REFERENCE &&
           (refers_to(admission, a->primary_ca, der) || refers_to(admission, a->secondary_ca, der));
}

// ---- what the service holds

struct holdings {
    struct path_known known[PATH_KNOWN_MAX];
    size_t count;
    bool cut; // there are more
};

static struct slice crl_of(const struct admission *admission, const struct ca_certificate *ca)
{
    for (size_t i = 0; i < admission->crl_count; i++) {
        if (slice_equal_nocase(admission->crls[i]->name, ca->name))
            return admission->crls[i]->crl;
    }
    return (struct slice){0};
}

// One certificate may be there under two names: it counts when one of them is verified, and the list of each
// is heeded. A list that is there but could not be had refuses (path_find), whatever it may say (I5).
static void hold_ca(const struct admission *admission, const struct ca_certificate *ca, struct holdings *all)
{
    all->cut = all->cut || all->count == PATH_KNOWN_MAX;
    if (all->count < PATH_KNOWN_MAX)
        all->known[all->count++] = (struct path_known){
            .der = ca->certificate,
            .anchor = ca->verified,
            .crl_digest = ca->crl_digest,
            .crl = ca->crl_digest.len > 0 ? crl_of(admission, ca) : (struct slice){0},
            .crl_required = ca->crl_required,
        };
}

// Only to build a way with: trust comes from the CA certificates.
static void hold_inline(struct slice der, struct holdings *all)
{
    if (der.len == 0)
        return;
    for (size_t i = 0; i < all->count; i++) {
        if (slice_equal(all->known[i].der, der))
            return;
    }
    all->cut = all->cut || all->count == PATH_KNOWN_MAX;
    if (all->count < PATH_KNOWN_MAX)
        all->known[all->count++] = (struct path_known){.der = der};
}

static void hold_all(const struct admission *admission, struct holdings *all)
{
    for (size_t i = 0; i < admission->certificate_count; i++)
        hold_ca(admission, admission->certificates[i], all);
    for (size_t i = 0; i < admission->group_count; i++) {
        hold_inline(admission->groups[i]->attestation.primary_certificate, all);
        hold_inline(admission->groups[i]->attestation.secondary_certificate, all);
    }
}

// ---- what is said of it

// What a person wants to know of a certificate.
struct about {
    char name[ISSUER_LABEL_SIZE];
    int64_t not_after_us; // 0: not known
};

static struct about about(const struct admission *admission, struct slice der)
{
    struct about a = {.name = "a certificate"};
    struct err e = issuers_label(admission->issuers, der, a.name, &a.not_after_us);
    (void)e; // without memory it has no name
    return a;
}

struct slice ways_name(const struct admission *admission, struct slice der, struct arena *arena)
{
    struct about a = about(admission, der);
    struct slice name;
    return failed(arena_copy(arena, slice_text(a.name), &name)) ? SLICE("a certificate") : name;
}

void ways_warn_expiry(int64_t now_us, struct slice name, int64_t not_after_us, struct trace *trace,
                      struct arena *arena)
{
    uint8_t room[40];
    struct buf text = {.at = room, .room = sizeof room, .cap = sizeof room};
    int64_t left_us = not_after_us - now_us;
    if (not_after_us == 0 || left_us > SOON_DAYS * day_us)
        return;
    instant_format_http(&text, not_after_us);
    if (left_us >= 0)
        trace_add(trace, arena, "expiry", "warning: %.*s expires in %lld days, on %.*s: renew it",
                  SLICE_ARG(name), (long long)(left_us / day_us), SLICE_ARG(buf_slice(&text)));
    else
        trace_add(trace, arena, "expiry", "warning: %.*s expired on %.*s, and counts all the same",
                  SLICE_ARG(name), SLICE_ARG(buf_slice(&text)));
}

static bool told_before(const struct ways *ways, size_t way, struct slice der)
{
    for (size_t i = 0; i < way; i++) {
        for (size_t level = 0; level < ways->way[i].count; level++) {
            if (slice_equal(ways->way[i].above[level], der))
                return true;
        }
    }
    return false;
}

// A line for each way, and a warning for each certificate in it that ends soon.
static void tell_ways(const struct admission *admission, const struct ways *ways, struct trace *trace,
                      struct arena *arena)
{
    enum { TOLD = 3 }; // the others would only fill the trace
    for (size_t i = 0; trace != NULL && i < ways->count && i < TOLD; i++) {
        const struct path *way = &ways->way[i];
        struct buf text = buf_capped(1024);
        struct slice name = chain_common_name(admission->credential.chain);
        buf_bytes(&text, name.len > 0 ? slice_to(name, 64) : SLICE("the device's")); // that of a TPM has none
        for (size_t level = 0; level < way->count; level++) {
            struct about a = about(admission, way->above[level]);
            buf_text(&text, " < ");
            buf_text(&text, a.name);
            if (!told_before(ways, i, way->above[level]))
                ways_warn_expiry(admission->now_us, slice_text(a.name), a.not_after_us, trace, arena);
        }
        trace_add(trace, arena, "way", "%.*s", SLICE_ARG(buf_slice(&text)));
        buf_release(&text);
    }
}

// The commonest reason why there is no way.
static void tell_unverified(const struct admission *admission, struct trace *trace, struct arena *arena)
{
    for (size_t i = 0; i < admission->certificate_count; i++) {
        const struct ca_certificate *ca = admission->certificates[i];
        if (!ca->verified)
            trace_add(trace, arena, "way", "CA certificate %.*s does not count: it is not verified",
                      SLICE_ARG(slice_to(ca->name, 64)));
    }
}

struct err ways_find(const struct admission *admission, struct ways *out, struct trace *trace,
                     struct arena *arena, struct why *why)
{
    struct holdings *all = arena_take(arena, sizeof *all);
    *out = (struct ways){0};
    if (all == NULL)
        return FAIL(ERR_NO_MEMORY);
    hold_all(admission, all);
    struct path_question question = {
        .chain = admission->credential.chain,
        .known = all->known,
        .known_count = all->count,
        .now_us = admission->now_us,
        .expired_anchors = admission->expired_anchors,
        .endorsement = admission->credential.kind == CREDENTIAL_TPM,
    };
    struct err e = path_find(admission->issuers, &question, out->way, WAYS_MAX, &out->count, why);
    out->cut = all->cut || out->count == WAYS_MAX;
    if (e.code == ERR_CERTIFICATE_UNTRUSTED)
        tell_unverified(admission, trace, arena);
    if (!failed(e))
        tell_ways(admission, out, trace, arena);
    return e;
}

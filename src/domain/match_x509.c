// Which enrollment speaks for a device that shows a certificate (service-api E.2, E.3): its individual one if
// there is one; else the group that holds the nearest certificate above the device's. A certificate in a
// disabled enrollment is of no use anywhere.
#include "domain/match.h"

#include "crypto/certificate.h"
#include "crypto/hmac.h"
#include "domain/ways.h"

// ---- what the hub is told (service-api H.3)

static struct err thumbprint(const uint8_t digest[SHA256_SIZE], struct arena *arena, struct slice *out)
{
    uint8_t room[2 * SHA256_SIZE];
    return arena_copy(arena, digest_text(digest, SHA256_SIZE, room), out);
}

struct err match_thumbprint(struct slice der, struct arena *arena, struct slice *out)
{
    uint8_t digest[SHA256_SIZE];
    TRY(sha256(der, digest));
    return thumbprint(digest, arena, out);
}

// `other`: the certificate that the device may change to, or none.
static struct err let_in(const struct admission *admission, const struct enrollment *e, struct slice other,
                         struct arena *arena, struct decision *out)
{
    out->enrollment = e;
    out->authentication = HUB_AUTH_SELF_SIGNED;
    TRY(thumbprint(chain_fingerprint(admission->credential.chain), arena, &out->primary_thumbprint));
    out->secondary_thumbprint = out->primary_thumbprint;
    return other.len == 0 ? OK : match_thumbprint(other, arena, &out->secondary_thumbprint);
}

void match_forget(struct decision *out)
{
    secret_wipe(&out->primary_key);
    secret_wipe(&out->secondary_key);
    out->primary_thumbprint = out->secondary_thumbprint = (struct slice){0};
    out->challenge = out->fresh_key = false;
}

// ---- groups

static struct err match_group(const struct admission *admission, struct decision *out, struct trace *trace,
                              struct arena *arena, struct why *why)
{
    const struct enrollment *group;
    TRY(match_nearest_group(admission, &group, trace, arena, why));
    return let_in(admission, group, (struct slice){0}, arena, out);
}

// ---- individual enrollments

// Exactly the certificate that is enrolled: who signed it, even itself, does not matter (threats B18).
static struct err match_pinned(const struct admission *admission, const struct enrollment *e,
                               struct decision *out, struct trace *trace, struct arena *arena,
                               struct why *why)
{
    const struct attestation *a = &e->attestation;
    struct slice leaf = chain_leaf(admission->credential.chain);
    bool primary = slice_equal(leaf, a->primary_certificate);
    if (!primary && !slice_equal(leaf, a->secondary_certificate))
        return why_fail(why, ERR_CERTIFICATE_UNTRUSTED,
                        "the certificate is not one of those that individual enrollment %.*s has: enroll it "
                        "there, as primary or secondary",
                        SLICE_ARG(e->id));
    TRY(path_check_pinned(admission->credential.chain, admission->now_us, why));
    trace_add(trace, arena, "match", "the certificate is the enrollment's %s one",
              primary ? "primary" : "secondary");
    return let_in(admission, e, primary ? a->secondary_certificate : a->primary_certificate, arena, out);
}

static struct err match_references(const struct admission *admission, const struct enrollment *e,
                                   struct decision *out, struct trace *trace, struct arena *arena,
                                   struct why *why)
{
    struct ways ways;
    TRY(ways_find(admission, &ways, trace, arena, why));
    for (size_t i = 0; i < ways.count; i++) {
        for (size_t level = 0; level < ways.way[i].count; level++) {
            struct slice der = ways.way[i].above[level];
            if (!ways_enrolled(admission, e, der))
                continue;
            trace_add(trace, arena, "match", "the enrollment refers to %.*s",
                      SLICE_ARG(ways_name(admission, der, arena)));
            return let_in(admission, e, (struct slice){0}, arena, out);
        }
    }
    return why_fail(why, ERR_CERTIFICATE_UNTRUSTED,
                    "the CA certificate that individual enrollment %.*s refers to (%.*s) is not above the "
                    "device's certificate",
                    SLICE_ARG(slice_to(e->id, 64)),
                    SLICE_ARG(slice_to(e->attestation.primary_ca.len > 0 ? e->attestation.primary_ca
                                                                         : e->attestation.secondary_ca,
                                       64)));
}

static struct err prove_individual(const struct admission *admission, struct decision *out,
                                   struct trace *trace, struct arena *arena, struct why *why)
{
    const struct enrollment *e = admission->individual;
    const struct attestation *a = &e->attestation;
    if (a->type != ATTESTATION_X509)
        return why_fail(
            why, ERR_ATTESTATION_TYPE,
            "individual enrollment %.*s expects %s, and the device proves itself with a certificate",
            SLICE_ARG(e->id), attestation_type_names.words[a->type]);
    return a->certificate_role == CERTIFICATE_CA_REFERENCE
               ? match_references(admission, e, out, trace, arena, why)
               : match_pinned(admission, e, out, trace, arena, why);
}

// Takes as long as judging a device that has no individual enrollment, so that a stranger with a certificate
// of its own making does not learn by the time of an answer who has one (threats B6).
static void look_for_nothing(const struct admission *admission, struct arena *arena)
{
    struct ways ways;
    struct err e = admission->individual->attestation.certificate_role != CERTIFICATE_CA_REFERENCE
                       ? ways_find(admission, &ways, NULL, arena, NULL)
                       : OK; // it was looked for already
    (void)e;                 // whatever it found, the individual enrollment decides
}

static struct err match_individual(const struct admission *admission, struct decision *out,
                                   struct trace *trace, struct arena *arena, struct why *why)
{
    struct err proved = prove_individual(admission, out, trace, arena, why);
    if (failed(proved) && !enrollment_disabled(admission->individual)) // else the groups are looked at
        look_for_nothing(admission, arena);
    return proved;
}

// ---- all of it

// The disabled individual enrollment that holds this certificate, or NULL. However its signature is written:
// else its device would write it otherwise, and be let in by a group.
static const struct enrollment *disabled_holder(const struct admission *admission)
{
    struct slice leaf = chain_leaf(admission->credential.chain);
    for (size_t i = 0; i < admission->holder_count; i++) {
        const struct enrollment *e = admission->holders[i];
        if (enrollment_disabled(e) && (certificate_same(e->attestation.primary_certificate, leaf) ||
                                       certificate_same(e->attestation.secondary_certificate, leaf)))
            return e;
    }
    return NULL;
}

struct err match_certificate(const struct admission *admission, struct decision *out, struct trace *trace,
                             struct arena *arena, struct why *why)
{
    const struct enrollment *holder = disabled_holder(admission);
    if (holder != NULL) {
        trace_add(trace, arena, "match", "individual enrollment %.*s, disabled, holds this certificate",
                  SLICE_ARG(holder->id));
        TRY(path_check_pinned(admission->credential.chain, admission->now_us, why));
        out->enrollment = holder;
        return OK;
    }
    static const struct match_rules rules = {match_individual, match_group};
    return match_by_rules(&rules, admission, out, trace, arena, why);
}

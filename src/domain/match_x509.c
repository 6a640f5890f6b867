// Which enrollment speaks for a device that shows a certificate (service-api E.2, E.3): its individual one if
// there is one; else the group that holds the nearest certificate above the device's. A certificate in a
// disabled enrollment is of no use anywhere.
#include "domain/match.h"

#include "base/text.h"
#include "crypto/certificate.h"
#include "crypto/hmac.h"
#include "domain/ways.h"

// ---- what the hub is told (service-api H.3)

static struct err thumbprint(const uint8_t digest[SHA256_SIZE], struct arena *arena, struct slice *out)
{
    uint8_t room[2 * SHA256_SIZE];
    struct buf hex = {.at = room, .room = sizeof room, .cap = sizeof room};
    hex_encode_upper(&hex, slice_of(digest, SHA256_SIZE));
    return arena_copy(arena, buf_slice(&hex), out);
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
}

// ---- groups

// Of two groups that hold the same certificate, or certificates equally near: a disabled one refuses; else
// the device stays with the one that it came through before; else the order of their names decides, so that
// it is always the same one.
static bool goes_before(const struct admission *admission, const struct enrollment *a,
                        const struct enrollment *b)
{
    const struct enrollment *former = admission->former;
    if (b == NULL || enrollment_disabled(a) != enrollment_disabled(b))
        return b == NULL || enrollment_disabled(a);
    if (former != NULL && slice_equal_nocase(a->id, former->id) != slice_equal_nocase(b->id, former->id))
        return slice_equal_nocase(a->id, former->id);
    return slice_compare(a->id, b->id) < 0;
}

// The group that decides, and the certificate it decides by; NULL when no group holds one of a way.
static const struct enrollment *nearest_group(const struct admission *admission, const struct ways *ways,
                                              struct slice *by, size_t *level)
{
    const struct enrollment *found = NULL;
    for (*level = 0; *level < PATH_ABOVE_MAX; (*level)++) {
        for (size_t i = 0; i < ways->count; i++) {
            for (size_t k = 0; k < admission->group_count && *level < ways->way[i].count; k++) {
                const struct enrollment *group = admission->groups[k];
                struct slice der = ways->way[i].above[*level];
                if (!ways_enrolled(admission, group, der) || !goes_before(admission, group, found))
                    continue;
                found = group;
                *by = der;
            }
        }
        if (found != NULL)
            return found;
    }
    return NULL;
}

static struct err match_group(const struct admission *admission, struct decision *out, struct trace *trace,
                              struct arena *arena, struct why *why)
{
    struct ways ways;
    struct slice by = {0};
    size_t level = 0;
    TRY(ways_find(admission, &ways, trace, arena, why));
    const struct enrollment *group = nearest_group(admission, &ways, &by, &level);
    if (group == NULL)
        return why_fail(why, ERR_REGISTRATION_UNKNOWN,
                        "the certificate holds, but no individual enrollment has the registration ID %.*s "
                        "and no enrollment group has a certificate above it: create one of them",
                        SLICE_ARG(slice_to(admission->registration_id, 64)));
    // a nearer one may be among what was not found, and disabled; a device can add to that by what it shows
    if ((admission->cut || ways.cut) && level > 0)
        return why_fail(why, ERR_CERTIFICATE_REFUSED,
                        "too many enrollment groups or CA certificates have the names of the device's "
                        "issuers (64 or more), "
                        "or it shows too many of them: it cannot be told whether a group is nearer than %.*s",
                        SLICE_ARG(slice_to(group->id, 40)));
    trace_add(trace, arena, "match", "%s group %.*s, by the nearest certificate that a group has: %.*s%s",
              enrollment_disabled(group) ? "disabled" : "enrollment", SLICE_ARG(group->id),
              SLICE_ARG(ways_name(admission, by, arena)), level == 0 ? ", which issued the device's" : "");
    return let_in(admission, group, (struct slice){0}, arena, out);
}

struct err match_group_vouches(const struct admission *admission, const struct enrollment *group,
                               struct arena *arena)
{
    struct ways ways;
    TRY(ways_find(admission, &ways, NULL, arena, NULL));
    for (size_t i = 0; i < ways.count; i++) {
        for (size_t level = 0; level < ways.way[i].count; level++) {
            if (ways_enrolled(admission, group, ways.way[i].above[level]))
                return OK;
        }
    }
    return FAIL(ERR_CERTIFICATE_UNTRUSTED);
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

// That is how one device of a group is blocked: by a disabled enrollment of its ID, whatever that wants to be
// shown. Only a device that a group would let in is told so, and leaves a record; a stranger is just refused.
static struct err match_blocked(const struct admission *admission, struct decision *out, struct trace *trace,
                                struct arena *arena)
{
    struct decision of_group = {0};
    TRY(match_group(admission, &of_group, trace, arena, NULL));
    trace_add(trace, arena, "match", "individual enrollment %.*s, disabled, blocks it there",
              SLICE_ARG(admission->individual->id));
    out->enrollment = admission->individual;
    return OK;
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
    const struct enrollment *e = admission->individual;
    trace_add(trace, arena, "match", "individual enrollment %.*s%s", SLICE_ARG(e->id),
              enrollment_disabled(e) ? ", disabled" : "");
    struct err proved = prove_individual(admission, out, trace, arena, why);
    if (!failed(proved) || err_info(proved)->class != ERR_CLASS_AUTH)
        return proved;
    if (!enrollment_disabled(e)) {
        look_for_nothing(admission, arena);
        return proved;
    }
    struct err blocked = match_blocked(admission, out, trace, arena);
    return !failed(blocked) || err_info(blocked)->class != ERR_CLASS_AUTH ? blocked : proved;
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
        out->enrollment = holder;
        return path_check_pinned(admission->credential.chain, admission->now_us, why);
    }
    return admission->individual != NULL ? match_individual(admission, out, trace, arena, why)
                                         : match_group(admission, out, trace, arena, why);
}

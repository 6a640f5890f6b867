// What a device with a certificate and a device with a TPM have in common: an individual enrollment decides
// alone, and blocks when it is disabled; among groups the nearest certificate above the device's decides
// (service-api E.3).
#include "domain/match.h"

#include "domain/ways.h"

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

struct err match_nearest_group(const struct admission *admission, const struct enrollment **out,
                               struct trace *trace, struct arena *arena, struct why *why)
{
    struct ways ways;
    struct slice by = {0};
    size_t level = 0;
    TRY(ways_find(admission, &ways, trace, arena, why));
    const struct enrollment *group = nearest_group(admission, &ways, &by, &level);
    if (group == NULL)
        return why_fail(why, ERR_REGISTRATION_UNKNOWN,
                        "the certificate holds, but no individual enrollment has the registration ID %.*s "
                        "and no enrollment group %s a certificate above it: create one of them",
                        SLICE_ARG(slice_to(admission->registration_id, 64)),
                        admission->credential.kind == CREDENTIAL_TPM ? "of type tpm refers to" : "has");
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
    *out = group;
    return OK;
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

// That is how one device of a group is blocked: by a disabled enrollment of its ID, whatever that wants to be
// shown. Only a device that a group would let in is told so, and leaves a record; a stranger is just refused.
static struct err match_blocked(const struct match_rules *rules, const struct admission *admission,
                                struct decision *out, struct trace *trace, struct arena *arena)
{
    struct decision of_group = {0};
    TRY(rules->group(admission, &of_group, trace, arena, NULL));
    trace_add(trace, arena, "match", "individual enrollment %.*s, disabled, blocks it there",
              SLICE_ARG(admission->individual->id));
    out->enrollment = admission->individual;
    return OK;
}

struct err match_by_rules(const struct match_rules *rules, const struct admission *admission,
                          struct decision *out, struct trace *trace, struct arena *arena, struct why *why)
{
    const struct enrollment *e = admission->individual;
    if (e == NULL)
        return rules->group(admission, out, trace, arena, why);
    trace_add(trace, arena, "match", "individual enrollment %.*s%s", SLICE_ARG(e->id),
              enrollment_disabled(e) ? ", disabled" : "");
    struct err proved = rules->individual(admission, out, trace, arena, why);
    if (!failed(proved) || err_info(proved)->class != ERR_CLASS_AUTH || !enrollment_disabled(e))
        return proved;
    struct err blocked = match_blocked(rules, admission, out, trace, arena);
    return !failed(blocked) || err_info(blocked)->class != ERR_CLASS_AUTH ? blocked : proved;
}

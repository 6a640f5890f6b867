// The search: from the leaf up, depth first, over what the service holds and what the device showed. Whether
// one certificate may stand above what is below it is decided in step.c.
#include "crypto/path.h"

#include "crypto/step.h"

enum { STEPS_MAX = 128 }; // certificates that are looked at more closely in one search

static struct candidate *candidate_of(struct search *s, const uint8_t fingerprint[FINGERPRINT_SIZE])
{
    for (size_t i = 0; i < s->candidate_count; i++) {
        if (memcmp(s->candidates[i].fingerprint, fingerprint, FINGERPRINT_SIZE) == 0)
            return &s->candidates[i];
    }
    return NULL;
}

// What the service holds comes first, so that no device can hide the way through it behind others.
static struct err add_known(struct search *s)
{
    const struct path_question *q = s->question;
    for (size_t i = 0; i < q->known_count && i < PATH_KNOWN_MAX; i++) {
        struct facts *facts;
        struct err e = issuers_facts(s->issuers, q->known[i].der, &facts);
        if (e.code == ERR_INVALID)
            continue; // no certificate, so it vouches for nobody
        TRY(e);
        struct candidate *same = candidate_of(s, facts->fingerprint);
        if (same == NULL) {
            same = &s->candidates[s->candidate_count++];
            *same = (struct candidate){.facts = facts, .der = q->known[i].der, .subject = facts->subject};
            memcpy(same->fingerprint, facts->fingerprint, FINGERPRINT_SIZE);
        } else {
            facts_release(facts);
        }
        same->known = true;
        same->anchor = same->anchor || q->known[i].anchor;
        s->known[i] = same->facts;
    }
    return OK;
}

static void add_shown(struct search *s)
{
    struct chain *chain = s->question->chain;
    for (size_t i = 1; i < chain->count; i++) {
        const struct shown *shown = &chain->shown[i];
        if (candidate_of(s, shown->fingerprint) != NULL)
            continue;
        struct candidate *c = &s->candidates[s->candidate_count++];
        struct facts *kept = issuers_find(s->issuers, shown->fingerprint);
        *c = (struct candidate){.der = shown->der, .subject = shown->subject, .shown = i};
        c->facts = kept != NULL ? facts_hold(kept) : NULL;
        memcpy(c->fingerprint, shown->fingerprint, FINGERPRINT_SIZE);
    }
}

static void emit(struct search *s)
{
    struct path *path = &s->paths[s->path_count++];
    path->count = s->depth;
    for (size_t i = 0; i < s->depth; i++) {
        path->above[i] = s->way[i]->der;
        if (!s->way[i]->known) // now that a whole way holds, it is no stranger any more
            issuers_keep(s->issuers, s->way[i]->facts);
    }
}

// From the certificate that is the top of the way now; *found: a way was emitted, here or above; *revoked:
// its issuer withdrew it, so that the way cannot end here either. The depth is bounded by PATH_ABOVE_MAX.
static struct err climb(struct search *s, bool *found, bool *revoked) // NOLINT(misc-no-recursion)
{
    bool any = false;
    *found = false;
    *revoked = false;
    for (size_t i = 0; i < s->candidate_count && s->path_count < s->max; i++) {
        struct candidate *c = &s->candidates[i];
        bool fits;
        TRY(step_is_issuer(s, c, &fits));
        if (!fits)
            continue;
        any = true;
        if (s->steps++ >= STEPS_MAX) {
            step_blame_steps(s);
            return OK;
        }
        struct err e = step_check(s, c);
        if (e.code == ERR_NO_MEMORY)
            return e;
        *revoked = *revoked || e.code == ERR_CERTIFICATE_REVOKED;
        if (failed(e))
            continue; // step_check took down why
        bool higher, withdrawn;
        s->way[s->depth++] = c;
        e = climb(s, &higher, &withdrawn);
        if (!failed(e) && !higher && !withdrawn && c->anchor && s->path_count < s->max) {
            emit(s);
            higher = true;
        }
        s->depth--;
        TRY(e);
        *found = *found || higher;
    }
    if (!any && (s->depth == 0 || !s->way[s->depth - 1]->anchor))
        step_blame_nobody(s);
    return OK;
}

static struct err search(struct search *s)
{
    bool found, revoked;
    TRY(step_check_leaf(s));
    TRY(add_known(s));
    add_shown(s);
    return climb(s, &found, &revoked);
}

struct err path_find(struct issuers *issuers, const struct path_question *question, struct path *paths,
                     size_t max, size_t *count, struct why *why)
{
    struct search s = {.issuers = issuers, .question = question, .paths = paths, .max = max};
    *count = 0;
    if (chain_problem(question->chain) != NULL)
        return why_fail(why, ERR_CERTIFICATE_REFUSED, "%s", chain_problem(question->chain)->text);
    struct err e = search(&s);
    for (size_t i = 0; i < s.candidate_count; i++)
        facts_release(s.candidates[i].facts);
    if (failed(e) && e.code == ERR_NO_MEMORY)
        return e;
    *count = s.path_count;
    if (s.path_count > 0)
        return OK;
    return why_fail(why, s.blame.code, "%s", s.blame.why.text);
}

struct err path_check_pinned(struct chain *chain, int64_t now_us, struct why *why)
{
    const struct verdict *profile;
    if (chain_problem(chain) != NULL)
        return why_fail(why, ERR_CERTIFICATE_REFUSED, "%s", chain_problem(chain)->text);
    TRY(chain_judge(chain, &profile));
    return step_leaf_holds(chain, profile->broken[ROLE_PINNED], now_us, why);
}

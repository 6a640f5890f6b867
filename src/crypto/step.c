// The checks of one step: profile, signature, revocation, validity, length, names.
#include "crypto/step.h"

#include <openssl/err.h>
#include <stdarg.h>

// How good a guess a failed step is: nobody there < another key < not good enough < the same, and its key
// identifier is the one that was looked for.
enum { GUESS_NOBODY, GUESS_OTHER_KEY, GUESS_NAME, GUESS_KEY, GUESSES };

__attribute__((format(printf, 4, 5))) static struct err blame(struct search *s, size_t guess,
                                                              enum err_code code, const char *format, ...)
{
    size_t rank = s->depth * GUESSES + guess + 1;
    if (rank > s->blame.rank) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(s->blame.why.text, sizeof s->blame.why.text, format, args);
        va_end(args);
        s->blame.rank = rank;
        s->blame.code = code;
    }
    return FAIL(code);
}

static struct label label_of(const struct facts *facts)
{
    return facts_label(X509_get_subject_name(facts->x509));
}

static const struct facts *top_facts(const struct search *s)
{
    return s->depth == 0 ? NULL : s->way[s->depth - 1]->facts;
}

static const uint8_t *top_fingerprint(const struct search *s)
{
    return s->depth == 0 ? chain_fingerprint(s->question->chain) : s->way[s->depth - 1]->fingerprint;
}

static struct label top_label(const struct search *s)
{
    return s->depth == 0 ? chain_label(s->question->chain) : label_of(top_facts(s));
}

struct err step_leaf_holds(const struct chain *chain, const char *broken, int64_t now_us, struct why *why)
{
    struct label name = chain_label(chain);
    if (broken != NULL)
        return why_fail(why, ERR_CERTIFICATE_REFUSED, "the certificate %s %s", name.text, broken);
    if (now_us > chain->not_after_us)
        return why_fail(why, ERR_CERTIFICATE_EXPIRED,
                        "the certificate %s expired at %sZ: give the device a new one", name.text,
                        facts_label_time(chain->not_after_us).text);
    if (now_us < chain->not_before_us)
        return why_fail(why, ERR_CERTIFICATE_EXPIRED,
                        "the certificate %s is not valid before %sZ: is the clock right here, and was it "
                        "right where the certificate was made?",
                        name.text, facts_label_time(chain->not_before_us).text);
    return OK;
}

struct err step_check_leaf(struct search *s)
{
    struct chain *chain = s->question->chain;
    const struct verdict *profile;
    TRY(chain_judge(chain, &profile));
    enum role role = s->question->endorsement ? ROLE_ENDORSEMENT : ROLE_DEVICE;
    struct err e = step_leaf_holds(chain, profile->broken[role], s->question->now_us, &s->blame.why);
    s->blame.code = e.code;
    return e;
}

static struct err facts_of(struct search *s, struct candidate *c)
{
    if (c->facts != NULL)
        return OK;
    TRY(chain_facts(s->question->chain, c->shown, &c->facts));
    (void)facts_hold(c->facts);
    return OK;
}

// RFC 5280 4.2.1.1: a certificate may say which key signed it, and one that says which key it holds may
// contradict that.
static int compare_key_id(const struct facts *child, const struct facts *parent)
{
    const ASN1_OCTET_STRING *wanted = X509_get0_authority_key_id(child->x509);
    const ASN1_OCTET_STRING *have = X509_get0_subject_key_id(parent->x509);
    if (wanted == NULL || have == NULL)
        return 0;
    return ASN1_OCTET_STRING_cmp(wanted, have) == 0 ? 1 : -1;
}

static bool is_in_way(const struct search *s, const struct candidate *c)
{
    if (memcmp(c->fingerprint, chain_fingerprint(s->question->chain), FINGERPRINT_SIZE) == 0)
        return true;
    for (size_t i = 0; i < s->depth; i++) {
        if (s->way[i] == c)
            return true;
    }
    return false;
}

struct err step_is_issuer(struct search *s, struct candidate *c, bool *is)
{
    struct chain *chain = s->question->chain;
    *is = false;
    if (is_in_way(s, c))
        return OK;
    if (s->depth == 0 && proofs_have(&chain->signers, c->fingerprint)) {
        *is = true;
        return OK;
    }
    if (c->subject != (s->depth == 0 ? chain->shown[0].issuer : top_facts(s)->issuer))
        return OK;
    struct facts *child = s->depth > 0 ? s->way[s->depth - 1]->facts : NULL;
    TRY(facts_of(s, c));
    if (child == NULL)
        TRY(chain_facts(chain, 0, &child));
    *is = X509_NAME_cmp(X509_get_issuer_name(child->x509), X509_get_subject_name(c->facts->x509)) == 0 &&
          compare_key_id(child, c->facts) >= 0;
    return OK;
}

static size_t guess_of(const struct search *s, const struct candidate *c)
{
    const struct chain *chain = s->question->chain;
    const struct facts *child = s->depth == 0 ? chain->shown[0].facts : top_facts(s);
    if (child == NULL) // a leaf at rest: its signature is proved
        return GUESS_KEY;
    return compare_key_id(child, c->facts) > 0 ? GUESS_KEY : GUESS_NAME;
}

static struct err refuse(struct search *s, const struct candidate *c, const char *what)
{
    struct label name = label_of(c->facts);
    struct label below = top_label(s);
    return blame(s, guess_of(s, c), ERR_CERTIFICATE_REFUSED, "the certificate %s, which vouches for %s, %s",
                 name.text, below.text, what);
}

static struct err check_validity(struct search *s, const struct candidate *c)
{
    int64_t now_us = s->question->now_us;
    struct label name = label_of(c->facts);
    struct label below = top_label(s);
    if (now_us < c->facts->not_before_us)
        return blame(s, guess_of(s, c), ERR_CERTIFICATE_EXPIRED,
                     "the certificate %s, which vouches for %s, is not valid before %sZ", name.text,
                     below.text, facts_label_time(c->facts->not_before_us).text);
    if (now_us > c->facts->not_after_us && !(c->anchor && s->question->expired_anchors))
        return blame(s, guess_of(s, c), ERR_CERTIFICATE_EXPIRED,
                     "the certificate %s, which vouches for %s, expired at %sZ: replace it", name.text,
                     below.text, facts_label_time(c->facts->not_after_us).text);
    return OK;
}

// RFC 5280 4.2.1.9: how many CAs may stand between it and the leaf; those that a CA issued to itself do not
// count.
static struct err check_length(struct search *s, const struct candidate *c)
{
    long between = 0;
    for (size_t i = 0; i < s->depth; i++)
        between += !s->way[i]->facts->self_issued;
    if (c->facts->path_len >= 0 && between > c->facts->path_len)
        return refuse(s, c, "allows fewer CAs below it than there are (pathLenConstraint)");
    return OK;
}

// Of the signatures that may be checked, so many may be wasted on certificates that only the device shows:
// else it could use them all up, and hide a way on which a disabled group stands.
enum { STRANGERS_MAX = 2 };

static bool may_try(const struct search *s, const struct candidate *c)
{
    return s->tried_count < PATH_SIGNATURES_MAX && (c->known || s->strangers < STRANGERS_MAX);
}

static struct tried *find_tried(struct search *s, const struct candidate *c)
{
    const uint8_t *child = top_fingerprint(s);
    for (size_t i = 0; i < s->tried_count; i++) {
        if (memcmp(s->tried[i].child, child, FINGERPRINT_SIZE) == 0 &&
            memcmp(s->tried[i].parent, c->fingerprint, FINGERPRINT_SIZE) == 0)
            return &s->tried[i];
    }
    return NULL;
}

// What was proved is remembered: for the leaf in its chain, for others where their facts are kept.
static struct err try_signature(struct search *s, const struct candidate *c, bool *holds)
{
    struct chain *chain = s->question->chain;
    struct facts *child = s->depth > 0 ? s->way[s->depth - 1]->facts : NULL;
    if (child == NULL)
        TRY(chain_facts(chain, 0, &child));
    *holds = facts_signed_by(child, c->facts);
    if (*holds)
        proofs_add(s->depth > 0 ? &child->signers : &chain->signers, c->fingerprint);
    else if (!c->known)
        s->strangers++;
    s->tried[s->tried_count++] =
        (struct tried){.child = top_fingerprint(s), .parent = c->fingerprint, .holds = *holds};
    return OK;
}

static struct err check_signature(struct search *s, const struct candidate *c)
{
    const struct proofs *signers = s->depth > 0 ? &top_facts(s)->signers : &s->question->chain->signers;
    if (proofs_have(signers, c->fingerprint))
        return OK;
    const struct tried *before = find_tried(s, c);
    bool holds = before != NULL && before->holds;
    if (before == NULL) {
        if (!may_try(s, c))
            return blame(
                s, GUESS_KEY, ERR_CERTIFICATE_REFUSED,
                "too many signatures would have to be checked: too many certificates have the name %s",
                label_of(c->facts).text);
        TRY(try_signature(s, c, &holds));
    }
    if (holds)
        return OK;
    struct label name = top_label(s);
    return blame(s, GUESS_OTHER_KEY, ERR_CERTIFICATE_REFUSED,
                 "the certificate %s was not signed with the key of %s: it was changed, or another CA has "
                 "the same name",
                 name.text, label_of(c->facts).text);
}

static struct err check_constraint(struct search *s, const struct candidate *c, const struct facts *below)
{
    int result = NAME_CONSTRAINTS_check(below->x509, c->facts->constraints);
    ERR_clear_error();
    if (result == X509_V_OK)
        return OK;
    if (result == X509_V_ERR_OUT_OF_MEM)
        return FAIL(ERR_NO_MEMORY);
    return blame(s, guess_of(s, c), ERR_CERTIFICATE_REFUSED,
                 "the certificate %s has a name that the CA %s may not vouch for (name constraints: %s)",
                 label_of(below).text, label_of(c->facts).text, X509_verify_cert_error_string(result));
}

// RFC 5280 4.2.1.10: on all that is below, but not on what a CA issued to itself, unless that is the leaf.
static struct err check_names(struct search *s, const struct candidate *c)
{
    struct chain *chain = s->question->chain;
    if (c->facts->constraints == NULL)
        return OK;
    for (size_t i = 0; i < s->depth; i++) {
        if (!s->way[i]->facts->self_issued)
            TRY(check_constraint(s, c, s->way[i]->facts));
    }
    if (proofs_have(&chain->constraints, c->fingerprint))
        return OK;
    struct facts *leaf;
    TRY(chain_facts(chain, 0, &leaf));
    TRY(check_constraint(s, c, leaf));
    proofs_add(&chain->constraints, c->fingerprint);
    return OK;
}

// A CA may have several certificates for one key; whichever of them stands in the way, the list is about what
// that key signed.
static bool same_authority(const struct facts *a, const struct facts *b)
{
    if (a == b)
        return true;
    return X509_NAME_cmp(X509_get_subject_name(a->x509), X509_get_subject_name(b->x509)) == 0 &&
           a->key != NULL && b->key != NULL && EVP_PKEY_eq(a->key, b->key) == 1;
}

static struct err check_list(struct search *s, const struct candidate *c, size_t at,
                             const struct serial *serial)
{
    const struct path_known *known = &s->question->known[at];
    struct revocation *list = NULL;
    struct why why;
    struct label name = top_label(s);
    struct label ca = label_of(c->facts);
    if (slice_empty(known->crl_digest))
        return blame(s, guess_of(s, c), ERR_CERTIFICATE_REVOKED,
                     "the CA %s requires a revocation list and has none: hand in a fresh one", ca.text);
    struct err e = issuers_list(s->issuers, known->crl_digest, known->crl, s->known[at], &list, &why);
    if (e.code == ERR_INVALID)
        return blame(s, guess_of(s, c), ERR_CERTIFICATE_REVOKED, "of the CA %s: %s", ca.text, why.text);
    TRY(e);
    bool revoked = revocation_lists(list, serial);
    bool stale = known->crl_required && !revocation_is_fresh(list, s->question->now_us);
    revocation_release(list);
    if (revoked)
        return blame(s, guess_of(s, c), ERR_CERTIFICATE_REVOKED,
                     "the certificate %s was revoked by its CA %s", name.text, ca.text);
    if (stale)
        return blame(s, guess_of(s, c), ERR_CERTIFICATE_REVOKED,
                     "the revocation list of the CA %s is stale and a fresh one is required: hand it in",
                     ca.text);
    return OK;
}

static struct err check_revocation(struct search *s, const struct candidate *c)
{
    const struct path_question *q = s->question;
    for (size_t i = 0; i < q->known_count && i < PATH_KNOWN_MAX; i++) {
        const struct path_known *known = &q->known[i];
        struct serial serial = q->chain->serial;
        if ((slice_empty(known->crl_digest) && !known->crl_required) || s->known[i] == NULL ||
            !same_authority(s->known[i], c->facts))
            continue;
        if (s->depth > 0)
            (void)serial_of(X509_get0_serialNumber(top_facts(s)->x509), &serial); // it fits: the profile
        TRY(check_list(s, c, i, &serial));
    }
    return OK;
}

// What it withdrew it withdrew, whatever else speaks against a way through it: so its list comes before all
// that time or the length of the way may change. (Its profile comes first: the list is checked with its key.)
struct err step_check(struct search *s, struct candidate *c)
{
    TRY(facts_of(s, c));
    const char *broken = c->facts->profile.broken[s->question->endorsement ? ROLE_ENDORSER : ROLE_AUTHORITY];
    if (broken != NULL)
        return refuse(s, c, broken);
    TRY(check_signature(s, c));
    TRY(check_revocation(s, c));
    if (s->depth == PATH_ABOVE_MAX)
        return refuse(s, c, "is more than 4 certificates away from the device's: shorten the chain");
    TRY(check_validity(s, c));
    TRY(check_length(s, c));
    return check_names(s, c);
}

// Who must have issued the top of the way.
static struct label wanted_label(const struct search *s)
{
    struct facts *facts = s->depth > 0 ? s->way[s->depth - 1]->facts : NULL;
    if (facts == NULL && failed(chain_facts(s->question->chain, 0, &facts)))
        return (struct label){"(out of memory)"};
    return facts_label(X509_get_issuer_name(facts->x509));
}

void step_blame_nobody(struct search *s)
{
    struct label name = top_label(s);
    struct facts *leaf = NULL; // decoded anew when the chain rested
    if (s->depth == 0 && failed(chain_facts(s->question->chain, 0, &leaf)))
        leaf = NULL;
    const struct facts *top = s->depth > 0 ? top_facts(s) : leaf;
    if (s->depth == 0 && top != NULL && top->self_issued)
        (void)blame(s, GUESS_NOBODY, ERR_CERTIFICATE_UNTRUSTED,
                    "the certificate %s is self-signed: nobody known issued it, and no enrollment holds it",
                    name.text);
    else if (top != NULL && top->self_issued)
        (void)blame(
            s, GUESS_NOBODY, ERR_CERTIFICATE_UNTRUSTED,
            "the chain ends at %s, which is no verified CA certificate of the service: hand it in and "
            "prove possession",
            name.text);
    else
        (void)blame(s, GUESS_NOBODY, ERR_CERTIFICATE_UNTRUSTED,
                    "nobody known issued the certificate %s; its issuer is %s: hand in that CA's "
                    "certificate, or let the device send it",
                    name.text, wanted_label(s).text);
}

void step_blame_steps(struct search *s)
{
    (void)blame(s, GUESS_KEY, ERR_CERTIFICATE_REFUSED,
                "there are too many ways: too many certificates have the same names");
}

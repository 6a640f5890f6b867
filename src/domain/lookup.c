// What to ask the store for when a device shows certificates, or has a TPM: the names of what may be above
// its leaf, one step up after each look, because a device may send its leaf alone.
#include "domain/decide.h"

#include "domain/words.h"

static bool asked(const struct slice *list, size_t count, struct slice text)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(list[i], text))
            return true;
    }
    return false;
}

// A device that shows more than fits is judged by what was found until then, and with care (match_x509.c).
static void ask_word(struct lookup *lookup, struct slice word, bool *more)
{
    if (asked(lookup->words, lookup->word_count, word))
        return;
    lookup->cut = lookup->cut || lookup->word_count == LOOKUP_WORDS_MAX;
    if (lookup->word_count == LOOKUP_WORDS_MAX)
        return;
    lookup->words[lookup->word_count++] = word;
    *more = true;
}

static struct err ask_name(struct lookup *lookup, struct arena *arena, uint32_t name, bool *more)
{
    struct slice word;
    TRY(word_of_name(arena, name, &word));
    ask_word(lookup, word, more);
    return OK;
}

static struct err ask_issuers(const struct chain *chain, struct arena *arena, struct lookup *lookup,
                              bool *more)
{
    uint32_t issuers[LOOKUP_WORDS_MAX];
    size_t count = chain_issuers(chain, issuers, LOOKUP_WORDS_MAX);
    for (size_t i = 0; i < count; i++)
        TRY(ask_name(lookup, arena, issuers[i], more));
    return OK;
}

// A chain that is no good, or none: a TPM may do without, and a device with certificates is refused whatever
// is known of it.
static struct err ask_what_was_shown(const struct credential *credential, struct arena *arena,
                                     struct lookup *lookup, bool *more)
{
    const struct chain *chain = credential->chain;
    struct slice word;
    bool tpm = credential->kind == CREDENTIAL_TPM;
    bool good = chain != NULL && chain_problem(chain) == NULL;
    if (!tpm && !good)
        return OK;
    TRY(tpm ? word_of_endorsement_key(arena, credential->tpm.endorsement_key, &word)
            : word_of_certificate(arena, chain_leaf(chain), &word));
    ask_word(lookup, word, more);
    return good ? ask_issuers(chain, arena, lookup, more) : OK;
}

// Who issued what was found. What is no certificate vouches for nobody, and nothing is above it.
static struct err ask_above(const struct admission *admission, struct slice der, struct arena *arena,
                            struct lookup *lookup, bool *more)
{
    uint32_t subject = 0;
    uint32_t issuer = 0;
    if (der.len == 0)
        return OK;
    struct err e = issuers_names(admission->issuers, der, &subject, &issuer);
    if (e.code == ERR_INVALID || subject == issuer)
        return OK;
    TRY(e);
    return ask_name(lookup, arena, issuer, more);
}

static bool crl_is_there(const struct admission *admission, const struct ca_certificate *c)
{
    for (size_t i = 0; i < admission->crl_count; i++) {
        if (slice_equal_nocase(admission->crls[i]->name, c->name))
            return true;
    }
    return issuers_has_crl(admission->issuers, c->crl_digest);
}

static struct err ask_crl(const struct admission *admission, const struct ca_certificate *c,
                          struct arena *arena, struct lookup *lookup, bool *more)
{
    struct slice name;
    if (c->crl_digest.len == 0 || lookup->crl_count == LOOKUP_CRLS_MAX || crl_is_there(admission, c))
        return OK;
    TRY(arena_lower(arena, c->name, &name));
    if (asked(lookup->crls, lookup->crl_count, name))
        return OK;
    lookup->crls[lookup->crl_count++] = name;
    *more = true;
    return OK;
}

struct err decide_lookup(const struct admission *admission, struct arena *arena, struct lookup *lookup,
                         bool *more)
{
    enum credential_kind kind = admission->credential.kind;
    *more = false;
    if (kind != CREDENTIAL_X509 && kind != CREDENTIAL_TPM)
        return OK;
    if (lookup->word_count == 0)
        return ask_what_was_shown(&admission->credential, arena, lookup, more);
    for (size_t i = 0; i < admission->certificate_count; i++) {
        TRY(ask_above(admission, admission->certificates[i]->certificate, arena, lookup, more));
        TRY(ask_crl(admission, admission->certificates[i], arena, lookup, more));
    }
    for (size_t i = 0; i < admission->group_count; i++) {
        const struct attestation *a = &admission->groups[i]->attestation;
        TRY(ask_above(admission, a->primary_certificate, arena, lookup, more));
        TRY(ask_above(admission, a->secondary_certificate, arena, lookup, more));
    }
    return OK;
}

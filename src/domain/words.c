// Making the words by which records are found. What is asked for is lookup.c.
#include "domain/words.h"

#include "base/text.h"
#include "crypto/certificate.h"
#include "crypto/hmac.h"
#include "crypto/tpm.h"

// The words of one record so far: a pair of certificates has at most two.
struct words {
    struct arena *arena;
    struct slice word[2];
    size_t count;
};

static void add_word(struct words *words, struct slice word)
{
    if (words->count == 0 || !slice_equal(words->word[0], word))
        words->word[words->count++] = word;
}

static struct err join_words(const struct words *words, struct slice *out)
{
    struct buf text = buf_capped(2 * WORD_MAX + 1);
    for (size_t i = 0; i < words->count; i++) {
        buf_text(&text, i > 0 ? " " : "");
        buf_bytes(&text, words->word[i]);
    }
    struct err e = buf_err(&text);
    if (!failed(e))
        e = arena_copy(words->arena, buf_slice(&text), out);
    buf_release(&text);
    return e;
}

struct err word_of_name(struct arena *arena, uint32_t name, struct slice *out)
{
    return arena_printf(arena, out, "n:%08x", (unsigned)name);
}

// Encoded, so that no name can hold the blank that separates words.
struct err word_of_reference(struct arena *arena, struct slice ca_name, struct slice *out)
{
    struct buf text = buf_capped(WORD_MAX);
    struct slice lower;
    struct err e = arena_lower(arena, ca_name, &lower);
    if (!failed(e)) {
        buf_text(&text, "c:");
        percent_encode(&text, lower);
        e = buf_err(&text);
    }
    if (!failed(e))
        e = arena_copy(arena, buf_slice(&text), out);
    buf_release(&text);
    return e;
}

static struct err word_of_digest(struct arena *arena, char kind, struct slice of, struct slice *out)
{
    uint8_t digest[SHA256_SIZE];
    uint8_t room[2 * SHA256_SIZE];
    struct slice word;
    TRY(sha256(of, digest));
    struct slice text = digest_text(digest, SHA256_SIZE, room);
    TRY(arena_printf(arena, &word, "%c:%.*s", kind, SLICE_ARG(text)));
    return arena_lower(arena, word, out);
}

struct err word_of_certificate(struct arena *arena, struct slice der, struct slice *out)
{
    return word_of_digest(arena, 'f', certificate_signed_part(der), out);
}

struct err word_of_endorsement_key(struct arena *arena, struct slice tpm2b_public, struct slice *out)
{
    return word_of_digest(arena, 'e', tpm_modulus(tpm2b_public), out);
}

static struct err add_subject(struct words *words, struct slice der)
{
    uint32_t subject = 0;
    uint32_t issuer = 0;
    struct slice word;
    if (der.len == 0)
        return OK;
    TRY(certificate_names(der, &subject, &issuer));
    TRY(word_of_name(words->arena, subject, &word));
    add_word(words, word);
    return OK;
}

static struct err add_reference(struct words *words, struct slice ca_name)
{
    struct slice word;
    if (ca_name.len == 0)
        return OK;
    TRY(word_of_reference(words->arena, ca_name, &word));
    add_word(words, word);
    return OK;
}

static struct err add_exactly(struct words *words, struct slice der)
{
    struct slice word;
    if (der.len == 0)
        return OK;
    TRY(word_of_certificate(words->arena, der, &word));
    add_word(words, word);
    return OK;
}

struct err enrollment_words(struct arena *arena, const struct enrollment *e, struct slice *out)
{
    const struct attestation *a = &e->attestation;
    struct words words = {.arena = arena};
    bool group = e->kind == ENROLLMENT_GROUP;
    if (group && a->certificate_role == CERTIFICATE_SIGNING) {
        TRY(add_subject(&words, a->primary_certificate));
        TRY(add_subject(&words, a->secondary_certificate));
    } else if (group && a->certificate_role == CERTIFICATE_CA_REFERENCE) {
        TRY(add_reference(&words, a->primary_ca));
        TRY(add_reference(&words, a->secondary_ca));
    } else if (!group && a->certificate_role == CERTIFICATE_CLIENT && enrollment_disabled(e)) {
        TRY(add_exactly(&words, a->primary_certificate));
        TRY(add_exactly(&words, a->secondary_certificate));
    } else if (!group && a->type == ATTESTATION_TPM && enrollment_disabled(e)) {
        TRY(word_of_endorsement_key(arena, a->endorsement_key, &words.word[words.count++]));
    }
    return join_words(&words, out);
}

struct err ca_certificate_words(struct arena *arena, const struct ca_certificate *c, struct slice *out)
{
    struct words words = {.arena = arena};
    TRY(add_subject(&words, c->certificate));
    return join_words(&words, out);
}

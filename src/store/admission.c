// Reading what is known about a device.
#include "store/admission.h"

#include "domain/words.h"

struct finders finders_of(enum store_table table, const void *record)
{
    const struct column *column = record != NULL ? columns_finders(table) : NULL;
    struct slice words = column != NULL ? *(const struct slice *)column_field(column, record) : SLICE("");
    if (words.len == 0) // as of a million enrollments with keys
        return (struct finders){0};
    const struct column *written = columns_named(table, "updated_us");
    INVARIANT(written != NULL);
    return (struct finders){.words = words, .written_us = *(const int64_t *)column_field(written, record)};
}

static bool next_word(struct slice *rest, struct slice *word)
{
    while (slice_cut(rest, ' ', word)) {
        if (word->len > 0)
            return true;
    }
    return false;
}

bool finders_next(const struct finders *of, const struct finders *but, struct slice *rest, struct slice *word)
{
    while (next_word(rest, word)) {
        struct slice others = of->written_us == but->written_us ? but->words : SLICE(""), other;
        bool has = false;
        while (!has && next_word(&others, &other))
            has = slice_equal(*word, other);
        if (!has)
            return true;
    }
    return false;
}

struct err found_add(struct found *found, struct arena *arena, int64_t written_us, struct slice key)
{
    size_t at = found->count;
    for (; at > 0 && found->rows[at - 1].written_us <= written_us; at--) {
        int order = slice_compare(found->rows[at - 1].key, key);
        bool same_time = found->rows[at - 1].written_us == written_us;
        if (same_time && order == 0)
            return OK;
        if (same_time && order < 0)
            break;
    }
    if (at == STORE_FOUND_MAX)
        return OK;
    struct slice copy;
    TRY(arena_copy(arena, key, &copy));
    if (found->count < STORE_FOUND_MAX)
        found->count++;
    memmove(&found->rows[at + 1], &found->rows[at], (found->count - 1 - at) * sizeof found->rows[0]);
    found->rows[at].written_us = written_us;
    found->rows[at].key = copy;
    return OK;
}

static struct err look_for_words(const struct admission_source *source, struct store_request *r,
                                 struct found *found)
{
    for (size_t i = 0; i < r->word_count; i++)
        TRY(source->look(source->context, r, r->words[i], found));
    const struct found *certificates = &found[STORE_CERTIFICATE];
    for (size_t i = 0; i < certificates->count; i++) {
        struct slice word;
        TRY(word_of_reference(r->arena, certificates->rows[i].key, &word));
        TRY(source->look(source->context, r, word, found));
    }
    return OK;
}

static struct err read_certificates(const struct admission_source *source, struct store_request *r,
                                    const struct found *found)
{
    struct store_admission *a = &r->admission;
    a->certificates = arena_take_many(r->arena, found->count, sizeof(struct ca_certificate *));
    if (a->certificates == NULL)
        return FAIL(ERR_NO_MEMORY);
    for (size_t i = 0; i < found->count; i++) {
        void *certificate;
        TRY(source->load(source->context, r, STORE_CERTIFICATE, found->rows[i].key, &certificate));
        if (certificate != NULL)
            a->certificates[a->certificate_count++] = certificate;
    }
    return OK;
}

static struct err read_groups(const struct admission_source *source, struct store_request *r,
                              const struct found *found)
{
    struct store_admission *a = &r->admission;
    a->groups = arena_take_many(r->arena, found->count, sizeof(struct enrollment *));
    if (a->groups == NULL)
        return FAIL(ERR_NO_MEMORY);
    for (size_t i = 0; i < found->count; i++) {
        void *group;
        TRY(source->load(source->context, r, STORE_GROUP, found->rows[i].key, &group));
        if (group == NULL)
            continue;
        a->groups[a->group_count++] = group;
        if (store_admitted_before(a->registration, found->rows[i].key))
            a->former = group;
    }
    return OK;
}

static struct err read_holders(const struct admission_source *source, struct store_request *r,
                               const struct found *found)
{
    struct store_admission *a = &r->admission;
    a->holders = arena_take_many(r->arena, found->count, sizeof(struct enrollment *));
    if (a->holders == NULL)
        return FAIL(ERR_NO_MEMORY);
    for (size_t i = 0; i < found->count; i++) {
        void *holder = a->individual;
        if (holder == NULL || !slice_equal(found->rows[i].key, r->key))
            TRY(source->load(source->context, r, STORE_ENROLLMENT, found->rows[i].key, &holder));
        if (holder != NULL)
            a->holders[a->holder_count++] = holder;
    }
    return OK;
}

static struct err read_crls(const struct admission_source *source, struct store_request *r)
{
    struct store_admission *a = &r->admission;
    a->crls = arena_take_many(r->arena, r->crl_count, sizeof(struct ca_crl *));
    if (a->crls == NULL)
        return FAIL(ERR_NO_MEMORY);
    for (size_t i = 0; i < r->crl_count; i++) {
        void *crl;
        TRY(source->load(source->context, r, STORE_CRL, r->crls[i], &crl));
        if (crl != NULL)
            a->crls[a->crl_count++] = crl;
    }
    return OK;
}

static struct err read_by_words(const struct admission_source *source, struct store_request *r)
{
    struct found found[STORE_TABLES];
    for (unsigned table = 0; table < STORE_TABLES; table++)
        found[table].count = 0;
    TRY(look_for_words(source, r, found));
    if (found[STORE_CERTIFICATE].count > 0)
        TRY(read_certificates(source, r, &found[STORE_CERTIFICATE]));
    if (found[STORE_GROUP].count > 0)
        TRY(read_groups(source, r, &found[STORE_GROUP]));
    if (found[STORE_ENROLLMENT].count > 0)
        TRY(read_holders(source, r, &found[STORE_ENROLLMENT]));
    return r->crl_count > 0 ? read_crls(source, r) : OK;
}

static struct err read_former(const struct admission_source *source, struct store_request *r)
{
    const struct registration *prior = r->admission.registration;
    if (prior == NULL || prior->enrollment_kind != ENROLLMENT_GROUP || r->admission.former != NULL)
        return OK;
    void *group;
    TRY(source->load(source->context, r, STORE_GROUP, prior->enrollment_id, &group));
    r->admission.former = group;
    return OK;
}

struct err store_admission_read(const struct admission_source *source, struct store_request *r)
{
    void *found;
    TRY(source->load(source->context, r, STORE_REGISTRATION, r->key, &found));
    r->admission.registration = found;
    TRY(source->load(source->context, r, STORE_ENROLLMENT, r->key, &found));
    r->admission.individual = found;
    if (r->word_count > 0)
        TRY(read_by_words(source, r));
    else if (r->admission.individual == NULL)
        TRY(source->groups(source->context, r));
    return read_former(source, r);
}

// Enrollments, as an individual one and as a group: what is read holds to its rules, what an answer shows of
// it is read back as the same record, and a record that is read, shown without its keys, and sent back keeps
// them.
#include "domain/enrollment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 1 << 20 };

static void write(const struct enrollment *e, enum enrollment_view view, struct buf *out)
{
    struct json_writer w;
    *out = buf_capped(TEXT_MAX);
    json_begin(&w, out);
    INVARIANT(!failed(enrollment_write(&w, e, view, NULL)));
}

// What is shown is read, and shown again with keys as `expected`.
static void read_back(struct arena *arena, struct slice shown, const struct enrollment *stored,
                      enum enrollment_kind kind, struct slice expected)
{
    struct json_doc doc;
    struct enrollment again;
    struct buf text;
    struct why why;
    INVARIANT(!failed(json_read(shown, (struct json_limits){TEXT_MAX, JSON_DEPTH_MAX}, &doc, &why)));
    INVARIANT(
        !failed(enrollment_read(arena, json_root(&doc), kind, (struct slice){0}, stored, &again, &why)));
    again.etag = stored->etag;
    write(&again, ENROLLMENT_WITH_KEYS, &text);
    INVARIANT(slice_equal(buf_slice(&text), expected));
    buf_release(&text);
    json_doc_release(&doc);
}

static void check_rules(const struct enrollment *e)
{
    const struct attestation *a = &e->attestation;
    INVARIANT(e->id.len >= 1 && e->id.len <= 128);
    if (a->type == ATTESTATION_SYMMETRIC_KEY) {
        INVARIANT(a->primary_key.len == 0 || (a->primary_key.len >= 16 && a->primary_key.len <= 64));
        INVARIANT(a->secondary_key.len == 0 || (a->secondary_key.len >= 16 && a->secondary_key.len <= 64));
    }
    if (a->type == ATTESTATION_TPM) {
        INVARIANT((a->endorsement_key.len > 0) == (e->kind == ENROLLMENT_INDIVIDUAL));
        INVARIANT((a->certificate_role == CERTIFICATE_CA_REFERENCE) == (e->kind == ENROLLMENT_GROUP));
    }
}

static void read_as(struct arena *arena, const struct json *body, enum enrollment_kind kind)
{
    static const uint8_t key[32] = {1, 2, 3};
    struct enrollment e;
    struct buf with_keys;
    struct buf without;
    struct why why = {0};
    struct err error = enrollment_read(arena, body, kind, (struct slice){0}, NULL, &e, &why);
    INVARIANT(!failed(error) || error.code == ERR_INVALID || error.code == ERR_NO_MEMORY);
    INVARIANT(failed(error) == (why.text[0] != '\0') || error.code == ERR_NO_MEMORY);
    if (failed(error))
        return;
    check_rules(&e);
    e.etag = 1;
    if (enrollment_needs_keys(&e) && e.attestation.primary_key.len == 0)
        (void)secret_set(&e.attestation.primary_key, slice_of(key, sizeof key));
    if (enrollment_needs_keys(&e))
        (void)secret_set(&e.attestation.secondary_key, slice_of(key, sizeof key));
    write(&e, ENROLLMENT_WITH_KEYS, &with_keys);
    write(&e, ENROLLMENT_WITHOUT_KEYS, &without);
    read_back(arena, buf_slice(&with_keys), &e, kind, buf_slice(&with_keys));
    read_back(arena, buf_slice(&without), &e, kind, buf_slice(&with_keys));
    buf_release(&with_keys);
    buf_release(&without);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = arena_capped(8 << 20);
    struct json_doc doc;
    if (!failed(json_read(slice_of(data, size), JSON_LIMITS_DEFAULT, &doc, NULL))) {
        read_as(&arena, json_root(&doc), ENROLLMENT_INDIVIDUAL);
        read_as(&arena, json_root(&doc), ENROLLMENT_GROUP);
        json_doc_release(&doc);
    }
    arena_release(&arena);
    return 0;
}

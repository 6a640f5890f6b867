// CA certificates of a service: what is read can be found and shown; what is shown is read back as the same
// certificate; and no text proves possession of a key, but leaves the record as it was.
#include "domain/ca_certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 1 << 20 };
#define NOW_US INT64_C(1800000000000000)

static struct err read_body(struct arena *arena, struct slice text, struct ca_certificate *out)
{
    struct json_doc doc;
    struct why why = {0};
    *out = (struct ca_certificate){.etag = 1};
    struct err e = json_read(text, (struct json_limits){TEXT_MAX, JSON_DEPTH_MAX}, &doc, NULL);
    if (failed(e))
        return e;
    e = ca_certificate_read(arena, json_root(&doc), SLICE("ca"), NULL, NOW_US, out, &why);
    INVARIANT(!failed(e) || e.code == ERR_INVALID || e.code == ERR_NO_MEMORY);
    INVARIANT(failed(e) == (why.text[0] != '\0') || e.code == ERR_NO_MEMORY);
    json_doc_release(&doc);
    return e;
}

static void check_shown(struct arena *arena, const struct ca_certificate *c)
{
    struct buf text = buf_capped(TEXT_MAX);
    struct ca_certificate again;
    struct json_writer w;
    json_begin(&w, &text);
    INVARIANT(!failed(ca_certificate_write(&w, c, true)));
    INVARIANT(!failed(read_body(arena, buf_slice(&text), &again)));
    INVARIANT(slice_equal(again.certificate, c->certificate) && slice_equal(again.words, c->words));
    INVARIANT(again.verified == c->verified && again.not_after_us == c->not_after_us);
    buf_release(&text);
}

static void check_proof(struct arena *arena, struct ca_certificate *c, struct slice proof)
{
    static const uint8_t random[32] = {1, 2, 3};
    bool verified = c->verified;
    ca_certificate_make_code(c, random, NOW_US);
    INVARIANT(failed(ca_certificate_prove(c, arena, proof, NOW_US, NULL)));
    INVARIANT(c->verified == verified && c->code.len == sizeof random);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = arena_capped(8 << 20);
    struct ca_certificate c;
    struct slice text = slice_of(data, size);
    if (!failed(read_body(&arena, text, &c))) {
        INVARIANT(c.certificate.len > 0 && slice_starts_with(c.words, SLICE("n:")));
        INVARIANT(c.not_after_us >= NOW_US);
        check_shown(&arena, &c);
        check_proof(&arena, &c, text);
        check_proof(&arena, &c, c.certificate);
    }
    arena_release(&arena);
    return 0;
}

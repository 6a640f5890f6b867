// Where a list goes on, signed for one list of one service: what nobody was given is refused (threats D8).
#include "api/service/work.h"

#include "base/text.h"
#include "crypto/hmac.h"
#include "domain/identifier.h"

enum { TOKEN_MAX = 1024 };

static struct err sign(const struct call *call, struct slice after, uint8_t mac[SHA256_SIZE])
{
    struct work *work = call->state;
    struct slice nul = SLICE("\0");
    const char *tables[STORE_TABLES] = {
        [STORE_ENROLLMENT] = "enrollments", [STORE_GROUP] = "groups", [STORE_REGISTRATION] = "registrations"};
    // no part but the last can hold a NUL
    const struct slice parts[] = {SLICE("usher continuation 1"),
                                  nul,
                                  slice_text(tables[work->table]),
                                  nul,
                                  call->service->id_scope,
                                  nul,
                                  work->key,
                                  nul,
                                  after};
    return hmac_sha256(secret_slice(&work->api->continuation_key), parts, sizeof parts / sizeof parts[0],
                       mac);
}

struct err continuation_write(struct call *call, struct slice after, struct slice *token)
{
    uint8_t mac[SHA256_SIZE];
    struct buf raw = buf_capped(TOKEN_MAX);
    struct buf text = buf_capped(TOKEN_MAX * 2);
    TRY(sign(call, after, mac));
    buf_bytes(&raw, slice_of(mac, sizeof mac));
    buf_bytes(&raw, after);
    b64_encode(&text, buf_slice(&raw));
    struct err e = failed(buf_err(&raw)) ? buf_err(&raw) : buf_err(&text);
    if (!failed(e))
        e = arena_copy(&call->x->arena, buf_slice(&text), token);
    buf_release(&raw);
    buf_release(&text);
    return e;
}

struct err continuation_read(struct call *call, struct slice token, struct slice *after)
{
    uint8_t mac[SHA256_SIZE];
    struct slice raw = {0};
    struct err bad =
        why_fail(&call->why, ERR_INVALID, "x-ms-continuation is not one that this list was answered with");
    struct err e = token.len > TOKEN_MAX * 2 ? bad : b64_decode_arena(&call->x->arena, token, &raw);
    if (e.code == ERR_NO_MEMORY)
        return e;
    if (failed(e) || raw.len <= SHA256_SIZE)
        return bad;
    *after = slice_from(raw, SHA256_SIZE);
    TRY(sign(call, *after, mac));
    if (!bytes_equal_ct(slice_of(mac, sizeof mac), slice_to(raw, SHA256_SIZE)))
        return bad;
    call->why.text[0] = '\0';
    return OK;
}

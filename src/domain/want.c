// Reading and writing members of the domain's own kinds.
#include "domain/want.h"

#include "base/instant.h"
#include "base/text.h"
#include "crypto/keys.h"
#include "domain/identifier.h"

enum { WORD_MAX = 64, KEY_TEXT_MAX = 512, OBJECT_TEXT_MAX = 128 * 1024 };

static void list_words(const struct names *names, struct buf *out)
{
    for (unsigned i = 0; i < names->count; i++) {
        if (names->words[i][0] != '\0')
            buf_printf(out, "%s%s", out->len > 0 ? ", " : "", names->words[i]);
    }
}

struct err want_word(const struct json_in *in, const char *name, enum json_need need,
                     const struct names *names, unsigned *out, struct why *why)
{
    struct slice word = {0};
    if (!json_given(json_get(in->object, name)) && need == JSON_OPTIONAL)
        return OK;
    TRY(json_want_string(in, name, need, WORD_MAX, &word, why));
    if (name_read(names, word, out))
        return OK;
    struct buf words = buf_capped(256);
    list_words(names, &words);
    struct err e = json_refuse(in, name, why, "must be one of %.*s", SLICE_ARG(buf_slice(&words)));
    buf_release(&words);
    return e;
}

struct err want_copy(const struct json_in *in, const char *name, enum json_need need, size_t max_len,
                     struct arena *arena, struct slice *out, struct why *why)
{
    struct slice text = {0};
    TRY(json_want_string(in, name, need, max_len, &text, why));
    return text.len == 0 ? OK : arena_copy(arena, text, out);
}

struct err want_key(const struct json_in *in, const char *name, enum json_need need, struct secret *out,
                    struct why *why)
{
    struct slice text = {0};
    struct why problem = {0};
    TRY(json_want_string(in, name, need, KEY_TEXT_MAX, &text, why));
    if (text.len == 0)
        return need == JSON_REQUIRED ? json_refuse(in, name, why, "is empty") : OK;
    struct err e = key_read_b64(text, out, &problem);
    return e.code == ERR_INVALID ? json_refuse(in, name, why, "is refused: %s", problem.text) : e;
}

struct err want_bytes(const struct json_in *in, const char *name, enum json_need need, size_t max_len,
                      struct arena *arena, struct slice *out, struct why *why)
{
    struct slice text = {0};
    struct slice bytes = {0};
    TRY(json_want_string(in, name, need, (max_len + 2) / 3 * 4, &text, why));
    if (text.len == 0)
        return need == JSON_REQUIRED ? json_refuse(in, name, why, "is empty") : OK;
    struct err e = b64_decode_arena(arena, text, &bytes);
    if (e.code == ERR_MALFORMED)
        return json_refuse(in, name, why, "is not base64");
    TRY(e);
    if (bytes.len > max_len)
        return json_refuse(in, name, why, "has more than %zu bytes", max_len);
    *out = bytes;
    return OK;
}

struct err want_object_text(const struct json_in *in, const char *name, struct arena *arena,
                            struct slice *out, struct why *why)
{
    struct json_in object;
    struct json_writer w;
    TRY(json_want_object(in, name, JSON_OPTIONAL, &object, why));
    if (object.object == NULL)
        return OK;
    struct buf text = buf_capped(OBJECT_TEXT_MAX);
    json_begin(&w, &text);
    json_node(&w, object.object);
    struct err e = buf_err(&text);
    if (!failed(e))
        e = arena_copy(arena, buf_slice(&text), out);
    buf_release(&text);
    return e;
}

// The text passes through a buffer that is wiped, for it may be a key.
void field_base64_if(struct json_writer *w, const char *key, struct slice bytes)
{
    if (bytes.len == 0)
        return;
    struct buf text = buf_capped((bytes.len + 2) / 3 * 4);
    b64_encode(&text, bytes);
    if (failed(buf_err(&text)))
        w->out->broken = text.broken;
    else
        json_field_text(w, key, buf_slice(&text));
    bytes_wipe(text.at, text.len);
    buf_release(&text);
}

void field_word_if(struct json_writer *w, const char *key, const struct names *names, unsigned value)
{
    json_field_text_if(w, key, name_of(names, value));
}

void field_json_if(struct json_writer *w, const char *key, struct slice text)
{
    if (text.len > 0)
        json_field_raw(w, key, text);
}

void field_instant(struct json_writer *w, const char *key, int64_t us)
{
    uint8_t room[40];
    struct buf text = {.at = room, .room = sizeof room, .cap = sizeof room};
    instant_format(&text, us);
    json_field_text(w, key, buf_slice(&text));
}

void field_etag(struct json_writer *w, uint64_t etag)
{
    uint8_t room[ETAG_TEXT_MAX];
    struct buf text = {.at = room, .room = sizeof room, .cap = sizeof room};
    etag_write(&text, etag);
    json_field_text(w, "etag", buf_slice(&text));
}

void field_etag_plain(struct json_writer *w, uint64_t etag)
{
    uint8_t room[ETAG_TEXT_MAX];
    struct buf text = {.at = room, .room = sizeof room, .cap = sizeof room};
    etag_write_plain(&text, etag);
    json_field_text(w, "etag", buf_slice(&text));
}

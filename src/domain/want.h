// Members of a JSON object that hold the domain's own kinds of values: words of a closed set, keys, times.
// Inside the domain only; the general ones are in json/json.h.
#pragma once

#include "base/arena.h"
#include "base/secret.h"
#include "domain/names.h"
#include "json/json.h"
#include "json/write.h"

// All are like json_want_string: null counts as absent, *out is left alone when absent.

// One of the words, in any case; the reason lists them.
struct err want_word(const struct json_in *in, const char *name, enum json_need need,
                     const struct names *names, unsigned *out, struct why *why);
// A string, copied to the arena.
struct err want_copy(const struct json_in *in, const char *name, enum json_need need, size_t max_len,
                     struct arena *arena, struct slice *out, struct why *why);
// A symmetric key in base64 (crypto/keys.h); the empty string counts as absent.
struct err want_key(const struct json_in *in, const char *name, enum json_need need, struct secret *out,
                    struct why *why);
// Base64 of 1..max_len bytes, decoded to the arena.
struct err want_bytes(const struct json_in *in, const char *name, enum json_need need, size_t max_len,
                      struct arena *arena, struct slice *out, struct why *why);
// An object, as compact JSON text in the arena.
struct err want_object_text(const struct json_in *in, const char *name, struct arena *arena,
                            struct slice *out, struct why *why);

// Writes bytes as base64; nothing when there are none.
void field_base64_if(struct json_writer *w, const char *key, struct slice bytes);
// The word of a value; nothing for the empty word.
void field_word_if(struct json_writer *w, const char *key, const struct names *names, unsigned value);
// Text that is JSON already; nothing when it is empty.
void field_json_if(struct json_writer *w, const char *key, struct slice text);
// A point in time, as the service API shows it.
void field_instant(struct json_writer *w, const char *key, int64_t us);
// The member "etag"; _plain: before it is base64.
void field_etag(struct json_writer *w, uint64_t etag);
void field_etag_plain(struct json_writer *w, uint64_t etag);

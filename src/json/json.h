// Reads JSON text strictly (RFC 8259) into a tree, and takes values out of the tree so that a reader of an
// object looks like its schema. Not for writing: that is write.h. Only src/json knows which library parses.
#pragma once

#include "base/err.h"
#include "base/slice.h"

// A value in a document. NULL stands for "not there" everywhere below.
struct json;

struct json_limits {
    size_t bytes;   // longest text
    unsigned depth; // deepest nesting of arrays and objects; at most JSON_DEPTH_MAX
};

enum { JSON_DEPTH_MAX = 32, JSON_NUMBER_MAX = 64 };
// A message of the service is at most 96 KB (threats A4), nested at most 32 deep (A5).
#define JSON_LIMITS_DEFAULT ((struct json_limits){.bytes = 96 * 1024, .depth = JSON_DEPTH_MAX})

// A parsed text. A zeroed one is empty. Belongs to one thread at a time.
struct json_doc {
    struct json *root;
};

// Parses all of `text`. Refused with why: text over the limits (ERR_CAPPED), an object with the same key
// twice, nesting beyond the limit, NUL in any form, lone surrogates, bad UTF-8, anything after the value, an
// integer outside int64, a real outside double, a number of more than JSON_NUMBER_MAX characters, and
// whatever RFC 8259 does not allow (ERR_MALFORMED). why names line and column and never quotes the text,
// which may hold keys. After an error *doc is empty. Nesting is counted before anything is parsed, so no
// input recurses deeper than the limit.
struct err json_read(struct slice text, struct json_limits limits, struct json_doc *doc, struct why *why);
void json_doc_release(struct json_doc *doc);
// NULL for an empty document.
const struct json *json_root(const struct json_doc *doc);

// --- values
// -----------------------------------------------------------------------------------------------------------

enum json_kind {
    JSON_KIND_ABSENT, // the value is NULL: it is not in the document
    JSON_KIND_NULL,
    JSON_KIND_BOOLEAN,
    JSON_KIND_INTEGER, // written without fraction and exponent
    JSON_KIND_REAL,
    JSON_KIND_STRING,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT,
};

enum json_kind json_kind(const struct json *value);
// True when the value is there and is not null.
bool json_given(const struct json *value);
// The member of that name; NULL when there is none or `object` is no object.
const struct json *json_get(const struct json *object, const char *name);
const struct json *json_find(const struct json *object, struct slice name);
// UTF-8 without NUL, valid as long as the document; empty when the value is no string.
struct slice json_as_string(const struct json *value);
// False, and *out untouched, when the value is of another kind. An integer is a real, too.
bool json_as_int(const struct json *value, int64_t *out);
bool json_as_bool(const struct json *value, bool *out);
bool json_as_real(const struct json *value, double *out);
// Members of an object or elements of an array; 0 for everything else.
size_t json_count(const struct json *value);
// NULL when out of range or `array` is no array.
const struct json *json_at(const struct json *array, size_t index);
// Same kind and content; the order of members does not matter, integers and reals differ.
bool json_same(const struct json *a, const struct json *b);

// Walks the members in the order of the text:
//     for (struct json_each m = json_each(object); json_next(&m);) use(m.key, m.value);
struct json_each {
    struct slice key;
    const struct json *value;
    const struct json *object; // private
    void *at;                  // private
    bool begun;                // private
};
struct json_each json_each(const struct json *object);
bool json_next(struct json_each *each);

// --- reading like a schema
// --------------------------------------------------------------------------------------------

// An object being read, and the way to it from the root, so that an error can name the whole path. Lives on
// the reader's stack; `outer` must outlive it. With a NULL object everything in it is absent.
struct json_in {
    const struct json *object;
    const struct json_in *outer;
    const char *name; // NULL for the root
    size_t index;     // which element of the array `name`; SIZE_MAX when `name` is no array
};

enum json_need { JSON_OPTIONAL, JSON_REQUIRED };

// Starts at a value that must be an object; `what` names it in errors ("the body").
struct err json_in_root(const struct json *value, const char *what, struct json_in *in, struct why *why);

// Each takes one member. null counts as absent; absent and JSON_REQUIRED is an error. When it is absent *out
// is left as the caller set it, which makes that the default (slices and json_in are made empty instead).
// Errors are ERR_INVALID, and why says which path and what was expected there.
struct err json_want_string(const struct json_in *in, const char *name, enum json_need need, size_t max_len,
                            struct slice *out, struct why *why);
// min and max are included.
struct err json_want_int(const struct json_in *in, const char *name, enum json_need need, int64_t min,
                         int64_t max, int64_t *out, struct why *why);
struct err json_want_bool(const struct json_in *in, const char *name, enum json_need need, bool *out,
                          struct why *why);
struct err json_want_real(const struct json_in *in, const char *name, enum json_need need, double min,
                          double max, double *out, struct why *why);
// One of `words`, which end with NULL; *out receives its index. Compared with case.
struct err json_want_choice(const struct json_in *in, const char *name, enum json_need need,
                            const char *const *words, size_t *out, struct why *why);
struct err json_want_object(const struct json_in *in, const char *name, enum json_need need,
                            struct json_in *out, struct why *why);
// *out is NULL when absent. At most max_count elements.
struct err json_want_array(const struct json_in *in, const char *name, enum json_need need, size_t max_count,
                           const struct json **out, struct why *why);
// Element `index` of the array `name`, which must be an object.
struct err json_want_element(const struct json_in *in, const char *name, size_t index, struct json_in *out,
                             struct why *why);
// Element `index` of the array `name`, which must be a string.
struct err json_want_string_at(const struct json_in *in, const char *name, size_t index, size_t max_len,
                               struct slice *out, struct why *why);
// For rules of the caller's own: sets why to "<path of name> <message>" and returns ERR_INVALID.
struct err json_refuse(const struct json_in *in, const char *name, struct why *why, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

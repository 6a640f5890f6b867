// Text to tree, and the accessors: the one file, with merge.c, that knows jansson.
#include "json/json.h"

#include <jansson.h>

#include "json/scan.h"

static const json_t *tree(const struct json *value)
{
    return (const json_t *)value;
}

static const struct json *node(const json_t *value)
{
    return (const struct json *)value;
}

// jansson's own text quotes the input, which may hold keys; these do not.
static const char *sentence(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_invalid_utf8:
        return "not UTF-8";
    case json_error_premature_end_of_input:
        return "the text ends before the value does";
    case json_error_end_of_input_expected:
        return "something follows after the value";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "\\u0000 is not taken";
    case json_error_duplicate_key:
        return "an object has the same key twice";
    case json_error_numeric_overflow:
        return "a number is too large";
    default:
        return "not JSON";
    }
}

struct err json_read(struct slice text, struct json_limits limits, struct json_doc *doc, struct why *why)
{
    *doc = (struct json_doc){0};
    if (slice_empty(slice_trim(text)))
        return why_fail(why, ERR_MALFORMED, "empty where JSON was expected");
    TRY(json_scan(text, limits, why));
    json_error_t error;
    json_t *root =
        json_loadb((const char *)text.at, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (root == NULL && json_error_code(&error) == json_error_out_of_memory)
        return FAIL(ERR_NO_MEMORY);
    if (root == NULL)
        return why_fail(why, ERR_MALFORMED, "line %d, column %d: %s", error.line, error.column,
                        sentence(&error));
    doc->root = (struct json *)root;
    return OK;
}

void json_doc_release(struct json_doc *doc)
{
    if (doc == NULL)
        return;
    json_decref((json_t *)doc->root);
    *doc = (struct json_doc){0};
}

const struct json *json_root(const struct json_doc *doc)
{
    return doc->root;
}

enum json_kind json_kind(const struct json *value)
{
    if (value == NULL)
        return JSON_KIND_ABSENT;
    static const enum json_kind kinds[] = {
        [JSON_OBJECT] = JSON_KIND_OBJECT,   [JSON_ARRAY] = JSON_KIND_ARRAY,
        [JSON_STRING] = JSON_KIND_STRING,   [JSON_REAL] = JSON_KIND_REAL,
        [JSON_INTEGER] = JSON_KIND_INTEGER, [JSON_TRUE] = JSON_KIND_BOOLEAN,
        [JSON_FALSE] = JSON_KIND_BOOLEAN,   [JSON_NULL] = JSON_KIND_NULL,
    };
    return kinds[json_typeof(tree(value))];
}

bool json_given(const struct json *value)
{
    return value != NULL && !json_is_null(tree(value));
}

const struct json *json_get(const struct json *object, const char *name)
{
    return node(json_object_get(tree(object), name));
}

const struct json *json_find(const struct json *object, struct slice name)
{
    if (name.len == 0)
        return node(json_object_get(tree(object), ""));
    return node(json_object_getn(tree(object), (const char *)name.at, name.len));
}

struct slice json_as_string(const struct json *value)
{
    if (!json_is_string(tree(value)))
        return (struct slice){0};
    return slice_of(json_string_value(tree(value)), json_string_length(tree(value)));
}

bool json_as_int(const struct json *value, int64_t *out)
{
    if (!json_is_integer(tree(value)))
        return false;
    *out = json_integer_value(tree(value));
    return true;
}

bool json_as_bool(const struct json *value, bool *out)
{
    if (!json_is_boolean(tree(value)))
        return false;
    *out = json_is_true(tree(value));
    return true;
}

bool json_as_real(const struct json *value, double *out)
{
    if (!json_is_number(tree(value)))
        return false;
    *out = json_number_value(tree(value));
    return true;
}

size_t json_count(const struct json *value)
{
    return json_is_array(tree(value)) ? json_array_size(tree(value)) : json_object_size(tree(value));
}

const struct json *json_at(const struct json *array, size_t index)
{
    return node(json_array_get(tree(array), index));
}

bool json_same(const struct json *a, const struct json *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return json_equal(tree(a), tree(b)) == 1;
}

struct json_each json_each(const struct json *object)
{
    return (struct json_each){.object = object};
}

bool json_next(struct json_each *each)
{
    // jansson takes the object without const, but only looks
    json_t *object = (json_t *)(uintptr_t)each->object;
    each->at = each->begun ? json_object_iter_next(object, each->at) : json_object_iter(object);
    each->begun = true;
    if (each->at == NULL) {
        *each = (struct json_each){.begun = true};
        return false;
    }
    each->key = slice_of(json_object_iter_key(each->at), json_object_iter_key_len(each->at));
    each->value = node(json_object_iter_value(each->at));
    return true;
}

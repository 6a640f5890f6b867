// Members of an object with the checks that a schema asks for, and errors that name the path.
#include <stdarg.h>
#include <stdio.h>

#include "json/json.h"

// Puts the path of `in` and a dot in front of what comes next; nothing for the root.
static void path_of(const struct json_in *in, char *text, size_t room)
{
    const struct json_in *way[JSON_DEPTH_MAX];
    size_t steps = 0;
    for (; in != NULL && in->name != NULL && in->outer != NULL && steps < JSON_DEPTH_MAX; in = in->outer)
        way[steps++] = in;
    size_t used = 0;
    text[0] = '\0';
    while (steps > 0 && used < room) {
        const struct json_in *step = way[--steps];
        int wrote = step->index == SIZE_MAX
                        ? snprintf(text + used, room - used, "%s.", step->name)
                        : snprintf(text + used, room - used, "%s[%zu].", step->name, step->index);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
}

struct err json_refuse(const struct json_in *in, const char *name, struct why *why, const char *format, ...)
{
    char path[120];
    char message[200];
    path_of(in, path, sizeof path);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return why_fail(why, ERR_INVALID, "%s%s %s", path, name, message);
}

// *value is NULL when the member is absent or null and that is allowed.
static struct err take(const struct json_in *in, const char *name, enum json_need need,
                       const struct json **value, struct why *why)
{
    const struct json *found = json_get(in->object, name);
    *value = json_given(found) ? found : NULL;
    if (*value == NULL && need == JSON_REQUIRED)
        return json_refuse(in, name, why, "is missing");
    return OK;
}

struct err json_in_root(const struct json *value, const char *what, struct json_in *in, struct why *why)
{
    *in = (struct json_in){.index = SIZE_MAX};
    if (json_kind(value) != JSON_KIND_OBJECT)
        return why_fail(why, ERR_INVALID, "%s must be a JSON object", what);
    in->object = value;
    return OK;
}

static struct err string_of(const struct json *value, size_t max_len, struct slice *out, char *problem,
                            size_t room)
{
    if (json_kind(value) != JSON_KIND_STRING) {
        (void)snprintf(problem, room, "must be a string");
        return FAIL(ERR_INVALID);
    }
    struct slice text = json_as_string(value);
    if (text.len > max_len) {
        (void)snprintf(problem, room, "is %zu bytes long, at most %zu are taken", text.len, max_len);
        return FAIL(ERR_INVALID);
    }
    *out = text;
    return OK;
}

struct err json_want_string(const struct json_in *in, const char *name, enum json_need need, size_t max_len,
                            struct slice *out, struct why *why)
{
    *out = (struct slice){0};
    const struct json *value;
    TRY(take(in, name, need, &value, why));
    if (value == NULL)
        return OK;
    char problem[80];
    if (failed(string_of(value, max_len, out, problem, sizeof problem)))
        return json_refuse(in, name, why, "%s", problem);
    return OK;
}

struct err json_want_int(const struct json_in *in, const char *name, enum json_need need, int64_t min,
                         int64_t max, int64_t *out, struct why *why)
{
    const struct json *value;
    TRY(take(in, name, need, &value, why));
    int64_t number;
    if (value == NULL)
        return OK;
    if (!json_as_int(value, &number) || number < min || number > max)
        return json_refuse(in, name, why, "must be an integer from %lld to %lld", (long long)min,
                           (long long)max);
    *out = number;
    return OK;
}

struct err json_want_bool(const struct json_in *in, const char *name, enum json_need need, bool *out,
                          struct why *why)
{
    const struct json *value;
    TRY(take(in, name, need, &value, why));
    if (value == NULL)
        return OK;
    if (!json_as_bool(value, out))
        return json_refuse(in, name, why, "must be true or false");
    return OK;
}

struct err json_want_real(const struct json_in *in, const char *name, enum json_need need, double min,
                          double max, double *out, struct why *why)
{
    const struct json *value;
    TRY(take(in, name, need, &value, why));
    double number;
    if (value == NULL)
        return OK;
    if (!json_as_real(value, &number) || number < min || number > max)
        return json_refuse(in, name, why, "must be a number from %g to %g", min, max);
    *out = number;
    return OK;
}

struct err json_want_choice(const struct json_in *in, const char *name, enum json_need need,
                            const char *const *words, size_t *out, struct why *why)
{
    struct slice text;
    TRY(json_want_string(in, name, need, SIZE_MAX, &text, why));
    if (!json_given(json_get(in->object, name)))
        return OK;
    char known[100];
    size_t used = 0;
    known[0] = '\0';
    for (size_t i = 0; words[i] != NULL; i++) {
        if (slice_equal(text, slice_text(words[i]))) {
            *out = i;
            return OK;
        }
        int wrote = snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "", words[i]);
        used += wrote > 0 ? (size_t)wrote : 0;
        used = used < sizeof known ? used : sizeof known - 1;
    }
    return json_refuse(in, name, why, "must be one of %s", known);
}

struct err json_want_object(const struct json_in *in, const char *name, enum json_need need,
                            struct json_in *out, struct why *why)
{
    *out = (struct json_in){.outer = in, .name = name, .index = SIZE_MAX};
    const struct json *value;
    TRY(take(in, name, need, &value, why));
    if (value != NULL && json_kind(value) != JSON_KIND_OBJECT)
        return json_refuse(in, name, why, "must be an object");
    out->object = value;
    return OK;
}

struct err json_want_array(const struct json_in *in, const char *name, enum json_need need, size_t max_count,
                           const struct json **out, struct why *why)
{
    *out = NULL;
    const struct json *value;
    TRY(take(in, name, need, &value, why));
    if (value != NULL && json_kind(value) != JSON_KIND_ARRAY)
        return json_refuse(in, name, why, "must be an array");
    if (json_count(value) > max_count)
        return json_refuse(in, name, why, "has %zu elements, at most %zu are taken", json_count(value),
                           max_count);
    *out = value;
    return OK;
}

static struct err refuse_element(const struct json_in *in, const char *name, size_t index, struct why *why,
                                 const char *problem)
{
    char element[80];
    (void)snprintf(element, sizeof element, "%s[%zu]", name, index);
    return json_refuse(in, element, why, "%s", problem);
}

struct err json_want_element(const struct json_in *in, const char *name, size_t index, struct json_in *out,
                             struct why *why)
{
    *out = (struct json_in){.outer = in, .name = name, .index = index};
    const struct json *value = json_at(json_get(in->object, name), index);
    if (json_kind(value) != JSON_KIND_OBJECT)
        return refuse_element(in, name, index, why, "must be an object");
    out->object = value;
    return OK;
}

struct err json_want_string_at(const struct json_in *in, const char *name, size_t index, size_t max_len,
                               struct slice *out, struct why *why)
{
    *out = (struct slice){0};
    char problem[80];
    const struct json *value = json_at(json_get(in->object, name), index);
    if (failed(string_of(value, max_len, out, problem, sizeof problem)))
        return refuse_element(in, name, index, why, problem);
    return OK;
}

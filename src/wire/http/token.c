// The small alphabets of HTTP, fields by name, and how a refusal is noted down.
#include "wire/http/message.h"

#include <stdarg.h>
#include <stdio.h>

bool http_token_valid(struct slice s)
{
    // a bit for each tchar of RFC 9110 5.6.2: "!#$%&'*+-.^_`|~", digits, letters
    static const uint64_t tchars[2] = {0x03ff6cfa00000000u, 0x57ffffffc7fffffeu};
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.at[i];
        if (c >= 0x80 || !(tchars[c >> 6] >> (c & 63) & 1))
            return false;
    }
    return s.len > 0;
}

bool http_value_valid(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.at[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

struct slice http_field_of(const struct http_field *fields, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equal_nocase(fields[i].name, name))
            return fields[i].value;
    }
    return (struct slice){0};
}

struct slice http_header(const struct http_request *request, struct slice name)
{
    return http_field_of(request->fields, request->field_count, name);
}

struct slice http_answer_header(const struct http_answer *answer, struct slice name)
{
    return http_field_of(answer->fields, answer->field_count, name);
}

struct err http_refuse(struct http_decoder *d, uint16_t status, struct why *why, const char *format, ...)
{
    d->status = status;
    if (why != NULL) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(why->text, sizeof why->text, format, args);
        va_end(args);
    }
    return FAIL(status == 413 || status == 414 || status == 431 ? ERR_CAPPED : ERR_MALFORMED);
}

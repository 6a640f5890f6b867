// Counts nesting and the length of numbers ahead of the parser, which recurses and allocates. Whether the
// text is JSON at all is left to the parser.
#include "json/scan.h"

struct place {
    size_t line;
    size_t line_starts;
};

static struct err refuse(struct why *why, struct place place, size_t at, const char *what)
{
    return why_fail(why, ERR_MALFORMED, "line %zu, column %zu: %s", place.line, at - place.line_starts + 1,
                    what);
}

static bool in_number(uint8_t c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

struct err json_scan(struct slice text, struct json_limits limits, struct why *why)
{
    INVARIANT(limits.depth <= JSON_DEPTH_MAX);
    if (text.len > limits.bytes)
        return why_fail(why, ERR_CAPPED, "%zu bytes of JSON, at most %zu are taken", text.len, limits.bytes);
    struct place place = {.line = 1};
    size_t depth = 0;
    size_t digits = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        if (c == 0)
            return refuse(why, place, i, "a NUL byte");
        if (quoted) {
            if (c == '\\' && i + 1 < text.len && text.at[i + 1] != 0)
                i++;
            else if (c == '"')
                quoted = false;
            continue;
        }
        digits = in_number(c) ? digits + 1 : 0;
        if (digits > JSON_NUMBER_MAX)
            return refuse(why, place, i, "a number of too many digits");
        if (c == '"')
            quoted = true;
        else if ((c == '[' || c == '{') && ++depth > limits.depth)
            return refuse(why, place, i, "arrays and objects are nested too deep");
        else if ((c == ']' || c == '}') && depth > 0)
            depth--;
        else if (c == '\n')
            place = (struct place){.line = place.line + 1, .line_starts = i + 1};
    }
    return OK;
}

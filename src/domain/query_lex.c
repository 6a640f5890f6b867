// Cuts a query text into words, literals and marks.
#include "domain/query_lex.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool starts_name(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '$';
}

// A dot inside a word belongs to it; that names stand on both sides of each dot is checked here, so that
// `a..b` is bad.
static struct query_token lex_word(struct slice text, size_t at)
{
    size_t end = at;
    bool name_expected = true;
    for (; end < text.len; end++) {
        uint8_t c = text.at[end];
        if (name_expected ? !starts_name(c) : !(starts_name(c) || is_digit(c) || c == '-' || c == '.'))
            break;
        name_expected = c == '.';
    }
    return (struct query_token){name_expected ? TOKEN_BAD : TOKEN_WORD, slice_of(text.at + at, end - at), at};
}

static struct query_token lex_text(struct slice text, size_t at)
{
    uint8_t quote = text.at[at];
    for (size_t i = at + 1; i < text.len; i++) {
        if (text.at[i] != quote)
            continue;
        if (i + 1 < text.len && text.at[i + 1] == quote)
            i++;
        else
            return (struct query_token){TOKEN_TEXT, slice_of(text.at + at, i + 1 - at), at};
    }
    return (struct query_token){TOKEN_BAD, slice_of(text.at + at, text.len - at), at};
}

static size_t digits_from(struct slice text, size_t at)
{
    while (at < text.len && is_digit(text.at[at]))
        at++;
    return at;
}

// -?digits[.digits][(e|E)[+-]digits]
static struct query_token lex_number(struct slice text, size_t at)
{
    size_t end = text.at[at] == '-' ? at + 1 : at;
    size_t from = end;
    end = digits_from(text, from);
    bool good = end > from;
    if (good && end < text.len && text.at[end] == '.') {
        from = end + 1;
        end = digits_from(text, from);
        good = end > from;
    }
    if (good && end < text.len && (text.at[end] == 'e' || text.at[end] == 'E')) {
        from = end + 1;
        if (from < text.len && (text.at[from] == '+' || text.at[from] == '-'))
            from++;
        end = digits_from(text, from);
        good = end > from;
    }
    if (end < text.len && (starts_name(text.at[end]) || text.at[end] == '.'))
        good = false;
    return (struct query_token){good ? TOKEN_NUMBER : TOKEN_BAD, slice_of(text.at + at, end - at), at};
}

static struct query_token lex_mark(struct slice text, size_t at)
{
    static const char *const marks[] = {"!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", ",", "*"};
    struct slice rest = slice_from(text, at);
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        struct slice mark = slice_text(marks[i]);
        if (slice_starts_with(rest, mark))
            return (struct query_token){TOKEN_MARK, slice_to(rest, mark.len), at};
    }
    return (struct query_token){TOKEN_BAD, slice_to(rest, 1), at};
}

struct query_token query_lex(struct slice text, size_t from)
{
    size_t at = from;
    while (at < text.len && is_blank(text.at[at]))
        at++;
    if (at >= text.len)
        return (struct query_token){TOKEN_END, {0}, text.len};
    uint8_t c = text.at[at];
    if (starts_name(c))
        return lex_word(text, at);
    if (c == '\'' || c == '"')
        return lex_text(text, at);
    if (is_digit(c) || c == '-')
        return lex_number(text, at);
    return lex_mark(text, at);
}

bool query_lex_text(struct arena *arena, struct slice literal, struct slice *out)
{
    uint8_t quote = literal.at[0];
    struct slice inside = slice_of(literal.at + 1, literal.len - 2);
    uint8_t *copy = arena_take(arena, inside.len + 1);
    if (copy == NULL)
        return false;
    size_t len = 0;
    for (size_t i = 0; i < inside.len; i++) {
        copy[len++] = inside.at[i];
        if (inside.at[i] == quote)
            i++;
    }
    *out = slice_of(copy, len);
    return true;
}

// Whole numbers that fit stay exact; all others are read as the nearest double.
bool query_lex_number(struct slice literal, struct query_value *out)
{
    char text[64];
    if (literal.len >= sizeof text)
        return false;
    memcpy(text, literal.at, literal.len);
    text[literal.len] = '\0';
    if (strpbrk(text, ".eE") == NULL) {
        errno = 0;
        long long integer = strtoll(text, NULL, 10);
        if (errno == 0) {
            *out = (struct query_value){.kind = QUERY_INTEGER, .integer = integer};
            return true;
        }
    }
    *out = (struct query_value){.kind = QUERY_REAL, .real = strtod(text, NULL)};
    return isfinite(out->real);
}

// A view of bytes that somebody else owns. Not NUL-terminated; text is UTF-8 by agreement of the caller.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *at; // may be NULL when len is 0
    size_t len;
};

// A slice of a string literal, without its NUL.
#define SLICE(literal) ((struct slice){(const uint8_t *)("" literal), sizeof(literal) - 1})
// For printf: "%.*s".
#define SLICE_ARG(s)                                                                                         \
    ((int)((s).len > 1024 ? 1024 : (s).len)), ((const char *)((s).at != NULL ? (s).at : (const uint8_t *)""))

static inline struct slice slice_of(const void *at, size_t len)
{
    return (struct slice){.at = at, .len = len};
}

// NULL gives the empty slice.
static inline struct slice slice_text(const char *text)
{
    return (struct slice){.at = (const uint8_t *)text, .len = text != NULL ? strlen(text) : 0};
}

static inline bool slice_empty(struct slice s)
{
    return s.len == 0;
}

// From byte `from` (clamped) to the end.
static inline struct slice slice_from(struct slice s, size_t from)
{
    return from < s.len ? slice_of(s.at + from, s.len - from) : (struct slice){0};
}

// The first `len` bytes (clamped).
static inline struct slice slice_to(struct slice s, size_t len)
{
    return slice_of(s.at, len < s.len ? len : s.len);
}

// Not for secrets: use bytes_equal_ct.
bool slice_equal(struct slice a, struct slice b);
// ASCII letters compare without case.
bool slice_equal_nocase(struct slice a, struct slice b);
bool slice_starts_with(struct slice s, struct slice prefix);
bool slice_starts_with_nocase(struct slice s, struct slice prefix);
bool slice_ends_with(struct slice s, struct slice suffix);
// Byte order, shorter first when equal so far: <0, 0, >0.
int slice_compare(struct slice a, struct slice b);
// Where `needle` first starts in s; s.len when it does not.
size_t slice_find(struct slice s, struct slice needle);
size_t slice_find_byte(struct slice s, uint8_t byte);
// Takes off *s everything up to the first `byte`, which goes too; all of *s when there is none. False when *s
// is empty and nothing is left to take.
bool slice_cut(struct slice *s, uint8_t byte, struct slice *head);
// Without ASCII blanks, tabs, CR and LF at both ends.
struct slice slice_trim(struct slice s);
// Decimal digits only, no sign, no blanks. False when empty, not a number or too large.
bool slice_to_u64(struct slice s, uint64_t *value);

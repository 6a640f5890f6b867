// The rules that a decision applied, in order, in words for people.
#pragma once

#include "base/arena.h"

// One rule that was applied: rule "match", text "individual enrollment dev1".
struct trace_line {
    const char *rule;
    struct slice text;
};

enum { TRACE_MAX = 24 };

struct trace {
    struct trace_line lines[TRACE_MAX];
    size_t count;
};

// The text is made in the arena; a full trace or arena drops the line. trace may be NULL.
void trace_add(struct trace *trace, struct arena *arena, const char *rule, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// A list in words that fits on a line: "a (cordoned), b (full)". Begun zeroed; text ends in NUL.
struct phrase {
    char text[200];
    size_t len;
};

// False, and nothing added, when it does not fit; the first one is cut to fit.
bool phrase_add(struct phrase *phrase, const char *format, ...) __attribute__((format(printf, 2, 3)));

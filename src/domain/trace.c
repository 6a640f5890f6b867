// Lines of a trace.
#include "domain/trace.h"

#include <stdarg.h>
#include <stdio.h>

enum { LINE_MAX_BYTES = 240 };

void trace_add(struct trace *trace, struct arena *arena, const char *rule, const char *format, ...)
{
    char text[LINE_MAX_BYTES];
    va_list args;
    if (trace == NULL || trace->count == TRACE_MAX)
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct trace_line line = {.rule = rule};
    if (failed(arena_copy(arena, slice_text(text), &line.text)))
        return;
    trace->lines[trace->count++] = line;
}

bool phrase_add(struct phrase *phrase, const char *format, ...)
{
    char item[sizeof phrase->text];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(item, sizeof item, format, args);
    va_end(args);
    const char *between = phrase->len > 0 ? ", " : "";
    size_t len = strlen(between) + strlen(item);
    if (phrase->len + len >= sizeof phrase->text)
        return false;
    (void)snprintf(phrase->text + phrase->len, sizeof phrase->text - phrase->len, "%s%s", between, item);
    phrase->len += len;
    return true;
}

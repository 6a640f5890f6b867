// The rows of the error table, and the way a broken invariant ends the process.
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ERR_AS_ROW(code, name, class, http, number, amqp, connack, level, sentence)                          \
    [code] = {name, ERR_CLASS_##class, http, number, amqp, connack, ERR_LEVEL_##level, sentence},
static const struct err_info rows[ERR_COUNT] = {ERR_TABLE(ERR_AS_ROW)};
#undef ERR_AS_ROW

const struct err_info *err_info(struct err e)
{
    return &rows[e.code < ERR_COUNT ? e.code : ERR_INTERNAL];
}

struct err why_fail(struct why *why, enum err_code code, const char *format, ...)
{
    if (why != NULL) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(why->text, sizeof why->text, format, args);
        va_end(args);
    }
    return FAIL(code);
}

void invariant_broken(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "usher: broken invariant at %s:%d: %s\n", file, line, condition);
    abort();
}

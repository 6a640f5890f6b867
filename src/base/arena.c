// Arenas: a chain of blocks, newest first.
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct arena_block {
    struct arena_block *next;
    size_t used;
    size_t room;
    _Alignas(max_align_t) uint8_t bytes[];
};

struct arena_cleanup {
    struct arena_cleanup *next;
    void (*run)(void *context);
    void *context;
};

enum { BLOCK = 2048 - sizeof(struct arena_block), ALIGN = _Alignof(max_align_t) };

void arena_release(struct arena *a)
{
    if (a == NULL)
        return;
    for (struct arena_cleanup *c = a->cleanups; c != NULL; c = c->next)
        c->run(c->context);
    a->cleanups = NULL;
    for (struct arena_block *b = a->blocks, *next; b != NULL; b = next) {
        next = b->next;
        if (a->wipe)
            explicit_bzero(b->bytes, b->used);
        free(b);
    }
    a->blocks = NULL;
    a->used = 0;
}

void *arena_take(struct arena *a, size_t size)
{
    size_t rounded = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (rounded < size || rounded > a->cap || a->used > a->cap - rounded)
        return NULL;
    struct arena_block *b = a->blocks;
    if (b == NULL || b->room - b->used < rounded) {
        size_t room = rounded > BLOCK ? rounded : BLOCK;
        b = malloc(sizeof *b + room);
        if (b == NULL)
            return NULL;
        b->next = a->blocks;
        b->used = 0;
        b->room = room;
        a->blocks = b;
    }
    void *taken = b->bytes + b->used;
    b->used += rounded;
    a->used += rounded;
    return memset(taken, 0, size);
}

struct err arena_on_release(struct arena *a, void (*run)(void *context), void *context)
{
    struct arena_cleanup *c = arena_take(a, sizeof *c);
    if (c == NULL)
        return FAIL(ERR_NO_MEMORY);
    *c = (struct arena_cleanup){.next = a->cleanups, .run = run, .context = context};
    a->cleanups = c;
    return OK;
}

void *arena_take_many(struct arena *a, size_t count, size_t size)
{
    size_t bytes = 0;
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : arena_take(a, bytes);
}

struct err arena_copy(struct arena *a, struct slice s, struct slice *out)
{
    *out = (struct slice){0};
    if (s.len == 0)
        return OK;
    uint8_t *to = arena_take(a, s.len);
    if (to == NULL)
        return FAIL(ERR_NO_MEMORY);
    memcpy(to, s.at, s.len);
    *out = slice_of(to, s.len);
    return OK;
}

char *arena_cstr(struct arena *a, struct slice s)
{
    char *to = arena_take(a, s.len + 1);
    if (to != NULL && s.len > 0)
        memcpy(to, s.at, s.len);
    return to;
}

struct err arena_lower(struct arena *a, struct slice s, struct slice *out)
{
    *out = (struct slice){0};
    if (s.len == 0)
        return OK;
    uint8_t *to = arena_take(a, s.len);
    if (to == NULL)
        return FAIL(ERR_NO_MEMORY);
    for (size_t i = 0; i < s.len; i++)
        to[i] = s.at[i] >= 'A' && s.at[i] <= 'Z' ? (uint8_t)(s.at[i] + 32) : s.at[i];
    *out = slice_of(to, s.len);
    return OK;
}

struct err arena_printf(struct arena *a, struct slice *out, const char *format, ...)
{
    *out = (struct slice){0};
    va_list args;
    va_start(args, format);
    char none[1];
    int len = vsnprintf(none, sizeof none, format, args);
    va_end(args);
    char *to = arena_take(a, (size_t)len + 1);
    if (to == NULL)
        return FAIL(ERR_NO_MEMORY);
    va_start(args, format);
    (void)vsnprintf(to, (size_t)len + 1, format, args);
    va_end(args);
    *out = slice_of(to, (size_t)len);
    return OK;
}

// Doubly linked list whose links live inside the elements.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next; // both point to the list itself when it is empty; NULL only before list_init
    struct list *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l;
    l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l || l->next == NULL;
}

static inline void list_append(struct list *l, struct list *element)
{
    element->prev = l->prev;
    element->next = l;
    l->prev->next = element;
    l->prev = element;
}

// Safe on an element that is in no list (zeroed or removed before).
static inline void list_remove(struct list *element)
{
    if (element->next == NULL)
        return;
    element->prev->next = element->next;
    element->next->prev = element->prev;
    element->next = NULL;
    element->prev = NULL;
}

static inline struct list *list_take_first(struct list *l)
{
    if (list_empty(l))
        return NULL;
    struct list *first = l->next;
    list_remove(first);
    return first;
}

#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
// The element may be removed in the body, others not.
#define LIST_EACH(at, list_)                                                                                 \
    for (struct list *at = (list_)->next, *at##_next = at->next; at != (list_);                              \
         at = at##_next, at##_next = at->next)

// Names a connection of a front for answers that come later: never a pointer.
#pragma once

#include <stdint.h>

struct link_ticket {
    uint32_t slot;
    uint32_t generation;
};

// In one word, as flow requests carry it.
static inline uint64_t link_ticket_word(struct link_ticket ticket)
{
    return (uint64_t)ticket.slot << 32 | ticket.generation;
}

static inline struct link_ticket link_ticket_of(uint64_t word)
{
    return (struct link_ticket){(uint32_t)(word >> 32), (uint32_t)word};
}

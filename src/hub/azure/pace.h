// How many registry calls a hub is asked a minute: a bucket that fills steadily and holds a tenth of a
// minute's worth. A call that turns out to need more than one step takes what it needs and leaves the bucket
// in debt. Pure: time comes in.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "domain/service.h"

// A zeroed one lets everything pass.
struct azure_pace {
    uint32_t per_minute; // 0: as many as you like
    uint32_t shares;     // 1 of so many is ours
    int64_t level;       // millionths of a call; below 0: debt
    int64_t filled_us;   // when level was right
};

// Calls a minute of a link: what it says, or else what its host is known to take.
uint32_t azure_pace_of(const struct linked_hub *link);
// Fills the bucket up to now, by the old rate, then sets this one. A new one begins full.
void azure_pace_set(struct azure_pace *pace, uint32_t per_minute, uint32_t shares, int64_t now_us);
void azure_pace_fill(struct azure_pace *pace, int64_t now_us);
bool azure_pace_free(const struct azure_pace *pace);
void azure_pace_take(struct azure_pace *pace);
// When there is a call's worth for somebody with `ahead` others before him; 0: now.
int64_t azure_pace_wait_ms(const struct azure_pace *pace, size_t ahead);

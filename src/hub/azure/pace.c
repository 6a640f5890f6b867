// A token bucket in millionths of a call.
#include "hub/azure/pace.h"

#include "hub/azure/azure.h"

enum { CALL = 1000000, BURST_PART = 10, MINUTE_S = 60 };

uint32_t azure_pace_of(const struct linked_hub *link)
{
    struct slice name = slice_to(link->host, slice_find_byte(link->host, ':'));
    struct slice azure = SLICE(".azure-devices.net");
    if (link->calls_per_minute != 0 || name.len <= azure.len)
        return link->calls_per_minute;
    bool is_azure = slice_equal_nocase(slice_from(name, name.len - azure.len), azure);
    return is_azure ? HUB_AZURE_CALLS_PER_MINUTE : 0;
}

static int64_t room(const struct azure_pace *pace)
{
    int64_t burst = (int64_t)pace->per_minute * CALL / BURST_PART / pace->shares;
    return burst > CALL ? burst : CALL;
}

void azure_pace_fill(struct azure_pace *pace, int64_t now_us)
{
    int64_t passed_us = now_us - pace->filled_us;
    if (pace->per_minute == 0 || passed_us <= 0)
        return;
    int64_t longest_us = INT64_C(1000000) * MINUTE_S * 60; // an hour pays any debt that matters
    if (passed_us > longest_us)
        passed_us = longest_us;
    // calls a minute are millionths of a call in 60 microseconds
    int64_t gain = (int64_t)pace->per_minute * passed_us / MINUTE_S / pace->shares;
    if (gain == 0)
        return;
    pace->filled_us = now_us;
    pace->level += gain;
    if (pace->level > room(pace))
        pace->level = room(pace);
}

void azure_pace_set(struct azure_pace *pace, uint32_t per_minute, uint32_t shares, int64_t now_us)
{
    azure_pace_fill(pace, now_us);
    if (shares == 0)
        shares = 1;
    if (pace->per_minute == per_minute && pace->shares == shares)
        return;
    bool fresh = pace->per_minute == 0;
    pace->per_minute = per_minute;
    pace->shares = shares;
    pace->filled_us = now_us;
    if (per_minute != 0 && (fresh || pace->level > room(pace)))
        pace->level = room(pace);
}

bool azure_pace_free(const struct azure_pace *pace)
{
    return pace->per_minute == 0 || pace->level >= CALL;
}

void azure_pace_take(struct azure_pace *pace)
{
    if (pace->per_minute != 0)
        pace->level -= CALL;
}

int64_t azure_pace_wait_ms(const struct azure_pace *pace, size_t ahead)
{
    if (pace->per_minute == 0)
        return 0;
    int64_t missing = ((int64_t)ahead + 1) * CALL - pace->level;
    if (missing <= 0)
        return 0;
    int64_t us = missing * MINUTE_S / pace->per_minute * pace->shares;
    return us / 1000 + 1;
}

// The states of a breaker: closed, open, open with a probe under way.
#include "outbound/breaker.h"

enum { PROBE_WAIT_MS = 1000 }; // for those who come while a probe is under way

enum outbound_gate outbound_breaker_ask(struct outbound_breaker *breaker, int64_t now_us, int64_t *wait_ms)
{
    *wait_ms = 0;
    if (!breaker->open)
        return OUTBOUND_GATE_PASS;
    if (breaker->probing || now_us < breaker->until_us) {
        *wait_ms = breaker->probing ? PROBE_WAIT_MS : (breaker->until_us - now_us + 999) / 1000;
        return OUTBOUND_GATE_REFUSE;
    }
    breaker->probing = true;
    return OUTBOUND_GATE_PROBE;
}

bool outbound_breaker_succeeded(struct outbound_breaker *breaker)
{
    bool closes = breaker->open;
    *breaker = (struct outbound_breaker){0};
    return closes;
}

static int64_t open_ms(unsigned openings, uint32_t chance)
{
    int64_t ms = OUTBOUND_BREAKER_FIRST_MS;
    for (unsigned i = 1; i < openings && ms < OUTBOUND_BREAKER_LONGEST_MS; i++)
        ms *= 2;
    if (ms > OUTBOUND_BREAKER_LONGEST_MS)
        ms = OUTBOUND_BREAKER_LONGEST_MS;
    return ms - (int64_t)chance % (ms / 4);
}

bool outbound_breaker_failed(struct outbound_breaker *breaker, bool probe, int64_t now_us, uint32_t chance)
{
    bool was_open = breaker->open;
    // calls that were under way when it opened say nothing new
    if (was_open && !probe)
        return false;
    if (!was_open && ++breaker->failures < OUTBOUND_BREAKER_FAILURES)
        return false;
    breaker->open = true;
    breaker->probing = false;
    breaker->openings++;
    breaker->until_us = now_us + open_ms(breaker->openings, chance) * 1000;
    return !was_open;
}

void outbound_breaker_undecided(struct outbound_breaker *breaker, bool probe)
{
    if (probe)
        breaker->probing = false;
}

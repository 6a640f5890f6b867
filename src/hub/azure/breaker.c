// The states of a breaker: closed, open, open with a probe under way.
#include "hub/azure/breaker.h"

enum { PROBE_WAIT_MS = 1000 }; // for those who come while a probe is under way

enum azure_gate azure_breaker_ask(struct azure_breaker *breaker, int64_t now_us, int64_t *wait_ms)
{
    *wait_ms = 0;
    if (!breaker->open)
        return AZURE_GATE_PASS;
    if (breaker->probing || now_us < breaker->until_us) {
        *wait_ms = breaker->probing ? PROBE_WAIT_MS : (breaker->until_us - now_us + 999) / 1000;
        return AZURE_GATE_REFUSE;
    }
    breaker->probing = true;
    return AZURE_GATE_PROBE;
}

bool azure_breaker_succeeded(struct azure_breaker *breaker)
{
    bool closes = breaker->open;
    *breaker = (struct azure_breaker){0};
    return closes;
}

static int64_t open_ms(unsigned openings, uint32_t chance)
{
    int64_t ms = AZURE_BREAKER_FIRST_MS;
    for (unsigned i = 1; i < openings && ms < AZURE_BREAKER_LONGEST_MS; i++)
        ms *= 2;
    if (ms > AZURE_BREAKER_LONGEST_MS)
        ms = AZURE_BREAKER_LONGEST_MS;
    return ms - (int64_t)chance % (ms / 4);
}

bool azure_breaker_failed(struct azure_breaker *breaker, bool probe, int64_t now_us, uint32_t chance)
{
    bool was_open = breaker->open;
    // calls that were under way when it opened say nothing new
    if (was_open && !probe)
        return false;
    if (!was_open && ++breaker->failures < AZURE_BREAKER_FAILURES)
        return false;
    breaker->open = true;
    breaker->probing = false;
    breaker->openings++;
    breaker->until_us = now_us + open_ms(breaker->openings, chance) * 1000;
    return !was_open;
}

void azure_breaker_undecided(struct azure_breaker *breaker, bool probe)
{
    if (probe)
        breaker->probing = false;
}

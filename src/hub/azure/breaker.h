// Whether a hub that keeps failing is asked at all: after some failures in a row it is left alone for a
// growing time, then one call tries it. Pure: time and chance come in as arguments.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    AZURE_BREAKER_FAILURES = 5,       // in a row, until it opens
    AZURE_BREAKER_FIRST_MS = 1000,    // how long it stays open the first time; doubles with each failed probe
    AZURE_BREAKER_LONGEST_MS = 30000, // and no longer than this
};

// A zeroed one is closed.
struct azure_breaker {
    unsigned failures; // in a row, while closed
    unsigned openings; // in a row, since it was closed last
    int64_t until_us;  // while open: when the next probe may go
    bool open;
    bool probing; // open, and one call is trying
};

enum azure_gate { AZURE_GATE_PASS, AZURE_GATE_PROBE, AZURE_GATE_REFUSE };

// Before a call. PROBE: this call decides; its outcome must be reported with probe. REFUSE: *wait_ms says
// when to ask again.
enum azure_gate azure_breaker_ask(struct azure_breaker *breaker, int64_t now_us, int64_t *wait_ms);
// The hub answered. True when this closed it.
bool azure_breaker_succeeded(struct azure_breaker *breaker);
// It did not. chance: any random number, takes up to a quarter off the waiting time. True when this opened a
// closed one.
bool azure_breaker_failed(struct azure_breaker *breaker, bool probe, int64_t now_us, uint32_t chance);
// The call ended without telling anything about the hub.
void azure_breaker_undecided(struct azure_breaker *breaker, bool probe);

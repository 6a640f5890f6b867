// Whether a host that keeps failing is asked at all: after some failures in a row it is left alone for a
// growing time, then one call tries it. Pure: time and chance come in as arguments.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    OUTBOUND_BREAKER_FAILURES = 5,    // in a row, until it opens
    OUTBOUND_BREAKER_FIRST_MS = 1000, // how long it stays open the first time; doubles with each failed probe
    OUTBOUND_BREAKER_LONGEST_MS = 30000, // and no longer than this
};

// A zeroed one is closed.
struct outbound_breaker {
    unsigned failures; // in a row, while closed
    unsigned openings; // in a row, since it was closed last
    int64_t until_us;  // while open: when the next probe may go
    bool open;
    bool probing; // open, and one call is trying
};

enum outbound_gate { OUTBOUND_GATE_PASS, OUTBOUND_GATE_PROBE, OUTBOUND_GATE_REFUSE };

// Before a call. PROBE: this call decides; its outcome must be reported with probe. REFUSE: *wait_ms says
// when to ask again.
enum outbound_gate outbound_breaker_ask(struct outbound_breaker *breaker, int64_t now_us, int64_t *wait_ms);
// The host answered. True when this closed it.
bool outbound_breaker_succeeded(struct outbound_breaker *breaker);
// It did not. chance: any random number, takes up to a quarter off the waiting time. True when this opened a
// closed one.
bool outbound_breaker_failed(struct outbound_breaker *breaker, bool probe, int64_t now_us, uint32_t chance);
// The call ended without telling anything about the host.
void outbound_breaker_undecided(struct outbound_breaker *breaker, bool probe);

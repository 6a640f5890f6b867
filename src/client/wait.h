// Waiting on one descriptor with a deadline, for clients that do one thing at a time. Private to src/client.
#pragma once

#include <stdint.h>

#include "base/err.h"

// Microseconds of a clock that only goes forward.
int64_t wait_now_us(void);
// Seconds since 1970, for the expiry of tokens.
int64_t wait_wall_s(void);
// Until poll(2) reports any of `events` (POLLIN, POLLOUT) or an error on the descriptor. ERR_TIMEOUT at
// deadline_us (of wait_now_us).
struct err wait_for(int descriptor, short events, int64_t deadline_us, struct why *why);
// Until then.
void wait_until(int64_t until_us);

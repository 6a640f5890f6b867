// The pass before parsing: one look at each byte, no memory, no recursion. Private to src/json.
#pragma once

#include "json/json.h"

// Refuses what the parser must not see: text or nesting over the limits, NUL bytes, endless numbers.
struct err json_scan(struct slice text, struct json_limits limits, struct why *why);

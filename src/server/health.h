// How linked hubs are, told from the loop that noticed it to all loops. Wiring only.
#pragma once

#include "ports/hub.h"

struct worker;

// What the worker's connectors of hubs tell it by; the worker outlives them.
struct hub_watch health_watch(struct worker *worker);

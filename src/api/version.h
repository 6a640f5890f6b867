// The api-version parameter that every call of the device and service API carries.
#pragma once

#include "api/exchange.h"

// Any date of the form YYYY-MM-DD, with -preview or without (service-api A.2); ERR_API_VERSION when missing
// or otherwise.
struct err api_version_check(const struct exchange *x, struct why *why);

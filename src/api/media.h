// Whether a request's body is one that we read: JSON without content coding.
#pragma once

#include "api/exchange.h"

// ERR_MEDIA_TYPE when a body is there and is announced as anything else. A missing Content-Type is let pass,
// and `Content-Encoding: utf-8`, which is no coding but stands in Azure's documentation
// (device-protocol 3.2).
struct err media_check(const struct http_request *request, struct why *why);

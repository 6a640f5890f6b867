// Points in time as microseconds since 1970-01-01T00:00:00Z, and their text. Not a clock: that is
// ports/clock.h.
#pragma once

#include "base/buf.h"

// `YYYY-MM-DDTHH:MM:SS.fffffffZ`, seven digits of fraction as the service API shows them (the last is 0).
void instant_format(struct buf *out, int64_t us);
// `YYYY-MM-DDTHH:MM:SS.mmmZ`, as twins show them.
void instant_format_ms(struct buf *out, int64_t us);
// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 5.6.7).
void instant_format_http(struct buf *out, int64_t us);
// `YYYY-MM-DDTHH:MM:SS[.f+]Z`. False when it is anything else.
bool instant_parse(struct slice text, int64_t *us);

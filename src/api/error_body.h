// The JSON body that tells an error: device-protocol 8.4, service-api A.6 (and H.2 for the hub's own API).
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"

// What the other side may be told about e: the table's sentence, and after it why->text when e is of class
// INPUT, CONFLICT or BUSY, whose reasons help whoever sent the request and give nothing away. *out is cut to
// fit.
struct why error_sentence(struct err e, const struct why *why);
// {"errorCode":…,"trackingId":…,"message":…,"timestampUtc":…}
void error_body_write(struct buf *out, struct err e, const struct why *why, struct slice tracking_id,
                      int64_t now_us);
// The same with another number than the table's, for a protocol that has more kinds of refusal.
void error_body_write_numbered(struct buf *out, uint32_t number, struct err e, const struct why *why,
                               struct slice tracking_id, int64_t now_us);
// {"Message":"ErrorCode:Name;sentence","ExceptionMessage":"Tracking ID:…"}
void error_body_write_as_hub(struct buf *out, struct err e, const struct why *why, struct slice tracking_id,
                             int64_t now_us);

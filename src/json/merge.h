// JSON merge patch (RFC 7396): members of the patch replace those of the target, null deletes. Not for twins'
// versions and metadata, which the embedded hub adds.
#pragma once

#include "base/buf.h"
#include "json/json.h"

// Appends the merged document, compact, to `out`. Both texts are read under `limits`; an empty target counts
// as {}. ERR_MALFORMED or ERR_CAPPED with why from reading, ERR_NO_MEMORY, or what broke `out`.
struct err json_merge(struct slice target, struct slice patch, struct json_limits limits, struct buf *out,
                      struct why *why);
// The same on trees. Changes `target`; values of the patch are copied. After ERR_NO_MEMORY the target may be
// changed in part.
struct err json_doc_merge(struct json_doc *target, const struct json *patch);

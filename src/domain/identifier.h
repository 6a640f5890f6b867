// What a registration ID, an enrollment group ID, a device ID (service-api A.7) and a host may look like, and
// ETags.
#pragma once

#include "base/arena.h"
#include "base/buf.h"

enum { REGISTRATION_ID_MAX = 128, DEVICE_ID_MAX = 128, HOST_MAX = 253, ETAG_TEXT_MAX = 64 };

// 1..128 of [A-Za-z0-9-._:], first alphanumeric, last alphanumeric or '-'. `what` names the field in the
// reason.
struct err registration_id_check(struct slice id, const char *what, struct why *why);
// 1..128 of the hub's set: alphanumerics and - . % _ * ? ! ( ) , : = @ $ ' + #
struct err device_id_check(struct slice id, const char *what, struct why *why);
// A DNS name or an IPv4 address, with or without `:port`: no scheme, no path.
struct err host_check(struct slice host, const char *what, struct why *why);

// A record's ETag is a 64-bit number, new at each write; on the wire it is base64 of a quoted text
// (service-api A.4).
void etag_write(struct buf *out, uint64_t etag);
// The same before it is base64: a quoted text (service-api C.1).
void etag_write_plain(struct buf *out, uint64_t etag);
// An If-Match value: `*` sets *any; else the number, with quotes, `W/` or neither around it. ERR_INVALID
// otherwise; a well-formed value that is no ETag of ours gives etag 0, which no record has.
struct err etag_read(struct slice text, bool *any, uint64_t *etag, struct why *why);

// Text forms of bytes: base64, hex, percent-encoding, GUIDs; UTF-8.
#pragma once

#include "base/arena.h"
#include "base/buf.h"

// Standard alphabet, with padding (RFC 4648 4).
void b64_encode(struct buf *out, struct slice in);
// Strict: standard alphabet, right padding, no blanks, zero trailing bits. *len receives the number of bytes
// written to out, which has room for `room`. False when malformed or too long.
bool b64_decode(struct slice in, uint8_t *out, size_t room, size_t *len);
struct err b64_decode_arena(struct arena *a, struct slice in, struct slice *out); // ERR_MALFORMED

void hex_encode_lower(struct buf *out, struct slice in);
void hex_encode_upper(struct buf *out, struct slice in);
// Both cases; an even number of digits. False when malformed or longer than room.
bool hex_decode(struct slice in, uint8_t *out, size_t room, size_t *len);

// RFC 3986: unreserved characters stay, everything else becomes %XX with capital hex digits.
void percent_encode(struct buf *out, struct slice in);
// ERR_MALFORMED on a broken escape or an escaped NUL. '+' stays '+'. Decodes once.
struct err percent_decode(struct arena *a, struct slice in, struct slice *out);

enum { GUID_TEXT = 36 };
// 16 random bytes as a version 4 GUID in lower case, without NUL.
void guid_format(const uint8_t random[16], char out[GUID_TEXT]);

// Bytes of the well-formed UTF-8 character that s begins with (1 to 4), or 0 (RFC 3629 4). s is not empty.
size_t utf8_character(struct slice s);
bool utf8_valid(struct slice s);

// Symmetric keys: how they are read, made and derived (service-api.md A.5, device-protocol.md section 5).
#pragma once

#include "base/err.h"
#include "base/secret.h"

enum { KEY_MIN = 16, KEY_MAX = SECRET_MAX, KEY_GENERATED = 64 };

// The key of one device of a group: HMAC-SHA256(group key, registration ID as given, no case change). On
// error *out is none.
struct err key_derive(const struct secret *group_key, struct slice registration_id, struct secret *out);
// Standard base64 of KEY_MIN to KEY_MAX bytes that are not all zero (threats B8). ERR_INVALID with why, which
// never holds the key; *out is none then.
struct err key_read_b64(struct slice text, struct secret *out, struct why *why);
// A new key from random bytes that the caller took from its port.
void key_from_random(const uint8_t random[KEY_GENERATED], struct secret *out);

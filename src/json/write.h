// Writes JSON into a buffer as it goes, without a tree: commas, quotes and escapes are its business, the
// order of calls is the caller's. Not for reading: that is json.h.
#pragma once

#include "base/buf.h"
#include "json/json.h"

enum { JSON_WRITER_DEPTH = 64 };

// Failures (no room, deeper than JSON_WRITER_DEPTH) stick in the buffer: check buf_err once at the end. Calls
// out of order (a value without its key, a close without an open) are bugs and abort.
struct json_writer {
    struct buf *out;
    uint64_t objects; // private: bit per open level, 1 for an object
    uint64_t filled;  // private: bit per open level, 1 when something is in it
    unsigned depth;
    bool keyed; // private: a key waits for its value
};

// Appends to what is in `out`; `out` must outlive the writer. One value at the top, usually an object.
void json_begin(struct json_writer *w, struct buf *out);

void json_object_open(struct json_writer *w);
void json_object_close(struct json_writer *w);
void json_array_open(struct json_writer *w);
void json_array_close(struct json_writer *w);

void json_key(struct json_writer *w, const char *key);
void json_key_slice(struct json_writer *w, struct slice key);

// Bytes that are not UTF-8 come out as U+FFFD, so what is written is always valid.
void json_text(struct json_writer *w, struct slice text);
void json_number(struct json_writer *w, int64_t number);
// With as many of 15 to 17 digits as it takes to read back as the same double, trailing zeros left out, and
// always with a point or an exponent. NaN and infinities, which JSON does not have, come out as null.
void json_decimal(struct json_writer *w, double number);
void json_bool(struct json_writer *w, bool value);
void json_nothing(struct json_writer *w); // null
// Text that is one JSON value already; it is not looked at.
void json_raw(struct json_writer *w, struct slice text);
// Compact, members in the order they were read. NULL comes out as null.
void json_node(struct json_writer *w, const struct json *value);

// A key and its value.
void json_field_text(struct json_writer *w, const char *key, struct slice text);
void json_field_number(struct json_writer *w, const char *key, int64_t number);
void json_field_bool(struct json_writer *w, const char *key, bool value);
void json_field_raw(struct json_writer *w, const char *key, struct slice text);
void json_field_node(struct json_writer *w, const char *key, const struct json *value);
// Writes nothing when the text is empty: absent members are left out, never sent as null (device-protocol.md
// 0.8).
void json_field_text_if(struct json_writer *w, const char *key, struct slice text);

// How the files of this folder work together: the head is scanned for its end, then parsed whole, then
// judged, then the body is taken. Not for other folders.
#pragma once

#include "wire/http/http.h"

// head.c: what llhttp read from one complete head. The only file that includes llhttp.
struct http_head {
    struct slice method; // of a request
    struct slice target; // of a request
    uint16_t status;     // of a response
    uint8_t minor;       // HTTP/1.minor
    bool has_length;     // Content-Length is there
    bool chunked;        // the last transfer coding is chunked
    bool upgrade;        // Connection: upgrade, and Upgrade is there
    bool keep_alive;     // by version and Connection
    uint64_t length;     // of Content-Length
    size_t field_count;
    struct http_field *fields; // room for HTTP_MAX_HEADERS
};
// bytes: from the first line to the blank line, both included. A failure has set d->status.
struct err http_head_parse(struct http_decoder *d, bool response, struct slice bytes, struct http_head *head,
                           struct why *why);
struct slice http_field_of(const struct http_field *fields, size_t count, struct slice name);

// scan.c: finds the end of a head and refuses bytes that have no place in one. *len is how many bytes of `in`
// belong to the head; *done says that it ends there. d->phase follows.
struct err http_scan(struct http_decoder *d, struct slice in, size_t *len, bool *done, struct why *why);

// body.c
enum http_body_kind { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED };
// Sets up the taking of the body that `head` announces; ERR_CAPPED when it is declared larger than the limit.
struct err http_body_begin(struct http_decoder *d, const struct http_head *head, struct why *why);
// Takes bytes off *in; *done with *body when the body is whole.
struct err http_body_take(struct http_decoder *d, struct slice *in, struct slice *body, bool *done,
                          struct why *why);

// decode.c: the order of things for requests and answers. `judge` turns a complete head into *out and sets up
// the body; it runs a second time when the head has moved into the decoder's memory meanwhile, and must then
// do the same.
struct http_kind {
    // The first line is over and the head is not: what is not HTTP at all should not be waited for.
    struct err (*judge_line)(struct http_decoder *d, struct slice bytes, struct why *why);
    struct err (*judge)(struct http_decoder *d, struct slice bytes, void *out, struct why *why);
    void (*set_body)(void *out, struct slice body);
    bool (*waits_for_continue)(const void *out);
};
enum http_result http_message_decode(struct http_decoder *d, const struct http_kind *kind, struct slice *in,
                                     void *out, struct why *why);
// Sets the status to refuse with, and the reason.
struct err http_refuse(struct http_decoder *d, uint16_t status, struct why *why, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// tchar of RFC 9110 5.6.2, at least one.
bool http_token_valid(struct slice s);
// Nothing that could end the line: tab and 0x20 to 0xff without DEL (RFC 9110 5.5).
bool http_value_valid(struct slice s);

// HTTP/1.1 (RFC 9110, 9112): bytes to requests and answers to bytes for the server, and the other direction
// for a plain client (load generator, device client). Not a server: no I/O, no clock, no routing. Anything
// that two readers could understand differently is refused (threats A11).
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum {
    HTTP_MAX_HEADERS = 64,     // more are refused with 431
    HTTP_MAX_HEAD = 16 * 1024, // bytes of request line and headers; more are refused with 414 or 431
    HTTP_BODY_LIMIT =
        100 * 1024, // of a decoder until http_decoder_limit: a message of 96 KB and its wrapping
};

enum http_method {
    HTTP_METHOD_OTHER, // well-formed, but none of these: see `method_text`
    HTTP_METHOD_GET,
    HTTP_METHOD_HEAD,
    HTTP_METHOD_POST,
    HTTP_METHOD_PUT,
    HTTP_METHOD_PATCH,
    HTTP_METHOD_DELETE,
    HTTP_METHOD_OPTIONS,
};

struct http_field {
    struct slice name;  // a token, in the case it was sent in
    struct slice value; // without blanks around it; no CR, LF, NUL or other controls than tab
};

struct http_request {
    enum http_method method;
    struct slice method_text;
    struct slice target; // as sent
    struct slice path;   // raw, starts with '/' (or is "*" for OPTIONS); of an absolute target too
    struct slice query;  // raw, what follows the first '?'; at is NULL when there is none
    struct slice host;   // of the Host field, with its port if it has one; empty only in HTTP/1.0
    uint8_t minor;       // HTTP/1.minor: 0 or 1
    bool keep_alive;     // the connection may serve another request
    bool websocket;      // a GET that asks to upgrade to websocket: what follows it is not HTTP
    bool length_missing; // POST, PUT or PATCH without Content-Length and Transfer-Encoding: may be answered
                         // 411
    bool has_body;       // Content-Length or chunked, even of no bytes
    size_t field_count;
    struct http_field fields[HTTP_MAX_HEADERS];
    struct slice head; // all of the above lies in here
    struct slice body; // without transfer coding; any Content-Encoding is the caller's affair
};

// The value of the first field of this name (ASCII letters without case). at is NULL when there is none, and
// not NULL when the value is empty. Fields that must not be repeated (Host, Content-Length,
// Transfer-Encoding, Authorization, Content-Type) are there at most once.
struct slice http_header(const struct http_request *request, struct slice name);
// A copy whose slices live in the arena. ERR_NO_MEMORY leaves *to empty.
struct err http_request_copy(struct http_request *to, const struct http_request *from, struct arena *a);

enum http_result {
    HTTP_MORE,     // all of *in was taken and is not a whole message yet
    HTTP_REQUEST,  // *out holds one; *in starts after it
    HTTP_CONTINUE, // *out holds a request without its body, which the peer sends after `100 Continue`; call
                   // again
    HTTP_BAD,      // refuse with d->status and close: where the next message would start is not known
};

// Which deadline holds for what the peer owes.
enum http_phase {
    HTTP_PHASE_IDLE, // nothing of a message came yet
    HTTP_PHASE_LINE,
    HTTP_PHASE_HEADERS,
    HTTP_PHASE_BODY,
    HTTP_PHASE_WHOLE, // the last call returned a message
};

struct http_decoder {
    enum http_phase phase;
    size_t body_limit;
    uint16_t status; // after HTTP_BAD: 400, 413, 414, 417, 431, 500, 501 or 505
    uint32_t broken; // after HTTP_BAD: enum err_code
    // the rest is the decoder's own
    bool cr;        // the last byte of the head was a CR
    bool continued; // HTTP_CONTINUE was given
    bool skipped_blank_line;
    uint8_t body_kind;
    uint8_t chunk_state;
    size_t line_len;
    uint64_t body_left; // of the body, or of the chunk
    struct buf head;    // held when the message came in pieces
    struct buf body;
};

void http_decoder_init(struct http_decoder *d);
void http_decoder_release(struct http_decoder *d);
// Bytes of the largest body taken, from the next message on.
void http_decoder_limit(struct http_decoder *d, size_t body_limit);

// Takes bytes off *in up to the end of one request; requests that follow (pipelining) stay in *in. Memory is
// taken only for messages that come in pieces or in chunks, as their bytes arrive. The slices of *out view
// *in or the decoder, until the next call (one with an empty *in gives memory back). why (may be NULL) says
// on HTTP_BAD what was wrong.
enum http_result http_decode(struct http_decoder *d, struct slice *in, struct http_request *out,
                             struct why *why);

struct http_response {
    uint16_t status;
    const struct http_field *fields; // besides Date, Connection, Content-Length, Transfer-Encoding
    size_t field_count;
    struct slice body;
    struct slice date; // the value of Date, empty for none
    bool close;        // announces that the connection is closed after this answer
    bool to_head;      // answers HEAD: Content-Length is that of the body, which is not sent
};

// Appends one response, or nothing and leaves *out broken: ERR_INVALID when a field could break out of its
// line, else as buf.h says. Content-Length is always there, but for 1xx, 204 (RFC 9110 8.6) and 304, which
// have no body. 101 has no Connection line of ours: its fields must have one.
void http_encode_response(struct buf *out, const struct http_response *response);
// "Not Found"; "" for a status without a phrase here.
const char *http_reason(uint16_t status);

// The client's side.
struct http_outgoing {
    struct slice method;
    struct slice target; // origin form, percent-encoded already
    struct slice host;
    const struct http_field *fields; // besides Host, Content-Length, Connection
    size_t field_count;
    struct slice body;
    bool has_body; // sends Content-Length even when the body is empty
    bool close;
};
void http_encode_request(struct buf *out,
                         const struct http_outgoing *request); // fails as http_encode_response

struct http_answer {
    uint16_t status;
    uint8_t minor;
    bool keep_alive;
    size_t field_count;
    struct http_field fields[HTTP_MAX_HEADERS];
    struct slice body;
};
// As http_decode, for answers to GET, POST, PUT, PATCH and DELETE. Interim answers (1xx) other than 101 are
// passed over. Bodies that end with the connection are refused. HTTP_REQUEST means that *out holds one;
// HTTP_CONTINUE never comes.
enum http_result http_decode_answer(struct http_decoder *d, struct slice *in, struct http_answer *out,
                                    struct why *why);
struct slice http_answer_header(const struct http_answer *answer, struct slice name);

// The segments of a raw path, percent-decoded one by one, so that %2F stays inside its segment.
struct http_path {
    struct slice rest;
};
struct http_path http_path_of(struct slice path);
// *segment is the next one, or has at NULL at the end; a slash at the end of the path makes no segment. A
// view of the path, or in the arena when something was decoded. ERR_MALFORMED for a broken escape, NUL, "."
// and "..".
struct err http_path_next(struct http_path *path, struct arena *a, struct slice *segment);

// The value of a query parameter, percent-decoded; '+' stays '+'. *value has at NULL when the query does not
// have it, and is empty with at not NULL when the value is. ERR_MALFORMED for a broken escape, NUL, or a name
// given twice. Names compare without case, as Azure's do.
struct err http_query_get(struct slice query, struct slice name, struct arena *a, struct slice *value);

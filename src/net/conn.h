// What a protocol may do with its connection. Everything on the loop's thread, from open until closed
// returns; after the connection began to close, what no longer makes sense is quietly without effect.
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct chain;
struct conn;
struct loop;
struct protocol;
struct tls_session;
struct websocket;

enum {
    CONN_OUTPUT_MAX =
        256 * 1024, // bytes waiting for a peer; one that does not read is closed when they overflow
    CONN_REST_MAX = 64 * 1024, // bytes a protocol may leave unread before reading stops
};

// Where to write. Overflow needs no check: the connection is closed and one log line says so. Written out
// when the current call returns, or by conn_flush.
struct buf *conn_output(struct conn *conn);
// Room in the output for `bytes` more than it usually takes, until they are written out: for one large answer
// to somebody who may ask for it.
void conn_make_room(struct conn *conn, size_t bytes);
// Write out what is in the output, as one write, soon. Not needed inside open, receive, writable and
// stopping.
void conn_flush(struct conn *conn);
// The peer has ms from now, in all and whatever it does, until the next conn_deadline: then it is closed and
// one log line says "waited ms for phase". Replaces the deadline before; 0: none. phase: static text.
void conn_deadline(struct conn *conn, int64_t ms, const char *phase);
// No more receive. What is in the output (and is added until now) is written, then the connection closes:
// close_notify, FIN, and a few seconds in which what the peer still sends is thrown away, so that it can read
// what was said.
void conn_close_after_flush(struct conn *conn);
// Closes without writing.
void conn_abort(struct conn *conn);
// No more receive until conn_resume. The peer's FIN is noticed only then, so that one that closed its side
// still gets its answer.
void conn_pause(struct conn *conn);
// Ends a pause, and has receive called again soon if bytes were left.
void conn_resume(struct conn *conn);
// From now on, which is when the current call of receive returns, the connection speaks another protocol in
// the frames of `websocket`, which it takes over. What is in the output goes out first, as it is; the session
// is closed, the other protocol's opened, without a deadline or a pause of before; and what came behind the
// bytes that receive took is the first that goes through the frames. Once, and within receive only. The
// connection then ends with a Close frame (1000, or 1001 when the loop stops); a Close of the peer's is its
// FIN.
void conn_become(struct conn *conn, const struct protocol *protocol, void *context,
                 struct websocket *websocket);

// Names a connection for answers that come later: never a pointer. Meant for this loop only.
struct ticket {
    uint32_t slot;
    uint32_t generation; // never 0
};
struct ticket conn_ticket(const struct conn *conn);
// NULL when the connection is gone or closing.
struct conn *conn_by_ticket(struct loop *loop, struct ticket ticket);

void *conn_session(const struct conn *conn); // what open returned
uint64_t conn_id(const struct conn *conn);   // for logs; unique in the process
struct slice
conn_peer(const struct conn *conn); // for logs: "192.0.2.7:40312", "[2001:db8::7]:40312", "uid 1000";
                                    // behind a proxy that sends a PROXY header: what that says
struct tls_session *conn_tls(const struct conn *conn); // NULL without TLS
// The certificates that the peer showed in the TLS handshake, or NULL; the connection's (chain_hold to keep
// them). Decoded once, when first asked for, whatever protocols follow one another; NULL too when memory is
// out.
struct chain *conn_chain(struct conn *conn);
// True, with the user at the other end, on a Unix socket.
bool conn_peer_uid(const struct conn *conn, uint32_t *uid);
struct loop *conn_loop(const struct conn *conn);

// The port between the connection pump and what speaks on a connection: one row of functions per protocol.
#pragma once

#include "base/slice.h"

struct conn;

// All calls come on the loop's thread, never from within a call of the protocol into conn.h.
struct protocol {
    const char *name; // for logs: "http", "mqtt"
    // The connection is ready for bytes; with TLS the handshake is done. Starts a session, or NULL to close
    // at once. Set a deadline for the first bytes here: without one the connection may stay silent for ever.
    void *(*open)(void *context, struct conn *conn);
    // Takes what it can off *bytes; what it leaves is kept and given again, with what came later behind it,
    // or after conn_resume. Once 64 KiB are left over, nothing more is read until conn_resume or a later call
    // takes some.
    void (*receive)(void *session, struct slice *bytes);
    // Optional: output that had to wait for a slow peer is gone, there is room again.
    void (*writable)(void *session);
    // Optional: the loop stops. Say goodbye and close soon (conn_close_after_flush); who does not is cut off
    // when the grace time ends. Without it the connection is closed once its output is written.
    void (*stopping)(void *session);
    // The connection is gone: its tickets give NULL from now on. Called once for each session that open
    // returned.
    void (*closed)(void *session);
};

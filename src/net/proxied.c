// Connections that a proxy of ours brings: the PROXY header in front says who is really there, and the
// connection counts as that peer's from then on.
#include "net/internal.h"
#include "wire/proxy/proxy.h"

// Nothing is open above yet, so what came of the header waits where a protocol's leftovers will.
bool proxied_take(struct conn *conn, struct slice *bytes)
{
    struct proxy_header header;
    struct why why = {0};
    size_t size = 0;
    size_t before = conn->rest.len;
    struct slice view = *bytes;
    if (before > 0) {
        buf_bytes(&conn->rest, *bytes);
        view = buf_slice(&conn->rest);
    }
    struct err e = buf_err(&conn->rest);
    if (!failed(e))
        e = proxy_read(view, &header, &size, &why);
    if (failed(e)) {
        conn_log_noise(conn, "proxy.refused", e, &why);
        conn_kill(conn);
        return false;
    }
    if (size == 0) {
        if (before == 0)
            buf_bytes(&conn->rest, *bytes);
        return false;
    }
    *bytes = slice_from(*bytes, size - before);
    buf_clear(&conn->rest);
    buf_shrink(&conn->rest);
    conn->proxied = false;
    if (!header.local)
        address_from_proxy(conn, &header);
    if (crowd_enter(conn, &why))
        return true;
    conn_log_noise(conn, "connection.refused", FAIL(ERR_OVERLOADED), &why);
    conn_kill(conn);
    return false;
}

// What the files of this folder share. Nobody else includes it, nor uv.h.
#pragma once

#include <stdatomic.h>

#include <uv.h>

#include "base/list.h"
#include "net/conn.h"
#include "net/listener.h"
#include "net/loop.h"
#include "wire/tls/tls.h"
#include "wire/websocket/websocket.h"

enum {
    READ_MAX = 64 * 1024,                     // bytes taken off a socket at once
    PLAIN_MAX = READ_MAX + 2 * TLS_PLAIN_MAX, // and what they can decrypt to
    LINGER_MAX = 1024 * 1024,                 // bytes thrown away while closing
    MAIL_ROUNDS_MAX = 16,                     // mail that answers mail, before sockets get their turn
    HANDSHAKE_MS = 10000,
    CLOSING_MS = 5000,
    NOISE_PER_SECOND = 10,
    MAX_CONNECTIONS = 10000,
    UNIX_CONNECTIONS_MAX = 64,
};

// What the addresses in one corner of the crowd do (crowd.c).
struct corner {
    uint32_t connections;
    int64_t full_until_us;
};

enum { CORNERS = 4096 };

struct slot {
    struct conn *conn;
    uint32_t generation;
    uint32_t next_free;
};

enum { NO_SLOT = UINT32_MAX };

struct loop {
    uv_loop_t uv;
    uv_async_t woken;
    uv_prepare_t before_poll;
    uv_check_t after_poll;
    uv_idle_t hurry; // keeps the poll from waiting while mail is left
    uv_timer_t grace;
    uv_timer_t noise_timer;
    struct mailbox mailbox;
    struct loop_settings settings;
    struct poller poller;
    struct slot *slots;
    uint32_t slot_count;
    uint32_t free_slot;
    struct corner crowd[CORNERS];
    size_t connections;      // that exist, whatever their state
    size_t most_connections; // since a crowd went away last
    size_t unix_connections; // of those
    struct list listeners;
    struct buf plain;   // what TLS decrypted
    struct buf payload; // and what of that was in frames
    char *read_room;
    _Atomic int64_t stop_ms; // asked for by loop_stop, -1: not
    bool stopping;
    int64_t noise_from_us;
    unsigned noise_said;
    uint64_t noise_left_out;
};

union stream {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
};

struct listener {
    struct list in_loop;
    union stream io;
    struct loop *loop;
    struct listener_settings settings;
    char *unix_path; // owned
    uint16_t port;
};

enum conn_state {
    CONN_HANDSHAKE, // of TLS, and before it the PROXY header
    CONN_OPEN,
    CONN_FLUSHING,  // the last bytes are being written
    CONN_LINGERING, // FIN was sent; waiting for the peer's
    CONN_DEAD,      // handles are closing
};

// What libuv still has to write. Apart from the connection, which seldom needs it.
struct departure {
    uv_write_t request;
    struct conn *conn;
    struct buf bytes;
};

// What conn_become asked for, until the protocol's call returns.
struct becoming {
    const struct protocol *protocol; // NULL: nothing
    void *context;
    struct websocket *websocket;
};

struct conn {
    union stream io;
    uv_timer_t timer;
    struct mail settle;
    struct loop *loop;
    const struct protocol *protocol;
    void *context;
    void *session;
    struct tls_session *tls;
    struct chain *chain;         // what the peer showed, once somebody asked for it
    struct websocket *websocket; // between TLS and the protocol; NULL: nothing is
    struct becoming becoming;
    struct corner *corner; // it is counted in; or NULL
    struct buf output;     // plaintext to send
    struct buf rest;       // received, not taken by the protocol
    uint64_t id;
    uint32_t slot;
    uint32_t uid;
    enum conn_state state;
    const char *phase; // what the deadline is for
    int64_t phase_ms;
    uint64_t due_ms; // when the wait ends, by the loop's clock; 0: nothing is waited for
    size_t lingered;
    unsigned open_handles;
    bool over_unix;
    bool proxied;  // the PROXY header is still to come
    bool settling; // `settle` is in the mailbox
    bool inside;   // the protocol is being called, and everything is settled when it returns
    bool reading;
    bool paused;
    bool again; // conn_resume was called
    bool writing;
    bool aborted;    // conn_abort was called
    bool closing;    // conn_close_after_flush was called
    bool peer_ended; // FIN or close_notify, not acted on yet
    bool notified;   // close_notify came
    bool fin_seen;
    uint8_t origin_len; // 0: not known
    uint8_t origin[8];  // the part of its address that a peer can hardly change: of IPv6 the first 64 bits
    char peer[56];
};

// conn.c
struct conn *conn_new(struct loop *loop, const struct listener *listener);
void conn_free_when_done(struct conn *conn);
void conn_kill(struct conn *conn);
void conn_wait(struct conn *conn, int64_t ms); // until pump_overdue; 0: for nothing
void conn_drop_mail(struct loop *loop);
bool slots_take(struct loop *loop, struct conn *conn);
void slots_give(struct loop *loop, struct conn *conn);
void slots_forget_tickets(struct loop *loop, struct conn *conn);
void conn_log_noise(struct conn *conn, const char *event, struct err e, const struct why *why);
// pump.c
void pump_start(struct conn *conn);
void pump_settle(struct conn *conn);
void pump_stop(struct conn *conn); // the loop stops
void pump_overdue(struct conn *conn);
// listener.c
void listener_close(struct listener *listener);
// crowd.c
// Counts a connection that was just accepted; false when there are too many from where it comes.
bool crowd_enter(struct conn *conn, struct why *why);
void crowd_leave(struct conn *conn);
// address.c
struct err address_listen_tcp(const char *host, uint16_t port, bool join, int *fd, uint16_t *bound,
                              struct why *why);
struct err address_listen_unix(const char *path, int *fd, struct why *why);
// The peer's address in words, its origin, and the address itself: all 0 when it is not known.
void address_of_peer(struct conn *conn, struct ip *ip);
struct proxy_header;
void address_from_proxy(struct conn *conn, const struct proxy_header *header);
// proxied.c
// Takes the PROXY header off the bytes that arrived. False while it goes on, and when the connection was
// ended.
bool proxied_take(struct conn *conn, struct slice *bytes);
// poll.c
extern const struct poller_methods loop_poller_methods;
// loop.c
void loop_connection_gone(struct loop *loop);

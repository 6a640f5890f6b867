// A place where connections arrive: an address and port, or a Unix socket, and the protocol that is spoken
// there. Made on the loop's thread, or before loop_run.
#pragma once

#include "base/err.h"
#include "base/ip.h"
#include "net/protocol.h"

struct listener;
struct loop;
struct tls_context;

struct listener_settings {
    const struct protocol *protocol;
    void *context;           // for protocol->open
    struct tls_context *tls; // NULL: no TLS. The listener takes a share of its own.
    const char *host;        // an IPv4 or IPv6 address; "localhost" is 127.0.0.1
    uint16_t port;           // 0: any free one
    // The port is one that another loop of this process listens on; else it must be free. (SO_REUSEPORT alone
    // would let a second daemon take half of the connections.)
    bool join;
    const char *unix_path; // instead of host and port: a socket that only this user may open
    // Peers whose connections begin with a PROXY header, which then says who the peer is; of all others none
    // is read. Must outlive the listener.
    const struct ip_network *proxies;
    size_t proxy_count;
};

// ERR_CONFIG with why for an address that cannot be one, or is in use.
struct err listener_new(struct loop *loop, const struct listener_settings *settings, struct listener **out,
                        struct why *why);
// Stops listening; its connections stay. loop_stop and loop_free do this too, so afterwards the pointer is
// dead.
void listener_free(struct listener *listener);
uint16_t listener_port(const struct listener *listener); // 0 for a Unix socket
// For connections from now on; takes a share of its own.
void listener_set_tls(struct listener *listener, struct tls_context *tls);

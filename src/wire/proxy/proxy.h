// The PROXY protocol, version 2 (haproxy.org, proxy-protocol.txt, 2.2): the header that a proxy puts in front
// of a connection to say who is really at the other end. Reading only; a pure function over bytes.
#pragma once

#include "base/err.h"
#include "base/ip.h"

enum {
    PROXY_FIXED = 16,        // bytes up to and with the length
    PROXY_BEHIND_MAX = 4096, // bytes that may follow: addresses and TLVs. Cloud proxies send less than 1,000
};

struct proxy_header {
    bool local; // the proxy itself is the peer, as in its health checks: no source
    struct ip source;
    bool v6; // it was said as IPv6
    uint16_t port;
};

// The header at the start of `bytes`. *size is how many bytes it takes; 0 with OK: it goes on behind them.
// ERR_PROTOCOL with why as soon as the bytes cannot become one. TLVs are passed over unread.
struct err proxy_read(struct slice bytes, struct proxy_header *out, size_t *size, struct why *why);

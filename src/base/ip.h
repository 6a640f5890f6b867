// IP addresses and networks (CIDR) as bytes: what is asked of them here. No names, no sockets.
#pragma once

#include "base/err.h"
#include "base/slice.h"

// IPv4 is kept as IPv4-mapped IPv6 (RFC 4291 2.5.5.2), so that an address is the same however it came.
struct ip {
    uint8_t at[16];
};

struct ip_network {
    struct ip first;
    unsigned bits; // of the 16 bytes: 96 more than an IPv4 prefix is written with
};

enum { IP_BITS = 128, IP_V4_BITS = 96 };

struct ip ip_from_v4(const uint8_t bytes[4]);
bool ip_is_v4(const struct ip *ip);
// "192.0.2.7", "2001:db8::7", and with a port as logs show them: "192.0.2.7:40312", "[2001:db8::7]:40312".
bool ip_read(struct slice text, struct ip *out);
// "192.0.2.0/24", "2001:db8::/32", or one address. ERR_INVALID with why; bits behind the prefix are refused,
// because they are most likely a mistake.
struct err ip_network_read(struct slice text, struct ip_network *out, struct why *why);
// A network of IPv6 holds no IPv4: ::/0 is all of IPv6, and 0.0.0.0/0 all of IPv4.
bool ip_network_holds(const struct ip_network *network, const struct ip *ip);
// Makes every bit behind the prefix 0.
struct ip ip_masked(const struct ip *ip, unsigned bits);

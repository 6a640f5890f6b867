// The table of what is not the public internet, and what hides in addresses that translate to others.
#include "webhook/guard.h"

struct row {
    struct ip_network network;
    const char *what;
};

#define V4(a, b, c, d, len, words)                                                                           \
    {                                                                                                        \
        {{{[10] = 0xff, 0xff, a, b, c, d}}, IP_V4_BITS + (len)}, words                                       \
    }

// The IANA registries of special-purpose addresses (RFC 6890 and what came after it), and two that clouds
// use.
static const struct row internal[] = {
    V4(0, 0, 0, 0, 8, "an unspecified address"),                       // RFC 1122 3.2.1.3
    V4(10, 0, 0, 0, 8, "a private address"),                           // RFC 1918
    V4(100, 64, 0, 0, 10, "a carrier's shared address"),               // RFC 6598; metadata of a cloud too
    V4(127, 0, 0, 0, 8, "a loopback address"),                         // RFC 1122 3.2.1.3
    V4(168, 63, 129, 16, 32, "the address of a cloud's own services"), // Azure: behind every virtual machine
    V4(169, 254, 0, 0, 16, "a link-local address"),                    // RFC 3927; metadata of clouds
    V4(172, 16, 0, 0, 12, "a private address"),                        // RFC 1918
    V4(192, 0, 0, 0, 24, "a reserved address"),                        // RFC 6890; metadata of a cloud too
    V4(192, 0, 2, 0, 24, "a documentation address"),                   // RFC 5737
    V4(192, 88, 99, 0, 24, "a reserved address"),                      // RFC 7526: once 6to4 relays
    V4(192, 168, 0, 0, 16, "a private address"),                       // RFC 1918
    V4(198, 18, 0, 0, 15, "an address for benchmarks"),                // RFC 2544
    V4(198, 51, 100, 0, 24, "a documentation address"),                // RFC 5737
    V4(203, 0, 113, 0, 24, "a documentation address"),                 // RFC 5737
    V4(224, 0, 0, 0, 4, "a multicast address"),                        // RFC 5771
    V4(240, 0, 0, 0, 4, "a reserved address"),                         // RFC 1112 4, and 255.255.255.255
    V4(0, 0, 0, 0, 0, NULL),                                           // all other IPv4 is public
    {{{{0}}, 128}, "an unspecified address"},
    {{{{[15] = 1}}, 128}, "a loopback address"},
    {{{{0x20, 0x01, 0x0d, 0xb8}}, 32}, "a documentation address"}, // RFC 3849
    {{{{0x3f, 0xff}}, 20}, "a documentation address"},             // RFC 9637
    {{{{0x20, 0x01}}, 32}, NULL},                                  // Teredo: what is in it decides
    {{{{0x20, 0x01}}, 23}, "a reserved address"},                  // RFC 2928: protocols, ORCHIDs, benchmarks
    {{{{0x20}}, 3}, NULL},                                         // RFC 4291 2.4: global unicast
    {{{{0x00, 0x64, 0xff, 0x9b}}, 96}, NULL},                      // NAT64, RFC 6052: what is in it decides
    {{{{0xfc}}, 7}, "a private address"},                          // RFC 4193
    {{{{0xfe, 0x80}}, 10}, "a link-local address"},
    {{{{0xfe, 0xc0}}, 10}, "a site-local address"}, // RFC 3879
    {{{{0xff}}, 8}, "a multicast address"},
    {{{{0}}, 0}, "a reserved address"}, // RFC 4291 2.4: the rest is nobody's
};

// Where IPv4 is inside IPv6: who routes such an address sends on to that one.
static const struct {
    struct ip_network network;
    uint8_t offset;
    uint8_t flip; // its bytes are stored exclusive-or this
} carriers[] = {
    {{{{0x00, 0x64, 0xff, 0x9b}}, 96}, 12, 0}, // NAT64, RFC 6052 2.1
    {{{{0x20, 0x02}}, 16}, 2, 0},              // 6to4, RFC 3056 2
    {{{{0x20, 0x01}}, 32}, 4, 0},              // Teredo's server, RFC 4380 4
    {{{{0x20, 0x01}}, 32}, 12, 0xff},          // Teredo's client
};

static const char *kind_of(const struct ip *address)
{
    for (size_t i = 0; i < sizeof internal / sizeof internal[0]; i++) {
        if (ip_network_holds(&internal[i].network, address))
            return internal[i].what;
    }
    return "a reserved address";
}

// An allowed network counts for the address itself, not for what translates to it.
const char *guard_refuses(const struct guard *guard, const struct ip *address)
{
    for (size_t i = 0; i < guard->allowed_count; i++) {
        if (ip_network_holds(&guard->allowed[i], address))
            return NULL;
    }
    const char *what = kind_of(address);
    for (size_t i = 0; i < sizeof carriers / sizeof carriers[0] && what == NULL; i++) {
        if (!ip_network_holds(&carriers[i].network, address))
            continue;
        uint8_t inner[4];
        for (size_t byte = 0; byte < sizeof inner; byte++)
            inner[byte] = address->at[carriers[i].offset + byte] ^ carriers[i].flip;
        struct ip carried = ip_from_v4(inner);
        what = kind_of(&carried);
    }
    return what;
}

bool guard_port(const struct guard *guard, uint16_t port)
{
    for (size_t i = 0; i < guard->port_count; i++) {
        if (guard->ports[i] == port)
            return true;
    }
    return false;
}

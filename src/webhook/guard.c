// The table of what is not the public internet, and what hides in addresses that translate to others.
#include "webhook/guard.h"

#include <arpa/inet.h>

struct row {
    uint8_t at[16];
    uint8_t bits;
    const char *what;
};

#define V4(a, b, c, d, len, words)                                                                           \
    {                                                                                                        \
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}, 96 + (len), words                            \
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
    {{0}, 128, "an unspecified address"},
    {{[15] = 1}, 128, "a loopback address"},
    {{0x20, 0x01, 0x0d, 0xb8}, 32, "a documentation address"}, // RFC 3849
    {{0x3f, 0xff}, 20, "a documentation address"},             // RFC 9637
    {{0x20, 0x01}, 32, NULL},                                  // Teredo: what is in it decides
    {{0x20, 0x01}, 23, "a reserved address"},                  // RFC 2928: protocols, ORCHIDs, benchmarks
    {{0x20}, 3, NULL},                                         // RFC 4291 2.4: global unicast
    {{0x00, 0x64, 0xff, 0x9b}, 96, NULL},                      // NAT64, RFC 6052: what is in it decides
    {{0xfc}, 7, "a private address"},                          // RFC 4193
    {{0xfe, 0x80}, 10, "a link-local address"},
    {{0xfe, 0xc0}, 10, "a site-local address"}, // RFC 3879
    {{0xff}, 8, "a multicast address"},
    {{0}, 0, "a reserved address"}, // RFC 4291 2.4: the rest is nobody's
};

// Where IPv4 is inside IPv6: who routes such an address sends on to that one.
static const struct {
    uint8_t at[16];
    uint8_t bits;
    uint8_t offset;
    uint8_t flip; // its bytes are stored exclusive-or this
} carriers[] = {
    {{0x00, 0x64, 0xff, 0x9b}, 96, 12, 0}, // NAT64, RFC 6052 2.1
    {{0x20, 0x02}, 16, 2, 0},              // 6to4, RFC 3056 2
    {{0x20, 0x01}, 32, 4, 0},              // Teredo's server, RFC 4380 4
    {{0x20, 0x01}, 32, 12, 0xff},          // Teredo's client
};

static bool within(const uint8_t at[16], const uint8_t network[16], unsigned bits)
{
    unsigned whole = bits / 8;
    if (memcmp(at, network, whole) != 0)
        return false;
    unsigned rest = bits % 8;
    return rest == 0 || ((at[whole] ^ network[whole]) >> (8 - rest)) == 0;
}

static const char *kind_of(const struct guard_address *address)
{
    for (size_t i = 0; i < sizeof internal / sizeof internal[0]; i++) {
        if (within(address->at, internal[i].at, internal[i].bits))
            return internal[i].what;
    }
    return "a reserved address";
}

void guard_address_v4(const uint8_t bytes[4], struct guard_address *out)
{
    *out = (struct guard_address){.at = {[10] = 0xff, [11] = 0xff}};
    memcpy(out->at + 12, bytes, 4);
}

// An allowed network counts for the address itself, not for what translates to it.
const char *guard_refuses(const struct guard *guard, const struct guard_address *address)
{
    for (size_t i = 0; i < guard->allowed_count; i++) {
        if (within(address->at, guard->allowed[i].address.at, guard->allowed[i].bits))
            return NULL;
    }
    const char *what = kind_of(address);
    for (size_t i = 0; i < sizeof carriers / sizeof carriers[0] && what == NULL; i++) {
        if (!within(address->at, carriers[i].at, carriers[i].bits))
            continue;
        uint8_t inner[4];
        struct guard_address carried;
        for (size_t byte = 0; byte < sizeof inner; byte++)
            inner[byte] = address->at[carriers[i].offset + byte] ^ carriers[i].flip;
        guard_address_v4(inner, &carried);
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

// --- text
// -----------------------------------------------------------------------------------------------------------

bool guard_address_read(struct slice text, struct guard_address *out)
{
    char room[INET6_ADDRSTRLEN] = {0};
    uint8_t four[4];
    if (text.len == 0 || text.len >= sizeof room || slice_find_byte(text, 0) < text.len)
        return false;
    memcpy(room, text.at, text.len);
    if (inet_pton(AF_INET, room, four) == 1) {
        guard_address_v4(four, out);
        return true;
    }
    return inet_pton(AF_INET6, room, out->at) == 1;
}

struct err guard_network_read(struct slice text, struct guard_network *out, struct why *why)
{
    struct slice rest = text;
    struct slice address;
    *out = (struct guard_network){0};
    (void)slice_cut(&rest, '/', &address);
    if (!guard_address_read(address, &out->address))
        return why_fail(why, ERR_INVALID,
                        "\"%.*s\" is no network: an address and a length, such as 10.0.0.0/8",
                        SLICE_ARG(slice_to(text, 64)));
    bool four = slice_find_byte(address, ':') == address.len;
    uint64_t most = four ? 32 : 128;
    uint64_t bits = most;
    if (address.len < text.len && (!slice_to_u64(rest, &bits) || bits > most))
        return why_fail(why, ERR_INVALID, "\"%.*s\": the length must be from 0 to %u",
                        SLICE_ARG(slice_to(text, 64)), (unsigned)most);
    out->bits = (unsigned)(four ? bits + 96 : bits);
    for (unsigned bit = out->bits; bit < 128; bit++) {
        if ((out->address.at[bit / 8] & (0x80 >> bit % 8)) != 0)
            return why_fail(why, ERR_INVALID, "\"%.*s\" has bits set behind its length",
                            SLICE_ARG(slice_to(text, 64)));
    }
    return OK;
}

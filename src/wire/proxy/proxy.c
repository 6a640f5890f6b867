// One header of the PROXY protocol, version 2.
#include "wire/proxy/proxy.h"

#include "base/cursor.h"

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

// Section 2.2: the high four bits are the version, the low four the command.
enum { LOCAL = 0x20, PROXY = 0x21 };
// And the high four the address family, the low four the transport.
enum { TCP4 = 0x11, TCP6 = 0x21, TCP4_SIZE = 12, TCP6_SIZE = 36 };

// What came instead, in words for whoever set up the proxy.
static struct err no_signature(struct slice bytes, struct why *why)
{
    struct slice v1 = SLICE("PROXY ");
    if (slice_equal(slice_to(bytes, v1.len), slice_to(v1, bytes.len)))
        return why_fail(
            why, ERR_PROTOCOL,
            "version 1 of the PROXY protocol (text), which is not taken: have the proxy send version 2");
    if (bytes.at[0] == 0x16) // a handshake record, RFC 8446 5.1
        return why_fail(
            why, ERR_PROTOCOL,
            "TLS without a PROXY header in front, from an address that listen.proxyNetworks names");
    return why_fail(why, ERR_PROTOCOL,
                    "no PROXY header in front, from an address that listen.proxyNetworks names");
}

static struct err read_fixed(struct slice bytes, uint8_t *command, uint8_t *family, size_t *behind,
                             struct why *why)
{
    struct cursor c = cursor_over(slice_from(bytes, sizeof signature));
    *command = cursor_u8(&c);
    *family = cursor_u8(&c);
    *behind = cursor_u16(&c);
    if (*command >> 4 != 2)
        return why_fail(why, ERR_PROTOCOL, "version %u of the PROXY protocol, which is not known",
                        *command >> 4);
    if (*command != LOCAL && *command != PROXY)
        return why_fail(why, ERR_PROTOCOL, "the PROXY header has the unknown command %u", *command & 15);
    if (*behind > PROXY_BEHIND_MAX)
        return why_fail(why, ERR_PROTOCOL,
                        "the PROXY header has %zu bytes behind its first 16, and %d may be there", *behind,
                        PROXY_BEHIND_MAX);
    if (*command == LOCAL)
        return OK; // whatever the family, it is passed over
    if (*family != TCP4 && *family != TCP6)
        return why_fail(
            why, ERR_PROTOCOL,
            "the PROXY header is of family and transport 0x%02x, and only TCP over IPv4 (0x11) and "
            "IPv6 (0x21) say who the peer is",
            *family);
    if (*behind < (*family == TCP4 ? TCP4_SIZE : TCP6_SIZE))
        return why_fail(why, ERR_PROTOCOL, "the PROXY header is too short for its addresses: %zu bytes",
                        *behind);
    return OK;
}

// Source address, destination address, source port, destination port.
static void read_source(struct slice addresses, bool v6, struct proxy_header *out)
{
    struct cursor c = cursor_over(addresses);
    size_t len = v6 ? 16 : 4;
    struct slice source = cursor_bytes(&c, len);
    (void)cursor_bytes(&c, len);
    out->v6 = v6;
    out->port = cursor_u16(&c);
    if (v6)
        memcpy(out->source.at, source.at, len);
    else
        out->source = ip_from_v4(source.at);
}

struct err proxy_read(struct slice bytes, struct proxy_header *out, size_t *size, struct why *why)
{
    *out = (struct proxy_header){0};
    *size = 0;
    struct slice expected = slice_of(signature, sizeof signature);
    if (!slice_equal(slice_to(bytes, expected.len), slice_to(expected, bytes.len)))
        return no_signature(bytes, why);
    if (bytes.len < PROXY_FIXED)
        return OK;
    uint8_t command;
    uint8_t family;
    size_t behind;
    TRY(read_fixed(bytes, &command, &family, &behind, why));
    if (bytes.len < PROXY_FIXED + behind)
        return OK;
    out->local = command == LOCAL;
    if (!out->local)
        read_source(slice_to(slice_from(bytes, PROXY_FIXED), behind), family == TCP6, out);
    *size = PROXY_FIXED + behind;
    return OK;
}

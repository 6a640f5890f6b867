// Reading addresses and networks, and whether one is in the other.
#include "base/ip.h"

#include <arpa/inet.h>

struct ip ip_from_v4(const uint8_t bytes[4])
{
    struct ip ip = {.at = {[10] = 0xff, [11] = 0xff}};
    memcpy(ip.at + 12, bytes, 4);
    return ip;
}

bool ip_is_v4(const struct ip *ip)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(ip->at, mapped, sizeof mapped) == 0;
}

static bool read_bare(struct slice text, struct ip *out)
{
    char copy[INET6_ADDRSTRLEN];
    uint8_t v4[4];
    if (text.len == 0 || text.len >= sizeof copy || slice_find_byte(text, 0) < text.len)
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, v4) == 1) {
        *out = ip_from_v4(v4);
        return true;
    }
    return inet_pton(AF_INET6, copy, out->at) == 1;
}

static bool is_port(struct slice text)
{
    uint64_t port = 0;
    return slice_to_u64(text, &port) && port <= UINT16_MAX;
}

bool ip_read(struct slice text, struct ip *out)
{
    *out = (struct ip){0};
    if (slice_starts_with(text, SLICE("["))) {
        size_t end = slice_find_byte(text, ']');
        struct slice behind = slice_from(text, end + 1);
        bool port = slice_starts_with(behind, SLICE(":")) && is_port(slice_from(behind, 1));
        return end < text.len && (behind.len == 0 || port) &&
               read_bare(slice_from(slice_to(text, end), 1), out);
    }
    size_t colon = slice_find_byte(text, ':');
    bool one_colon = colon < text.len &&
                     slice_find_byte(slice_from(text, colon + 1), ':') == slice_from(text, colon + 1).len;
    if (one_colon)
        return is_port(slice_from(text, colon + 1)) && read_bare(slice_to(text, colon), out);
    return read_bare(text, out);
}

struct ip ip_masked(const struct ip *ip, unsigned bits)
{
    struct ip masked = *ip;
    for (unsigned i = 0; i < sizeof masked.at; i++) {
        unsigned kept = bits > i * 8 ? bits - i * 8 : 0;
        if (kept < 8)
            masked.at[i] &= (uint8_t)(0xff00 >> kept);
    }
    return masked;
}

static const char *write_ip(const struct ip *ip, char *out, socklen_t room)
{
    bool v4 = ip_is_v4(ip);
    const char *text = inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? ip->at + 12 : ip->at, out, room);
    return text != NULL ? text : "?";
}

struct err ip_network_read(struct slice text, struct ip_network *out, struct why *why)
{
    struct slice rest = text;
    struct slice address;
    struct ip_network read = {.bits = IP_BITS};
    *out = (struct ip_network){0};
    if (!slice_cut(&rest, '/', &address) || !read_bare(address, &read.first))
        return why_fail(why, ERR_INVALID,
                        "\"%.*s\" is no network: give one as in 192.0.2.0/24 or 2001:db8::/32",
                        SLICE_ARG(slice_to(text, 60)));
    bool v4 = slice_find_byte(address, ':') == address.len;
    uint64_t bits = v4 ? IP_BITS - IP_V4_BITS : IP_BITS;
    uint64_t most = bits;
    if (address.len < text.len && (!slice_to_u64(rest, &bits) || bits > most))
        return why_fail(why, ERR_INVALID, "\"%.*s\": the length of the prefix must be from 0 to %u",
                        SLICE_ARG(slice_to(text, 60)), (unsigned)most);
    read.bits = (unsigned)bits + (v4 ? (unsigned)IP_V4_BITS : 0);
    struct ip first = ip_masked(&read.first, read.bits);
    if (memcmp(&first, &read.first, sizeof first) != 0) {
        char meant[INET6_ADDRSTRLEN];
        return why_fail(why, ERR_INVALID, "%.*s has bits behind its prefix: %s/%u is the network",
                        SLICE_ARG(slice_to(text, 60)), write_ip(&first, meant, sizeof meant), (unsigned)bits);
    }
    *out = read;
    return OK;
}

bool ip_network_holds(const struct ip_network *network, const struct ip *ip)
{
    if (network->bits < IP_V4_BITS && ip_is_v4(ip))
        return false;
    struct ip first = ip_masked(ip, network->bits);
    return memcmp(&first, &network->first, sizeof first) == 0;
}

// What may be read off a URL before anything is looked up. Stricter than RFC 3986 where two readers of one
// URL might take two hosts from it.
#include "base/buf.h"
#include "webhook/guard.h"

static struct err refuse(struct why *why, const char *what)
{
    return why_fail(why, ERR_WEBHOOK, "the webhook's URL %s", what);
}

// "https://" or "http://", in any case; the rest stays in *url.
static struct err read_scheme(const struct guard *guard, struct slice *url, struct guard_url *out,
                              struct why *why)
{
    struct slice https = SLICE("https://");
    struct slice http = SLICE("http://");
    if (slice_starts_with_nocase(*url, https)) {
        *url = slice_from(*url, https.len);
        return OK;
    }
    if (!slice_starts_with_nocase(*url, http))
        return refuse(why, "must begin with https://");
    if (!guard->http)
        return refuse(why, "is http, and only https is taken (webhook.allowHttp)");
    *url = slice_from(*url, http.len);
    out->http = true;
    return OK;
}

// Letters, digits, '-', '.' and '_': no escapes, which would be decoded into something else later, and no
// letters beyond ASCII, which would be mapped.
static bool host_is_plain(struct slice host)
{
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_')
            return false;
    }
    return host.len > 0 && host.len <= GUARD_HOST_MAX;
}

// "[::1]" without a zone.
static bool host_is_literal(struct slice host)
{
    struct ip ignored;
    return slice_starts_with(host, SLICE("[")) && ip_read(host, &ignored);
}

static struct err read_port(const struct guard *guard, struct slice authority, struct slice host,
                            struct guard_url *out, struct why *why)
{
    uint64_t port = out->http ? 80 : 443;
    struct slice text = slice_from(authority, host.len);
    if (text.len > 0 && (!slice_to_u64(slice_from(text, 1), &port) || port == 0 || port > 65535))
        return refuse(why, "has no port where one is expected");
    out->port = (uint16_t)port;
    if (!guard_port(guard, out->port))
        return why_fail(why, ERR_WEBHOOK, "the webhook's URL is of port %u, which is not among webhook.ports",
                        out->port);
    return OK;
}

static struct err read_authority(const struct guard *guard, struct slice authority, struct guard_url *out,
                                 struct why *why)
{
    if (slice_find_byte(authority, '@') < authority.len)
        return refuse(why, "names a user, which is not taken");
    size_t bracket = slice_find_byte(authority, ']');
    struct slice host = bracket < authority.len ? slice_to(authority, bracket + 1)
                                                : slice_to(authority, slice_find_byte(authority, ':'));
    if (host.len < authority.len && authority.at[host.len] != ':')
        return refuse(why, "has no host that can be called");
    if (!host_is_literal(host) && !host_is_plain(host))
        return refuse(why, "has no host that can be called");
    TRY(read_port(guard, authority, host, out, why));
    struct buf name = {.at = (uint8_t *)out->host, .room = sizeof out->host, .cap = sizeof out->host};
    buf_lower(&name, host);
    buf_printf(&name, ":%u%c", out->port, '\0');
    return failed(buf_err(&name)) ? refuse(why, "has a host that is too long") : OK;
}

struct err guard_url_read(const struct guard *guard, struct slice url, struct guard_url *out, struct why *why)
{
    *out = (struct guard_url){0};
    for (size_t i = 0; i < url.len; i++) {
        if (url.at[i] <= ' ' || url.at[i] == 0x7f || url.at[i] == '\\')
            return refuse(why, "holds a character that no URL may hold");
    }
    struct slice rest = url;
    TRY(read_scheme(guard, &rest, out, why));
    size_t end = 0;
    while (end < rest.len && rest.at[end] != '/' && rest.at[end] != '?' && rest.at[end] != '#')
        end++;
    return read_authority(guard, slice_to(rest, end), out, why);
}

// Sockets that listen, and the words for whoever is at the other end.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/internal.h"
#include "wire/proxy/proxy.h"

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool parse(const char *host, uint16_t port, union address *address, socklen_t *len)
{
    *address = (union address){0};
    *len = sizeof address->v4;
    if (uv_ip4_addr(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, port, &address->v4) == 0)
        return true;
    *len = sizeof address->v6;
    return uv_ip6_addr(host, port, &address->v6) == 0;
}

static int bind_to(const union address *address, socklen_t len, bool share)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    static const int on = 1;
    bool ok = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0;
    // accepted sockets inherit it (tcp(7))
    ok = ok && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
    if (share)
        ok = ok && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0;
    if (ok && bind(fd, &address->any, len) == 0)
        return fd;
    int saved = errno;
    (void)close(fd);
    errno = saved;
    return -1;
}

// Sockets with SO_REUSEPORT share a port with each other, but never with one without it: so one without it
// finds out whether anybody is there.
static bool port_is_free(const union address *address, socklen_t len)
{
    int fd = bind_to(address, len, false);
    if (fd < 0)
        return false;
    (void)close(fd);
    return true;
}

static uint16_t port_of(int fd)
{
    union address address = {0};
    socklen_t len = sizeof address;
    if (getsockname(fd, &address.any, &len) != 0)
        return 0;
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

struct err address_listen_tcp(const char *host, uint16_t port, bool join, int *fd, uint16_t *bound,
                              struct why *why)
{
    union address address;
    socklen_t len;
    if (host == NULL || !parse(host, port, &address, &len))
        return why_fail(why, ERR_CONFIG, "\"%s\" is not an IP address to listen on",
                        host != NULL ? host : "");
    bool taken = port != 0 && !join && !port_is_free(&address, len);
    *fd = taken ? -1 : bind_to(&address, len, true);
    if (*fd < 0)
        return why_fail(why, ERR_CONFIG, "cannot listen on %s port %u: %s%s", host, port, strerror(errno),
                        errno == EACCES ? "; ports below 1024 need root or CAP_NET_BIND_SERVICE" : "");
    *bound = port_of(*fd);
    return OK;
}

// A socket file that nobody answers on is left from a process that was killed; anything else is not ours to
// remove.
static struct err remove_stale(const struct sockaddr_un *address, struct why *why)
{
    struct stat info;
    if (lstat(address->sun_path, &info) != 0)
        return OK;
    if (!S_ISSOCK(info.st_mode))
        return why_fail(why, ERR_CONFIG, "\"%s\" is in the way: not a socket", address->sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool stale = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
                 errno == ECONNREFUSED;
    if (fd >= 0)
        (void)close(fd);
    if (!stale)
        return why_fail(why, ERR_CONFIG, "another process listens on \"%s\"", address->sun_path);
    if (unlink(address->sun_path) != 0)
        return why_fail(why, ERR_CONFIG, "cannot remove the stale socket \"%s\": %s", address->sun_path,
                        strerror(errno));
    return OK;
}

struct err address_listen_unix(const char *path, int *fd, struct why *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof address.sun_path)
        return why_fail(why, ERR_CONFIG, "the socket path must have 1 to %zu bytes: \"%s\"",
                        sizeof address.sun_path - 1, path);
    memcpy(address.sun_path, path, len);
    TRY(remove_stale(&address, why));
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    // until listen is called nobody can connect, so the wider mode before chmod does no harm
    if (*fd >= 0 && bind(*fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        chmod(path, 0600) == 0)
        return OK;
    int saved = errno;
    if (*fd >= 0)
        (void)close(*fd);
    return why_fail(why, ERR_CONFIG, "cannot listen on \"%s\": %s", path, strerror(saved));
}

static void name_unix_peer(struct conn *conn)
{
    uv_os_fd_t fd = -1;
    (void)uv_fileno(&conn->io.handle, &fd);
    struct ucred peer = {0};
    socklen_t len = sizeof peer;
    conn->uid = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 ? peer.uid : UINT32_MAX;
    (void)snprintf(conn->peer, sizeof conn->peer, "uid %u", conn->uid);
}

static bool peer_address(const struct conn *conn, union address *address)
{
    uv_os_fd_t fd = -1;
    socklen_t len = sizeof *address;
    (void)uv_fileno(&conn->io.handle, &fd);
    *address = (union address){0};
    return getpeername(fd, &address->any, &len) == 0;
}

static void keep_origin(struct conn *conn, const struct ip *ip)
{
    bool v4 = ip_is_v4(ip);
    conn->origin_len = v4 ? 4 : 8;
    memcpy(conn->origin, ip->at + (v4 ? 12 : 0), conn->origin_len);
}

static void write_peer(struct conn *conn, int family, const void *bytes, uint16_t port)
{
    char text[INET6_ADDRSTRLEN] = "?";
    (void)inet_ntop(family, bytes, text, sizeof text);
    (void)snprintf(conn->peer, sizeof conn->peer, family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, port);
}

void address_of_peer(struct conn *conn, struct ip *ip)
{
    union address address;
    *ip = (struct ip){0};
    if (conn->over_unix) {
        name_unix_peer(conn);
        return;
    }
    if (!peer_address(conn, &address))
        return; // gone already
    bool v6 = address.any.sa_family == AF_INET6;
    const void *bytes = v6 ? (const void *)&address.v6.sin6_addr : (const void *)&address.v4.sin_addr;
    if (v6)
        memcpy(ip->at, bytes, sizeof ip->at);
    else
        *ip = ip_from_v4(bytes);
    keep_origin(conn, ip);
    write_peer(conn, address.any.sa_family, bytes, ntohs(v6 ? address.v6.sin6_port : address.v4.sin_port));
}

void address_from_proxy(struct conn *conn, const struct proxy_header *header)
{
    bool v4 = ip_is_v4(&header->source);
    keep_origin(conn, &header->source);
    write_peer(conn, v4 ? AF_INET : AF_INET6, v4 ? header->source.at + 12 : header->source.at, header->port);
}

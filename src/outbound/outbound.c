// curl's sockets and its timer on the loop's poller, and calls that ended.
#include "outbound/outbound.h"

#include <stdlib.h>

#include "base/secret.h"
#include "outbound/transfer.h"

enum { CACHED_CONNECTIONS = 512 }; // over all hosts; beyond it the longest unused is closed

struct watched {
    struct list link;
    struct poll_watch watch;
    struct outbound *transport;
};

static void collect(struct outbound *transport)
{
    int left = 0;
    for (CURLMsg *message; (message = curl_multi_info_read(transport->multi, &left)) != NULL;) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result; // the message is gone once its handle is removed
        (void)curl_multi_remove_handle(transport->multi, easy);
        char *transfer = NULL;
        (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
        outbound_transfer_ended((struct outbound_transfer *)(void *)transfer, code);
    }
}

static void drive(struct outbound *transport, curl_socket_t fd, int events)
{
    int running = 0;
    (void)curl_multi_socket_action(transport->multi, fd, events, &running);
    collect(transport);
}

static void timer_fired(struct poll_timer *timer)
{
    struct outbound *transport = timer->context;
    if (!transport->timer_wanted)
        return;
    transport->timer_wanted = false;
    drive(transport, CURL_SOCKET_TIMEOUT, 0);
}

// The timer got its memory in init, so that starting it again does not fail.
static int timer_changed(CURLM *multi, long ms, void *context)
{
    (void)multi;
    struct outbound *transport = context;
    transport->timer_wanted = ms >= 0;
    return ms >= 0 && failed(poller_timer_start(transport->poller, &transport->timer, ms)) ? -1 : 0;
}

static void socket_ready(struct poll_watch *watch, int fd, unsigned events)
{
    struct watched *watched = watch->context;
    int flags = ((events & POLL_READ) != 0 ? CURL_CSELECT_IN : 0) |
                ((events & POLL_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
    drive(watched->transport, fd, flags);
}

static void unwatch(struct watched *watched)
{
    poller_unwatch(watched->transport->poller, &watched->watch);
    list_remove(&watched->link);
    free(watched);
}

static struct watched *watch_new(struct outbound *transport, curl_socket_t fd)
{
    struct watched *watched = calloc(1, sizeof *watched);
    if (watched == NULL)
        return NULL;
    watched->transport = transport;
    watched->watch = (struct poll_watch){.ready = socket_ready, .context = watched};
    list_append(&transport->sockets, &watched->link);
    (void)curl_multi_assign(transport->multi, fd, watched);
    return watched;
}

// Without memory for a watch the call on that socket hears nothing and ends by its deadline. Returning -1
// instead would fail every call of the multi handle, now and later.
static int socket_changed(CURL *easy, curl_socket_t fd, int what, void *context, void *socket)
{
    (void)easy;
    struct outbound *transport = context;
    struct watched *watched = socket;
    if (what == CURL_POLL_REMOVE) {
        if (watched != NULL)
            unwatch(watched);
        return 0;
    }
    if (watched == NULL)
        watched = watch_new(transport, fd);
    if (watched == NULL)
        return 0;
    unsigned events =
        ((what & CURL_POLL_IN) != 0 ? POLL_READ : 0u) | ((what & CURL_POLL_OUT) != 0 ? POLL_WRITE : 0u);
    (void)!failed(poller_watch(transport->poller, &watched->watch, fd, events));
    return 0;
}

static bool set_up(struct outbound *transport)
{
    CURLM *multi = transport->multi;
    return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket_changed) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, transport) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer_changed) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_TIMERDATA, transport) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)CACHED_CONNECTIONS) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) == CURLM_OK;
}

struct err outbound_init(struct outbound *transport, struct poller *poller, struct slice ca_pem)
{
    *transport = (struct outbound){.poller = poller};
    list_init(&transport->sockets);
    list_init(&transport->spare);
    transport->timer = (struct poll_timer){.fire = timer_fired, .context = transport};
    // Counted and safe from any thread (libcurl says "threadsafe" among its features).
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return FAIL(ERR_SYSTEM);
    transport->multi = curl_multi_init();
    if (transport->multi == NULL) {
        curl_global_cleanup();
        return FAIL(ERR_NO_MEMORY);
    }
    if (ca_pem.len > 0) {
        transport->ca_pem = malloc(ca_pem.len);
        if (transport->ca_pem == NULL)
            return FAIL(ERR_NO_MEMORY);
        memcpy(transport->ca_pem, ca_pem.at, ca_pem.len);
        transport->ca_len = ca_pem.len;
    }
    TRY(poller_timer_start(poller, &transport->timer, 0));
    return set_up(transport) ? OK : FAIL(ERR_SYSTEM);
}

void outbound_restrict(struct outbound *transport, const struct outbound_rules *rules)
{
    INVARIANT(list_empty(&transport->spare));
    transport->rules = *rules;
}

void outbound_release(struct outbound *transport)
{
    if (transport->multi == NULL)
        return;
    for (struct list *at; (at = list_take_first(&transport->spare)) != NULL;)
        outbound_transfer_free(CONTAINER_OF(at, struct outbound_transfer, link));
    (void)curl_multi_cleanup(transport->multi);
    for (struct list *at; (at = list_take_first(&transport->sockets)) != NULL;)
        unwatch(CONTAINER_OF(at, struct watched, link));
    poller_timer_release(transport->poller, &transport->timer);
    free(transport->ca_pem);
    curl_global_cleanup();
    *transport = (struct outbound){0};
}

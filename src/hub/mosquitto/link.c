// The thread of one connection: connects, waits, carries out orders, connects again. A connection that broke
// is thrown away with all that it had not sent, so that no order is carried out long after it was given up.
#include "hub/mosquitto/link.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <mosquitto.h>
#include <mqtt_protocol.h>

#include "base/list.h"
#include "hub/mosquitto/client.h"
#include "hub/mosquitto/command.h"

enum { TURN_MS = 500, DENIED_FROM = 128, READS_MAX = 1000 };

enum order_kind { ORDER_PUBLISH, ORDER_SUBSCRIBE, ORDER_UNSUBSCRIBE };

struct order {
    struct mail mail;
    struct link *link;
    enum order_kind kind;
    uint32_t connection;
    uint64_t tag;
    bool retain;
    size_t payload_len;
    size_t topic_len;
    char bytes[]; // topic, NUL, payload
};

struct outstanding {
    int mid;
    uint64_t tag;
};

struct link {
    struct link_settings settings; // without what is text: that is copied below
    char *host;
    char *user;
    struct secret password;
    char *ca_file; // or NULL
    char client_id[32];
    pthread_t thread;
    int wake_fd;
    atomic_bool stopping;
    struct mailbox inbox; // orders

    // to the loop
    struct mailbox outbox; // events
    struct mail notify;
    atomic_bool notified; // notify is under way
    atomic_bool ended;    // the thread posts nothing more but for a last notify
    atomic_size_t unheard;
    atomic_size_t unheard_bytes;
    bool retired;
    bool joined;
    struct list retirement; // among the retired

    // the thread's
    struct mosquitto *client;
    uint32_t connection;
    bool up;
    bool reached; // TCP stands
    size_t way;   // to the broker's addresses, that is tried next; of CLIENT_WAYS
    bool over;    // the connection is to be dropped; trouble says why
    struct err trouble_code;
    struct why trouble;
    int subscribe_mid; // of the plugin's answers
    struct outstanding outstanding[LINK_OUTSTANDING_MAX];
    size_t outstanding_count;
    unsigned failures; // in a row
};

void link_library_init(void)
{
    mosquitto_lib_init();
}

void link_library_release(void)
{
    mosquitto_lib_cleanup();
}

// --- to the loop

static void discard(struct link *link)
{
    for (struct mail *mail = mailbox_take(&link->outbox), *next; mail != NULL; mail = next) {
        next = mail->next;
        free(CONTAINER_OF(mail, struct link_event, mail));
    }
    for (struct mail *mail = mailbox_take(&link->inbox), *next; mail != NULL; mail = next) {
        struct order *order = CONTAINER_OF(mail, struct order, mail);
        next = mail->next;
        bytes_wipe(order->bytes, order->topic_len + 1 + order->payload_len);
        free(order);
    }
}

static void release(struct link *link)
{
    discard(link);
    list_remove(&link->retirement);
    mailbox_release(&link->inbox);
    mailbox_release(&link->outbox);
    if (link->wake_fd >= 0)
        (void)close(link->wake_fd);
    free(link->host);
    free(link->user);
    free(link->ca_file);
    secret_wipe(&link->password);
    free(link);
}

// On the loop.
static void deliver(struct mail *notify)
{
    struct link *link = CONTAINER_OF(notify, struct link, notify);
    // In this order: a thread that ends after it was looked at finds the flag cleared and posts a notify. The
    // other way round its last one could be lost, and with it the link.
    atomic_store(&link->notified, false);
    bool ended = atomic_load(&link->ended);
    if (link->retired) {
        if (!ended)
            return;
        if (!link->joined)
            pthread_join(link->thread, NULL);
        link->joined = true;
        if (!atomic_load(&link->notified)) // else its last notify is under way, and the link goes with that
            release(link);
        return;
    }
    for (struct mail *mail = mailbox_take(&link->outbox), *next; mail != NULL; mail = next) {
        struct link_event *event = CONTAINER_OF(mail, struct link_event, mail);
        next = mail->next;
        atomic_fetch_sub(&link->unheard, 1);
        atomic_fetch_sub(&link->unheard_bytes, event->topic.len + event->payload.len);
        if (!link->retired) // what is heard may retire it
            link->settings.heard(link->settings.context, event);
        free(event);
    }
}

static void notify(void *context)
{
    struct link *link = context;
    if (!atomic_exchange(&link->notified, true)) {
        link->notify.deliver = deliver;
        mailbox_post(link->settings.replies, &link->notify);
    }
}

static void drop(struct link *link, enum err_code code, const char *what)
{
    if (!link->over) {
        link->over = true;
        link->trouble_code = FAIL(code);
        if (what != NULL)
            (void)!failed(why_fail(&link->trouble, code, "%s", what));
    }
}

static void tell(struct link *link, const struct link_event *event, struct slice topic, struct slice payload)
{
    if (atomic_load(&link->unheard) >= LINK_UNHEARD_MAX ||
        atomic_load(&link->unheard_bytes) + topic.len + payload.len > LINK_UNHEARD_BYTES_MAX) {
        if (event->kind != LINK_DOWN)
            return drop(link, ERR_HUB_UNAVAILABLE, "it sends more than is taken");
    }
    struct link_event *copy = malloc(sizeof *copy + topic.len + payload.len);
    if (copy == NULL)
        return drop(link, ERR_HUB_UNAVAILABLE, "out of memory");
    *copy = *event;
    copy->connection = link->connection;
    if (topic.len > 0)
        memcpy(copy->bytes, topic.at, topic.len);
    if (payload.len > 0)
        memcpy(copy->bytes + topic.len, payload.at, payload.len);
    copy->topic = slice_of(copy->bytes, topic.len);
    copy->payload = slice_of(copy->bytes + topic.len, payload.len);
    atomic_fetch_add(&link->unheard, 1);
    atomic_fetch_add(&link->unheard_bytes, topic.len + payload.len);
    mailbox_post(&link->outbox, &copy->mail);
}

// --- what libmosquitto says

static void on_log(struct mosquitto *client, void *context, int level, const char *text)
{
    struct link *link = context;
    (void)client;
    if (level == MOSQ_LOG_ERR && link->trouble.text[0] == '\0')
        (void)!failed(why_fail(&link->trouble, ERR_HUB_UNAVAILABLE, "%.200s", text));
}

static void on_connect(struct mosquitto *client, void *context, int code, int flags,
                       const mosquitto_property *properties)
{
    struct link *link = context;
    (void)flags;
    (void)properties;
    bool refused = code == MQTT_RC_NOT_AUTHORIZED || code == MQTT_RC_BAD_USERNAME_OR_PASSWORD ||
                   code == MQTT_RC_BANNED || code == MQTT_RC_BAD_AUTHENTICATION_METHOD;
    if (refused)
        return drop(link, ERR_HUB_UNAUTHORIZED, "the broker refuses the user name or the password");
    if (code != 0)
        return drop(link, ERR_HUB_UNAVAILABLE, mosquitto_reason_string(code));
    int rc = mosquitto_subscribe_v5(client, &link->subscribe_mid, COMMAND_ANSWERS, 0, 0, NULL);
    if (rc != MOSQ_ERR_SUCCESS)
        drop(link, ERR_HUB_UNAVAILABLE, mosquitto_strerror(rc));
}

static void on_disconnect(struct mosquitto *client, void *context, int code,
                          const mosquitto_property *properties)
{
    (void)client;
    (void)properties;
    if (code == MQTT_RC_ADMINISTRATIVE_ACTION)
        drop(context, ERR_HUB_UNAVAILABLE, "the broker's administrator ended the connection");
    else if (code == MQTT_RC_SESSION_TAKEN_OVER)
        drop(context, ERR_HUB_UNAVAILABLE, "another connection has the same client ID");
}

static bool take_tag(struct link *link, int mid, uint64_t *tag)
{
    for (size_t i = 0; i < link->outstanding_count; i++) {
        if (link->outstanding[i].mid != mid)
            continue;
        *tag = link->outstanding[i].tag;
        link->outstanding[i] = link->outstanding[--link->outstanding_count];
        return true;
    }
    return false;
}

static void remember(struct link *link, int mid, uint64_t tag)
{
    if (link->outstanding_count >= LINK_OUTSTANDING_MAX)
        return drop(link, ERR_HUB_UNAVAILABLE, "it acknowledges nothing");
    link->outstanding[link->outstanding_count++] = (struct outstanding){mid, tag};
}

static void on_subscribe(struct mosquitto *client, void *context, int mid, int count, const int *granted,
                         const mosquitto_property *properties)
{
    struct link *link = context;
    struct link_event event = {.kind = LINK_SUBSCRIBED};
    (void)client;
    (void)properties;
    for (int i = 0; i < count; i++)
        event.denied = event.denied || granted[i] >= DENIED_FROM;
    if (take_tag(link, mid, &event.tag))
        return tell(link, &event, (struct slice){0}, (struct slice){0});
    if (mid != link->subscribe_mid || link->up)
        return;
    if (event.denied)
        return drop(link, ERR_HUB_UNAUTHORIZED, "the user may not subscribe to " COMMAND_ANSWERS);
    link->up = true;
    link->failures = 0;
    tell(link, &(struct link_event){.kind = LINK_UP}, (struct slice){0}, (struct slice){0});
}

static void on_publish(struct mosquitto *client, void *context, int mid, int code,
                       const mosquitto_property *properties)
{
    struct link *link = context;
    struct link_event event = {.kind = LINK_PUBLISHED, .denied = code >= DENIED_FROM};
    (void)client;
    (void)properties;
    if (take_tag(link, mid, &event.tag))
        tell(link, &event, (struct slice){0}, (struct slice){0});
}

static void on_message(struct mosquitto *client, void *context, const struct mosquitto_message *message,
                       const mosquitto_property *properties)
{
    struct link_event event = {.kind = LINK_MESSAGE, .retained = message->retain};
    struct slice payload = slice_of(message->payload, (size_t)message->payloadlen);
    (void)client;
    (void)properties;
    event.too_long = payload.len > LINK_PAYLOAD_MAX;
    tell(context, &event, slice_text(message->topic), event.too_long ? (struct slice){0} : payload);
}

// --- orders

static int carry_out(struct link *link, const struct order *order, int *mid)
{
    const char *topic = order->bytes;
    const char *payload = order->bytes + order->topic_len + 1;
    switch (order->kind) {
    case ORDER_PUBLISH:
        return mosquitto_publish_v5(link->client, mid, topic, (int)order->payload_len, payload, 1,
                                    order->retain, NULL);
    case ORDER_SUBSCRIBE:
        return mosquitto_subscribe_v5(link->client, mid, topic, 0,
                                      MQTT_SUB_OPT_NO_LOCAL | MQTT_SUB_OPT_RETAIN_AS_PUBLISHED, NULL);
    case ORDER_UNSUBSCRIBE:
    default:
        return mosquitto_unsubscribe_v5(link->client, mid, topic, NULL);
    }
}

static void obey(struct mail *mail)
{
    struct order *order = CONTAINER_OF(mail, struct order, mail);
    struct link *link = order->link;
    int mid = 0;
    if (link->up && !link->over && order->connection == link->connection) {
        int rc = carry_out(link, order, &mid);
        if (rc != MOSQ_ERR_SUCCESS)
            drop(link, ERR_HUB_UNAVAILABLE, mosquitto_strerror(rc));
        else if (order->kind != ORDER_UNSUBSCRIBE)
            remember(link, mid, order->tag);
    }
    bytes_wipe(order->bytes, order->topic_len + 1 + order->payload_len);
    free(order);
}

static struct err give(struct link *link, const struct order *order, struct slice topic, struct slice payload)
{
    struct order *copy = malloc(sizeof *copy + topic.len + 1 + payload.len);
    if (copy == NULL)
        return FAIL(ERR_NO_MEMORY);
    *copy = *order;
    copy->link = link;
    copy->mail = (struct mail){.deliver = obey};
    copy->topic_len = topic.len;
    copy->payload_len = payload.len;
    memcpy(copy->bytes, topic.at, topic.len);
    copy->bytes[topic.len] = '\0';
    if (payload.len > 0)
        memcpy(copy->bytes + topic.len + 1, payload.at, payload.len);
    mailbox_post(&link->inbox, &copy->mail);
    return OK;
}

struct err link_publish(struct link *link, uint32_t connection, uint64_t tag, struct slice topic,
                        struct slice payload, bool retain)
{
    struct order order = {.kind = ORDER_PUBLISH, .connection = connection, .tag = tag, .retain = retain};
    return give(link, &order, topic, payload);
}

struct err link_subscribe(struct link *link, uint32_t connection, uint64_t tag, struct slice topic)
{
    struct order order = {.kind = ORDER_SUBSCRIBE, .connection = connection, .tag = tag};
    return give(link, &order, topic, (struct slice){0});
}

struct err link_unsubscribe(struct link *link, uint32_t connection, struct slice topic)
{
    struct order order = {.kind = ORDER_UNSUBSCRIBE, .connection = connection};
    return give(link, &order, topic, (struct slice){0});
}

// --- the thread

// Names are looked up here; TCP and TLS go on in turn().
static int begin(struct link *link)
{
    struct mosquitto *client = link->client;
    mosquitto_connect_v5_callback_set(client, on_connect);
    mosquitto_disconnect_v5_callback_set(client, on_disconnect);
    mosquitto_subscribe_v5_callback_set(client, on_subscribe);
    mosquitto_publish_v5_callback_set(client, on_publish);
    mosquitto_message_v5_callback_set(client, on_message);
    mosquitto_log_callback_set(client, on_log);
    struct client_settings settings = {.host = link->host,
                                       .port = link->settings.port,
                                       .user = link->user,
                                       .password = &link->password,
                                       .ca_file = link->ca_file,
                                       .way = link->way};
    const char *what = NULL;
    int rc = client_begin(client, &settings, &what);
    if (what != NULL)
        drop(link, ERR_HUB_UNAVAILABLE, what);
    return rc;
}

// TLS may hold more than one packet back, which poll does not see: read until it says that it would wait. A
// handshake that finds its connection broken succeeds as well, for ever, but for errno.
static int read_all(struct link *link)
{
    int rc = MOSQ_ERR_SUCCESS;
    for (int i = 0; i < READS_MAX && rc == MOSQ_ERR_SUCCESS && !link->over; i++) {
        errno = 0;
        rc = mosquitto_loop_read(link->client, 1);
        if (errno == EAGAIN || errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
            break;
    }
    return rc;
}

static int turn(struct link *link)
{
    struct pollfd fds[] = {
        {.fd = link->wake_fd, .events = POLLIN},
        {.fd = mosquitto_socket(link->client), .events = POLLIN},
    };
    // While TLS shakes hands libmosquitto wants to write all the time; what it has to say then is short.
    if (link->up ? mosquitto_want_write(link->client) : !link->reached)
        fds[1].events = POLLIN | POLLOUT;
    if (poll(fds, 2, TURN_MS) < 0 && errno != EINTR)
        return MOSQ_ERR_ERRNO;
    if (fds[0].revents != 0)
        (void)!eventfd_read(link->wake_fd, &(eventfd_t){0});
    (void)mailbox_deliver(&link->inbox);
    int rc = fds[1].revents != 0 ? read_all(link) : MOSQ_ERR_SUCCESS;
    if (rc == MOSQ_ERR_SUCCESS && (fds[1].revents & (POLLERR | POLLHUP)) != 0)
        drop(link, ERR_HUB_UNAVAILABLE, link->reached ? "the connection was lost" : "it refuses connections");
    link->reached = link->reached || (fds[1].revents != 0 && !(fds[1].revents & (POLLERR | POLLHUP)));
    if (rc == MOSQ_ERR_SUCCESS && !link->over && mosquitto_want_write(link->client))
        rc = mosquitto_loop_write(link->client, 1);
    if (rc == MOSQ_ERR_SUCCESS && !link->over)
        rc = mosquitto_loop_misc(link->client);
    return rc;
}

static void connect_once(struct link *link, int64_t until_us)
{
    link->up = link->over = link->reached = false;
    link->trouble = (struct why){0};
    link->outstanding_count = 0;
    link->client = mosquitto_new(link->client_id, true, link);
    if (link->client == NULL)
        return drop(link, ERR_HUB_UNAVAILABLE, "out of memory");
    int rc = begin(link);
    while (rc == MOSQ_ERR_SUCCESS && !link->over && !atomic_load(&link->stopping)) {
        rc = turn(link);
        if (!link->up && clock_monotonic_us(link->settings.clock) > until_us)
            drop(link, ERR_HUB_UNAVAILABLE, "no connection within 8 seconds");
    }
    if (rc != MOSQ_ERR_SUCCESS && !link->over) {
        bool said = link->trouble.text[0] != '\0'; // by the log, and better: "certificate verify failed"
        drop(link, ERR_HUB_UNAVAILABLE, said ? NULL : client_error(rc));
    }
    if (link->up)
        mosquitto_disconnect(link->client);
    mosquitto_destroy(link->client);
    link->client = NULL;
}

// By the way that led to the broker last, then by the others; of troubles the first is told.
static void connection(struct link *link)
{
    int64_t until_us = clock_monotonic_us(link->settings.clock) + LINK_UP_MS * INT64_C(1000);
    struct err code = OK;
    struct why first = {0};
    link->connection++;
    for (size_t i = 0; i < CLIENT_WAYS; i++) {
        connect_once(link, until_us);
        if (link->reached || atomic_load(&link->stopping))
            return;
        link->way = (link->way + 1) % CLIENT_WAYS;
        if (i == 0) {
            code = link->trouble_code;
            first = link->trouble;
        }
        if (clock_monotonic_us(link->settings.clock) > until_us)
            break;
    }
    link->trouble_code = code;
    link->trouble = first;
}

// The wake-ups of orders that come too late are heard and forgotten.
static void pause_for(struct link *link, int64_t ms)
{
    int64_t until_us = clock_monotonic_us(link->settings.clock) + ms * 1000;
    link->up = false;
    for (int64_t left_us; (left_us = until_us - clock_monotonic_us(link->settings.clock)) > 0;) {
        struct pollfd fd = {.fd = link->wake_fd, .events = POLLIN};
        (void)!poll(&fd, 1, (int)(left_us / 1000 + 1));
        if (fd.revents != 0)
            (void)!eventfd_read(link->wake_fd, &(eventfd_t){0});
        (void)mailbox_deliver(&link->inbox);
        if (atomic_load(&link->stopping))
            return;
    }
}

static int64_t next_pause(struct link *link)
{
    int64_t ms = LINK_PAUSE_LONGEST_MS;
    if (link->failures < 7)
        ms = (int64_t)LINK_PAUSE_FIRST_MS << link->failures;
    link->failures++;
    // Several loops and daemons lose the same broker at once: not all shall come back in the same moment.
    uint64_t chance = link->settings.id >> (link->failures % 48);
    return ms - (int64_t)(chance % (uint64_t)(ms / 4));
}

static void *run(void *context)
{
    struct link *link = context;
    while (!atomic_load(&link->stopping)) {
        connection(link);
        if (atomic_load(&link->stopping))
            break;
        struct link_event event = {.kind = LINK_DOWN,
                                   .error = link->trouble_code,
                                   .why = link->trouble,
                                   .pause_ms = next_pause(link)};
        tell(link, &event, (struct slice){0}, (struct slice){0});
        pause_for(link, event.pause_ms);
    }
    atomic_store(&link->ended, true);
    notify(link);
    return NULL;
}

static void wake(void *context)
{
    struct link *link = context;
    (void)!eventfd_write(link->wake_fd, 1);
}

static bool set_up(struct link *link, const struct link_settings *settings)
{
    link->settings = *settings;
    link->host = strndup((const char *)settings->host.at, settings->host.len);
    link->user = strndup((const char *)settings->user.at, settings->user.len);
    if (settings->ca_file.len > 0)
        link->ca_file = strndup((const char *)settings->ca_file.at, settings->ca_file.len);
    (void)snprintf(link->client_id, sizeof link->client_id, "usher-%016llx",
                   (unsigned long long)settings->id);
    link->settings.host = link->settings.user = link->settings.password = (struct slice){0};
    link->settings.ca_file = (struct slice){0};
    return link->host != NULL && link->user != NULL &&
           (settings->ca_file.len == 0 || link->ca_file != NULL) &&
           secret_set(&link->password, settings->password);
}

struct err link_new(const struct link_settings *settings, struct link **out, struct why *why)
{
    struct link *link = calloc(1, sizeof *link);
    *out = NULL;
    if (link == NULL)
        return why_fail(why, ERR_NO_MEMORY, "out of memory");
    link->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    mailbox_init(&link->inbox, wake, link);
    mailbox_init(&link->outbox, notify, link);
    if (link->wake_fd < 0 || !set_up(link, settings) || pthread_create(&link->thread, NULL, run, link) != 0) {
        release(link);
        return why_fail(why, ERR_SYSTEM, "no connection to the broker can be set up");
    }
    *out = link;
    return OK;
}

static void stop(struct link *link)
{
    atomic_store(&link->stopping, true);
    wake(link);
}

void link_free(struct link *link)
{
    if (link == NULL)
        return;
    stop(link);
    if (!link->joined)
        pthread_join(link->thread, NULL);
    (void)mailbox_withdraw(link->settings.replies, &link->notify);
    release(link);
}

void link_retire(struct link *link, struct list *retired)
{
    link->retired = true;
    list_append(retired, &link->retirement);
    stop(link);
}

void link_free_retired(struct list *retired)
{
    LIST_EACH (at, retired)
        link_free(CONTAINER_OF(at, struct link, retirement));
}

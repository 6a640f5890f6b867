// The world of this folder's tests.
#include "embedded/fake_front_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "api/error_body.h"
#include "base/list.h"
#include "crypto/sas.h"
#include "embedded/core.h"
#include "store/memory/memory.h"

enum { TIMERS_MAX = 64, LINKS_MAX = 32, EXCHANGES_MAX = 128, TOKENS_MAX = 256 };

struct timer {
    struct poll_timer *timer;
    int64_t at_us;
};

struct fake_exchange {
    struct exchange x;
    struct answer answer;
    struct arena kept;
};

struct world {
    struct clock clock;
    int64_t elapsed_us;
    struct random random;
    uint8_t next_random;
    struct poller poller;
    struct timer timers[TIMERS_MAX];
    struct store *store;
    struct mailbox mailboxes[LOOPS];
    struct store_client *clients[LOOPS];
    struct embedded_peer peers[LOOPS];
    struct embedded *loops[LOOPS];
    struct arena arena;
    struct hub_settings settings;
    struct fake_exchange *exchanges[EXCHANGES_MAX];
    size_t exchange_count;
    struct mqtt_link *links[LINKS_MAX];
    size_t link_count;
    size_t loaded;
    size_t idle;
    bool stored;
    struct embedded_wait waits[LOOPS];
    struct log log;
    char line[4096];
};

// ---- ports --------------------------------------------------------------------------------------
static int64_t wall_us(const struct clock *clock)
{
    return WALL_0 + CONTAINER_OF(clock, struct world, clock)->elapsed_us;
}

static int64_t monotonic_us(const struct clock *clock)
{
    return 1000000 + CONTAINER_OF(clock, struct world, clock)->elapsed_us;
}

static void fill(struct random *random, void *at, size_t len)
{
    struct world *w = CONTAINER_OF(random, struct world, random);
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)at)[i] = ++w->next_random;
}

static struct err timer_start(struct poller *poller, struct poll_timer *timer, int64_t ms)
{
    struct world *w = CONTAINER_OF(poller, struct world, poller);
    for (size_t i = 0; i < TIMERS_MAX; i++) {
        if (w->timers[i].timer != NULL && w->timers[i].timer != timer)
            continue;
        w->timers[i] = (struct timer){timer, w->elapsed_us + ms * 1000};
        return OK;
    }
    fail_msg("too many timers");
    return OK;
}

static void timer_release(struct poller *poller, struct poll_timer *timer)
{
    struct world *w = CONTAINER_OF(poller, struct world, poller);
    for (size_t i = 0; i < TIMERS_MAX; i++) {
        if (w->timers[i].timer == timer)
            w->timers[i].timer = NULL;
    }
}

static const struct poller_methods poller_methods = {.timer_start = timer_start,
                                                     .timer_release = timer_release};

void world_move_time(struct world *w, int64_t seconds)
{
    w->elapsed_us += seconds * 1000000;
    for (size_t i = 0; i < TIMERS_MAX; i++) {
        struct poll_timer *due = w->timers[i].timer;
        if (due == NULL || w->timers[i].at_us > w->elapsed_us)
            continue;
        w->timers[i].timer = NULL;
        due->fire(due);
    }
}

static bool deliver_some(struct world *w, int wait_ms)
{
    bool any = false;
    for (size_t i = 0; i < LOOPS; i++) {
        struct mail *mail =
            wait_ms > 0 ? mailbox_wait(&w->mailboxes[i], wait_ms) : mailbox_take(&w->mailboxes[i]);
        for (struct mail *next; mail != NULL; mail = next) {
            next = mail->next;
            mail->deliver(mail);
            any = true;
        }
    }
    return any;
}

static bool settled(const struct world *w)
{
    size_t sessions = 0;
    size_t holds = 0;
    for (size_t i = 0; i < w->link_count; i++)
        sessions += w->links[i]->session != NULL && !w->links[i]->closed;
    for (size_t i = 0; i < LOOPS; i++)
        holds += w->loops[i]->under_way - w->loops[i]->method_count;
    return holds == sessions;
}

void world_pump(struct world *w, const bool *done)
{
    time_t start = time(NULL);
    while (done != NULL ? !*done : !settled(w)) {
        if (!deliver_some(w, 0) && !(done != NULL && *done))
            (void)deliver_some(w, 5);
        if (time(NULL) - start > 5)
            fail_msg("nothing came within 5 s");
    }
    while (done == NULL && deliver_some(w, 0))
        continue;
}

void world_pump_loop(struct world *w, size_t loop, const bool *done)
{
    time_t start = time(NULL);
    while (!*done) {
        struct mail *mail = mailbox_wait(&w->mailboxes[loop], 5);
        for (struct mail *next; mail != NULL; mail = next) {
            next = mail->next;
            mail->deliver(mail);
        }
        if (time(NULL) - start > 5)
            fail_msg("nothing came within 5 s");
    }
}

static void keep_line(void *context, struct slice line)
{
    struct world *w = context;
    (void)snprintf(w->line, sizeof w->line, "%.*s", (int)line.len, (const char *)line.at);
}

static int64_t log_now_us(void *context)
{
    return wall_us(&((struct world *)context)->clock);
}

const char *world_line(const struct world *w)
{
    return w->line;
}

// ---- making -------------------------------------------------------------------------------------
static void stored(struct store_request *request)
{
    assert_int_equal(request->result.code, ERR_NONE);
    ((struct world *)request->context)->stored = true;
}

static void put_hub(struct world *w)
{
    struct buf document = buf_capped(8192);
    assert_int_equal(hub_settings_default(&w->arena, &w->random, &w->settings).code, ERR_NONE);
    assert_int_equal(hub_settings_write(&w->settings, &document).code, ERR_NONE);
    struct hub_record hub = {.host = SLICE(HUB_HOST), .document = buf_slice(&document), .etag = 1};
    struct store_request put = {.verb = STORE_PUT,
                                .table = STORE_HUB,
                                .key = hub.host,
                                .record = &hub,
                                .arena = &w->arena,
                                .done = stored,
                                .context = w};
    store_submit(w->clients[0], &put);
    world_pump(w, &w->stored);
    buf_release(&document);
}

static void loaded(struct embedded_wait *wait, struct err result)
{
    assert_int_equal(result.code, ERR_NONE);
    ((struct world *)wait->context)->loaded++;
}

struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof *w);
    w->clock = (struct clock){wall_us, monotonic_us};
    w->random.fill = fill;
    w->poller.methods = &poller_methods;
    w->arena = arena_capped(8 << 20);
    w->log = (struct log){.write = keep_line, .now_us = log_now_us, .context = w};
    assert_int_equal(store_memory_new(&(struct store_memory_options){0}, &w->store, NULL).code, ERR_NONE);
    for (size_t i = 0; i < LOOPS; i++) {
        mailbox_init(&w->mailboxes[i], NULL, NULL);
        w->peers[i].mailbox = &w->mailboxes[i];
        assert_int_equal(store_client_new(w->store, &w->mailboxes[i], &w->clients[i]).code, ERR_NONE);
    }
    put_hub(w);
    for (size_t i = 0; i < LOOPS; i++) {
        struct embedded_settings settings = {.store = w->clients[i],
                                             .clock = &w->clock,
                                             .random = &w->random,
                                             .poller = &w->poller,
                                             .peers = w->peers,
                                             .peer_count = LOOPS,
                                             .index = i};
        assert_int_equal(embedded_new(&settings, &w->loops[i]).code, ERR_NONE);
        w->waits[i] = (struct embedded_wait){.loaded = loaded, .context = w};
        embedded_reload(w->loops[i], &w->waits[i]);
    }
    world_pump(w, NULL);
    assert_int_equal(w->loaded, LOOPS);
    return w;
}

static void idle(void *context)
{
    ((struct world *)context)->idle++;
}

static void exchanges_free(struct world *w)
{
    for (size_t i = 0; i < w->exchange_count; i++) {
        assert_true(w->exchanges[i]->answer.done); // each exchange was answered
        arena_release(&w->exchanges[i]->kept);
        free(w->exchanges[i]);
    }
}

void world_free(struct world *w)
{
    for (size_t i = 0; i < w->link_count; i++)
        link_close(w->links[i]);
    for (size_t i = 0; i < LOOPS; i++)
        embedded_stop(w->loops[i], idle, w);
    world_pump(w, NULL);
    world_move_time(w, 0);
    assert_int_equal(w->idle, LOOPS);
    exchanges_free(w);
    for (size_t i = 0; i < w->link_count; i++)
        free(w->links[i]);
    for (size_t i = 0; i < LOOPS; i++) {
        embedded_free(w->loops[i]);
        store_client_free(w->clients[i]);
    }
    store_free(w->store);
    for (size_t i = 0; i < LOOPS; i++)
        mailbox_release(&w->mailboxes[i]);
    arena_release(&w->arena);
    free(w);
}

struct embedded *world_loop(struct world *w, size_t loop)
{
    return w->loops[loop];
}

struct embedded_peer *world_peers(struct world *w)
{
    return w->peers;
}

const struct policy *world_policy(struct world *w, const char *name)
{
    return hub_settings_policy(&w->settings, slice_text(name));
}

const char *world_token(struct world *w, const char *resource, int64_t expiry_s, const struct secret *key,
                        const char *policy)
{
    struct buf text = buf_capped(4096);
    sas_sign(&text, slice_text(resource), expiry_s, key, slice_text(policy));
    assert_int_equal(buf_err(&text).code, ERR_NONE);
    const char *kept = arena_cstr(&w->arena, buf_slice(&text));
    buf_release(&text);
    return kept;
}

// ---- exchanges ----------------------------------------------------------------------------------
static void copy_text(char *to, size_t room, struct slice from)
{
    (void)snprintf(to, room, "%.*s", (int)from.len, from.len > 0 ? (const char *)from.at : "");
}

void exchange_header(struct exchange *x, const char *name, struct slice value)
{
    x->headers[x->header_count++] = (struct exchange_header){name, value};
}

void exchange_answer(struct exchange *x, unsigned status)
{
    struct fake_exchange *fake = CONTAINER_OF(x, struct fake_exchange, x);
    struct answer *a = &fake->answer;
    assert_false(a->done);
    assert_int_equal(buf_err(&x->body).code, ERR_NONE);
    a->done = true;
    a->status = status;
    copy_text(a->text, sizeof a->text, buf_slice(&x->body));
    for (size_t i = 0; i < x->header_count; i++) {
        if (strcmp(x->headers[i].name, "x-ms-continuation") == 0)
            copy_text(a->continuation, sizeof a->continuation, x->headers[i].value);
        if (strcmp(x->headers[i].name, "x-ms-item-type") == 0)
            copy_text(a->item_type, sizeof a->item_type, x->headers[i].value);
    }
    buf_release(&x->body);
    arena_release(&x->arena);
}

void exchange_refuse_as_hub(struct exchange *x, struct err e, const struct why *why)
{
    struct fake_exchange *fake = CONTAINER_OF(x, struct fake_exchange, x);
    fake->answer.code = e.code;
    if (why != NULL)
        copy_text(fake->answer.reason, sizeof fake->answer.reason, slice_text(why->text));
    error_body_write_as_hub(&x->body, e, why, SLICE("tracking"), x->started_us);
    exchange_answer(x, err_info(e)->http);
}

const struct log *exchange_log(const struct exchange *x)
{
    (void)x;
    return NULL;
}

static enum http_method method_of(const char *text)
{
    static const char *const words[] = {"", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
    for (unsigned i = 1; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) == 0)
            return (enum http_method)i;
    }
    return HTTP_METHOD_OTHER;
}

static void add_field(struct http_request *request, const char *name, const char *value)
{
    if (value == NULL)
        return;
    request->fields[request->field_count++] = (struct http_field){slice_text(name), slice_text(value)};
}

// The request as the front would have read it; all of it lives in `kept`.
static void fill_request(struct world *w, struct fake_exchange *fake, const struct ask *ask)
{
    struct http_request *r = &fake->x.request;
    const char *policy = ask->policy != NULL ? ask->policy : "iothubowner";
    const char *token = ask->authorization;
    r->method = method_of(ask->method);
    r->target = r->path = slice_text(arena_cstr(&fake->kept, slice_text(ask->path)));
    r->path = slice_to(r->target, slice_find_byte(r->target, '?'));
    r->query = slice_from(r->target, r->path.len + 1);
    r->host = slice_text(ask->host != NULL ? ask->host : HUB_HOST);
    r->body = slice_text(ask->body);
    if (token == NULL && !ask->local)
        token = world_token(w, "hub.local%3A8884", NOW_S + 600, &world_policy(w, policy)->primary, policy);
    if (token != NULL && token[0] != '\0')
        add_field(r, "Authorization", token);
    add_field(r, "If-Match", ask->if_match);
    add_field(r, "x-ms-max-item-count", ask->count);
    add_field(r, "x-ms-continuation", ask->continuation);
    struct http_path path = http_path_of(r->path);
    struct slice segment;
    while (!failed(http_path_next(&path, &fake->kept, &segment)) && segment.at != NULL)
        fake->x.segments[fake->x.segment_count++] = segment;
}

struct answer *world_ask(struct world *w, struct ask ask)
{
    assert_true(w->exchange_count < EXCHANGES_MAX);
    struct fake_exchange *fake = calloc(1, sizeof *fake);
    w->exchanges[w->exchange_count++] = fake;
    fake->kept = arena_capped(1 << 20);
    fake->x.arena = arena_capped(EXCHANGE_ARENA_CAP);
    fake->x.body = buf_capped(EXCHANGE_BODY_CAP);
    fake->x.local = ask.local;
    fake->x.started_us = WALL_0;
    fill_request(w, fake, &ask);
    struct http_area area = embedded_area(w->loops[ask.loop]);
    assert_true(area.claims(area.context, &fake->x));
    area.handle(area.context, &fake->x);
    if (!ask.no_wait)
        world_pump(w, &fake->answer.done);
    return &fake->answer;
}

// ---- links --------------------------------------------------------------------------------------
void mqtt_link_accept(struct mqtt_link *link, uint32_t max_packet)
{
    assert_false(link->settled);
    assert_true(max_packet > EMBEDDED_MESSAGE_MAX);
    link->settled = link->accepted = true;
}

void mqtt_link_refuse_quietly(struct mqtt_link *link, struct err e)
{
    assert_false(link->settled);
    link->settled = true;
    link->refused = e.code;
}

bool mqtt_link_publish(struct mqtt_link *link, struct slice topic, struct slice payload, uint8_t qos)
{
    assert_true(link->accepted);
    assert_int_equal(qos, 0);
    assert_true(link->published < PUBLISHED_MAX);
    copy_text(link->out[link->published].topic, sizeof link->out[0].topic, topic);
    copy_text(link->out[link->published].payload, sizeof link->out[0].payload, payload);
    link->published++;
    return true;
}

void mqtt_link_close(struct mqtt_link *link, struct err e, const struct why *why)
{
    link->closed_for = e.code;
    if (why != NULL)
        copy_text(link->closed_why, sizeof link->closed_why, slice_text(why->text));
}

uint64_t mqtt_link_connection(const struct mqtt_link *link)
{
    (void)link;
    return 1;
}

struct slice mqtt_link_peer(const struct mqtt_link *link)
{
    (void)link;
    return SLICE("127.0.0.1");
}

bool mqtt_link_may_log(const struct mqtt_link *link)
{
    (void)link;
    return true;
}

const struct log *mqtt_link_log(const struct mqtt_link *link)
{
    return &link->world->log;
}

struct chain *mqtt_link_chain(struct mqtt_link *link)
{
    return link->chain;
}

void mqtt_link_expires(struct mqtt_link *link, int64_t at_us, const char *awaited)
{
    (void)awaited;
    link->expires_us = at_us;
}

struct mqtt_link *world_dial(struct world *w, struct dial dial)
{
    char user_name[300];
    char resource[300];
    struct secret key = {0};
    (void)snprintf(user_name, sizeof user_name, HUB_HOST "/%s/?api-version=2021-04-12", dial.client_id);
    (void)snprintf(resource, sizeof resource, "hub.local%%3A8884%%2Fdevices%%2F%s", dial.client_id);
    assert_true(secret_set(&key, SLICE(DEVICE_KEY)));
    const char *password =
        dial.password != NULL ? dial.password : world_token(w, resource, NOW_S + 3600, &key, NULL);
    struct mqtt_connect connect = {
        .client_id = slice_text(dial.client_id),
        .has_user_name = true,
        .user_name = slice_text(dial.user_name != NULL ? dial.user_name : user_name),
        .has_password = true,
        .password = slice_text(password),
    };
    struct mqtt_door door = embedded_door(w->loops[dial.loop]);
    if (!door.claims(door.context, &connect))
        return NULL;
    assert_true(w->link_count < LINKS_MAX);
    struct mqtt_link *link = calloc(1, sizeof *link);
    w->links[w->link_count++] = link;
    link->world = w;
    link->door = door;
    link->chain = dial.chain;
    link->session = door.connect(door.context, link, &connect);
    assert_non_null(link->session);
    if (dial.no_wait)
        return link;
    world_pump(w, &link->settled);
    world_pump(w, NULL); // what the loops tell one another
    return link;
}

bool link_publish(struct mqtt_link *link, const char *topic, const char *payload)
{
    struct mqtt_publish publish = {.qos = 1, .topic = slice_text(topic), .payload = slice_text(payload)};
    return link->door.publish(link->session, &publish);
}

uint8_t link_subscribe(struct mqtt_link *link, const char *filter)
{
    return link->door.subscribe(link->session, slice_text(filter), 1);
}

void link_close(struct mqtt_link *link)
{
    if (link->closed)
        return;
    link->closed = true;
    link->door.closed(link->session);
    world_pump(link->world, NULL);
}

void link_wait(struct mqtt_link *link, size_t count)
{
    time_t start = time(NULL);
    while (link->published < count) {
        (void)deliver_some(link->world, 5);
        if (time(NULL) - start > 5)
            fail_msg("%zu messages came, not %zu", link->published, count);
    }
    assert_int_equal(link->published, count);
}

// Exchanges for tests: made from request text by the real decoder, answered into memory.
#include "api/fake_front_test.h"

#include <stdio.h>

#include "api/error_body.h"
#include "base/list.h"
#include "crypto/hmac.h"
#include "crypto/sas.h"
#include "store/memory/memory.h"
#include "json/json.h"

struct sent {
    struct exchange x;
    struct bench *bench;
    struct reply *reply;
};

// ---- the front
// -----------------------------------------------------------------------------------------------

void exchange_header(struct exchange *x, const char *name, struct slice value)
{
    INVARIANT(x->header_count < EXCHANGE_HEADERS_MAX);
    x->headers[x->header_count++] = (struct exchange_header){name, value};
}

const struct log *exchange_log(const struct exchange *x)
{
    return &((const struct sent *)x->front)->bench->log;
}

void exchange_answer(struct exchange *x, unsigned status)
{
    struct sent *sent = x->front;
    struct reply *reply = sent->reply;
    assert_false(failed(buf_err(&x->body)));
    assert_false(reply->done);
    reply->status = status;
    reply->body = calloc(1, x->body.len + 1);
    assert_non_null(reply->body);
    if (x->body.len > 0)
        memcpy(reply->body, x->body.at, x->body.len);
    reply->headers = buf_capped(65536);
    for (size_t i = 0; i < x->header_count; i++)
        buf_printf(&reply->headers, "%s: %.*s\n", x->headers[i].name, SLICE_ARG(x->headers[i].value));
    struct json_limits limits = {.bytes = 8 << 20, .depth = JSON_DEPTH_MAX};
    if (x->content_type.len > 0)
        buf_printf(&reply->headers, "Content-Type: %.*s\n", SLICE_ARG(x->content_type));
    else if (x->body.len > 0 && failed(json_read(buf_slice(&x->body), limits, &reply->json, NULL)))
        fail_msg("the answer is no JSON: %s", reply->body);
    reply->done = true;
    buf_release(&x->body);
    arena_release(&x->arena);
    free(sent);
}

static void refuse(struct exchange *x, struct err e, const struct why *why, bool as_hub)
{
    struct log_line line;
    struct slice id = slice_of(x->tracking_id, GUID_TEXT);
    if (!x->logged) {
        log_begin(&line, exchange_log(x), err_info(e)->level, "request.refused");
        log_text(&line, LOG_path, x->request.path);
        log_text(&line, LOG_policy, x->caller);
        log_failure(&line, e, why);
        log_end(&line);
    }
    buf_clear(&x->body);
    x->content_type = (struct slice){0};
    x->header_count = 0;
    if (as_hub)
        error_body_write_as_hub(&x->body, e, why, id, x->started_us);
    else
        error_body_write(&x->body, e, why, id, x->started_us);
    exchange_answer(x, err_info(e)->http);
}

void exchange_refuse(struct exchange *x, struct err e, const struct why *why)
{
    refuse(x, e, why, false);
}

void exchange_refuse_as_hub(struct exchange *x, struct err e, const struct why *why)
{
    refuse(x, e, why, true);
}

static void hand_over(struct bench *bench, struct exchange *x)
{
    struct http_path path = http_path_of(x->request.path);
    struct slice segment;
    for (;;) {
        struct err e = http_path_next(&path, &x->arena, &segment);
        if (failed(e) || (segment.at != NULL && x->segment_count == EXCHANGE_SEGMENTS_MAX)) {
            exchange_refuse(x, failed(e) ? e : FAIL(ERR_ROUTE), NULL);
            return;
        }
        if (segment.at == NULL)
            break;
        x->segments[x->segment_count++] = segment;
    }
    if (bench->area.claims(bench->area.context, x))
        bench->area.handle(bench->area.context, x);
    else
        exchange_refuse(x, FAIL(ERR_ROUTE), NULL);
}

void bench_send(struct bench *bench, bool local, const char *head, const char *body, struct reply *reply)
{
    struct buf text = buf_capped(4 << 20);
    struct http_decoder decoder;
    struct http_request request = {0};
    struct why why = {0};
    *reply = (struct reply){0};
    buf_text(&text, head);
    if (body != NULL)
        buf_printf(&text, "Content-Length: %zu\r\n", strlen(body));
    buf_text(&text, "\r\n");
    buf_text(&text, body != NULL ? body : "");
    http_decoder_init(&decoder);
    http_decoder_limit(&decoder, 4 << 20);
    struct slice in = buf_slice(&text);
    if (http_decode(&decoder, &in, &request, &why) != HTTP_REQUEST || in.len > 0)
        fail_msg("no request: %s: %s", why.text, head);
    struct sent *sent = calloc(1, sizeof *sent);
    assert_non_null(sent);
    sent->bench = bench;
    sent->reply = reply;
    struct exchange *x = &sent->x;
    x->front = sent;
    x->arena = arena_capped(EXCHANGE_ARENA_CAP + request.body.len);
    x->body = buf_capped(EXCHANGE_BODY_CAP);
    x->local = local;
    x->connection = 7;
    x->peer = SLICE("192.0.2.1:50000");
    x->started_us = bench->now_us;
    guid_format((const uint8_t[16]){1, 2, 3}, x->tracking_id);
    assert_false(failed(http_request_copy(&x->request, &request, &x->arena)));
    http_decoder_release(&decoder);
    buf_release(&text);
    hand_over(bench, x);
}

// ---- the answer
// ----------------------------------------------------------------------------------------------

void reply_release(struct reply *reply)
{
    free(reply->body);
    buf_release(&reply->headers);
    json_doc_release(&reply->json);
    *reply = (struct reply){0};
}

char *reply_header(const struct reply *reply, const char *name)
{
    struct slice rest = buf_slice(&reply->headers);
    struct slice line;
    size_t len = strlen(name);
    while (slice_cut(&rest, '\n', &line)) {
        // with case: that is what some clients do
        if (!slice_starts_with(line, slice_text(name)) || line.len < len + 2 || line.at[len] != ':')
            continue;
        char *value = calloc(1, line.len);
        assert_non_null(value);
        memcpy(value, line.at + len + 2, line.len - len - 2);
        return value;
    }
    return NULL;
}

const char *reply_text(const struct reply *reply, const char *member)
{
    struct slice text = json_as_string(json_get(json_root(&reply->json), member));
    return text.len > 0 ? (const char *)text.at : "";
}

int64_t reply_number(const struct reply *reply, const char *member)
{
    int64_t number = -1;
    (void)json_as_int(json_get(json_root(&reply->json), member), &number);
    return number;
}

// ---- the daemon around it
// ------------------------------------------------------------------------------------

static int64_t wall_us(const struct clock *clock)
{
    return CONTAINER_OF(clock, struct bench, clock)->now_us++;
}

// Every number once: enough to tell keys and etags apart.
static void fill(struct random *random, void *at, size_t len)
{
    struct bench *bench = CONTAINER_OF(random, struct bench, random);
    uint8_t digest[SHA256_SIZE];
    for (size_t i = 0; i < len; i++) {
        if (i % SHA256_SIZE == 0) {
            bench->seed++;
            assert_false(failed(sha256(slice_of(&bench->seed, sizeof bench->seed), digest)));
        }
        ((uint8_t *)at)[i] = digest[i % SHA256_SIZE];
    }
}

static void keep_line(void *context, struct slice line)
{
    buf_bytes(&((struct bench *)context)->lines, line);
}

static int64_t log_now(void *context)
{
    return ((const struct bench *)context)->now_us;
}

void bench_start(struct bench *bench)
{
    *bench = (struct bench){0};
    bench->now_us = INT64_C(1700000000000000);
    bench->clock = (struct clock){.wall_us = wall_us, .monotonic_us = wall_us};
    bench->random.fill = fill;
    bench->lines = buf_capped(4 << 20);
    bench->log =
        (struct log){.least = ERR_LEVEL_DEBUG, .write = keep_line, .now_us = log_now, .context = bench};
    mailbox_init(&bench->replies, NULL, NULL);
    assert_false(failed(store_memory_new(&(struct store_memory_options){0}, &bench->store, NULL)));
    assert_false(failed(store_client_new(bench->store, &bench->replies, &bench->client)));
    assert_false(failed(directory_new(bench->client, &bench->log, &bench->directory)));
}

void bench_stop(struct bench *bench)
{
    directory_free(bench->directory);
    store_client_free(bench->client);
    store_free(bench->store);
    mailbox_release(&bench->replies);
    buf_release(&bench->lines);
}

void bench_run_until(struct bench *bench, const bool *done)
{
    while (!*done) {
        struct mail *mail = mailbox_wait(&bench->replies, 5000);
        if (mail == NULL)
            fail_msg("no answer within five seconds");
        for (struct mail *next; mail != NULL; mail = next) {
            next = mail->next;
            mail->deliver(mail);
        }
    }
}

struct waiting {
    struct directory_wait wait;
    bool done;
};

static void loaded(struct directory_wait *wait, struct err result)
{
    assert_false(failed(result));
    CONTAINER_OF(wait, struct waiting, wait)->done = true;
}

void bench_reload(struct bench *bench)
{
    struct waiting waiting = {.wait = {.loaded = loaded}};
    directory_reload(bench->directory, &waiting.wait);
    bench_run_until(bench, &waiting.done);
}

static void put_done(struct store_request *request)
{
    assert_false(failed(request->result));
    *(bool *)request->context = true;
}

void bench_put(struct bench *bench, enum store_table table, const char *partition, const char *key,
               const void *record)
{
    bool done = false;
    struct arena arena = arena_capped(1 << 20);
    struct store_request request = {.verb = STORE_PUT,
                                    .table = table,
                                    .partition = slice_text(partition),
                                    .key = slice_text(key),
                                    .record = record,
                                    .arena = &arena,
                                    .done = put_done,
                                    .context = &done};
    store_submit(bench->client, &request);
    bench_run_until(bench, &done);
    arena_release(&arena);
}

struct secret bench_key(const char *service, const char *policy, bool secondary)
{
    struct slice parts[] = {slice_text(service), SLICE("/"), slice_text(policy)};
    struct secret key = {.len = SHA256_SIZE};
    assert_false(failed(hmac_sha256(secondary ? SLICE("2") : SLICE("1"), parts, 3, key.bytes)));
    return key;
}

void bench_put_service(struct bench *bench, const char *name, const char *id_scope, const struct policy *more,
                       size_t more_count)
{
    struct policy policies[16] = {{.name = SLICE("owner"), .rights = RIGHT_ALL}};
    struct linked_hub hub = {.host = SLICE("hub.test"),
                             .policy_name = SLICE("iothubowner"),
                             .policy_key = bench_key(name, "hub", false),
                             .weight = 1,
                             .allocate = true};
    struct buf host = buf_capped(256);
    struct buf document = buf_capped(65536);
    buf_printf(&host, "%s.test", name);
    assert_true(more_count < 16);
    if (more_count > 0)
        memcpy(policies + 1, more, more_count * sizeof *more);
    for (size_t i = 0; i <= more_count; i++) {
        char text[64] = {0};
        memcpy(text, policies[i].name.at, policies[i].name.len);
        policies[i].primary = bench_key(name, text, false);
        policies[i].secondary = bench_key(name, text, true);
    }
    struct service service = {.name = slice_text(name),
                              .host_name = buf_slice(&host),
                              .id_scope = slice_text(id_scope),
                              .allocation = ALLOCATION_HASHED,
                              .policies = policies,
                              .policy_count = more_count + 1,
                              .hubs = &hub,
                              .hub_count = 1};
    assert_false(failed(service_document_write(&service, &document)));
    struct service_record record = {.name = service.name,
                                    .id_scope = service.id_scope,
                                    .document = buf_slice(&document),
                                    .created_us = bench->now_us,
                                    .updated_us = bench->now_us,
                                    .etag = 1};
    bench_put(bench, STORE_SERVICE, "", name, &record);
    buf_release(&host);
    buf_release(&document);
}

size_t bench_count_lines(const struct bench *bench, const char *text)
{
    struct slice rest = buf_slice(&bench->lines);
    struct slice line;
    size_t count = 0;
    while (slice_cut(&rest, '\n', &line))
        count += slice_find(line, slice_text(text)) < line.len;
    return count;
}

// ---- operators
// -----------------------------------------------------------------------------------------------

char *bench_token(const struct bench *bench, const char *service, const char *policy, const char *resource,
                  int64_t seconds)
{
    struct buf text = buf_capped(4096);
    struct secret key = bench_key(service, policy, false);
    sas_sign(&text, slice_text(resource), bench->now_us / 1000000 + seconds, &key, slice_text(policy));
    buf_u8(&text, 0);
    assert_false(failed(buf_err(&text)));
    return (char *)text.at;
}

static unsigned call(struct bench *bench, bool local, const char *head, const char *body, struct reply *reply)
{
    struct reply own;
    struct reply *to = reply != NULL ? reply : &own;
    bench_send(bench, local, head, body, to);
    bench_run_until(bench, &to->done);
    unsigned status = to->status;
    if (reply == NULL)
        reply_release(&own);
    return status;
}

unsigned bench_call(struct bench *bench, const char *service, const char *method, const char *target,
                    const char *more, const char *body, struct reply *reply)
{
    struct buf head = buf_capped(65536);
    struct buf host = buf_capped(256);
    buf_printf(&host, "%s.test", service);
    buf_u8(&host, 0);
    char *token = bench_token(bench, service, "owner", (const char *)host.at, 3600);
    buf_printf(&head, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\n%s", method, target,
               (const char *)host.at, token, more);
    buf_u8(&head, 0);
    unsigned status = call(bench, false, (const char *)head.at, body, reply);
    free(token);
    buf_release(&head);
    buf_release(&host);
    return status;
}

unsigned bench_local(struct bench *bench, const char *method, const char *target, const char *more,
                     const char *body, struct reply *reply)
{
    struct buf head = buf_capped(65536);
    buf_printf(&head, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s", method, target, more);
    buf_u8(&head, 0);
    unsigned status = call(bench, true, (const char *)head.at, body, reply);
    buf_release(&head);
    return status;
}

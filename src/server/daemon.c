// The life of usherd.
#include "server/daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "crypto/hmac.h"
#include "crypto/random.h"
#include "domain/identifier.h"
#include "flow/hub_health.h"
#include "hub/embedded/hub_settings.h"
#include "server/files.h"
#include "store/memory/memory.h"
#include "store/sqlite/sqlite.h"

enum { START_MS = 30000, PATIENCE_US = 200, DOCUMENT_MAX = 64 * 1024, DRAIN_ROUNDS = 100 };

// ---- the ports that are the system itself
// -------------------------------------------------------------------------------------------

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t daemon_wall_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

static int64_t wall_us(const struct clock *clock)
{
    (void)clock;
    return daemon_wall_us();
}

static int64_t monotonic_us(const struct clock *clock)
{
    (void)clock;
    return read_clock(CLOCK_MONOTONIC);
}

// Small draws come out of a pool, because OpenSSL's generator costs about as much for 16 bytes as for 1,000.
// What was given out is wiped from it.
static void fill(struct random *random, void *at, size_t len)
{
    enum { POOL = 1024 };
    static _Thread_local struct {
        uint8_t bytes[POOL];
        size_t left;
    } pool;
    (void)random;
    if (len > POOL / 4) {
        random_fill(at, len);
        return;
    }
    if (pool.left < len) {
        random_fill(pool.bytes, POOL);
        pool.left = POOL;
    }
    uint8_t *from = pool.bytes + POOL - pool.left;
    memcpy(at, from, len);
    bytes_wipe(from, len);
    pool.left -= len;
}

static void write_line(void *context, struct slice line)
{
    (void)context;
    // a log that nobody reads must not stop the service: what stderr does not take is lost
    ssize_t ignored = write(STDERR_FILENO, line.at, line.len);
    (void)ignored;
}

static int64_t log_now_us(void *context)
{
    (void)context;
    return daemon_wall_us();
}

static void disk_failed(void *context, const struct why *why)
{
    const struct daemon *daemon = context;
    struct log_line line;
    log_begin(&line, &daemon->log, ERR_LEVEL_ERROR, "store.failed");
    log_failure(&line, FAIL(ERR_STORE), why);
    log_text(&line, LOG_detail, SLICE("nothing more can be made durable: the process ends; start it again"));
    log_end(&line);
    _exit(1);
}

// ---- opening
// -----------------------------------------------------------------------------------------------------------------------

static struct err read_master_key(struct daemon *d, struct why *why)
{
    struct buf text = buf_capped(4096);
    uint8_t key[SEAL_MASTER_SIZE];
    size_t len = 0;
    const char *path = (const char *)d->config->master_key_file.at;
    struct err e = file_read(path, true, &text, why);
    if (!failed(e) && (!b64_decode(slice_trim(buf_slice(&text)), key, sizeof key, &len) || len != sizeof key))
        e = why_fail(why, ERR_CONFIG, "%s: not 32 bytes in base64; make one with: openssl rand -base64 32",
                     path);
    if (!failed(e))
        e = sealer_init(&d->sealer, slice_of(key, sizeof key), why);
    uint8_t derived[SHA256_SIZE];
    if (!failed(e))
        e = hmac_sha256(slice_of(key, sizeof key), &SLICE("usher continuation tokens v1"), 1, derived);
    if (!failed(e))
        (void)secret_set(&d->continuation_key, slice_of(derived, sizeof derived));
    bytes_wipe(key, sizeof key);
    bytes_wipe(text.at, text.len);
    buf_release(&text);
    return e;
}

static struct err open_store(struct daemon *d, struct why *why)
{
    if (slice_equal(d->config->store_kind, SLICE("memory"))) {
        struct store_memory_options memory = {0};
        return store_memory_new(&memory, &d->store, why);
    }
    struct store_sqlite_options sqlite = {
        .path = (const char *)d->config->store_path.at,
        .sealer = &d->sealer,
        .random = &d->random,
        .clock = &d->clock,
        .log = &d->log,
        .on_fatal = disk_failed,
        .context = d,
    };
    return store_sqlite_open(&sqlite, &d->store, why);
}

static struct err make_tls(const struct daemon *d, struct tls_context **out, struct why *why)
{
    struct buf chain = buf_capped(FILE_MAX);
    struct buf key = buf_capped(FILE_MAX);
    struct err e = file_read((const char *)d->config->tls_certificate.at, false, &chain, why);
    if (!failed(e))
        e = file_read((const char *)d->config->tls_key.at, true, &key, why);
    if (!failed(e)) {
        struct tls_settings settings = {.chain_pem = buf_slice(&chain),
                                        .key_pem = buf_slice(&key),
                                        .request_client_certificate = d->config->tls_client_certificates};
        e = tls_context_new(&settings, out, why);
    }
    bytes_wipe(key.at, key.len);
    buf_release(&chain);
    buf_release(&key);
    return e;
}

static void log_places(const struct daemon *d, const struct atlas *atlas, struct err e, const struct why *why)
{
    struct log_line line;
    struct buf text = buf_capped(1024);
    log_begin(&line, &d->log, failed(e) ? ERR_LEVEL_ERROR : ERR_LEVEL_INFO, "places.read");
    if (failed(e)) {
        log_failure(&line, e, why);
        log_text(&line, LOG_detail, SLICE("what was read before stays"));
    } else {
        atlas_describe(atlas, &text);
        log_text(&line, LOG_detail, buf_slice(&text));
    }
    log_end(&line);
    buf_release(&text);
}

// NULL when the settings name no file.
static struct err read_places(const struct daemon *d, struct atlas **out, struct why *why)
{
    struct atlas_settings settings = {(const char *)d->config->geo_networks.at,
                                      (const char *)d->config->geo_database.at};
    *out = NULL;
    if (d->config->geo_networks.len == 0 && d->config->geo_database.len == 0)
        return OK;
    return atlas_read(&settings, out, why);
}

unsigned daemon_loops(int64_t threads, long processors)
{
    int64_t count = threads > 0 ? threads : processors;
    if (count > HUB_HEALTH_LOOPS_MAX)
        return HUB_HEALTH_LOOPS_MAX;
    return count > 0 ? (unsigned)count : 1;
}

static struct err make_workers(struct daemon *d, struct why *why)
{
    d->worker_count = daemon_loops(d->config->threads, sysconf(_SC_NPROCESSORS_ONLN));
    d->workers = calloc(d->worker_count, sizeof *d->workers);
    d->peers = calloc(d->worker_count, sizeof *d->peers);
    if (d->workers == NULL || d->peers == NULL)
        return FAIL(ERR_NO_MEMORY);
    d->https_port = (uint16_t)d->config->https_port;
    d->mqtt_port = (uint16_t)d->config->mqtt_port;
    d->amqp_port = (uint16_t)d->config->amqp_port;
    for (unsigned i = 0; i < d->worker_count; i++) {
        struct worker *w = &d->workers[i];
        TRY(make_tls(d, &w->tls, why));
        TRY(worker_init(w, d, i, why));
        TRY(worker_listen(w, why));
        d->https_port = listener_port(w->https_listener);
        d->mqtt_port = listener_port(w->mqtt_listener);
        d->amqp_port = listener_port(w->amqp_listener);
    }
    return OK;
}

struct err daemon_init(struct daemon *d, const struct config *config, struct why *why)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    *d = (struct daemon){
        .config = config,
        .clock = {wall_us, monotonic_us},
        .random = {fill},
        .log = {.write = write_line, .now_us = log_now_us},
    };
    for (unsigned i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (slice_equal(config->log_level, slice_text(levels[i])))
            d->log.least = (enum err_level)i;
    }
    d->started_us = clock_monotonic_us(&d->clock);
    TRY(read_master_key(d, why));
    TRY(config_proxies(config, d->proxies, why));
    TRY(read_places(d, &d->atlas, why));
    if (d->atlas != NULL)
        log_places(d, d->atlas, OK, NULL);
    TRY(open_store(d, why));
    return make_workers(d, why);
}

// ---- before the threads run: the first worker's client, its mailbox driven from here
// -------------------------------------------------

static void answered(struct store_request *request)
{
    *(bool *)request->context = true;
}

// Delivers the mail of all workers until *done, or false after START_MS.
static bool drive(struct daemon *d, const bool *done)
{
    int64_t until = clock_monotonic_us(&d->clock) + START_MS * (int64_t)1000;
    while (!*done && clock_monotonic_us(&d->clock) < until) {
        size_t delivered = 0;
        for (unsigned i = 0; i < d->worker_count; i++)
            delivered += mailbox_deliver(loop_mailbox(d->workers[i].loop));
        if (delivered == 0)
            usleep(PATIENCE_US);
    }
    return *done;
}

struct err daemon_ask_store(struct daemon *d, struct store_request *request)
{
    bool done = false;
    request->done = answered;
    request->context = &done;
    store_submit(d->workers[0].store, request);
    return drive(d, &done) ? request->result : FAIL(ERR_TIMEOUT);
}

struct err daemon_hub_settings(struct daemon *d, struct slice host, struct arena *arena,
                               struct hub_settings *out, struct why *why)
{
    struct store_request get = {.verb = STORE_GET, .table = STORE_HUB, .arena = arena};
    TRY(arena_lower(arena, host, &get.key));
    TRY(daemon_ask_store(d, &get));
    return hub_settings_read(arena, ((struct hub_record *)get.found)->document, out, why);
}

static struct err ensure_hub(struct daemon *d, struct slice host, struct arena *arena, struct why *why)
{
    struct hub_settings settings = {0};
    struct err e = daemon_hub_settings(d, host, arena, &settings, why);
    if (e.code != ERR_ABSENT)
        return e;
    struct buf document = buf_capped(DOCUMENT_MAX);
    e = hub_settings_default(arena, &d->random, &settings);
    if (!failed(e))
        e = hub_settings_write(&settings, &document);
    struct hub_record record = {
        .document = buf_slice(&document),
        .created_us = clock_wall_us(&d->clock),
        .updated_us = clock_wall_us(&d->clock),
        .etag = random_etag(&d->random),
    };
    if (!failed(e))
        e = arena_lower(arena, host, &record.host);
    struct store_request put = {
        .verb = STORE_PUT,
        .table = STORE_HUB,
        .key = record.host,
        .condition = STORE_IF_ABSENT,
        .record = &record,
        .arena = arena,
    };
    if (!failed(e))
        e = daemon_ask_store(d, &put);
    bytes_wipe(document.at, document.len);
    buf_release(&document);
    return e;
}

struct loading {
    struct directory_wait services;
    struct embedded_wait hubs;
    struct err result;
    bool done;
};

static void services_loaded(struct directory_wait *wait, struct err result)
{
    struct loading *loading = wait->context;
    loading->result = result;
    loading->done = true;
}

static void hubs_loaded(struct embedded_wait *wait, struct err result)
{
    struct loading *loading = wait->context;
    loading->result = result;
    loading->done = true;
}

static struct err load_worker(struct daemon *d, struct worker *w)
{
    struct loading loading = {.services = {.loaded = services_loaded}, .hubs = {.loaded = hubs_loaded}};
    loading.services.context = loading.hubs.context = &loading;
    directory_reload(w->directory, &loading.services);
    if (!drive(d, &loading.done))
        return FAIL(ERR_TIMEOUT);
    TRY(loading.result);
    loading.done = false;
    embedded_reload(w->embedded, &loading.hubs);
    return drive(d, &loading.done) ? loading.result : FAIL(ERR_TIMEOUT);
}

struct err daemon_start(struct daemon *d, struct why *why)
{
    for (unsigned i = 0; i < d->worker_count; i++)
        TRY(load_worker(d, &d->workers[i]));
    for (unsigned i = 0; i < d->worker_count; i++)
        TRY(worker_start(&d->workers[i], why));
    struct log_line line;
    log_begin(&line, &d->log, ERR_LEVEL_INFO, "started");
    log_number(&line, LOG_count, d->worker_count);
    log_number(&line, LOG_durationMs, (clock_monotonic_us(&d->clock) - d->started_us) / 1000);
    log_end(&line);
    return OK;
}

struct err daemon_ensure_hubs(struct daemon *d, const struct config_list *hubs, struct why *why)
{
    struct arena arena = arena_capped(1 << 20);
    struct err e = OK;
    arena.wipe = true;
    for (size_t i = 0; i < hubs->count && !failed(e); i++)
        e = ensure_hub(d, hubs->items[i], &arena, why);
    arena_release(&arena);
    return e;
}

// ---- settings that all loops share
// ---------------------------------------------------------------------------------------------------

// One change of settings on its way round the loops and back to who asked.
struct change {
    struct worker *asking;
    struct directory_wait *wait;
    struct mail back;
    struct err result;
    _Atomic unsigned left;
    struct change_part {
        struct mail mail;
        struct directory_wait wait;
        struct worker *worker;
        struct change *change;
    } parts[];
};

static void change_back(struct mail *mail)
{
    struct change *change = CONTAINER_OF(mail, struct change, back);
    struct directory_wait *wait = change->wait;
    struct err result = change->result;
    free(change);
    wait->loaded(wait, result);
}

static void part_loaded(struct directory_wait *wait, struct err result)
{
    struct change_part *part = CONTAINER_OF(wait, struct change_part, wait);
    struct change *change = part->change;
    if (failed(result) && part->worker == change->asking)
        change->result = result; // of another loop it is in the log
    if (atomic_fetch_sub(&change->left, 1) > 1)
        return;
    change->back.deliver = change_back;
    mailbox_post(loop_mailbox(change->asking->loop), &change->back);
}

static void part_arrived(struct mail *mail)
{
    struct change_part *part = CONTAINER_OF(mail, struct change_part, mail);
    directory_reload(part->worker->directory, &part->wait);
}

void daemon_settings_changed(struct worker *asking, struct directory_wait *wait)
{
    struct daemon *d = asking->daemon;
    struct change *change = calloc(1, sizeof *change + d->worker_count * sizeof change->parts[0]);
    if (change == NULL) { // this loop at least, then
        directory_reload(asking->directory, wait);
        return;
    }
    change->asking = asking;
    change->wait = wait;
    change->left = d->worker_count;
    for (unsigned i = 0; i < d->worker_count; i++) {
        struct change_part *part = &change->parts[i];
        part->worker = &d->workers[i];
        part->change = change;
        part->wait.loaded = part_loaded;
        part->mail.deliver = part_arrived;
        mailbox_post(loop_mailbox(d->workers[i].loop), &part->mail);
    }
}

struct err daemon_reload_tls(struct daemon *d, struct why *why)
{
    struct tls_context **made = calloc(d->worker_count, sizeof *made);
    struct err e = made != NULL ? OK : FAIL(ERR_NO_MEMORY);
    for (unsigned i = 0; i < d->worker_count && !failed(e); i++)
        e = make_tls(d, &made[i], why);
    for (unsigned i = 0; made != NULL && i < d->worker_count; i++) {
        if (failed(e))
            tls_context_free(made[i]);
        else
            worker_use_tls(&d->workers[i], made[i]);
    }
    free(made);
    return e;
}

struct err daemon_reload_places(struct daemon *d, struct why *why)
{
    struct atlas *atlas;
    struct err e = read_places(d, &atlas, why);
    if (failed(e)) {
        log_places(d, NULL, e, why);
        return e;
    }
    if (atlas == NULL)
        return OK;
    for (unsigned i = 0; i < d->worker_count; i++)
        worker_use_atlas(&d->workers[i], atlas_share(atlas));
    log_places(d, atlas, OK, NULL); // whoever connects from now on finds the new one
    atlas_free(d->atlas);
    d->atlas = atlas;
    return OK;
}

// ---- stopping
// --------------------------------------------------------------------------------------------------------

// Loops end one after the other, and those that end later still tell the others what became of their devices.
static void drain(struct daemon *d)
{
    bool some = true;
    for (int round = 0; some && round < DRAIN_ROUNDS; round++) {
        some = false;
        for (unsigned i = 0; i < d->worker_count; i++)
            some = worker_drain(&d->workers[i]) || some;
    }
}

void daemon_stop_heard(struct daemon *d, size_t operations, size_t requests, size_t connections)
{
    atomic_fetch_add(&d->stop_operations, operations);
    atomic_fetch_add(&d->stop_requests, requests);
    atomic_fetch_add(&d->stop_connections, connections);
    if (atomic_fetch_sub(&d->stop_unheard, 1) > 1)
        return;
    struct log_line line;
    char under_way[120];
    (void)snprintf(
        under_way, sizeof under_way, "%zu device requests and operations, %zu HTTP requests, %zu connections",
        atomic_load(&d->stop_operations), atomic_load(&d->stop_requests), atomic_load(&d->stop_connections));
    log_begin(&line, &d->log, ERR_LEVEL_INFO, "stopping");
    log_text(&line, LOG_reason, slice_text(d->stop_reason));
    log_text(&line, LOG_detail, slice_text(under_way));
    log_end(&line);
}

void daemon_worker_idle(struct daemon *d)
{
    if (atomic_fetch_sub(&d->stop_busy, 1) > 1)
        return;
    for (unsigned i = 0; i < d->worker_count; i++) {
        if (d->workers[i].started)
            loop_stop(d->workers[i].loop, d->config->stop_s * 1000);
    }
}

static void log_stopped(const struct daemon *d, bool clean, int64_t since_us)
{
    struct log_line line;
    log_begin(&line, &d->log, clean ? ERR_LEVEL_INFO : ERR_LEVEL_WARN, "stopped");
    log_number(&line, LOG_durationMs, (clock_monotonic_us(&d->clock) - since_us) / 1000);
    if (!clean)
        log_text(
            &line, LOG_detail,
            SLICE("something under way had to be cut off; what was recorded is taken up at the next start"));
    log_end(&line);
}

bool daemon_stop(struct daemon *d, const char *reason)
{
    int64_t since_us = clock_monotonic_us(&d->clock);
    unsigned running = 0;
    for (unsigned i = 0; i < d->worker_count; i++)
        running += d->workers[i].started;
    d->stop_reason = reason;
    atomic_store(&d->stop_unheard, running);
    atomic_store(&d->stop_busy, running);
    for (unsigned i = 0; i < d->worker_count; i++) {
        if (d->workers[i].started)
            worker_stop(&d->workers[i]);
    }
    for (unsigned i = 0; i < d->worker_count; i++) {
        if (d->workers[i].started)
            pthread_join(d->workers[i].thread, NULL);
    }
    drain(d);
    bool clean = true;
    for (unsigned i = 0; i < d->worker_count; i++)
        clean = worker_release(&d->workers[i]) && clean;
    if (clean) {
        challenges_free(d->challenges);
        atlas_free(d->atlas);
        store_free(d->store);
        free(d->workers);
        free(d->peers);
        sealer_release(&d->sealer);
        secret_wipe(&d->continuation_key);
    }
    if (running > 0)
        log_stopped(d, clean, since_us);
    return clean;
}

// Fills a store with individual enrollments, all with the same key, straight through the store's port: a
// million of them through the API would take longer than all measurements. While it runs usherd must not; the
// store's lock sees to that.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/text.h"
#include "crypto/keys.h"
#include "crypto/random.h"
#include "crypto/seal.h"
#include "store/sqlite/sqlite.h"

enum { IN_FLIGHT = 1024, ID_SIZE = 96, PATH_SIZE = 512, WAIT_MS = 30000 };

struct slot {
    struct store_request request;
    struct enrollment enrollment;
    struct arena arena;
    char id[ID_SIZE];
    struct fill *fill;
};

struct fill {
    struct slice scope;
    const char *prefix;
    struct secret key;
    long count;
    long begun, done;
    struct err result;
    struct store_client *client;
    struct random random;
    struct clock clock;
};

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t wall_us(const struct clock *clock)
{
    (void)clock;
    return read_clock(CLOCK_REALTIME);
}

static int64_t monotonic_us(const struct clock *clock)
{
    (void)clock;
    return read_clock(CLOCK_MONOTONIC);
}

static void fill_random(struct random *random, void *at, size_t len)
{
    (void)random;
    random_fill(at, len);
}

static void written(struct store_request *request);

static void submit(struct fill *f, struct slot *slot)
{
    int len = snprintf(slot->id, sizeof slot->id, "%s%07ld", f->prefix, f->begun++);
    int64_t now_us = clock_wall_us(&f->clock);
    arena_release(&slot->arena);
    slot->arena = arena_capped(1 << 16);
    slot->enrollment = (struct enrollment){
        .kind = ENROLLMENT_INDIVIDUAL,
        .id = slice_of(slot->id, (size_t)len),
        .attestation = {.type = ATTESTATION_SYMMETRIC_KEY, .primary_key = f->key, .secondary_key = f->key},
        .created_us = now_us,
        .updated_us = now_us,
        .etag = random_etag(&f->random),
    };
    slot->request = (struct store_request){
        .verb = STORE_PUT,
        .table = STORE_ENROLLMENT,
        .partition = f->scope,
        .key = slot->enrollment.id,
        .condition = STORE_IF_ABSENT,
        .record = &slot->enrollment,
        .arena = &slot->arena,
        .done = written,
        .context = slot,
    };
    store_submit(f->client, &slot->request);
}

static void written(struct store_request *request)
{
    struct slot *slot = request->context;
    struct fill *f = slot->fill;
    f->done++;
    if (failed(request->result)) {
        f->result = request->result;
        (void)fprintf(stderr, "usher-fill: %s: %s\n", slot->id, err_info(request->result)->sentence);
    } else if (f->begun < f->count && !failed(f->result)) {
        submit(f, slot);
    }
}

static void fill_all(struct fill *f, struct mailbox *replies)
{
    struct slot *slots = calloc(IN_FLIGHT, sizeof *slots);
    if (slots == NULL) {
        f->result = FAIL(ERR_NO_MEMORY);
        return;
    }
    for (size_t i = 0; i < IN_FLIGHT && f->begun < f->count; i++) {
        slots[i].fill = f;
        submit(f, &slots[i]);
    }
    while (f->done < f->begun) {
        struct mail *mail = mailbox_wait(replies, WAIT_MS);
        INVARIANT(mail != NULL); // a write that takes half a minute
        while (mail != NULL) {
            struct mail *next = mail->next;
            mail->deliver(mail);
            mail = next;
        }
    }
    for (size_t i = 0; i < IN_FLIGHT; i++)
        arena_release(&slots[i].arena);
    free(slots);
}

static struct err read_master_key(const char *dir, struct sealer *sealer, struct why *why)
{
    char path[PATH_SIZE];
    char text[128];
    uint8_t key[SEAL_MASTER_SIZE];
    size_t len = 0;
    (void)snprintf(path, sizeof path, "%s/master.key", dir);
    FILE *file = fopen(path, "rb");
    size_t got = file != NULL ? fread(text, 1, sizeof text, file) : 0;
    if (file != NULL)
        (void)fclose(file);
    if (!b64_decode(slice_trim(slice_of(text, got)), key, sizeof key, &len) || len != sizeof key)
        return why_fail(why, ERR_CONFIG, "%s is no master key", path);
    return sealer_init(sealer, slice_of(key, sizeof key), why);
}

static struct err run(struct fill *f, const char *dir, struct why *why)
{
    struct sealer sealer;
    struct store *store = NULL;
    struct mailbox replies;
    char path[PATH_SIZE];
    TRY(read_master_key(dir, &sealer, why));
    (void)snprintf(path, sizeof path, "%s/usher.db", dir);
    struct store_sqlite_options options = {
        .path = path, .sealer = &sealer, .random = &f->random, .clock = &f->clock};
    TRY(store_sqlite_open(&options, &store, why));
    mailbox_init(&replies, NULL, NULL);
    f->result = store_client_new(store, &replies, &f->client);
    if (!failed(f->result))
        fill_all(f, &replies);
    store_client_free(f->client);
    store_free(store);
    mailbox_release(&replies);
    sealer_release(&sealer);
    return f->result;
}

int main(int argc, char **argv)
{
    struct fill f = {.random = {fill_random}, .clock = {wall_us, monotonic_us}};
    struct why why = {0};
    uint64_t count = 0;
    if (argc != 6 || !slice_to_u64(slice_text(argv[5]), &count) ||
        failed(key_read_b64(slice_text(argv[3]), &f.key, &why))) {
        (void)fputs("usher-fill DIR SCOPE KEY PREFIX COUNT: makes the enrollments PREFIX0000000 and on, each "
                    "with the key (base64),\n"
                    "in the folder DIR of usherd --dev, which must not be running\n",
                    stderr);
        return 2;
    }
    f.scope = slice_text(argv[2]);
    f.prefix = argv[4];
    f.count = (long)count;
    struct err e = run(&f, argv[1], &why);
    if (failed(e))
        (void)fprintf(stderr, "usher-fill: %s\n", why.text[0] != '\0' ? why.text : err_info(e)->sentence);
    return failed(e) ? 1 : 0;
}

// Fills the store of a stopped usherd with individual enrollments, for the case that measures what a large store costs.
// All have the same key. Writes through the store itself, as usherd would.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/text.h"
#include "crypto/keys.h"
#include "crypto/random.h"
#include "store/sqlite/sqlite.h"

enum { UNDER_WAY = 512 };

struct slot {
    struct store_request request; // first
    struct arena arena;
    struct enrollment enrollment;
    char id[64];
    size_t *done;
    bool *failed;
};

static int64_t now_us(const struct clock *clock)
{
    struct timespec now;
    (void)clock;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void fill(struct random *random, void *at, size_t len)
{
    (void)random;
    random_fill(at, len);
}

static void written(struct store_request *request)
{
    struct slot *slot = (struct slot *)request;
    ++*slot->done;
    *slot->failed |= failed(request->result);
    slot->request.context = NULL; // free again
    arena_release(&slot->arena);
}

static void put(struct store_client *client, struct slot *slot, struct slice scope, const struct secret *key,
                const char *prefix, long number)
{
    (void)snprintf(slot->id, sizeof slot->id, "%s%07ld", prefix, number);
    slot->arena = arena_capped(65536);
    slot->enrollment = (struct enrollment){.id = slice_text(slot->id), .etag = (uint64_t)number + 1};
    slot->enrollment.attestation = (struct attestation){
        .type = ATTESTATION_SYMMETRIC_KEY, .primary_key = *key, .secondary_key = *key};
    slot->request = (struct store_request){
        .verb = STORE_PUT,
        .table = STORE_ENROLLMENT,
        .partition = scope,
        .key = slice_text(slot->id),
        .record = &slot->enrollment,
        .arena = &slot->arena,
        .done = written,
        .context = slot,
    };
    store_submit(client, &slot->request);
}

static bool run(struct store *store, struct slice scope, const struct secret *key, const char *prefix, long count)
{
    static struct slot slots[UNDER_WAY];
    struct mailbox replies;
    struct store_client *client = NULL;
    size_t done = 0;
    bool broken = false;
    mailbox_init(&replies, NULL, NULL);
    if (failed(store_client_new(store, &replies, &client)))
        return false;
    for (long begun = 0; (long)done < count && !broken;) {
        for (size_t i = 0; i < UNDER_WAY && begun < count; i++) {
            if (slots[i].request.context != NULL)
                continue;
            slots[i].done = &done;
            slots[i].failed = &broken;
            put(client, &slots[i], scope, key, prefix, begun++);
        }
        for (struct mail *mail = mailbox_wait(&replies, 10000), *next; mail != NULL; mail = next) {
            next = mail->next;
            mail->deliver(mail);
        }
    }
    store_client_free(client);
    return !broken && (long)done == count;
}

// usher-fill FOLDER SCOPE KEY PREFIX COUNT
int main(int argc, char **argv)
{
    char path[512];
    char text[256] = "";
    uint8_t master[SEAL_MASTER_SIZE];
    size_t len = 0;
    struct sealer sealer;
    struct secret key;
    struct why why = {0};
    uint64_t count = 0;
    struct random random = {fill};
    struct clock clock = {now_us, now_us};
    struct store *store = NULL;
    if (argc != 6 || !slice_to_u64(slice_text(argv[5]), &count) || failed(key_read_b64(slice_text(argv[3]), &key, &why))) {
        (void)fprintf(stderr, "usher-fill FOLDER SCOPE KEY PREFIX COUNT\n");
        return 2;
    }
    (void)snprintf(path, sizeof path, "%s/master.key", argv[1]);
    FILE *file = fopen(path, "r");
    bool read = file != NULL && fgets(text, sizeof text, file) != NULL &&
                b64_decode(slice_trim(slice_text(text)), master, sizeof master, &len);
    if (file != NULL)
        (void)fclose(file);
    (void)snprintf(path, sizeof path, "%s/usher.db", argv[1]);
    struct store_sqlite_options options = {.path = path, .sealer = &sealer, .random = &random, .clock = &clock};
    if (!read || failed(sealer_init(&sealer, slice_of(master, len), &why)) ||
        failed(store_sqlite_open(&options, &store, &why))) {
        (void)fprintf(stderr, "usher-fill: %s\n", read ? why.text : "the master key cannot be read");
        return 1;
    }
    bool good = run(store, slice_text(argv[2]), &key, argv[4], (long)count);
    store_free(store);
    return good ? 0 : 1;
}

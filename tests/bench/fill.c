// Fills a store straight through its port: individual enrollments, all with the same key or of TPMs; groups,
// each with an intermediate CA certificate of its own; CA certificates. A million enrollments through the API
// would take longer than all measurements. While it runs usherd must not; the store's lock sees to that.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/text.h"
#include "crypto/bench_pki.h"
#include "crypto/certificate.h"
#include "crypto/keys.h"
#include "crypto/random.h"
#include "crypto/seal.h"
#include "domain/words.h"
#include "store/sqlite/sqlite.h"

#include "soft_tpm.h"

enum { IN_FLIGHT = 1024, ID_SIZE = 96, PATH_SIZE = 512, WAIT_MS = 30000 };
static const int64_t YEAR_US = INT64_C(365) * 24 * 3600 * 1000000;

struct fill;

struct slot {
    struct store_request request;
    struct enrollment enrollment;
    struct ca_certificate certificate;
    struct arena arena;
    char id[ID_SIZE];
    struct fill *fill;
};

// Makes slot->enrollment or slot->certificate under slot->id.
struct kind {
    enum store_table table;
    struct err (*make)(struct fill *f, struct slot *slot, int64_t now_us);
};

struct fill {
    struct slice scope;
    const struct kind *kind;
    const char *prefix;
    struct secret key;     // of enrollments
    struct soft_tpm *tpms; // of enrollments, in turns
    size_t tpm_count;
    struct buf root_pem, root_key; // above the groups
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

// --- what is filled in

static struct err make_enrollment(struct fill *f, struct slot *slot, int64_t now_us)
{
    slot->enrollment = (struct enrollment){
        .kind = ENROLLMENT_INDIVIDUAL,
        .id = slice_text(slot->id),
        .attestation = {.type = ATTESTATION_SYMMETRIC_KEY, .primary_key = f->key, .secondary_key = f->key},
        .created_us = now_us,
        .updated_us = now_us,
        .etag = random_etag(&f->random),
    };
    slot->request.record = &slot->enrollment;
    return OK;
}

static struct err make_tpm_enrollment(struct fill *f, struct slot *slot, int64_t now_us)
{
    TRY(make_enrollment(f, slot, now_us));
    size_t i = (size_t)(f->begun - 1) % f->tpm_count; // begun counts this one already
    slot->enrollment.attestation = (struct attestation){
        .type = ATTESTATION_TPM, .endorsement_key = buf_slice(&f->tpms[i].endorsement_public)};
    return enrollment_words(&slot->arena, &slot->enrollment, &slot->enrollment.words);
}

// A new CA whose name is the slot's ID, with a new key that nobody will use. *der is made in the slot's
// arena.
static struct err make_ca(struct fill *f, struct slot *slot, enum bench_role role, int64_t now_us,
                          struct slice *der)
{
    struct why why = {0};
    struct buf pem = buf_capped(BENCH_PEM_MAX), key = buf_capped(BENCH_PEM_MAX);
    struct bench_spec spec = {.role = role,
                              .common_name = slice_text(slot->id),
                              .issuer_certificate = buf_slice(&f->root_pem),
                              .issuer_key = buf_slice(&f->root_key),
                              .path_len = BENCH_ANY_DEPTH,
                              .now_us = now_us};
    struct err e = bench_make(&spec, &pem, &key, &why);
    if (!failed(e))
        e = certificate_read(&slot->arena, buf_slice(&pem), der, &why);
    bytes_wipe(key.at, key.len);
    buf_release(&key);
    buf_release(&pem);
    if (why.text[0] != '\0')
        (void)fprintf(stderr, "usher-fill: %s: %s\n", slot->id, why.text);
    return e;
}

static struct err make_group(struct fill *f, struct slot *slot, int64_t now_us)
{
    struct enrollment *e = &slot->enrollment;
    *e = (struct enrollment){
        .kind = ENROLLMENT_GROUP,
        .id = slice_text(slot->id),
        .attestation = {.type = ATTESTATION_X509, .certificate_role = CERTIFICATE_SIGNING},
        .created_us = now_us,
        .updated_us = now_us,
        .etag = random_etag(&f->random),
    };
    slot->request.record = e;
    TRY(make_ca(f, slot, BENCH_INTERMEDIATE, now_us, &e->attestation.primary_certificate));
    return enrollment_words(&slot->arena, e, &e->words);
}

static struct err make_certificate(struct fill *f, struct slot *slot, int64_t now_us)
{
    struct ca_certificate *c = &slot->certificate;
    *c = (struct ca_certificate){
        .name = slice_text(slot->id),
        .verified = true,
        .not_after_us = now_us + YEAR_US,
        .created_us = now_us,
        .updated_us = now_us,
        .etag = random_etag(&f->random),
    };
    slot->request.record = c;
    TRY(make_ca(f, slot, BENCH_ROOT, now_us, &c->certificate));
    return ca_certificate_words(&slot->arena, c, &c->words);
}

static const struct kind enrollments = {STORE_ENROLLMENT, make_enrollment};
static const struct kind tpm_enrollments = {STORE_ENROLLMENT, make_tpm_enrollment};
static const struct kind groups = {STORE_GROUP, make_group};
static const struct kind certificates = {STORE_CERTIFICATE, make_certificate};

// --- filling

static void written(struct store_request *request);

static void submit(struct fill *f, struct slot *slot)
{
    (void)snprintf(slot->id, sizeof slot->id, "%s%07ld", f->prefix, f->begun++);
    arena_release(&slot->arena);
    slot->arena = arena_capped(1 << 16);
    slot->request = (struct store_request){
        .verb = STORE_PUT,
        .table = f->kind->table,
        .partition = f->scope,
        .key = slice_text(slot->id),
        .condition = STORE_IF_ABSENT,
        .arena = &slot->arena,
        .done = written,
        .context = slot,
    };
    struct err e = f->kind->make(f, slot, clock_wall_us(&f->clock));
    if (failed(e)) {
        f->result = e;
        f->done++;
        return;
    }
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
    for (size_t i = 0; i < IN_FLIGHT && f->begun < f->count && !failed(f->result); i++) {
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

// The root of the groups' certificates.
static struct err make_root(struct fill *f, struct why *why)
{
    f->root_pem = buf_capped(BENCH_PEM_MAX);
    f->root_key = buf_capped(BENCH_PEM_MAX);
    struct bench_spec spec = {.role = BENCH_ROOT,
                              .common_name = SLICE("usher-fill"),
                              .path_len = BENCH_ANY_DEPTH,
                              .now_us = clock_wall_us(&f->clock)};
    return f->kind == &groups ? bench_make(&spec, &f->root_pem, &f->root_key, why) : OK;
}

static const char usage[] =
    "usher-fill DIR SCOPE KEY PREFIX COUNT: makes the enrollments PREFIX0000000 and on, each with the key\n"
    "usher-fill DIR SCOPE tpm FILE PREFIX COUNT: makes the enrollments PREFIX0000000 and on, of the TPMs "
    "whose\n"
    "  private keys are in FILE, in turns\n"
    "usher-fill DIR SCOPE groups COUNT: makes the groups group-0000000 and on, each with an intermediate CA\n"
    "usher-fill DIR SCOPE certificates COUNT: makes the verified CA certificates ca-0000000 and on\n"
    "KEY is base64, DIR the folder of usherd --dev, which must not be running\n";

static bool read_arguments(struct fill *f, int argc, char **argv)
{
    struct why why;
    uint64_t count = 0;
    if (argc < 5 || argc > 7 || !slice_to_u64(slice_text(argv[argc - 1]), &count))
        return false;
    f->scope = slice_text(argv[2]);
    f->count = (long)count;
    if (argc == 7) {
        f->kind = &tpm_enrollments;
        f->prefix = argv[5];
        return slice_equal(slice_text(argv[3]), SLICE("tpm")) &&
               soft_tpm_read(argv[4], &f->tpms, &f->tpm_count);
    }
    f->kind = &enrollments;
    f->prefix = argv[4];
    if (argc == 6)
        return !failed(key_read_b64(slice_text(argv[3]), &f->key, &why));
    bool of_groups = slice_equal(slice_text(argv[3]), SLICE("groups"));
    f->kind = of_groups ? &groups : &certificates;
    f->prefix = of_groups ? "group-" : "ca-";
    return of_groups || slice_equal(slice_text(argv[3]), SLICE("certificates"));
}

int main(int argc, char **argv)
{
    struct fill f = {.random = {fill_random}, .clock = {wall_us, monotonic_us}};
    struct why why = {0};
    if (!read_arguments(&f, argc, argv)) {
        (void)fputs(usage, stderr);
        return 2;
    }
    struct err e = make_root(&f, &why);
    if (!failed(e))
        e = run(&f, argv[1], &why);
    if (failed(e))
        (void)fprintf(stderr, "usher-fill: %s\n", why.text[0] != '\0' ? why.text : err_info(e)->sentence);
    buf_release(&f.root_pem);
    bytes_wipe(f.root_key.at, f.root_key.len);
    buf_release(&f.root_key);
    return failed(e) ? 1 : 0;
}

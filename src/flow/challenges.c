// The table of challenges. All of it but submitting runs on the owner's loop. What is too old is swept by the
// requests that come later, a few at a time: there is no timer.
#include "flow/challenges.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"

enum { SWEPT_AT_ONCE = 16, NAME_MAX_BYTES = 512 };

// All that one device has been asked, oldest first. Followed by its name, which is its key in the map.
struct device {
    struct list entries;
    size_t count;
    struct slice name;
};

// Followed by copies of all that its slices point to.
struct entry {
    struct list links;     // in `asked` or `claimed`, by age
    struct list of_device; // in the device's
    struct device *device;
    struct challenge challenge;
    uint64_t channel;
    uint64_t serial;
    int64_t answer_by_us; // until then it may be claimed, if it was not answered
    int64_t forget_us;
    bool let_in;  // the device, before it registers
    bool claimed; // by a register call under way
    bool spent;   // by one that led to an operation
    size_t size;  // bytes, all included
};

struct challenges {
    struct mailbox *owner;
    const struct clock *clock;
    struct map devices;  // that have entries
    size_t count;        // entries
    struct list asked;   // never answered: forgotten when their time to be answered is over
    struct list claimed; // answered at some time: forgotten when there is nothing left to poll for
    size_t bytes;
    uint64_t serial; // of the latest
};

struct challenges_client {
    struct challenges *challenges;
    struct mailbox *replies;
    atomic_uint posting; // see challenges_client_free
};

static void device_forget(struct challenges *table, struct device *device)
{
    if (device->count > 0)
        return;
    (void)map_remove(&table->devices, device->name);
    free(device);
}

static void entry_drop(struct challenges *table, struct entry *entry)
{
    struct device *device = entry->device;
    list_remove(&entry->links);
    list_remove(&entry->of_device);
    device->count--;
    table->count--;
    table->bytes -= entry->size;
    bytes_wipe(entry, entry->size);
    free(entry);
    device_forget(table, device);
}

// The lists are in the order of forget_us, because every entry of a list is kept equally long.
static void sweep(struct challenges *table, struct list *list, int64_t now_us)
{
    for (int i = 0; i < SWEPT_AT_ONCE && !list_empty(list); i++) {
        struct entry *oldest = CONTAINER_OF(list->next, struct entry, links);
        if (oldest->forget_us > now_us)
            break;
        entry_drop(table, oldest);
    }
}

// Neither a scope nor a registration ID holds a NUL.
static struct err name_of_device(const struct challenge_request *request, struct buf *name)
{
    buf_bytes(name, request->id_scope);
    buf_u8(name, 0);
    buf_bytes(name, request->registration_id);
    return buf_err(name);
}

static bool has_answered(const struct entry *entry)
{
    return entry->let_in || entry->claimed || entry->spent;
}

// On a channel there is at most one that was not answered, besides those that were.
static struct entry *find_asked(const struct device *device, uint64_t channel)
{
    if (device == NULL)
        return NULL;
    LIST_EACH (at, &device->entries) {
        struct entry *entry = CONTAINER_OF(at, struct entry, of_device);
        if (entry->channel == channel && !has_answered(entry))
            return entry;
    }
    return NULL;
}

// ---- keeping
// --------------------------------------------------------------------------------------------------------

static struct slice put(uint8_t **at, struct slice text)
{
    struct slice kept = slice_of(*at, text.len);
    if (text.len > 0)
        memcpy(*at, text.at, text.len);
    *at += text.len;
    return kept;
}

static struct entry *entry_new(const struct challenge *c, uint64_t channel)
{
    size_t size = sizeof(struct entry) + c->endorsement_key.len + c->storage_root_key.len;
    for (size_t i = 0; i < c->certificate_count; i++)
        size += c->certificates[i].len;
    struct entry *entry = calloc(1, size);
    if (entry == NULL)
        return NULL;
    uint8_t *at = (uint8_t *)(entry + 1);
    entry->size = size;
    entry->channel = channel;
    entry->challenge.key = c->key;
    entry->challenge.endorsement_key = put(&at, c->endorsement_key);
    entry->challenge.storage_root_key = put(&at, c->storage_root_key);
    entry->challenge.certificate_count = c->certificate_count;
    for (size_t i = 0; i < c->certificate_count; i++)
        entry->challenge.certificates[i] = put(&at, c->certificates[i]);
    return entry;
}

// The device of that name, made if it is not there. ERR_NO_MEMORY.
static struct err device_of(struct challenges *table, struct slice name, struct device **out)
{
    *out = map_get(&table->devices, name);
    if (*out != NULL)
        return OK;
    struct device *device = calloc(1, sizeof *device + name.len);
    if (device == NULL)
        return FAIL(ERR_NO_MEMORY);
    uint8_t *at = (uint8_t *)(device + 1);
    device->name = put(&at, name);
    list_init(&device->entries);
    struct err e = map_put(&table->devices, device->name, device, NULL);
    if (failed(e))
        free(device);
    else
        *out = device;
    return e;
}

// Makes room for one more of those that have answered, or of those that have not. Apart, so that a stranger,
// who gets no further than to be asked, takes the place of nobody who has answered.
static void forget_oldest(struct challenges *table, struct device *device, bool answered)
{
    struct entry *oldest = NULL;
    size_t count = 0;
    LIST_EACH (at, &device->entries) {
        struct entry *entry = CONTAINER_OF(at, struct entry, of_device);
        if (has_answered(entry) != answered)
            continue;
        oldest = oldest != NULL ? oldest : entry;
        count++;
    }
    if (count >= CHALLENGES_OF_DEVICE_MAX)
        entry_drop(table, oldest);
}

static struct err add(struct challenges *table, const struct challenge_request *request,
                      struct device *device, int64_t now_us)
{
    if (table->count >= CHALLENGES_MAX)
        return FAIL(ERR_OVERLOADED);
    struct entry *entry = entry_new(&request->challenge, request->channel);
    if (entry == NULL)
        return FAIL(ERR_NO_MEMORY);
    if (entry->size > CHALLENGES_BYTES_MAX - table->bytes) {
        bytes_wipe(entry, entry->size);
        free(entry);
        return FAIL(ERR_OVERLOADED);
    }
    entry->device = device;
    list_append(&device->entries, &entry->of_device);
    device->count++;
    table->count++;
    table->bytes += entry->size;
    entry->serial = ++table->serial;
    entry->answer_by_us = entry->forget_us = now_us + CHALLENGE_ANSWER_MS * INT64_C(1000);
    list_append(&table->asked, &entry->links);
    return OK;
}

static struct err keep(struct challenges *table, const struct challenge_request *request, struct slice name,
                       int64_t now_us)
{
    INVARIANT(request->challenge.certificate_count <= CHALLENGE_CERTIFICATES_MAX);
    struct device *device = map_get(&table->devices, name);
    struct entry *former = find_asked(device, request->channel);
    if (former != NULL)
        entry_drop(table, former); // and the device, if that was all
    else if (device != NULL)
        forget_oldest(table, device, false);
    TRY(device_of(table, name, &device));
    struct err e = add(table, request, device, now_us);
    device_forget(table, device);
    return e;
}

// ---- what was kept
// --------------------------------------------------------------------------------------------------------

static bool holds(const struct entry *entry, int64_t now_us)
{
    return now_us < (has_answered(entry) ? entry->forget_us : entry->answer_by_us);
}

static struct entry *find_serial(const struct device *device, uint64_t channel, uint64_t serial)
{
    LIST_EACH (at, &device->entries) {
        struct entry *entry = CONTAINER_OF(at, struct entry, of_device);
        if (entry->channel == channel && entry->serial == serial)
            return entry;
    }
    return NULL;
}

static struct entry *find_fitting(const struct device *device, const struct challenge_request *request,
                                  int64_t now_us)
{
    struct entry *newest = NULL;
    LIST_EACH (at, &device->entries) {
        struct entry *entry = CONTAINER_OF(at, struct entry, of_device);
        if (entry->channel != request->channel || !holds(entry, now_us))
            continue;
        if (request->fits != NULL && request->fits(request, &entry->challenge))
            return entry;
        newest = entry;
    }
    return newest;
}

static struct err recall(const struct entry *entry, struct challenge_request *request)
{
    const struct challenge *kept = &entry->challenge;
    struct challenge *told = &request->challenge;
    *told = (struct challenge){.key = kept->key, .certificate_count = kept->certificate_count};
    request->serial = entry->serial;
    TRY(arena_copy(request->arena, kept->endorsement_key, &told->endorsement_key));
    TRY(arena_copy(request->arena, kept->storage_root_key, &told->storage_root_key));
    for (size_t i = 0; i < kept->certificate_count; i++)
        TRY(arena_copy(request->arena, kept->certificates[i], &told->certificates[i]));
    return OK;
}

static void keep_for_polls(struct challenges *table, struct entry *entry, int64_t now_us)
{
    list_remove(&entry->links);
    entry->forget_us = now_us + CHALLENGE_POLL_MS * INT64_C(1000);
    list_append(&table->claimed, &entry->links);
}

static void let_in(struct challenges *table, struct entry *entry, int64_t now_us)
{
    if (has_answered(entry))
        return;
    forget_oldest(table, entry->device, true);
    entry->let_in = true;
    keep_for_polls(table, entry, now_us);
}

static struct err claim(struct challenges *table, struct entry *entry, int64_t now_us)
{
    if (entry->claimed || entry->spent)
        return FAIL(ERR_CONFLICT);
    if (!has_answered(entry))
        forget_oldest(table, entry->device, true);
    entry->claimed = true;
    keep_for_polls(table, entry, now_us);
    return OK;
}

// What it was challenged with meanwhile counts.
static void give_back(struct challenges *table, struct entry *entry)
{
    if (find_asked(entry->device, entry->channel) != NULL)
        entry_drop(table, entry);
    else
        entry->claimed = false;
}

static void spend(struct challenges *table, struct entry *entry, int64_t now_us)
{
    LIST_EACH (at, &entry->device->entries) {
        struct entry *former = CONTAINER_OF(at, struct entry, of_device);
        if (former->channel == entry->channel && former->spent && former != entry)
            entry_drop(table, former);
    }
    entry->claimed = false;
    entry->spent = true;
    keep_for_polls(table, entry, now_us);
}

static struct err answer_from(struct challenges *table, struct entry *entry,
                              struct challenge_request *request, int64_t now_us)
{
    switch (request->verb) {
    case CHALLENGE_RECALL:
        return recall(entry, request);
    case CHALLENGE_LET_IN:
        let_in(table, entry, now_us);
        return OK;
    case CHALLENGE_CLAIM:
        return claim(table, entry, now_us);
    case CHALLENGE_GIVE_BACK:
        give_back(table, entry);
        return OK;
    case CHALLENGE_SPEND:
        spend(table, entry, now_us);
        return OK;
    case CHALLENGE_KEEP:
        break;
    }
    return FAIL(ERR_INTERNAL);
}

static struct err carry_out(struct challenges *table, struct challenge_request *request)
{
    uint8_t room[NAME_MAX_BYTES];
    struct buf name = {.at = room, .room = sizeof room, .cap = sizeof room};
    int64_t now_us = clock_monotonic_us(table->clock);
    sweep(table, &table->asked, now_us);
    sweep(table, &table->claimed, now_us);
    TRY(name_of_device(request, &name));
    if (request->verb == CHALLENGE_KEEP)
        return keep(table, request, buf_slice(&name), now_us);
    const struct device *device = map_get(&table->devices, buf_slice(&name));
    if (device == NULL)
        return FAIL(ERR_ABSENT);
    struct entry *entry = request->verb == CHALLENGE_RECALL
                              ? find_fitting(device, request, now_us)
                              : find_serial(device, request->channel, request->serial);
    if (entry == NULL || !holds(entry, now_us))
        return FAIL(ERR_ABSENT);
    return answer_from(table, entry, request, now_us);
}

// ---- mail
// --------------------------------------------------------------------------------------------------------

static void deliver(struct mail *mail)
{
    struct challenge_request *request = CONTAINER_OF(mail, struct challenge_request, mail);
    request->done(request);
}

static void arrived(struct mail *mail)
{
    struct challenge_request *request = CONTAINER_OF(mail, struct challenge_request, mail);
    struct challenges_client *client = request->client;
    request->result = carry_out(client->challenges, request);
    request->mail.deliver = deliver;
    atomic_fetch_add(&client->posting, 1);
    mailbox_post(client->replies, &request->mail);
    atomic_fetch_sub(&client->posting, 1);
}

void challenges_submit(struct challenges_client *client, struct challenge_request *request)
{
    request->client = client;
    request->mail.deliver = arrived;
    mailbox_post(client->challenges->owner, &request->mail);
}

// ---- from outside
// --------------------------------------------------------------------------------------------------------

struct err challenges_new(struct mailbox *owner, const struct clock *clock, uint64_t seed,
                          struct challenges **out)
{
    struct challenges *table = calloc(1, sizeof *table);
    *out = table;
    if (table == NULL)
        return FAIL(ERR_NO_MEMORY);
    table->owner = owner;
    table->clock = clock;
    map_init(&table->devices, seed);
    list_init(&table->asked);
    list_init(&table->claimed);
    return OK;
}

void challenges_free(struct challenges *table)
{
    if (table == NULL)
        return;
    struct list *const lists[] = {&table->asked, &table->claimed};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        LIST_EACH (at, lists[i])
            entry_drop(table, CONTAINER_OF(at, struct entry, links));
    }
    map_release(&table->devices);
    free(table);
}

struct err challenges_client_new(struct challenges *table, struct mailbox *replies,
                                 struct challenges_client **out)
{
    struct challenges_client *client = calloc(1, sizeof *client);
    *out = client;
    if (client == NULL)
        return FAIL(ERR_NO_MEMORY);
    client->challenges = table;
    client->replies = replies;
    return OK;
}

// The last answer may be taken while the owner's thread is still on its way out of the post.
void challenges_client_free(struct challenges_client *client)
{
    while (client != NULL && atomic_load(&client->posting) > 0) // a few instructions of another thread
        sched_yield();
    free(client);
}

size_t challenges_count(const struct challenges *table)
{
    return table->count;
}

// The port to the store. Requests are handed over and answered later, on the mailbox of the client that
// submitted them: always asynchronously, exactly once. A write is answered only after it is durable.
#pragma once

#include "base/arena.h"
#include "base/mailbox.h"
#include "domain/ca_certificate.h"
#include "domain/device.h"
#include "domain/enrollment.h"
#include "domain/query.h"
#include "domain/registration.h"

// What is kept. Records live in partitions; a key is canonical (lower case, except a device's). The numbers
// are in databases: a new one goes to the end.
enum store_table {
    STORE_SERVICE,      // struct service_record  partition ""        key: name
    STORE_ENROLLMENT,   // struct enrollment      partition: ID scope  key: registration ID
    STORE_GROUP,        // struct enrollment      partition: ID scope  key: group ID
    STORE_REGISTRATION, // struct registration    partition: ID scope  key: registration ID
    STORE_HUB,    // struct hub_record      partition ""        key: host; the embedded hubs' own settings
    STORE_DEVICE, // struct device          partition: hub host  key: device ID
    STORE_CERTIFICATE, // struct ca_certificate  partition: ID scope  key: name
    STORE_CRL,         // struct ca_crl          partition: ID scope  key: name of the CA certificate
    STORE_TABLES,
};

// A service or an embedded hub: a sealed document (service_document_write) with what it is found by beside
// it.
struct service_record {
    struct slice name;
    struct slice id_scope;
    struct slice document; // secret: sealed at rest
    int64_t created_us;
    int64_t updated_us;
    uint64_t etag;
};

struct hub_record {
    struct slice host;
    struct slice document; // secret: sealed at rest
    int64_t created_us;
    int64_t updated_us;
    uint64_t etag;
};

enum store_verb {
    STORE_GET, // found, or ERR_ABSENT
    STORE_PUT, // writes `record` if `condition` holds; on ERR_CONFLICT and ERR_ETAG, found is what is there
    STORE_DELETE,    // the same conditions; ERR_ABSENT when there is nothing
    STORE_QUERY,     // up to `limit` records in the order of their keys, after `after`, that match `where`
    STORE_COUNT,     // how many records match `where`
    STORE_ADMISSION, // all that is known about a device: see struct store_admission
};

enum store_condition {
    STORE_ALWAYS,
    STORE_IF_ABSENT,  // ERR_CONFLICT when there is a record
    STORE_IF_PRESENT, // ERR_ABSENT when there is none
    STORE_IF_MATCH,   // ERR_ABSENT when there is none, ERR_ETAG when its etag is not `match`
};

struct store_admission {
    struct enrollment *individual; // by registration ID, or NULL
    // Without words: only when there is no individual, the groups with symmetricKey attestation; the one that
    // admitted the device before comes first. With words: the groups that have one of them, or that refer
    // (c:) to one of the certificates found, whether or not there is an individual. Not to be changed: they
    // may be shared with other requests, until the arena of this one is released.
    struct enrollment **groups;
    size_t group_count;
    // The group named by the registration, of whatever attestation, or NULL.
    struct enrollment *former;
    // With words: what else has one of them. At most STORE_FOUND_MAX of each kind, groups too: the latest
    // written (updated_us) first, each once.
    struct ca_certificate **certificates;
    size_t certificate_count;
    struct enrollment **holders; // individual enrollments
    size_t holder_count;
    struct ca_crl **crls; // of the names asked for; one that is not there is left out
    size_t crl_count;
    struct registration *registration; // or NULL
};

enum { STORE_LIMIT_MAX = 1000, STORE_FOUND_MAX = 64, STORE_WORDS_MAX = 16 };

struct store_request {
    struct mail mail; // the store's

    enum store_verb verb;
    enum store_table table;
    struct slice partition; // QUERY and COUNT: empty means all partitions
    struct slice key;       // canonical
    enum store_condition condition;
    uint64_t match;
    const void *record; // PUT; its etag is the new one and must not be 0
    // PUT: another PUT, into another table, that is written if and only if this one is; both conditions are
    // checked first. When its condition fails, its result says so and this one's result is the same. Its
    // client, arena, done and mail are not used.
    struct store_request *also;
    const struct query_node *where; // NULL: all
    size_t limit;                   // QUERY: 1..STORE_LIMIT_MAX
    // ADMISSION of a device that shows certificates (domain/words.h): at most STORE_WORDS_MAX words, and with
    // them the canonical names of at most as many CA certificates whose revocation lists are wanted, each
    // once.
    const struct slice *words;
    size_t word_count;
    const struct slice *crls;
    size_t crl_count;
    struct slice after; // QUERY: the key to go on after, or empty. With all partitions: "partition\0key".

    // Everything above, and what it points to, belongs to the store until `done` is called. Results are made
    // in `arena`.
    struct arena *arena;
    void (*done)(struct store_request *request); // on the thread that delivers the client's mailbox
    void *context;

    struct err result;
    struct why why;
    void *found; // the table's struct, or NULL
    void **rows;
    size_t count;
    bool more;                    // QUERY: there are records after the last one
    struct slice last;            // QUERY: what to give as `after` to go on
    struct slice *row_partitions; // QUERY over all partitions: the partition of each row; else NULL
    struct store_admission admission;

    void *client; // the store's
};

struct store;
struct store_client;

struct store_methods {
    // One client per thread; replies go to `replies`, which outlives the client. Mail of the store's own goes
    // there too, and a write may not begin before that was delivered. Freeing the client waits for a thread
    // of the store that is just leaving that mailbox.
    struct err (*client_new)(struct store *store, struct mailbox *replies, struct store_client **out);
    void (*submit)(struct store_client *client, struct store_request *request);
    void (*client_free)(struct store_client *client); // no request of it is under way
    void (*free)(struct store *store);                // no clients are left
};

struct store {
    const struct store_methods *methods;
};

struct store_client {
    struct store *store;
};

static inline struct err store_client_new(struct store *store, struct mailbox *replies,
                                          struct store_client **out)
{
    return store->methods->client_new(store, replies, out);
}

static inline void store_submit(struct store_client *client, struct store_request *request)
{
    client->store->methods->submit(client, request);
}

static inline void store_client_free(struct store_client *client)
{
    if (client != NULL)
        client->store->methods->client_free(client);
}

static inline void store_free(struct store *store)
{
    if (store != NULL)
        store->methods->free(store);
}

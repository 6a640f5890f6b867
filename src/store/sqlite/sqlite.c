// The port: opening and closing, and which thread does what.
#include "store/sqlite/sqlite.h"

#include <stdlib.h>

#include "base/list.h"
#include "store/request.h"
#include "store/sqlite/file.h"
#include "store/sqlite/reader.h"
#include "store/sqlite/scan.h"
#include "store/sqlite/version.h"
#include "store/sqlite/writer.h"

enum { BATCH_CAP = 512, UNDER_WAY_CAP = 8192, QUERY_LIMIT_MS = 10000 };

struct sqlite_store {
    struct store store;
    char *path;
    int lock;
    const struct sealer *sealer;
    struct writer writer;
    struct scanner scanner;
    size_t under_way_cap;
    atomic_size_t under_way; // writes and queries
};

struct sqlite_client {
    struct store_client client;
    struct store_replies replies;
    struct reader reader;
    struct mail bell; // to the client's own mailbox: rings for the writer
    bool bell_posted;
};

static struct sqlite_store *store_of(struct sqlite_client *c)
{
    return CONTAINER_OF(c->client.store, struct sqlite_store, store);
}

// --- clients

static struct err client_new(struct store *store, struct mailbox *replies, struct store_client **out)
{
    struct sqlite_store *s = CONTAINER_OF(store, struct sqlite_store, store);
    struct sqlite_client *c = calloc(1, sizeof *c);
    if (c == NULL)
        return FAIL(ERR_NO_MEMORY);
    c->client.store = store;
    c->replies.to = replies;
    c->reader.connection.sealer = s->sealer;
    struct err e = connection_open(&c->reader.connection, s->path, CONNECTION_READS, NULL);
    if (failed(e)) {
        free(c);
        return e;
    }
    *out = &c->client;
    return OK;
}

static void client_free(struct store_client *client)
{
    struct sqlite_client *c = CONTAINER_OF(client, struct sqlite_client, client);
    store_replies_end(&c->replies);
    if (c->bell_posted) {
        (void)mailbox_withdraw(c->replies.to, &c->bell);
        mailbox_ring(&store_of(c)->writer.inbox);
    }
    groups_release(&c->reader.groups);
    connection_close(&c->reader.connection);
    free(c);
}

static void answer(struct store_request *request, struct err result)
{
    struct sqlite_client *c = request->client;
    atomic_fetch_sub(&store_of(c)->under_way, 1);
    store_request_answer(request, &c->replies, result);
}

static void ring(struct mail *mail)
{
    struct sqlite_client *c = CONTAINER_OF(mail, struct sqlite_client, bell);
    c->bell_posted = false;
    mailbox_ring(&store_of(c)->writer.inbox);
}

// The writer is rung for once all mail before this is delivered: whoever else writes then, of a crowd that
// arrived together, is in the same commit. The bell comes first, so that it is out of the mailbox before the
// last answer, after which the client may be freed.
static void write_soon(struct sqlite_client *c, struct store_request *request)
{
    if (!c->bell_posted) {
        c->bell_posted = true;
        c->bell.deliver = ring;
        mailbox_post(c->replies.to, &c->bell);
    }
    mailbox_put(&store_of(c)->writer.inbox, &request->mail);
}

// False when too many are under way; then it is answered.
static bool admit(struct sqlite_client *c, struct store_request *request)
{
    struct sqlite_store *s = store_of(c);
    if (atomic_fetch_add(&s->under_way, 1) < s->under_way_cap)
        return true;
    answer(request, FAIL(ERR_OVERLOADED));
    return false;
}

static void submit(struct store_client *client, struct store_request *request)
{
    struct sqlite_client *c = CONTAINER_OF(client, struct sqlite_client, client);
    struct sqlite_store *s = store_of(c);
    store_request_begin(request, c);
    struct err e = store_request_check(request);
    if (failed(e)) {
        store_request_answer(request, &c->replies, e);
        return;
    }
    switch (request->verb) {
    case STORE_GET:
        store_request_answer(request, &c->replies, reader_get(&c->reader, request));
        break;
    case STORE_ADMISSION:
        e = reader_admission(&c->reader, atomic_load(&s->writer.group_changes), request);
        store_request_answer(request, &c->replies, e);
        break;
    case STORE_PUT:
    case STORE_DELETE:
        if (admit(c, request))
            write_soon(c, request);
        break;
    case STORE_QUERY:
    case STORE_COUNT:
        if (admit(c, request))
            mailbox_post(&s->scanner.inbox, &request->mail);
        break;
    }
}

// --- closing

static void sqlite_free(struct store *store)
{
    struct sqlite_store *s = CONTAINER_OF(store, struct sqlite_store, store);
    scanner_stop(&s->scanner);
    connection_close(&s->scanner.connection);
    writer_stop(&s->writer);
    connection_close(&s->writer.connection); // the last one: empties the log into the database
    mailbox_release(&s->scanner.inbox);
    mailbox_release(&s->writer.inbox);
    file_unlock(s->lock);
    free(s->path);
    free(s);
}

static const struct store_methods methods = {client_new, submit, client_free, sqlite_free};

// --- opening

static struct err open_database(struct sqlite_store *s, struct why *why)
{
    TRY(file_lock(s->path, &s->lock, why));
    TRY(file_create(s->path, why));
    struct connection *c = &s->writer.connection;
    int version;
    TRY(connection_open(c, s->path, CONNECTION_WRITES, why));
    TRY(version_look(c, s->path, &version, why));
    TRY(connection_begin_writing(c, why));
    if (version == VERSION_NEW_FILE)
        TRY(version_make(c, why));
    else if (version < SCHEMA_VERSION)
        TRY(version_upgrade(c, s->path, version, s->writer.log, why));
    // the log lies beside the database by now; SQLite syncs the folder too, but does not look whether that
    // worked
    TRY(file_sync_folder(s->path, why));
    return connection_open(&s->scanner.connection, s->path, CONNECTION_READS, why);
}

static void take_options(struct sqlite_store *s, const struct store_sqlite_options *o)
{
    s->sealer = o->sealer;
    s->under_way_cap = o->under_way_cap > 0 ? o->under_way_cap : UNDER_WAY_CAP;
    s->writer.batch_cap = o->batch_cap > 0 ? o->batch_cap : BATCH_CAP;
    s->writer.clock = o->clock;
    s->writer.log = o->log;
    s->writer.on_fatal = o->on_fatal;
    s->writer.context = o->context;
    s->writer.answer = answer;
    s->writer.connection.sealer = o->sealer;
    s->writer.connection.random = o->random;
    s->scanner.clock = o->clock;
    s->scanner.limit_us = (o->query_limit_ms > 0 ? o->query_limit_ms : QUERY_LIMIT_MS) * 1000;
    s->scanner.answer = answer;
    s->scanner.connection.sealer = o->sealer;
}

struct err store_sqlite_open(const struct store_sqlite_options *options, struct store **out, struct why *why)
{
    *out = NULL;
    // SQLite would count its memory under one lock for all threads, and nobody asks for the sum. Refused, and
    // not needed, from the second store of a process on.
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    struct sqlite_store *s = calloc(1, sizeof *s);
    if (s == NULL)
        return FAIL(ERR_NO_MEMORY);
    s->store.methods = &methods;
    s->lock = -1;
    take_options(s, options);
    mailbox_init(&s->writer.inbox, NULL, NULL);
    mailbox_init(&s->scanner.inbox, NULL, NULL);
    s->path = strdup(options->path);
    struct err e = s->path != NULL ? open_database(s, why) : FAIL(ERR_NO_MEMORY);
    if (!failed(e))
        e = writer_start(&s->writer, why);
    if (!failed(e))
        e = scanner_start(&s->scanner, why);
    if (failed(e))
        sqlite_free(&s->store);
    else
        *out = &s->store;
    return e;
}

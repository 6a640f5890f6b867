// One thread owns the records; every request is a message to it.
#include "store/memory/memory.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/list.h"
#include "store/memory/index.h"

enum { UNDER_WAY_CAP = 8192, WAIT_MS = 60000 };

struct memory_store {
    struct store store;
    struct ordered tables[STORE_TABLES];
    struct index index;
    struct mailbox inbox;
    struct mail stop;
    pthread_t thread;
    bool running;
    size_t under_way_cap;
    atomic_size_t under_way;
};

struct memory_client {
    struct store_client client;
    struct store_replies replies;
};

// --- the records

static void record_free(enum store_table table, void *record)
{
    if (record == NULL)
        return;
    bytes_wipe(record, columns_size(table, record));
    free(record);
}

static struct err record_clone(enum store_table table, const void *record, void **out)
{
    *out = malloc(columns_size(table, record));
    if (*out == NULL)
        return FAIL(ERR_NO_MEMORY);
    columns_pack(table, record, *out);
    return OK;
}

static void *record_at(struct memory_store *s, enum store_table table, struct slice partition,
                       struct slice key)
{
    struct ordered_node *node = ordered_find(&s->tables[table], partition, key);
    return node != NULL ? *ordered_value(node) : NULL;
}

static struct err get(struct memory_store *s, struct store_request *r)
{
    void *record = record_at(s, r->table, r->partition, r->key);
    return record == NULL ? FAIL(ERR_ABSENT) : columns_copy(r->arena, r->table, record, &r->found);
}

// A record on its way in: once begun it cannot fail any more.
struct put {
    struct store_request *request;
    struct ordered_node *node;
    void *clone;
    bool created; // the node
};

static struct finders finders_there(const struct put *p)
{
    return finders_of(p->request->table, *ordered_value(p->node));
}

static struct err begin_put(struct memory_store *s, struct store_request *r, struct ordered_node *node,
                            struct put *p)
{
    *p = (struct put){.request = r, .node = node, .created = node == NULL};
    TRY(record_clone(r->table, r->record, &p->clone));
    struct err e = p->created ? ordered_insert(&s->tables[r->table], r->partition, r->key, &p->node) : OK;
    if (!failed(e)) {
        struct finders old = finders_there(p), new = finders_of(r->table, p->clone);
        e = index_add(&s->index, r, &new, &old);
    }
    if (failed(e)) {
        if (p->created && p->node != NULL)
            ordered_remove(&s->tables[r->table], p->node);
        record_free(r->table, p->clone);
    }
    return e;
}

static void end_put(struct memory_store *s, struct put *p)
{
    struct finders old = finders_there(p), new = finders_of(p->request->table, p->clone);
    index_remove(&s->index, p->request, &old, &new);
    record_free(p->request->table, *ordered_value(p->node));
    *ordered_value(p->node) = p->clone;
}

static void undo_put(struct memory_store *s, struct put *p)
{
    struct finders old = finders_there(p), new = finders_of(p->request->table, p->clone);
    index_remove(&s->index, p->request, &new, &old);
    record_free(p->request->table, p->clone);
    if (p->created)
        ordered_remove(&s->tables[p->request->table], p->node);
}

static void remove_record(struct memory_store *s, const struct store_request *r, struct ordered_node *node)
{
    struct finders old = finders_of(r->table, *ordered_value(node)), none = {0};
    index_remove(&s->index, r, &old, &none);
    record_free(r->table, *ordered_value(node));
    ordered_remove(&s->tables[r->table], node);
}

static struct err check_condition(struct memory_store *s, struct store_request *r, struct ordered_node **node,
                                  void **present)
{
    *node = ordered_find(&s->tables[r->table], r->partition, r->key);
    *present = *node != NULL ? *ordered_value(*node) : NULL;
    return store_request_condition(r, *present != NULL,
                                   *present != NULL ? columns_etag(r->table, *present) : 0);
}

// Both or neither.
static struct err put(struct memory_store *s, struct store_request *r, struct ordered_node *node,
                      struct ordered_node *also_node)
{
    struct put first, second;
    TRY(begin_put(s, r, node, &first));
    if (r->also != NULL) {
        struct err e = begin_put(s, r->also, also_node, &second);
        if (failed(e)) {
            undo_put(s, &first);
            return e;
        }
        end_put(s, &second);
    }
    end_put(s, &first);
    return OK;
}

static struct err change(struct memory_store *s, struct store_request *r)
{
    struct ordered_node *node = NULL;
    struct ordered_node *also_node = NULL;
    void *present = NULL;
    void *also_present = NULL;
    struct err e = check_condition(s, r, &node, &present);
    if (failed(e)) {
        if (present != NULL)
            TRY(columns_copy(r->arena, r->table, present, &r->found));
        return e;
    }
    if (r->also != NULL) {
        r->also->result = check_condition(s, r->also, &also_node, &also_present);
        TRY(r->also->result);
    }
    if (r->verb == STORE_PUT)
        return put(s, r, node, also_node);
    remove_record(s, r, node);
    return OK;
}

// --- looking through them

static struct err scan(struct memory_store *s, struct store_request *r)
{
    const struct query_node *where;
    bool joins = false;
    TRY(columns_where(r->arena, r->table, r->where, &where, &joins, &r->why));
    if (r->verb == STORE_QUERY)
        TRY(store_rows_begin(r));
    struct arena scratch = arena_capped(STORE_SCRATCH_MAX);
    struct slice partition, key;
    store_request_after(r, &partition, &key);
    bool full = false;
    for (struct ordered_node *node = ordered_after(&s->tables[r->table], partition, key, false);
         node != NULL && !full; node = ordered_next(node)) {
        partition = ordered_partition(node);
        key = ordered_key(node);
        if (r->partition.len > 0 && !slice_equal(partition, r->partition))
            break;
        const struct registration *state = joins ? record_at(s, STORE_REGISTRATION, partition, key) : NULL;
        bool matches;
        TRY(columns_match(where, r->table, *ordered_value(node), state, &scratch, &matches));
        if (matches && r->verb == STORE_COUNT)
            r->count++;
        else if (matches)
            TRY(store_rows_add(r, partition, key, *ordered_value(node), NULL, &full));
    }
    return OK;
}

static bool admits_keys(const struct enrollment *group)
{
    return group->attestation.type == ATTESTATION_SYMMETRIC_KEY;
}

static struct err admission_groups(void *context, struct store_request *r)
{
    struct memory_store *s = context;
    struct ordered *groups = &s->tables[STORE_GROUP];
    struct store_admission *a = &r->admission;
    struct ordered_node *first = ordered_after(groups, r->partition, (struct slice){0}, true);
    size_t count = 0;
    for (struct ordered_node *n = first; n != NULL && slice_equal(ordered_partition(n), r->partition);
         n = ordered_next(n))
        count += admits_keys(*ordered_value(n));
    if (count == 0)
        return OK;
    a->groups = arena_take_many(r->arena, count, sizeof *a->groups);
    if (a->groups == NULL)
        return FAIL(ERR_NO_MEMORY);
    for (struct ordered_node *n = first; a->group_count < count; n = ordered_next(n)) {
        if (!admits_keys(*ordered_value(n)))
            continue;
        void *copy;
        TRY(columns_copy(r->arena, STORE_GROUP, *ordered_value(n), &copy));
        size_t at = a->group_count++;
        a->groups[at] = copy;
        if (store_admitted_before(a->registration, ordered_key(n))) {
            a->groups[at] = a->groups[0];
            a->groups[0] = copy;
            a->former = copy;
        }
    }
    return OK;
}

static struct err admission_load(void *context, struct store_request *r, enum store_table table,
                                 struct slice key, void **out)
{
    const void *record = record_at(context, table, r->partition, key);
    *out = NULL;
    return record != NULL ? columns_copy(r->arena, table, record, out) : OK;
}

static struct err admission_look(void *context, struct store_request *r, struct slice word,
                                 struct found *found)
{
    const struct memory_store *s = context;
    return index_look(&s->index, r, word, found);
}

static struct err admission(struct memory_store *s, struct store_request *r)
{
    const struct admission_source source = {
        .context = s, .load = admission_load, .look = admission_look, .groups = admission_groups};
    return store_admission_read(&source, r);
}

// --- the thread

static struct err carry_out(struct memory_store *s, struct store_request *r)
{
    switch (r->verb) {
    case STORE_GET:
        return get(s, r);
    case STORE_PUT:
    case STORE_DELETE:
        return change(s, r);
    case STORE_QUERY:
    case STORE_COUNT:
        return scan(s, r);
    case STORE_ADMISSION:
        return admission(s, r);
    }
    return FAIL(ERR_INTERNAL);
}

static void *run(void *context)
{
    struct memory_store *s = context;
    for (;;) {
        for (struct mail *mail = mailbox_wait(&s->inbox, WAIT_MS), *next; mail != NULL; mail = next) {
            next = mail->next;
            if (mail == &s->stop)
                return NULL;
            struct store_request *r = CONTAINER_OF(mail, struct store_request, mail);
            struct memory_client *c = r->client;
            struct err e = carry_out(s, r);
            atomic_fetch_sub(&s->under_way, 1);
            store_request_answer(r, &c->replies, e);
        }
    }
}

// --- the port

static struct err client_new(struct store *store, struct mailbox *replies, struct store_client **out)
{
    struct memory_client *c = calloc(1, sizeof *c);
    if (c == NULL)
        return FAIL(ERR_NO_MEMORY);
    c->client.store = store;
    c->replies.to = replies;
    *out = &c->client;
    return OK;
}

static void client_free(struct store_client *client)
{
    struct memory_client *c = CONTAINER_OF(client, struct memory_client, client);
    store_replies_end(&c->replies);
    free(c);
}

static void submit(struct store_client *client, struct store_request *request)
{
    struct memory_client *c = CONTAINER_OF(client, struct memory_client, client);
    struct memory_store *s = CONTAINER_OF(client->store, struct memory_store, store);
    store_request_begin(request, c);
    struct err e = store_request_check(request);
    if (!failed(e) && atomic_fetch_add(&s->under_way, 1) >= s->under_way_cap) {
        atomic_fetch_sub(&s->under_way, 1);
        e = FAIL(ERR_OVERLOADED);
    }
    if (failed(e))
        store_request_answer(request, &c->replies, e);
    else
        mailbox_post(&s->inbox, &request->mail);
}

static void free_records(struct ordered *records, enum store_table table)
{
    struct ordered_node *node;
    while (records->head != NULL &&
           (node = ordered_after(records, (struct slice){0}, (struct slice){0}, true)) != NULL) {
        record_free(table, *ordered_value(node));
        ordered_remove(records, node);
    }
    ordered_release(records);
}

static void store_memory_free(struct store *store)
{
    struct memory_store *s = CONTAINER_OF(store, struct memory_store, store);
    if (s->running) {
        mailbox_post(&s->inbox, &s->stop);
        pthread_join(s->thread, NULL);
    }
    for (unsigned table = 0; table < STORE_TABLES; table++)
        free_records(&s->tables[table], (enum store_table)table);
    index_release(&s->index);
    mailbox_release(&s->inbox);
    free(s);
}

static const struct store_methods methods = {client_new, submit, client_free, store_memory_free};

struct err store_memory_new(const struct store_memory_options *options, struct store **out, struct why *why)
{
    *out = NULL;
    struct memory_store *s = calloc(1, sizeof *s);
    if (s == NULL)
        return FAIL(ERR_NO_MEMORY);
    s->store.methods = &methods;
    s->under_way_cap = options->under_way_cap > 0 ? options->under_way_cap : UNDER_WAY_CAP;
    mailbox_init(&s->inbox, NULL, NULL);
    struct err e = index_init(&s->index);
    for (unsigned table = 0; table < STORE_TABLES && !failed(e); table++)
        e = ordered_init(&s->tables[table]);
    if (!failed(e) && pthread_create(&s->thread, NULL, run, s) != 0)
        e = why_fail(why, ERR_SYSTEM, "No thread could be started for the store.");
    s->running = !failed(e);
    if (failed(e))
        store_memory_free(&s->store);
    else
        *out = &s->store;
    return e;
}

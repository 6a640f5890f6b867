// The bench that the conformance tests stand on, and the list of them.
#include "store/conformance_test.h"

#include <stdlib.h>

#include "base/list.h"

enum { ANSWER_MS = 20000, ARENA = 64 << 20 };

void bench_join(struct bench *b, struct store *store)
{
    b->store = store;
    b->arena = arena_capped(ARENA);
    mailbox_init(&b->replies, NULL, NULL);
    assert_ok(store_client_new(store, &b->replies, &b->client));
}

void bench_leave(struct bench *b)
{
    store_client_free(b->client);
    mailbox_release(&b->replies);
    arena_release(&b->arena);
}

struct wait {
    bool submitting;
    int answers;
};

static void answered(struct store_request *request)
{
    struct wait *wait = request->context;
    assert_false(wait->submitting);
    wait->answers++;
}

static void deliver_some(struct bench *b)
{
    struct mail *mail = mailbox_wait(&b->replies, ANSWER_MS);
    assert_non_null(mail);
    for (struct mail *next; mail != NULL; mail = next) {
        next = mail->next;
        mail->deliver(mail);
    }
}

struct err bench_do(struct bench *b, struct store_request *request)
{
    struct wait wait = {.submitting = true};
    if (request->arena == NULL)
        request->arena = &b->arena;
    request->done = answered;
    request->context = &wait;
    store_submit(b->client, request);
    wait.submitting = false;
    while (wait.answers == 0)
        deliver_some(b);
    assert_int_equal(wait.answers, 1);
    return request->result;
}

static void one_less(struct store_request *request)
{
    --*(size_t *)request->context;
}

void bench_submit(struct bench *b, struct store_request *request, size_t *left)
{
    request->arena = &b->arena;
    request->done = one_less;
    request->context = left;
    store_submit(b->client, request);
}

void bench_await(struct bench *b, const size_t *left)
{
    while (*left > 0)
        deliver_some(b);
}

struct err bench_put(struct bench *b, enum store_table table, const char *partition, const char *key,
                     const void *record, enum store_condition condition, uint64_t match)
{
    struct store_request r = {.verb = STORE_PUT,
                              .table = table,
                              .partition = slice_text(partition),
                              .key = slice_text(key),
                              .record = record,
                              .condition = condition,
                              .match = match};
    return bench_do(b, &r);
}

struct err bench_delete(struct bench *b, enum store_table table, const char *partition, const char *key,
                        enum store_condition condition, uint64_t match)
{
    struct store_request r = {.verb = STORE_DELETE,
                              .table = table,
                              .partition = slice_text(partition),
                              .key = slice_text(key),
                              .condition = condition,
                              .match = match};
    return bench_do(b, &r);
}

void *bench_get(struct bench *b, enum store_table table, const char *partition, const char *key)
{
    struct store_request r = {
        .verb = STORE_GET, .table = table, .partition = slice_text(partition), .key = slice_text(key)};
    struct err e = bench_do(b, &r);
    if (e.code == ERR_ABSENT) {
        assert_null(r.found);
        return NULL;
    }
    assert_ok(e);
    assert_non_null(r.found);
    return r.found;
}

const struct query_node *bench_where(struct bench *b, const char *where)
{
    struct query query = {0};
    struct why why = {0};
    struct slice text;
    if (where == NULL)
        return NULL;
    assert_ok(arena_printf(&b->arena, &text, "SELECT * WHERE %s", where));
    if (failed(query_parse(&b->arena, text, &query, &why)))
        fail_msg("%s: %s", where, why.text);
    return query.where;
}

size_t bench_count(struct bench *b, enum store_table table, const char *partition, const char *where)
{
    struct store_request r = {.verb = STORE_COUNT,
                              .table = table,
                              .partition = slice_text(partition),
                              .where = bench_where(b, where)};
    assert_ok(bench_do(b, &r));
    return r.count;
}

struct enrollment bench_enrollment(enum enrollment_kind kind, const char *id, uint64_t seed)
{
    struct enrollment e = {
        .kind = kind, .id = slice_text(id), .created_us = 1, .updated_us = 2, .etag = seed};
    e.attestation.type = ATTESTATION_SYMMETRIC_KEY;
    e.attestation.primary_key.len = e.attestation.secondary_key.len = 64;
    for (size_t i = 0; i < 64; i++) {
        e.attestation.primary_key.bytes[i] = (uint8_t)(seed * 31 + i);
        e.attestation.secondary_key.bytes[i] = (uint8_t)(seed * 17 + i * 3);
    }
    return e;
}

struct registration bench_registration(const char *id, const char *hub, uint64_t etag)
{
    return (struct registration){.id = slice_text(id),
                                 .status = STATUS_ASSIGNED,
                                 .substatus = SUBSTATUS_INITIAL_ASSIGNMENT,
                                 .enrollment_id = slice_text(id),
                                 .assigned_hub = slice_text(hub),
                                 .device_id = slice_text(id),
                                 .created_us = 1,
                                 .updated_us = 2,
                                 .etag = etag};
}

// --- the list

static struct conformance_factory *current_factory;

static int set_up(void **state)
{
    struct store *store;
    if (failed(current_factory->open(current_factory, 0, &store)))
        return -1;
    struct bench *b = calloc(1, sizeof *b);
    *state = b;
    if (b == NULL)
        return -1;
    b->factory = current_factory;
    bench_join(b, store);
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    bench_leave(b);
    current_factory->close(current_factory, b->store);
    free(b);
    return 0;
}

static size_t append(struct CMUnitTest *to, size_t at, const struct CMUnitTest *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[at + i] = from[i];
        to[at + i].setup_func = set_up;
        to[at + i].teardown_func = tear_down;
    }
    return at + count;
}

int store_conformance(const char *name, struct conformance_factory *factory)
{
    size_t all = conformance_record_count + conformance_query_count + conformance_admission_count +
                 conformance_thread_count + conformance_together_count + conformance_words_count;
    struct CMUnitTest *tests = calloc(all, sizeof *tests);
    if (tests == NULL)
        return 1;
    current_factory = factory;
    size_t at = append(tests, 0, conformance_record_tests, conformance_record_count);
    at = append(tests, at, conformance_query_tests, conformance_query_count);
    at = append(tests, at, conformance_admission_tests, conformance_admission_count);
    at = append(tests, at, conformance_thread_tests, conformance_thread_count);
    at = append(tests, at, conformance_together_tests, conformance_together_count);
    at = append(tests, at, conformance_words_tests, conformance_words_count);
    INVARIANT(at == all);
    int failures = _cmocka_run_group_tests(name, tests, all, NULL, NULL);
    free(tests);
    return failures;
}

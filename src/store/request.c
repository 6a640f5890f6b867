// The part of a request that is the same in every store.
#include "store/request.h"

#include <sched.h>

#include "base/list.h"
#include "store/admission.h"

static void forget_results(struct store_request *request, bool but_found)
{
    if (!but_found)
        request->found = NULL;
    request->rows = NULL;
    request->count = 0;
    request->more = false;
    request->last = (struct slice){0};
    request->row_partitions = NULL;
    request->admission = (struct store_admission){0};
}

void store_request_begin(struct store_request *request, void *client)
{
    request->client = client;
    request->result = OK;
    request->why.text[0] = '\0';
    forget_results(request, false);
    if (request->also != NULL)
        request->also->result = OK;
}

// An index has to hold the words.
static struct err check_words(const struct store_request *request)
{
    struct finders none = {0}, own = finders_of(request->table, request->record);
    struct slice rest = own.words, word;
    while (finders_next(&own, &none, &rest, &word)) {
        if (word.len > STORE_WORD_MAX)
            return FAIL(ERR_INVALID);
    }
    return OK;
}

struct err store_request_check(struct store_request *request)
{
    struct why *why = &request->why;
    bool many = request->verb == STORE_QUERY || request->verb == STORE_COUNT;
    if (!many && (request->key.len == 0 || request->key.len > STORE_KEY_MAX))
        return why_fail(why, ERR_INVALID, "A key has 1 to %d bytes.", STORE_KEY_MAX);
    if (request->verb == STORE_QUERY && (request->limit == 0 || request->limit > STORE_LIMIT_MAX))
        return why_fail(why, ERR_INVALID, "A query returns 1 to %d records at a time.", STORE_LIMIT_MAX);
    if (request->word_count > STORE_WORDS_MAX || request->crl_count > STORE_WORDS_MAX)
        return why_fail(why, ERR_INVALID, "A device is looked up by at most %d words.", STORE_WORDS_MAX);
    if (request->verb == STORE_PUT && columns_etag(request->table, request->record) == 0)
        return why_fail(why, ERR_INVALID, "A record needs an etag.");
    const struct store_request *also = request->also;
    if (request->verb == STORE_PUT &&
        (failed(check_words(request)) || (also != NULL && failed(check_words(also)))))
        return why_fail(why, ERR_INVALID, "A word that a record is found by has at most %d bytes.",
                        STORE_WORD_MAX);
    if (also != NULL && (request->verb != STORE_PUT || also->verb != STORE_PUT ||
                         also->table == request->table || also->also != NULL || also->key.len == 0 ||
                         also->key.len > STORE_KEY_MAX || columns_etag(also->table, also->record) == 0))
        return why_fail(why, ERR_INVALID, "What is written together is a PUT into another table.");
    return OK;
}

struct err store_request_condition(const struct store_request *request, bool present, uint64_t etag)
{
    if (request->verb == STORE_DELETE && !present)
        return FAIL(ERR_ABSENT);
    switch (request->condition) {
    case STORE_ALWAYS:
        return OK;
    case STORE_IF_ABSENT:
        return present ? FAIL(ERR_CONFLICT) : OK;
    case STORE_IF_PRESENT:
        return present ? OK : FAIL(ERR_ABSENT);
    case STORE_IF_MATCH:
        if (!present)
            return FAIL(ERR_ABSENT);
        return etag == request->match ? OK : FAIL(ERR_ETAG);
    }
    return FAIL(ERR_INTERNAL);
}

void store_request_after(const struct store_request *request, struct slice *partition, struct slice *key)
{
    *partition = request->partition;
    *key = request->after;
    if (request->partition.len == 0)
        (void)slice_cut(key, '\0', partition);
    if (key->at == NULL)
        *key = SLICE("");
    if (partition->at == NULL)
        *partition = SLICE("");
}

static void deliver(struct mail *mail)
{
    struct store_request *request = CONTAINER_OF(mail, struct store_request, mail);
    request->done(request);
}

void store_replies_end(struct store_replies *replies)
{
    while (atomic_load(&replies->posting) > 0) // a few instructions of another thread
        sched_yield();
}

void store_request_answer(struct store_request *request, struct store_replies *replies, struct err result)
{
    request->result = result;
    if (failed(result))
        forget_results(request, result.code == ERR_CONFLICT || result.code == ERR_ETAG);
    request->mail.deliver = deliver;
    atomic_fetch_add(&replies->posting, 1);
    mailbox_post(replies->to, &request->mail);
    atomic_fetch_sub(&replies->posting, 1);
}

struct err store_rows_begin(struct store_request *request)
{
    request->rows = arena_take_many(request->arena, request->limit, sizeof *request->rows);
    if (request->rows == NULL)
        return FAIL(ERR_NO_MEMORY);
    if (request->partition.len > 0)
        return OK;
    request->row_partitions =
        arena_take_many(request->arena, request->limit, sizeof *request->row_partitions);
    return request->row_partitions == NULL ? FAIL(ERR_NO_MEMORY) : OK;
}

// Where a page over all partitions ends: both parts of the place.
static struct err set_last(struct store_request *request, struct slice partition, struct slice key)
{
    if (request->partition.len > 0)
        return arena_copy(request->arena, key, &request->last);
    uint8_t *at = arena_take(request->arena, partition.len + 1 + key.len);
    if (at == NULL)
        return FAIL(ERR_NO_MEMORY);
    if (partition.len > 0)
        memcpy(at, partition.at, partition.len);
    memcpy(at + partition.len + 1, key.at, key.len);
    request->last = slice_of(at, partition.len + 1 + key.len);
    return OK;
}

struct err store_rows_add(struct store_request *request, struct slice partition, struct slice key,
                          const void *record, void **out, bool *full)
{
    *full = request->count == request->limit;
    if (*full) {
        request->more = true;
        return OK;
    }
    void *copy;
    TRY(columns_copy(request->arena, request->table, record, &copy));
    if (request->row_partitions != NULL)
        TRY(arena_copy(request->arena, partition, &request->row_partitions[request->count]));
    request->rows[request->count++] = copy;
    if (out != NULL)
        *out = copy;
    return request->count == request->limit ? set_last(request, partition, key) : OK;
}

bool store_admitted_before(const struct registration *registration, struct slice group_key)
{
    return registration != NULL && registration->enrollment_kind == ENROLLMENT_GROUP &&
           slice_equal(registration->enrollment_id, group_key);
}

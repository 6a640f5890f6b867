// STORE_ADMISSION: what is read for a device, in which order, and the words that records are found by
// (domain/words.h). The same in every store; a store brings its index of words and its reading.
#pragma once

#include "store/request.h"

// What an index holds of one record: each of its words, and when it was written, so that the latest come
// first.
struct finders {
    struct slice words;
    int64_t written_us;
};
// `record` may be NULL: there is none. A table without such a column has none either.
struct finders finders_of(enum store_table table, const void *record);
// Walks the words that `of` has and `but` has not: of the new record but the old one, what the index must
// take in; the other way round, what it must give up. *rest begins as of->words. A word may come twice.
bool finders_next(const struct finders *of, const struct finders *but, struct slice *rest,
                  struct slice *word);

// Records of one table that words led to, each once, the latest written first; of the same time in the order
// of their keys.
struct found {
    struct {
        int64_t written_us;
        struct slice key;
    } rows[STORE_FOUND_MAX];
    size_t count;
};
// The key is copied to the arena. When there is no room, the oldest gives way.
struct err found_add(struct found *found, struct arena *arena, int64_t written_us, struct slice key);

// How a store reads. All calls are for the partition of the request, and of one moment.
struct admission_source {
    void *context;
    // The record in the arena of the request, or NULL when there is none.
    struct err (*load)(void *context, struct store_request *request, enum store_table table, struct slice key,
                       void **out);
    // Adds what has the word, in found[table]: at least the STORE_FOUND_MAX latest of each table.
    struct err (*look)(void *context, struct store_request *request, struct slice word, struct found *found);
    // Puts the groups with symmetric keys into the admission, the one that admitted the device before first;
    // it is the former group, too.
    struct err (*groups)(void *context, struct store_request *request);
};
struct err store_admission_read(const struct admission_source *source, struct store_request *request);

// The index of words: which records are found by a word. Not thread-safe.
#pragma once

#include "store/admission.h"
#include "store/memory/ordered.h"

struct index {
    struct ordered words;
};

struct err index_init(struct index *index); // ERR_NO_MEMORY
void index_release(struct index *index);

// Takes in what `new` has and `old` has not. ERR_NO_MEMORY: nothing was taken in.
struct err index_add(struct index *index, const struct store_request *request, const struct finders *new,
                     const struct finders *old);
// Gives up what `old` has and `new` has not.
void index_remove(struct index *index, const struct store_request *request, const struct finders *old,
                  const struct finders *new);
// The look of struct admission_source.
struct err index_look(const struct index *index, const struct store_request *request, struct slice word,
                      struct found *found);

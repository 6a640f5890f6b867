// What a record is made of, one table per store_table: the one place that knows the name of each field in a
// database, its type, where it sits in the struct and what the query language calls it. Stores copy, write,
// read and match records through it. Not for SQL, and not for sealing: that is sqlite/.
#pragma once

#include "ports/store.h"

enum column_type {
    COLUMN_TEXT,    // struct slice
    COLUMN_BLOB,    // struct slice
    COLUMN_JSON,    // struct slice: the text of a JSON object or array
    COLUMN_FINDERS, // struct slice: the words that the record is found by (found.h); one such column at most
    COLUMN_SEALED,  // struct slice: secret, sealed at rest
    COLUMN_SECRET,  // struct secret: sealed at rest
    COLUMN_INTEGER, // int64_t
    COLUMN_TIME,    // int64_t: microseconds; a query compares it with a point in time
    COLUMN_ETAG,    // uint64_t
    COLUMN_WORD,    // an enum, kept as its word
    COLUMN_SWITCH,  // enum switch_state, kept as its word; to a query true or false, unset being false
    COLUMN_FLAG,    // bool
};

struct column {
    const char *name; // in SQL
    enum column_type type;
    size_t offset;             // of the field in the struct
    const struct names *words; // WORD and SWITCH
    const char *path;          // what a query calls it; NULL: it cannot be asked for
    const char *unset;         // WORD: what a query sees when the word is empty or "null"; NULL: nothing
    size_t present;      // offset of a bool or enum; while that is zero a query sees nothing. 0: always there
    bool zero_is_absent; // INTEGER: a query sees nothing in place of 0
};

struct columns {
    const char *name; // of the table, in SQL
    const struct column *list;
    size_t count;
    size_t size; // of the struct
};

enum { COLUMNS_MAX = 32 };

const struct columns *columns_of(enum store_table table);

uint64_t columns_etag(enum store_table table, const void *record);
// The column of a table by its type or name; NULL when it has none.
const struct column *columns_finders(enum store_table table);
const struct column *columns_named(enum store_table table, const char *name);
// The field of a record.
const void *column_field(const struct column *column, const void *record);
void *column_field_mut(const struct column *column, void *record);

// How many bytes the record takes as one piece: the struct and everything its slices point to.
size_t columns_size(enum store_table table, const void *record);
// Writes that piece, `columns_size` bytes at `at`, aligned for anything.
void columns_pack(enum store_table table, const void *record, void *at);
// A copy in the arena; ERR_NO_MEMORY.
struct err columns_copy(struct arena *arena, enum store_table table, const void *record, void **out);

// Whether a query on the table may name this path. Enrollments have `registrationState.…`, JSON fields any
// path below.
bool columns_known_path(enum store_table table, struct slice path);
// The tree with the text of points in time read, ready for columns_match. ERR_QUERY names an unknown path and
// the known ones, or the comparison that is no point in time. *joins (may be NULL): registrationState is
// asked for.
struct err columns_where(struct arena *arena, enum store_table table, const struct query_node *where,
                         const struct query_node **out, bool *joins, struct why *why);
// Whether the record matches a tree from columns_where. `registration` is the one of an individual enrollment
// or NULL: never registered. `scratch` is used and released. After an error (no memory, a JSON field that is
// no JSON) *matches means nothing.
struct err columns_match(const struct query_node *where, enum store_table table, const void *record,
                         const struct registration *registration, struct arena *scratch, bool *matches);

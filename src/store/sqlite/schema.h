// The text of all SQL, made from the columns of the records. Nothing of a request is ever part of it.
#pragma once

#include "base/buf.h"
#include "store/columns.h"

enum { SCHEMA_VERSION = 4, SCHEMA_APPLICATION = 0x55736872 /* "Ushr" */, SCHEMA_SQL_MAX = 16384 };

enum schema_statement {
    SCHEMA_GET,    // ?1 partition, ?2 key -> partition, key, columns
    SCHEMA_BEFORE, // ?1 partition, ?2 key -> etag, and of a table with words: updated_us, words
    SCHEMA_PUT,    // ?1 partition, ?2 key, ?3… columns
    SCHEMA_DELETE, // ?1 partition, ?2 key
    SCHEMA_GROUPS, // ?1 partition -> partition, key, columns of the groups that admit by key
    // the index of words; without a table
    SCHEMA_FIND,        // ?1 partition, ?2 word, ?3 table -> table, written_us, key, from that table on
    SCHEMA_WORD_PUT,    // ?1 partition, ?2 word, ?3 table, ?4 written_us, ?5 key
    SCHEMA_WORD_DELETE, // the same
    SCHEMA_SET_WORDS,   // ?1 partition, ?2 key, ?3 words; of a table with words
    SCHEMA_BEGIN_READ,
    SCHEMA_BEGIN_WRITE,
    SCHEMA_COMMIT,
    SCHEMA_ROLLBACK,
    SCHEMA_STATEMENTS,
};

// Parameter and column numbers of the first column of a record.
enum { SCHEMA_FIRST_PARAMETER = 3, SCHEMA_FIRST_COLUMN = 2 };

void schema_create(struct buf *out);  // all tables that are not there yet
void schema_indexes(struct buf *out); // all indexes that are not there yet; the columns are
// -> 1 when the table has the column, else 0
void schema_has_column(struct buf *out, enum store_table table, const struct column *column);
void schema_add_column(struct buf *out, enum store_table table, const struct column *column);
void schema_statement(struct buf *out, enum schema_statement statement, enum store_table table);

// What SQL may check by itself before the record is looked at; the tree is evaluated all the same.
enum { SCHEMA_HINTS_MAX = 8 };
struct schema_hints {
    const struct column *columns[SCHEMA_HINTS_MAX];
    struct slice values[SCHEMA_HINTS_MAX]; // ?3…: the column is equal to it; empty: it is not empty
    const char *words[SCHEMA_HINTS_MAX];   // or it is equal to this one
    size_t count;
    bool rest; // the tree asks for more than these
};
void schema_hints(const struct query_node *where, enum store_table table, struct schema_hints *out);
// Whether the hint has a parameter: its value is bound to SCHEMA_FIRST_PARAMETER + i.
static inline bool schema_hint_bound(const struct schema_hints *hints, size_t i)
{
    return hints->words[i] == NULL && hints->values[i].len > 0;
}
// ?1, ?2: the place to go on after; with one partition, ?1 is it. -> partition, key, columns in the order of
// the keys.
void schema_scan(struct buf *out, enum store_table table, bool all_partitions,
                 const struct schema_hints *hints);
// ?1: the partition. -> how many records there are for which the hints hold
void schema_count(struct buf *out, enum store_table table, bool all_partitions,
                  const struct schema_hints *hints);

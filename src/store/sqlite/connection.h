// One connection to the database and its prepared statements; used by one thread at a time. Not for threads:
// that is writer.h, reader.h and scan.h.
#pragma once

#include <sqlite3.h>

#include "crypto/seal.h"
#include "ports/random.h"
#include "store/sqlite/schema.h"

// Exactly one connection of the process writes and checkpoints; all others are opened to read, and never
// checkpoint (SQLite 3.40 loses data when two do at once).
enum connection_mode { CONNECTION_WRITES, CONNECTION_READS };

struct connection {
    sqlite3 *db;
    const struct sealer *sealer;
    struct random *random; // writer only
    sqlite3_stmt *statements[SCHEMA_STATEMENTS][STORE_TABLES];
    struct buf sealed; // one column being sealed
    struct buf plain;  // sealed columns of one row, opened; wiped after each row
};

// Changes nothing in the file, whatever it is.
struct err connection_open(struct connection *c, const char *path, enum connection_mode mode,
                           struct why *why);
// Once the file is known to be ours: from here on the connection may write, and empties the log when it is
// closed.
struct err connection_begin_writing(struct connection *c, struct why *why);
void connection_close(struct connection *c);

// Prepared once, when first needed, and reset. ERR_STORE.
struct err connection_statement(struct connection *c, enum schema_statement statement, enum store_table table,
                                sqlite3_stmt **out);
// A statement without parameters and rows.
struct err connection_run(struct connection *c, enum schema_statement statement);
// A text of several statements, or a pragma.
struct err connection_script(struct connection *c, const char *sql, struct why *why);
// The first column of the first row of a statement that has one.
struct err connection_number(struct connection *c, const char *sql, int64_t *out, struct why *why);

// What a result code of SQLite means to a request; the connection's message goes to why (may be NULL).
struct err connection_failure(struct connection *c, int code, struct why *why);

void bind_slice(sqlite3_stmt *statement, int parameter, struct slice text); // the empty slice is '', not NULL
struct slice column_slice(sqlite3_stmt *statement, int column);

// A record and a row of its table. Secrets are sealed on the way in and opened on the way out; a sealed
// column is bound to its place (table, partition, key, column), so that it opens nowhere else.
#pragma once

#include "store/sqlite/connection.h"

// Room for any record.
union row_record {
    struct service_record service;
    struct enrollment enrollment;
    struct registration registration;
    struct hub_record hub;
    struct device device;
    struct ca_certificate certificate;
    struct ca_crl crl;
};

// Binds all parameters of SCHEMA_PUT. The record must live until the statement has run.
struct err row_bind(struct connection *c, sqlite3_stmt *statement, enum store_table table,
                    struct slice partition, struct slice key, const void *record);
// The record in the current row without its secrets; its slices are valid until the statement moves.
// ERR_STORE when the row is damaged.
struct err row_view(sqlite3_stmt *statement, enum store_table table, union row_record *out, struct why *why);
struct slice row_partition(sqlite3_stmt *statement);
struct slice row_key(sqlite3_stmt *statement);
// Opens the secrets of a record from row_view. ERR_SEAL with why. row_forget wipes them, always after this.
struct err row_open(struct connection *c, sqlite3_stmt *statement, enum store_table table,
                    union row_record *record, struct why *why);
void row_forget(struct connection *c, union row_record *record);
// A copy of the current row, with its secrets, in the arena.
struct err row_load(struct connection *c, sqlite3_stmt *statement, enum store_table table,
                    struct arena *arena, void **out, struct why *why);
// One record by its key; *out stays NULL when there is none.
struct err row_get(struct connection *c, enum store_table table, struct slice partition, struct slice key,
                   struct arena *arena, void **out, struct why *why);

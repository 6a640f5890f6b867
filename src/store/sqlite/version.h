// Which version a database is of: told before anything is written, made in a new file, brought up to this one
// in an older.
#pragma once

#include "base/log.h"
#include "store/sqlite/connection.h"

enum { VERSION_NEW_FILE = 0 };

// Changes nothing. *out: the version, or VERSION_NEW_FILE. Refuses with why what is not ours or newer than us
// (ERR_CONFIG), and what was sealed with another master key than the connection's (ERR_SEAL).
struct err version_look(struct connection *c, const char *path, int *out, struct why *why);
// All tables, and what the master key is known by.
struct err version_make(struct connection *c, struct why *why);
// Adds the tables and columns that are missing, and makes the words of the enrollments that are there; all of
// it in one transaction, so that an interrupted start leaves the older version. Logs store.upgraded.
struct err version_upgrade(struct connection *c, const char *path, int from, const struct log *log,
                           struct why *why);

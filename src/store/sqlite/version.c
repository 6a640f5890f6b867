// A new file, a file of ours, a file of something else. Files of an older version: upgrade.c.
#include "store/sqlite/version.h"

// --- the master key

static const struct slice key_check_place = SLICE("usher master key check");
static const struct slice key_check_text = SLICE("the master key fits");

static struct err write_key_check(struct connection *c, struct why *why)
{
    uint8_t nonce[SEAL_NONCE_SIZE];
    random_fill_from(c->random, nonce, sizeof nonce);
    buf_clear(&c->sealed);
    TRY(seal(c->sealer, nonce, key_check_place, key_check_text, &c->sealed));
    sqlite3_stmt *s;
    TRY(connection_failure(
        c, sqlite3_prepare_v2(c->db, "INSERT INTO meta VALUES ('master_key_check', ?1)", -1, &s, NULL), why));
    sqlite3_bind_blob64(s, 1, c->sealed.at, c->sealed.len, SQLITE_STATIC);
    struct err e = connection_failure(c, sqlite3_step(s), why);
    sqlite3_finalize(s);
    return e;
}

static struct err check_key(struct connection *c, const char *path, struct why *why)
{
    sqlite3_stmt *s;
    TRY(connection_failure(
        c, sqlite3_prepare_v2(c->db, "SELECT value FROM meta WHERE name = 'master_key_check'", -1, &s, NULL),
        why));
    int code = sqlite3_step(s);
    struct err e = connection_failure(c, code, why);
    buf_clear(&c->plain);
    if (code == SQLITE_ROW)
        e = unseal(c->sealer, key_check_place, column_slice(s, 0), &c->plain, NULL);
    else if (code == SQLITE_DONE)
        e = FAIL(ERR_SEAL);
    sqlite3_finalize(s);
    if (e.code == ERR_SEAL)
        return why_fail(why, ERR_SEAL, "%s was sealed with another master key than the one given.", path);
    return e;
}

// --- what a file is

struct err version_look(struct connection *c, const char *path, int *out, struct why *why)
{
    int64_t application, version, tables;
    TRY(connection_number(c, "PRAGMA application_id", &application, why));
    TRY(connection_number(c, "PRAGMA user_version", &version, why));
    TRY(connection_number(c, "SELECT count(*) FROM sqlite_schema", &tables, why));
    *out = VERSION_NEW_FILE;
    if (application == 0 && version == 0 && tables == 0)
        return OK;
    if (application != SCHEMA_APPLICATION)
        return why_fail(why, ERR_CONFIG, "%s is a database of another program.", path);
    if (version > SCHEMA_VERSION)
        return why_fail(why, ERR_CONFIG,
                        "%s was written by a newer version (schema %lld; this one knows %d).", path,
                        (long long)version, SCHEMA_VERSION);
    *out = (int)version;
    return check_key(c, path, why);
}

// --- a new file

struct err version_make(struct connection *c, struct why *why)
{
    struct buf sql = buf_capped(SCHEMA_SQL_MAX);
    buf_text(&sql, "BEGIN IMMEDIATE;\n");
    schema_create(&sql);
    schema_indexes(&sql);
    buf_printf(&sql, "PRAGMA application_id=%d; PRAGMA user_version=%d;", SCHEMA_APPLICATION, SCHEMA_VERSION);
    buf_u8(&sql, 0);
    struct err e = buf_err(&sql);
    if (!failed(e))
        e = connection_script(c, (const char *)sql.at, why);
    if (!failed(e))
        e = write_key_check(c, why);
    if (!failed(e))
        e = connection_script(c, "COMMIT", why);
    buf_release(&sql);
    return e;
}

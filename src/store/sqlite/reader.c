// Small reads.
#include "store/sqlite/reader.h"

struct err reader_get(struct reader *reader, struct store_request *request)
{
    TRY(row_get(&reader->connection, request->table, request->partition, request->key, request->arena,
                &request->found, &request->why));
    return request->found == NULL ? FAIL(ERR_ABSENT) : OK;
}

static struct err admission(struct reader *reader, uint64_t changes, struct store_request *r)
{
    struct connection *c = &reader->connection;
    void *found;
    TRY(row_get(c, STORE_REGISTRATION, r->partition, r->key, r->arena, &found, &r->why));
    r->admission.registration = found;
    TRY(row_get(c, STORE_ENROLLMENT, r->partition, r->key, r->arena, &found, &r->why));
    r->admission.individual = found;
    return found != NULL ? OK : groups_admit(&reader->groups, c, changes, r);
}

// In one transaction: the registration and the enrollment are of the same moment, and the locks are taken
// once.
struct err reader_admission(struct reader *reader, uint64_t changes, struct store_request *request)
{
    TRY(connection_run(&reader->connection, SCHEMA_BEGIN_READ));
    struct err e = admission(reader, changes, request);
    struct err end = connection_run(&reader->connection, SCHEMA_COMMIT);
    return failed(e) ? e : end;
}

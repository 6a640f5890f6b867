// Reading, listing and deleting the records of devices that registered. Deleting one never touches a hub
// (service-api A.10).
#include "api/service/work.h"

#include "domain/identifier.h"
#include "domain/registration.h"

struct err registration_load(struct call *call)
{
    return enrollment_load(call);
}

struct err registration_show(struct call *call)
{
    const struct registration *found = call->request.found;
    struct json_writer writer;
    TRY(call_asked(call, ERR_REGISTRATION_NOT_FOUND));
    json_begin(&writer, &call->x->body);
    return registration_write(&writer, found, found->id);
}

struct err registration_delete(struct call *call)
{
    return enrollment_delete(call);
}

struct err registration_deleted(struct call *call)
{
    return enrollment_deleted(call);
}

struct err registration_list(struct call *call)
{
    struct slice group = {0};
    TRY(registration_id_check(call->names[0], "enrollmentGroupId", &call->why));
    TRY(arena_lower(&call->x->arena, call->names[0], &group));
    return listing_read(call, group);
}

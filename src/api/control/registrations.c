// What the service API does not show of a registration, because Azure's does not: where the device came from,
// where it is going, and what it left behind.
#include "api/control/work.h"

#include "domain/identifier.h"
#include "domain/registration.h"

struct err registration_find(struct call *call)
{
    struct slice key = {0};
    TRY(settings_loaded_required(call));
    TRY(registration_id_check(call->names[1], "registrationId", &call->why));
    TRY(arena_lower(&call->scratch, call->names[1], &key));
    return call_ask(call, (struct store_request){
                              .verb = STORE_GET,
                              .table = STORE_REGISTRATION,
                              .partition = work_of(call)->service->id_scope,
                              .key = key,
                          });
}

struct err registration_show_all(struct call *call)
{
    struct json_writer w;
    TRY(call_asked(call, ERR_REGISTRATION_NOT_FOUND));
    json_begin(&w, &call->x->body);
    return registration_write_all(&w, call->request.found);
}

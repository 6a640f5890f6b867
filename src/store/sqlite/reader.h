// What one client reads by itself, on its own thread, when it submits: GET and ADMISSION. A few microseconds
// each.
#pragma once

#include "store/sqlite/groups.h"

struct reader {
    struct connection connection;
    struct groups groups;
};

struct err reader_get(struct reader *reader, struct store_request *request);
// `changes`: the writer's group_changes, read before this call.
struct err reader_admission(struct reader *reader, uint64_t changes, struct store_request *request);

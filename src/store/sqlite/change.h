// Carrying out one write, within the transaction of a batch. Not for the batch: that is writer.h.
#pragma once

#include "store/sqlite/connection.h"

// What concerns this request alone is returned, and nothing was changed then. SQLite's own failure of a
// statement, and one that leaves half of the request done, goes to *broken as well, which ends the batch.
struct err change_carry_out(struct connection *c, struct store_request *r, int *broken);

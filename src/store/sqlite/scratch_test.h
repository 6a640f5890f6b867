// For the tests of the SQLite store: a database in a scratch folder, with a bench user, that can be closed
// and opened again.
#pragma once

#include "store/conformance_test.h"
#include "store/sqlite/sqlite.h"

struct scratch {
    char folder[64];
    char path[96]; // of the database
    struct sealer sealer;
    struct store_sqlite_options options;
    struct bench bench; // when open
    bool open;
    unsigned fatal_calls;
    _Atomic int64_t now_us; // what the clock says; it moves by `step_us` each time it is read
    _Atomic int64_t step_us;
    struct clock clock;
};

void scratch_init(struct scratch *s); // an empty folder, defaults for all options
void scratch_release(struct scratch *s);
void scratch_seal_with(struct scratch *s, uint8_t key); // a master key of this byte
void scratch_open(struct scratch *s);
struct err scratch_try_open(struct scratch *s, struct why *why);
void scratch_close(struct scratch *s);
// Turns the closed database into one of that older version with the same records, as far as that version knew
// them.
void scratch_make_version(struct scratch *s, int version);

extern struct random scratch_random;

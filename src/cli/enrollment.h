// What usher enrollment and usher group have in common: the JSON of an enrollment, from options.
#pragma once

#include "cli/cli.h"

struct enrollment_kind {
    const char *path;      // of the REST API
    const char *id_member; // in the JSON
    const char *word;      // in messages
    bool individual;
};

// Checks what can be checked without the service: --tags and --desired are objects, --enabled and --disabled
// do not meet. ERR_INVALID with why.
struct err enrollment_options_check(const struct cli_args *args, struct why *why);
// Appends the JSON of a new enrollment.
void enrollment_write_new(struct buf *out, const struct enrollment_kind *kind, const struct cli_args *args);
// Changes a record, as the service shows it, by the options, ready to be sent back: what the service alone
// sets goes, `mechanism` (NULL: leave it) is its attestation with the keys. Appends it to out.
struct err enrollment_write_changed(struct json_doc *record, const struct json *mechanism,
                                    const struct cli_args *args, struct buf *out, struct why *why);

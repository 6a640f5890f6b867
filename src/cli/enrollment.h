// What usher enrollment and usher group have in common: the JSON of an enrollment, from options.
#pragma once

#include <string.h>

#include "cli/cli.h"

struct enrollment_kind {
    const char *path;      // of the REST API
    const char *id_member; // in the JSON
    const char *word;      // in messages
    bool individual;
};

// How a device is to prove itself, where options say it and it is not by a symmetric key.
struct enrollment_proof {
    const char *type;     // x509 or tpm; NULL when options give neither
    const char *form;     // the member of that type that holds what follows; empty: not given
    bool named;           // CA certificates of the service, by name
    struct slice primary; // base64 of DER or of an endorsement key, or a name
    struct slice secondary;
    bool no_secondary; // what was there goes
};

static inline bool enrollment_proof_is_tpm(const struct enrollment_proof *proof)
{
    return proof->type != NULL && strcmp(proof->type, "tpm") == 0;
}

// Reads the files, and checks what can be checked without the service: --tags and --desired are objects,
// options that exclude each other. ERR_INVALID with why; ERR_SYSTEM for a file that cannot be read.
struct err enrollment_options_read(struct cli *cli, const struct enrollment_kind *kind,
                                   const struct cli_args *args, struct enrollment_proof *proof,
                                   struct why *why);
// Appends the JSON of a new enrollment.
void enrollment_write_new(struct buf *out, const struct enrollment_kind *kind, const struct cli_args *args,
                          const struct enrollment_proof *proof);
// Changes a record, as the service shows it, by the options, ready to be sent back: what the service alone
// sets goes, `mechanism` (NULL: leave it) is its attestation with the keys. Appends it to out.
struct err enrollment_write_changed(struct json_doc *record, const struct json *mechanism,
                                    const struct cli_args *args, const struct enrollment_proof *proof,
                                    struct buf *out, struct why *why);

// --- private to enrollment_body.c and enrollment_proof.c

bool enrollment_keys_given(const struct cli_args *args);
struct err enrollment_proof_read(struct cli *cli, const struct enrollment_kind *kind,
                                 const struct cli_args *args, struct enrollment_proof *proof,
                                 struct why *why);
// The member named as the type: as a whole, or as a merge patch for one that is there, which takes the other
// forms away.
void enrollment_proof_write(struct json_writer *w, const struct enrollment_proof *proof, bool patch);

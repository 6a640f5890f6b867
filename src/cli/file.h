// Files that verbs read and write: certificates, keys, revocation lists.
#pragma once

#include "cli/cli.h"

enum { CLI_FILE_MAX = 2 << 20 };

// A path as the system takes it, in the arena. ERR_INVALID for one with a NUL.
struct err cli_file_path(struct cli *cli, struct slice path, const char **out, struct why *why);
// All of a file, in the arena. ERR_SYSTEM with why, which names the file; ERR_CAPPED for one longer than
// CLI_FILE_MAX.
struct err cli_file_read(struct cli *cli, struct slice path, struct slice *content, struct why *why);
// Makes a file that must not be there yet: it is never overwritten (ERR_CONFLICT). Nothing is left when it
// cannot be written (ERR_SYSTEM).
struct err cli_file_write_new(struct cli *cli, struct slice path, struct slice content, unsigned mode,
                              struct why *why);
bool cli_file_there(struct cli *cli, struct slice path);

// The one certificate in a file (PEM, DER or base64 of either), in the arena. ERR_INVALID with why, which
// names the option and the file: not a certificate, several of them, a private key beside it.
struct err cli_file_certificate(struct cli *cli, const char *option, struct slice path, struct slice *der,
                                struct why *why);
// A word that a shell takes as it is, in the arena: in quotes when it has to be.
struct err cli_shell_word(struct cli *cli, struct slice word, struct slice *out);

// The folder of a bench PKI, as usher pki makes it. For each NAME in it:
//   NAME.pem        the certificate
//   NAME.key        its key, which its owner alone may read
//   NAME-chain.pem  the certificate and the intermediates above it, nearest first, without the root
#pragma once

#include "cli/cli.h"
#include "crypto/bench_pki.h"

#define PKI_ROOT         SLICE("root")
#define PKI_INTERMEDIATE "intermediate"
enum { PKI_INTERMEDIATES_MAX = 3 }; // between root and device: a longer chain is refused by the service

struct pki_folder {
    struct cli *cli;
    struct slice path;
    struct slice word; // the path as a shell takes it
    enum bench_key key;
    int64_t now_us;
    struct table made; // file, what it is
    struct json_writer json;
    struct buf files; // a JSON array of the files made
};

// `make`: the folder is made when it is missing, else it must be there. pki_folder_release is always due.
struct err pki_folder_open(struct pki_folder *folder, struct cli *cli, struct slice path, bool make,
                           struct why *why);
void pki_folder_release(struct pki_folder *folder);
// PATH/NAME{suffix}, in the arena.
struct err pki_path(struct pki_folder *folder, struct slice name, const char *suffix, struct slice *out);

// A device's name is its registration ID, and any name is one of a file: 1 to 64 of A-Z a-z 0-9 - . _ : that
// end in a letter, a digit or a dash. `what` begins the line that refuses it ("the device").
struct err pki_name_check(const char *what, struct slice name, struct why *why);
// ERR_CONFLICT when one of the files that NAME would have is there.
struct err pki_free(struct pki_folder *folder, struct slice name, struct why *why);
// The issuer that is meant when none is given: the highest of intermediate1, intermediate2, …, else the root.
struct err pki_last_issuer(struct pki_folder *folder, struct slice *name);

struct pki_wanted {
    enum bench_role role;
    struct slice name; // of the files
    struct slice common_name;
    struct slice issuer; // the name of its files; empty: self-signed
    int days;            // 0: as the role says
};
// Makes key, certificate and, below an issuer, chain, and notes them. For BENCH_VERIFICATION the certificate
// only: nobody needs its key.
struct err pki_make(struct pki_folder *folder, const struct pki_wanted *wanted, struct why *why);
// What was made, as a table or, with --json, as {"folder":…,"files":[…]}.
void pki_print(struct pki_folder *folder);

// For unit tests only: TPM devices of a world, without a TPM. What was planted is read from the table of
// challenges, as only the TPM could.
#pragma once

#include "flow/flow_bench_test.h"

enum { TPMS = 3 };

// The public keys of a TPM, of which TPM2B_PUBLIC are made (device-protocol 6.1).
struct tpm {
    uint8_t endorsement_key[316];
    uint8_t storage_root_key[284];
};

// 0..TPMS-1: the same one each time.
const struct tpm *tpm_of(unsigned number);
void put_tpm_enrollment(struct world *w, const char *id, const struct tpm *tpm);
// The key of the challenge that waits for this device; len 0: none does.
struct secret planted(struct world *w, const char *id, uint64_t channel);
// As many challenges of others as the table takes.
void fill_challenges(struct world *w);

struct tpm_call {
    enum flow_verb verb;
    const char *id;
    const char *operation;
    uint64_t channel;
    const struct tpm *tpm;    // said in the request, or NULL
    const struct secret *key; // the token is made with it; NULL: none is sent
};
// A device's JSON with this TPM, and `more` members in front of it ("\"a\":1,", or ""). In w->arena.
const char *tpm_json(struct world *w, const char *more, const struct tpm *tpm);
// A token of dev `id`, made with the key. In w->arena.
const char *token_of(struct world *w, const char *id, const struct secret *key);
void ask_with_tpm(struct world *w, const struct tpm_call *call);

// Public keys that TPMs send (TPM2B_PUBLIC). What is taken is of one size for its policy, says RSA 2048, is
// the same again when it is taken as the other of the two keys, and has a name; a blob is made for what is
// taken and for nothing else, of the documented size; no input leaves anything in OpenSSL's error queue.
#include <openssl/err.h>

#include "crypto/tpm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WITHOUT_POLICY = 284, WITH_POLICY = WITHOUT_POLICY + 32, BLOB = 798 };

static void plant(struct slice public, bool taken)
{
    static const struct secret key = {.bytes = {1}, .len = 32};
    static const struct tpm_seeds seeds;
    struct why why;
    struct buf blob = buf_capped(TPM_BLOB_MAX);
    struct err e = tpm_activation_blob(public, public, &key, SLICE("hint"), &seeds, &blob, &why);
    INVARIANT(taken ? !failed(e) && blob.len == BLOB + 4 : e.code == ERR_INVALID && blob.len == 0);
    buf_release(&blob);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice public = slice_of(data, size);
    struct why why = {0};
    char id[TPM_REGISTRATION_ID];
    bool taken = !failed(tpm_public_check(public, TPM_ENDORSEMENT_KEY, &why));
    INVARIANT(taken == (why.text[0] == '\0'));
    INVARIANT(taken == !failed(tpm_public_check(public, TPM_STORAGE_ROOT_KEY, &why)));
    INVARIANT(!taken || size == WITHOUT_POLICY || size == WITH_POLICY);
    plant(public, taken);
    INVARIANT(!failed(tpm_registration_id(public, id)) && tpm_is_registration_id(slice_of(id, sizeof id)));
    (void)tpm_certificate_is_of(slice_to(public, 64), public, &why).code;
    INVARIANT(ERR_peek_error() == 0);
    return 0;
}

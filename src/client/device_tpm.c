// A TPM through the TPM2 Software Stack: the steps of device-protocol 6.5.
#include "client/device_tpm.h"

#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

#include "base/secret.h"

enum {
    EK_HANDLE = 0x81010001, // where TPMs keep them, when they do (device-protocol 6.1)
    SRK_HANDLE = 0x81000001,
    EK_CERTIFICATE_INDEX = 0x01c00002, // of the RSA-2048 one (TCG EK Credential Profile 2.2.1.4)
    CERTIFICATE_MAX = 4096,
    NV_PIECE = 512, // bytes that any TPM gives at once
    PUBLIC_ROOM = sizeof(TPM2B_PUBLIC),
};

struct public_key {
    ESYS_TR handle;
    uint8_t bytes[PUBLIC_ROOM];
    size_t len;
    bool transient;
};

struct device_tpm {
    TSS2_TCTI_CONTEXT *tcti;
    ESYS_CONTEXT *esys;
    struct public_key endorsement;
    struct public_key storage;
    ESYS_TR planted; // ESYS_TR_NONE: no key yet
};

// PolicySecret(TPM_RH_ENDORSEMENT), the policy of endorsement keys (TCG EK Credential Profile B.3.3)
static const uint8_t endorsement_policy[] = {0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc,
                                             0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52,
                                             0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa};

static const TPMT_SYM_DEF_OBJECT aes_128_cfb = {
    .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB};

// What a primary key is derived from, besides the TPM's seed: the templates of device-protocol 6.1.
static TPM2B_PUBLIC template_of(bool endorsement)
{
    TPM2B_PUBLIC t = {0};
    TPMA_OBJECT common = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |
                         TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;
    t.publicArea.type = TPM2_ALG_RSA;
    t.publicArea.nameAlg = TPM2_ALG_SHA256;
    t.publicArea.objectAttributes =
        common | (endorsement ? TPMA_OBJECT_ADMINWITHPOLICY : TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA);
    if (endorsement) {
        t.publicArea.authPolicy.size = sizeof endorsement_policy;
        memcpy(t.publicArea.authPolicy.buffer, endorsement_policy, sizeof endorsement_policy);
    }
    t.publicArea.parameters.rsaDetail.symmetric = aes_128_cfb;
    t.publicArea.parameters.rsaDetail.scheme.scheme = TPM2_ALG_NULL;
    t.publicArea.parameters.rsaDetail.keyBits = 2048;
    t.publicArea.unique.rsa.size = 256;
    return t;
}

static struct err failure(enum err_code code, struct why *why, const char *doing, TSS2_RC rc)
{
    return why_fail(why, code, "the TPM: %s: %s", doing, Tss2_RC_Decode(rc));
}

static void flush(struct device_tpm *tpm, ESYS_TR *handle)
{
    if (*handle != ESYS_TR_NONE)
        (void)Esys_FlushContext(tpm->esys, *handle);
    *handle = ESYS_TR_NONE;
}

static struct err keep_public(struct public_key *key, const TPM2B_PUBLIC *public, struct why *why)
{
    key->len = 0;
    TSS2_RC rc = Tss2_MU_TPM2B_PUBLIC_Marshal(public, key->bytes, sizeof key->bytes, &key->len);
    return rc == TSS2_RC_SUCCESS ? OK : failure(ERR_SYSTEM, why, "its public key cannot be read", rc);
}

static bool persistent(struct device_tpm *tpm, TPM2_HANDLE handle, struct public_key *key,
                       TPM2B_PUBLIC **public)
{
    return Esys_TR_FromTPMPublic(tpm->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &key->handle) ==
               TSS2_RC_SUCCESS &&
           Esys_ReadPublic(tpm->esys, key->handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, public, NULL,
                           NULL) == TSS2_RC_SUCCESS;
}

// The key at its usual place, or else the one that the TPM derives from the usual template.
static struct err find_key(struct device_tpm *tpm, bool endorsement, struct public_key *key, struct why *why)
{
    TPM2B_PUBLIC *public = NULL;
    if (!persistent(tpm, endorsement ? EK_HANDLE : SRK_HANDLE, key, &public)) {
        TPM2B_PUBLIC wanted = template_of(endorsement);
        TPM2B_SENSITIVE_CREATE nothing = {.size = 4};
        TPM2B_DATA outside = {0};
        TPML_PCR_SELECTION pcrs = {0};
        TSS2_RC rc = Esys_CreatePrimary(tpm->esys, endorsement ? ESYS_TR_RH_ENDORSEMENT : ESYS_TR_RH_OWNER,
                                        ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &nothing, &wanted,
                                        &outside, &pcrs, &key->handle, &public, NULL, NULL, NULL);
        if (rc != TSS2_RC_SUCCESS)
            return failure(ERR_SYSTEM, why,
                           endorsement ? "its endorsement key cannot be made"
                                       : "its storage root key cannot be made",
                           rc);
        key->transient = true;
    }
    struct err e = keep_public(key, public, why);
    Esys_Free(public);
    return e;
}

struct err device_tpm_open(const char *tcti, struct device_tpm **out, struct why *why)
{
    struct device_tpm *tpm = calloc(1, sizeof *tpm);
    *out = NULL;
    if (tpm == NULL)
        return FAIL(ERR_NO_MEMORY);
    tpm->planted = tpm->endorsement.handle = tpm->storage.handle = ESYS_TR_NONE;
    (void)setenv("TSS2_LOG", "all+NONE", 0); // what goes wrong is said by us, once
    struct err e = OK;
    TSS2_RC rc = Tss2_TctiLdr_Initialize(tcti, &tpm->tcti);
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_Initialize(&tpm->esys, tpm->tcti, NULL);
    if (rc != TSS2_RC_SUCCESS)
        e = why_fail(
            why, ERR_SYSTEM,
            "no TPM at '%s': %s. It must be there, and you may need a right to open it; the forms are "
            "device:PATH and swtpm:host=HOST,port=N",
            tcti, Tss2_RC_Decode(rc));
    if (!failed(e))
        e = find_key(tpm, true, &tpm->endorsement, why);
    if (!failed(e))
        e = find_key(tpm, false, &tpm->storage, why);
    if (failed(e))
        device_tpm_close(tpm);
    else
        *out = tpm;
    return e;
}

static void let_go(struct device_tpm *tpm, struct public_key *key)
{
    if (key->handle != ESYS_TR_NONE && key->transient)
        flush(tpm, &key->handle);
    else if (key->handle != ESYS_TR_NONE)
        (void)Esys_TR_Close(tpm->esys, &key->handle);
}

void device_tpm_close(struct device_tpm *tpm)
{
    if (tpm == NULL)
        return;
    if (tpm->esys != NULL) {
        flush(tpm, &tpm->planted);
        let_go(tpm, &tpm->endorsement);
        let_go(tpm, &tpm->storage);
        Esys_Finalize(&tpm->esys);
    }
    Tss2_TctiLdr_Finalize(&tpm->tcti);
    free(tpm);
}

struct slice device_tpm_endorsement_key(const struct device_tpm *tpm)
{
    return slice_of(tpm->endorsement.bytes, tpm->endorsement.len);
}

struct slice device_tpm_storage_root_key(const struct device_tpm *tpm)
{
    return slice_of(tpm->storage.bytes, tpm->storage.len);
}

// ---- the certificate of the endorsement key

// The memory may be larger than the certificate: its own length counts (X.690 8.1.3).
static struct slice trim_der(struct slice bytes)
{
    if (bytes.len < 4 || bytes.at[0] != 0x30 || bytes.at[1] != 0x82)
        return bytes;
    return slice_to(bytes, 4 + ((size_t)bytes.at[2] << 8 | bytes.at[3]));
}

static struct err read_piece(struct device_tpm *tpm, ESYS_TR index, size_t from, size_t size, uint8_t *to,
                             size_t *len, struct why *why)
{
    TPM2B_MAX_NV_BUFFER *piece = NULL;
    TSS2_RC rc =
        Esys_NV_Read(tpm->esys, ESYS_TR_RH_OWNER, index, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                     (UINT16)(size < NV_PIECE ? size : NV_PIECE), (UINT16)from, &piece);
    if (rc != TSS2_RC_SUCCESS)
        return failure(ERR_SYSTEM, why, "the certificate of its endorsement key cannot be read", rc);
    *len = piece->size < size ? piece->size : size;
    memcpy(to, piece->buffer, *len);
    Esys_Free(piece);
    return *len > 0 ? OK : why_fail(why, ERR_SYSTEM, "the TPM gives an empty piece of a certificate");
}

struct err device_tpm_certificate(struct device_tpm *tpm, struct arena *arena, struct slice *der,
                                  struct why *why)
{
    ESYS_TR index = ESYS_TR_NONE;
    TPM2B_NV_PUBLIC *about = NULL;
    uint8_t bytes[CERTIFICATE_MAX];
    *der = (struct slice){0};
    if (Esys_TR_FromTPMPublic(tpm->esys, EK_CERTIFICATE_INDEX, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                              &index) != TSS2_RC_SUCCESS)
        return OK; // it has none
    struct err e = OK;
    TSS2_RC rc = Esys_NV_ReadPublic(tpm->esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &about, NULL);
    if (rc != TSS2_RC_SUCCESS)
        e = failure(ERR_SYSTEM, why, "the certificate of its endorsement key cannot be read", rc);
    size_t size = failed(e) ? 0 : about->nvPublic.dataSize, have = 0, len = 0;
    Esys_Free(about);
    if (size > sizeof bytes)
        e = why_fail(why, ERR_SYSTEM, "the TPM's certificate has %zu bytes: at most %zu are taken", size,
                     sizeof bytes);
    for (; have < size && !failed(e); have += len)
        e = read_piece(tpm, index, have, size - have, bytes + have, &len, why);
    (void)Esys_TR_Close(tpm->esys, &index);
    return failed(e) ? e : arena_copy(arena, trim_der(slice_of(bytes, have)), der);
}

// ---- what the service plants

// The members of an activation blob (device-protocol 6.2).
struct blob {
    TPM2B_ID_OBJECT credential;
    TPM2B_ENCRYPTED_SECRET credential_seed;
    TPM2B_PRIVATE duplicate;
    TPM2B_ENCRYPTED_SECRET duplicate_seed;
    TPM2B_PUBLIC public;
};

static bool blob_read(struct slice bytes, struct blob *out)
{
    size_t at = 0;
    return Tss2_MU_TPM2B_ID_OBJECT_Unmarshal(bytes.at, bytes.len, &at, &out->credential) == 0 &&
           Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal(bytes.at, bytes.len, &at, &out->credential_seed) == 0 &&
           Tss2_MU_TPM2B_PRIVATE_Unmarshal(bytes.at, bytes.len, &at, &out->duplicate) == 0 &&
           Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal(bytes.at, bytes.len, &at, &out->duplicate_seed) == 0 &&
           Tss2_MU_TPM2B_PUBLIC_Unmarshal(bytes.at, bytes.len, &at, &out->public) == 0;
}

// A session in which the endorsement key may be used.
static TSS2_RC open_session(struct device_tpm *tpm, ESYS_TR *session)
{
    TPMT_SYM_DEF none = {.algorithm = TPM2_ALG_NULL};
    TSS2_RC rc = Esys_StartAuthSession(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                       ESYS_TR_NONE, NULL, TPM2_SE_POLICY, &none, TPM2_ALG_SHA256, session);
    return rc != TSS2_RC_SUCCESS
               ? rc
               : Esys_PolicySecret(tpm->esys, ESYS_TR_RH_ENDORSEMENT, *session, ESYS_TR_PASSWORD,
                                   ESYS_TR_NONE, ESYS_TR_NONE, NULL, NULL, NULL, 0, NULL, NULL);
}

// ActivateCredential: only this TPM can take out the key that the rest is wrapped with.
static TSS2_RC unwrap(struct device_tpm *tpm, const struct blob *blob, TPM2B_DIGEST **inner)
{
    ESYS_TR session = ESYS_TR_NONE;
    TSS2_RC rc = open_session(tpm, &session);
    if (rc == TSS2_RC_SUCCESS)
        rc =
            Esys_ActivateCredential(tpm->esys, tpm->storage.handle, tpm->endorsement.handle, ESYS_TR_PASSWORD,
                                    session, ESYS_TR_NONE, &blob->credential, &blob->credential_seed, inner);
    flush(tpm, &session); // it would go on, and a TPM has room for three
    return rc;
}

struct err device_tpm_activate(struct device_tpm *tpm, struct slice bytes, struct why *why)
{
    struct blob blob = {0};
    TPM2B_DIGEST *inner = NULL;
    TPM2B_PRIVATE *private = NULL;
    if (!blob_read(bytes, &blob))
        return why_fail(why, ERR_CONFLICT, "what the service sent for the TPM is not an activation blob");
    const char *doing = "what the service sent was not made for this TPM";
    TSS2_RC rc = unwrap(tpm, &blob, &inner);
    if (rc == TSS2_RC_SUCCESS) {
        TPM2B_DATA key = {.size = inner->size};
        memcpy(key.buffer, inner->buffer, inner->size);
        doing = "the key that the service sent cannot be imported";
        rc = Esys_Import(tpm->esys, tpm->storage.handle, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &key,
                         &blob.public, &blob.duplicate, &blob.duplicate_seed, &aes_128_cfb, &private);
        bytes_wipe(&key, sizeof key);
    }
    if (rc == TSS2_RC_SUCCESS) {
        flush(tpm, &tpm->planted); // a TPM has room for three
        rc = Esys_Load(tpm->esys, tpm->storage.handle, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, private,
                       &blob.public, &tpm->planted);
    }
    if (inner != NULL)
        bytes_wipe(inner, sizeof *inner);
    Esys_Free(inner);
    Esys_Free(private);
    return rc == TSS2_RC_SUCCESS ? OK : failure(ERR_CONFLICT, why, doing, rc);
}

struct err device_tpm_sign(struct device_tpm *tpm, struct slice message, uint8_t out[SHA256_SIZE],
                           struct why *why)
{
    TPM2B_MAX_BUFFER text = {.size = (UINT16)message.len};
    TPM2B_DIGEST *digest = NULL;
    if (tpm->planted == ESYS_TR_NONE || message.len > sizeof text.buffer)
        return why_fail(why, ERR_INVALID, "the TPM has no key to sign with, or the text is too long");
    memcpy(text.buffer, message.at, message.len);
    TSS2_RC rc = Esys_HMAC(tpm->esys, tpm->planted, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &text,
                           TPM2_ALG_SHA256, &digest);
    if (rc != TSS2_RC_SUCCESS)
        return failure(ERR_SYSTEM, why, "it cannot sign", rc);
    bool fits = digest->size == SHA256_SIZE;
    if (fits)
        memcpy(out, digest->buffer, SHA256_SIZE);
    Esys_Free(digest);
    return fits ? OK : why_fail(why, ERR_SYSTEM, "the TPM's signature has a wrong length");
}

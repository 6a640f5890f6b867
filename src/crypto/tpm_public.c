// TPM2B_PUBLIC by an allow-list (TPM 2.0 Part 2, 12.2.4): the two templates that devices of
// device-protocol 6.1 use, with what may differ between TPMs left open.
#include "base/cursor.h"
#include "crypto/modulus.h"
#include "crypto/tpm_inside.h"

// TPM_ALG_ID (TPM 2.0 Part 2, 6.3)
enum { RSA = 0x0001, AES = 0x0006, SHA256 = 0x000b, ALG_NULL = 0x0010, ECC = 0x0023, CFB = 0x0043 };

// TPMA_OBJECT (TPM 2.0 Part 2, 8.3). What is in none of these lists is reserved.
#define FIXED_TPM             UINT32_C(0x00000002)
#define ST_CLEAR              UINT32_C(0x00000004)
#define FIXED_PARENT          UINT32_C(0x00000010)
#define SENSITIVE_DATA_ORIGIN UINT32_C(0x00000020)
#define USER_WITH_AUTH        UINT32_C(0x00000040)
#define ADMIN_WITH_POLICY     UINT32_C(0x00000080)
#define NO_DA                 UINT32_C(0x00000400)
#define RESTRICTED            UINT32_C(0x00010000)
#define DECRYPT               UINT32_C(0x00020000)
#define ALLOWED               (ST_CLEAR | USER_WITH_AUTH | ADMIN_WITH_POLICY | NO_DA)

static const struct {
    uint32_t bit;
    const char *missing;
} demanded[] = {
    {RESTRICTED, "is not restricted: it would decrypt anything for anybody"},
    {DECRYPT, "is not a decryption key"},
    {FIXED_TPM, "is not fixedTPM: it could be moved to another TPM"},
    {FIXED_PARENT, "is not fixedParent: it could be moved to another TPM"},
    {SENSITIVE_DATA_ORIGIN, "was not made inside its TPM (sensitiveDataOrigin)"},
};

const char *tpm_key_name(enum tpm_key which)
{
    return which == TPM_ENDORSEMENT_KEY ? "endorsement key" : "storage root key";
}

static const char *attributes_problem(uint32_t attributes)
{
    uint32_t all = ALLOWED;
    for (size_t i = 0; i < sizeof demanded / sizeof demanded[0]; i++) {
        if ((attributes & demanded[i].bit) == 0)
            return demanded[i].missing;
        all |= demanded[i].bit;
    }
    return (attributes & ~all) == 0 ? NULL : "is for signing or duplicating, too, or has unknown attributes";
}

static const char *type_problem(uint16_t type)
{
    return type == RSA   ? NULL
           : type == ECC ? "is an elliptic curve (ECC) key: only RSA 2048 is supported"
                         : "is not an RSA key";
}

// TPMS_RSA_PARMS
static const char *parameters_problem(struct cursor *at, struct tpm_public *out)
{
    uint16_t symmetric = cursor_u16(at);
    if (symmetric != AES)
        return "does not protect its children with AES";
    out->symmetric_bits = cursor_u16(at);
    if (out->symmetric_bits != 128 && out->symmetric_bits != 256)
        return "does not protect its children with AES-128 or AES-256";
    if (cursor_u16(at) != CFB)
        return "does not use AES in CFB mode";
    if (cursor_u16(at) != ALG_NULL)
        return "has a scheme, which a restricted decryption key must not have";
    if (cursor_u16(at) != TPM_MODULUS * 8)
        return "is not of 2048 bits: only RSA 2048 is supported";
    uint32_t exponent = cursor_u32(at);
    return exponent == 0 || exponent == TPM_EXPONENT ? NULL : "has an exponent other than 65537";
}

// Which policy the key has is not asked. Vendors have several (TCG EK Credential Profile 2.x: templates L and
// H), operators may set their own for the storage root key; and it guards the owner of the TPM against others
// on the same machine, not the service: what proves the key to us is that it is enrolled, or certified.
static const char *area_problem(struct cursor *at, struct tpm_public *out)
{
    const char *problem = type_problem(cursor_u16(at));
    if (problem != NULL)
        return problem;
    if (cursor_u16(at) != SHA256)
        return "is named by another digest than SHA-256";
    problem = attributes_problem(cursor_u32(at));
    if (problem != NULL)
        return problem;
    uint16_t policy = cursor_u16(at);
    if (policy != 0 && policy != SHA256_SIZE)
        return "has a policy that is no SHA-256 digest";
    (void)cursor_bytes(at, policy);
    problem = parameters_problem(at, out);
    if (problem != NULL)
        return problem;
    if (cursor_u16(at) != TPM_MODULUS)
        return "has a modulus that is not of 256 bytes";
    out->modulus = cursor_bytes(at, TPM_MODULUS);
    return NULL;
}

static const char *modulus_problem(struct slice modulus)
{
    if ((modulus.at[0] & 0x80) == 0)
        return "has a modulus of less than 2048 bits";
    if ((modulus.at[modulus.len - 1] & 1) == 0)
        return "has an even modulus";
    struct modulus_flaws flaws = modulus_judge(modulus);
    return flaws.small_factor ? "has a modulus with a small factor"
           : flaws.roca ? "can be factored (ROCA, CVE-2017-15361): its TPM needs new firmware and a new key"
                        : NULL;
}

struct err tpm_public_read(struct slice tpm2b_public, enum tpm_key which, struct tpm_public *out,
                           struct why *why)
{
    const char *name = tpm_key_name(which);
    struct cursor at = cursor_over(tpm2b_public);
    *out = (struct tpm_public){0};
    if (tpm2b_public.len > TPM_PUBLIC_MAX)
        return why_fail(why, ERR_INVALID, "the %s is longer than %d bytes", name, TPM_PUBLIC_MAX);
    if (cursor_u16(&at) != at.rest.len || at.rest.len == 0)
        return why_fail(why, ERR_INVALID, "the %s is not a TPM2B_PUBLIC: its size does not fit", name);
    out->area = at.rest;
    const char *problem = area_problem(&at, out);
    if (!cursor_ok(&at))
        problem = "is cut off"; // what was read after the end means nothing
    else if (problem == NULL && !cursor_done(&at))
        problem = "has bytes after its end";
    if (problem == NULL)
        problem = modulus_problem(out->modulus);
    return problem == NULL ? OK : why_fail(why, ERR_INVALID, "the %s %s", name, problem);
}

struct err tpm_public_check(struct slice tpm2b_public, enum tpm_key which, struct why *why)
{
    struct tpm_public found;
    return tpm_public_read(tpm2b_public, which, &found, why);
}

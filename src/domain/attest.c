// The proof itself, as far as it does not depend on who the device is (device-protocol 5).
#include "domain/match.h"

#include "domain/ways.h"

enum { CLOCK_SKEW_S = 5 * 60, LONG_LIVED_S = 366 * 24 * 3600 };

// A device may say that its token is for registering; nothing else (device-protocol 5).
static struct err check_policy(const struct sas_token *token, struct arena *arena, struct why *why)
{
    struct slice policy = {0};
    TRY(sas_policy(token, arena, &policy, why));
    if (policy.len == 0 || slice_equal_nocase(policy, SLICE("registration")))
        return OK;
    return why_fail(why, ERR_POLICY_UNKNOWN, "a device's token has skn=registration or no skn, not %.*s",
                    SLICE_ARG(slice_to(policy, 64)));
}

static struct err attest_token(const struct admission *admission, struct arena *arena, struct why *why)
{
    struct slice resource = {0};
    const struct sas_token *token = &admission->credential.sas;
    TRY(arena_printf(arena, &resource, "%.*s/registrations/%.*s", SLICE_ARG(admission->service->id_scope),
                     SLICE_ARG(admission->registration_id)));
    TRY(sas_resource_is(token, arena, resource, why));
    TRY(check_policy(token, arena, why));
    if (sas_expired(token, admission->now_us, CLOCK_SKEW_S)) {
        return why_fail(
            why, ERR_SAS_EXPIRED,
            "the token expired %lld s ago: check the device's clock, or make a new token before each "
            "registration",
            (long long)(admission->now_us / 1000000 - token->expiry_s));
    }
    return OK;
}

// That the device holds the certificate's key was proved by the TLS handshake (device-protocol 7.1).
static struct err attest_certificate(const struct admission *admission, struct why *why)
{
    const struct chain *chain = admission->credential.chain;
    const struct why *problem = chain_problem(chain);
    if (problem != NULL)
        return why_fail(why, ERR_CERTIFICATE_REFUSED, "%s", problem->text);
    struct slice name = chain_common_name(chain);
    if (slice_equal_nocase(name, admission->registration_id))
        return OK;
    if (name.len == 0)
        return why_fail(why, ERR_IDENTITY_MISMATCH,
                        "the device's certificate must have one common name, the registration ID %.*s; it "
                        "has none, or several",
                        SLICE_ARG(admission->registration_id));
    return why_fail(why, ERR_IDENTITY_MISMATCH,
                    "the certificate's common name is %.*s and the registration ID %.*s: they must be the "
                    "same",
                    SLICE_ARG(slice_to(name, 64)), SLICE_ARG(slice_to(admission->registration_id, 64)));
}

// That the challenge reached this TPM alone is what its wrapping is for (device-protocol 6); so whoever made
// a token with its key is this TPM, or somebody that it works for. Until then the TPM has only been named.
static struct err attest_tpm(const struct admission *admission, struct arena *arena, struct why *why)
{
    const struct credential *credential = &admission->credential;
    if (!credential->answered)
        return OK;
    TRY(attest_token(admission, arena, why));
    struct err e = sas_verify(&credential->sas, &credential->challenge, NULL);
    return e.code != ERR_SAS_SIGNATURE
               ? e
               : why_fail(
                     why, ERR_SAS_SIGNATURE,
                     "the key of the latest challenge did not make the signature: another TPM made it, or "
                     "it answers an earlier challenge; ask for a new one and sign with its key");
}

struct err attest_credential(const struct admission *admission, struct arena *arena, struct why *why)
{
    const struct credential *credential = &admission->credential;
    if (credential->kind == CREDENTIAL_SAS)
        return attest_token(admission, arena, why);
    if (credential->kind == CREDENTIAL_X509 && credential->chain != NULL)
        return attest_certificate(admission, why);
    if (credential->kind == CREDENTIAL_TPM)
        return attest_tpm(admission, arena, why);
    return why_fail(why, ERR_CREDENTIAL_MISSING,
                    "the device sent no shared access signature and showed no certificate");
}

void attest_nothing(const struct credential *credential)
{
    struct secret no_key = {.len = 32};
    struct err e = sas_verify(&credential->sas, &no_key, &no_key);
    (void)e; // whatever it found, it was not a key of anybody
}

void attest_tell(const struct admission *admission, struct trace *trace, struct arena *arena)
{
    const struct credential *credential = &admission->credential;
    if (credential->kind == CREDENTIAL_X509) {
        ways_warn_expiry(admission->now_us, SLICE("the device's own certificate"),
                         chain_not_after_us(credential->chain), trace, arena);
        trace_add(trace, arena, "attest", "the certificate holds, and the device has its key");
        return;
    }
    if (credential->kind == CREDENTIAL_TPM && !credential->answered) {
        trace_add(trace, arena, "attest", "nothing is proved yet: the TPM gets a challenge");
        return;
    }
    // threats B5: warned of, not refused, because there are clients that sign for years
    bool long_lived = credential->sas.expiry_s - admission->now_us / 1000000 > LONG_LIVED_S;
    trace_add(trace, arena, "attest", "the shared access signature%s holds%s",
              credential->kind == CREDENTIAL_TPM ? ", which answers the challenge," : "",
              long_lived ? ", for more than a year: whoever reads the token can use it as long" : "");
}

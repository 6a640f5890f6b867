// A token is judged by the keys of the device or of a policy; a certificate by its thumbprint and its dates
// alone: whoever signed it does not matter to a hub that was told exactly which one it is.
#include "embedded/credential.h"

#include "base/text.h"
#include "crypto/hmac.h"

// ---- the token ----------------------------------------------------------------------------------
struct err embedded_token_names(const struct sas_token *token, struct slice id, struct arena *scratch,
                                struct why *why)
{
    struct slice resource;
    struct slice part = {0};
    TRY(percent_decode(scratch, token->resource, &resource));
    for (int i = 0; i < 3; i++) { // {host}, "devices" or "twins", {id}
        if (!slice_cut(&resource, '/', &part) || slice_empty(part))
            return OK;
    }
    if (slice_equal(part, id))
        return OK;
    return why_fail(why, ERR_SAS_RESOURCE, "sr names another device");
}

static struct err token_covers(const struct session *s, struct arena *scratch, struct why *why)
{
    struct slice path;
    TRY(arena_printf(scratch, &path, "devices/%.*s", (int)s->id.len, (const char *)s->id.at));
    TRY(sas_resource_covers(&s->token, scratch, s->hub->host, path, why));
    return embedded_token_names(&s->token, s->id, scratch, why);
}

static struct err policy_verify(const struct session *s, struct slice name, struct why *why)
{
    const struct policy *policy = hub_settings_policy(&s->hub->settings, name);
    struct err e = sas_verify(&s->token, policy != NULL ? &policy->primary : NULL,
                              policy != NULL ? &policy->secondary : NULL);
    if (failed(e))
        return why_fail(why, e.code, "no key of policy '%.*s' made the signature",
                        SLICE_ARG(slice_to(name, 64)));
    if (policy == NULL || (policy->rights & HUB_DEVICE_CONNECT) == 0)
        return why_fail(why, ERR_RIGHT_MISSING, "the policy lacks DeviceConnect");
    return OK;
}

static struct err device_verify(const struct session *s, const struct device *device, struct why *why)
{
    bool keys = device != NULL && device->authentication == HUB_AUTH_SAS;
    struct err e =
        sas_verify(&s->token, keys ? &device->primary_key : NULL, keys ? &device->secondary_key : NULL);
    if (!failed(e) || device == NULL)
        return e;
    return why_fail(why, e.code, "%s",
                    keys ? "neither of the device's keys made the signature"
                         : "the hub knows the device by its certificate, not by a key");
}

static struct err token_judge(const struct session *s, const struct device *device, struct arena *scratch,
                              struct why *why)
{
    struct slice policy;
    TRY(sas_policy(&s->token, scratch, &policy, why));
    struct err e = slice_empty(policy) ? device_verify(s, device, why) : policy_verify(s, policy, why);
    if (device == NULL && (!failed(e) || slice_empty(policy)))
        return why_fail(why, ERR_HUB_DEVICE_NOT_FOUND, "the hub has no such device");
    TRY(e);
    TRY(token_covers(s, scratch, why));
    if (sas_expired(&s->token, embedded_wall_us(s->embedded), 0))
        return why_fail(why, ERR_SAS_EXPIRED, "the token ended at %lld", (long long)s->token.expiry_s);
    return OK;
}

// ---- the certificate ----------------------------------------------------------------------------
// A thumbprint is known by its length: SHA-1 or SHA-256, in hexadecimal digits of either case.
static struct err thumbprint_is(struct slice thumbprint, const struct chain *chain, bool *is)
{
    uint8_t digest[SHA1_SIZE];
    uint8_t room[2 * FINGERPRINT_SIZE];
    struct slice text = digest_text(chain_fingerprint(chain), FINGERPRINT_SIZE, room);
    if (thumbprint.len == (size_t)2 * SHA1_SIZE) {
        TRY(chain_sha1(chain, digest));
        text = digest_text(digest, SHA1_SIZE, room);
    }
    *is = slice_equal_nocase(thumbprint, text);
    return OK;
}

static struct err thumbprint_judge(const struct device *device, const struct chain *chain, struct why *why)
{
    bool known = false;
    TRY(thumbprint_is(device->primary_thumbprint, chain, &known));
    if (!known)
        TRY(thumbprint_is(device->secondary_thumbprint, chain, &known));
    if (known)
        return OK;
    uint8_t room[2 * FINGERPRINT_SIZE];
    struct slice text = digest_text(chain_fingerprint(chain), FINGERPRINT_SIZE, room);
    return why_fail(why, ERR_CERTIFICATE_UNTRUSTED,
                    "the certificate with thumbprint %.*s is neither of the two that the identity names",
                    SLICE_ARG(text));
}

static struct err dates_judge(const struct chain *chain, int64_t now_us, struct why *why)
{
    if (now_us < chain_not_before_us(chain))
        return why_fail(why, ERR_CERTIFICATE_EXPIRED, "the device's certificate is not valid yet");
    if (now_us > chain_not_after_us(chain))
        return why_fail(why, ERR_CERTIFICATE_EXPIRED, "the device's certificate has expired");
    return OK;
}

static struct err certificate_judge(struct session *s, const struct device *device, struct why *why)
{
    struct chain *chain = mqtt_link_chain(s->link);
    if (chain == NULL)
        return why_fail(why, ERR_CREDENTIAL_MISSING, "the device shows neither a token nor a certificate");
    if (device == NULL)
        return why_fail(why, ERR_HUB_DEVICE_NOT_FOUND, "the hub has no such device");
    if (device->authentication == HUB_AUTH_SAS)
        return why_fail(why, ERR_CREDENTIAL_MISSING,
                        "the hub knows the device by its keys: the password must hold a token");
    if (device->authentication != HUB_AUTH_SELF_SIGNED)
        return why_fail(why, ERR_HUB_CALLER, "the identity's type of authentication is not selfSigned");
    if (chain_problem(chain) != NULL)
        return why_fail(why, ERR_CERTIFICATE_REFUSED, "%s", chain_problem(chain)->text);
    TRY(thumbprint_judge(device, chain, why));
    return dates_judge(chain, embedded_wall_us(s->embedded), why);
}

// ---- either -------------------------------------------------------------------------------------
struct err credential_judge(struct session *s, const struct device *device, struct why *why)
{
    if (s->has_token) {
        struct arena scratch = arena_capped(3 * SAS_TOKEN_MAX);
        struct err e = token_judge(s, device, &scratch, why);
        arena_release(&scratch);
        TRY(e);
    } else {
        TRY(certificate_judge(s, device, why));
    }
    if (device->status == DEVICE_DISABLED)
        return why_fail(why, ERR_HUB_CALLER, "the device is disabled");
    return OK;
}

int64_t credential_ends_us(struct session *s, const char **awaited)
{
    if (s->has_token) {
        *awaited = "a new token: the one given has expired";
        return s->token.expiry_s * 1000000;
    }
    *awaited = "a new certificate: the one shown has expired";
    return chain_not_after_us(mqtt_link_chain(s->link));
}

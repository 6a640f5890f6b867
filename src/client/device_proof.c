// How a device proves itself: tokens made with its key or by its TPM, and what travels for the TPM
// (device-protocol 3.4, 5 and 6.5).
#include "base/text.h"
#include "client/device_steps.h"
#include "client/wait.h"
#include "json/json.h"

// The TPM makes the signature: nobody else has the key.
static struct err sign_by_tpm(struct device_tpm *tpm, struct slice resource, struct slice policy,
                              struct buf *out, struct why *why)
{
    uint8_t signature[SHA256_SIZE] = {0};
    int64_t expiry_s = wait_wall_s() + DEVICE_TOKEN_S;
    struct buf text = buf_capped(4096);
    sas_to_sign(&text, resource, expiry_s);
    struct err e = buf_err(&text);
    if (!failed(e))
        e = device_tpm_sign(tpm, buf_slice(&text), signature, why);
    sas_assemble(out, resource, expiry_s, signature, policy);
    buf_release(&text);
    return e;
}

struct err device_token(const struct device_settings *settings, struct arena *arena, struct slice resource,
                        struct slice policy, const char **token, struct why *why)
{
    *token = NULL;
    if (settings->certificate_file != NULL)
        return OK;
    struct buf encoded = buf_capped(4096), out = buf_capped(SAS_TOKEN_MAX);
    struct err e = OK;
    percent_encode(&encoded, resource);
    if (settings->tpm != NULL)
        e = sign_by_tpm(settings->tpm, buf_slice(&encoded), policy, &out, why);
    else
        sas_sign(&out, buf_slice(&encoded), wait_wall_s() + DEVICE_TOKEN_S, &settings->key, policy);
    if (!failed(e))
        e = buf_err(&encoded);
    if (!failed(e))
        e = buf_err(&out);
    *token = failed(e) ? NULL : arena_cstr(arena, buf_slice(&out));
    bytes_wipe(out.at, out.room);
    buf_release(&encoded);
    buf_release(&out);
    return !failed(e) && *token == NULL ? FAIL(ERR_NO_MEMORY) : e;
}

struct err device_take_key(const struct device_settings *settings, struct arena *arena,
                           const struct json *holder, struct why *why)
{
    struct slice text = json_as_string(json_get(holder, "authenticationKey"));
    struct slice blob;
    if (slice_empty(text) || failed(b64_decode_arena(arena, text, &blob)))
        return why_fail(why, ERR_PROTOCOL, "the service sent no key for the TPM");
    return device_tpm_activate(settings->tpm, blob, why);
}

static void write_base64(struct json_writer *w, const char *member, struct slice bytes)
{
    struct buf text = buf_capped(8 * 1024);
    b64_encode(&text, bytes);
    if (failed(buf_err(&text)))
        w->out->broken = text.broken;
    if (member != NULL)
        json_field_text(w, member, buf_slice(&text));
    else
        json_text(w, buf_slice(&text));
    buf_release(&text);
}

void device_write_tpm(const struct device_settings *settings, struct json_writer *w)
{
    json_key(w, "tpm");
    json_object_open(w);
    write_base64(w, "endorsementKey", device_tpm_endorsement_key(settings->tpm));
    write_base64(w, "storageRootKey", device_tpm_storage_root_key(settings->tpm));
    if (settings->endorsement_certificate_count > 0) {
        json_key(w, "endorsementCertificates");
        json_array_open(w);
        for (size_t i = 0; i < settings->endorsement_certificate_count; i++)
            write_base64(w, NULL, settings->endorsement_certificates[i]);
        json_array_close(w);
    }
    json_object_close(w);
}

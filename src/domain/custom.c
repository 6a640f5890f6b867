// The AllocationRequest (service-api C.1).
#include "domain/custom.h"

#include "base/text.h"
#include "domain/attestation.h"
#include "domain/reprovision.h"
#include "domain/want.h"

// A leaf that is not here any more, because the device is not, is known by what was written down of it.
static struct err write_certificate(struct json_writer *w, const struct admission *admission,
                                    const struct decision *decision)
{
    if (admission->credential.kind == CREDENTIAL_X509) {
        struct attestation shown = {.type = ATTESTATION_X509,
                                    .certificate_role = CERTIFICATE_CLIENT,
                                    .primary_certificate = chain_leaf(admission->credential.chain)};
        return attestation_write_x509(w, &shown);
    }
    static const char *const way[] = {"x509", "clientCertificates", "primary", "info"};
    enum { STEPS = sizeof way / sizeof way[0] };
    for (size_t i = 0; i < STEPS; i++) {
        json_key(w, way[i]);
        json_object_open(w);
    }
    json_field_text(w, "sha256Thumbprint", decision->primary_thumbprint);
    for (size_t i = 0; i < STEPS; i++)
        json_object_close(w);
    return OK;
}

static void write_tpm(struct json_writer *w, const struct admission *admission,
                      const struct decision *decision)
{
    bool here = admission->credential.kind == CREDENTIAL_TPM;
    const struct tpm_identity *shown = &admission->credential.tpm;
    const struct attestation *enrolled = &decision->enrollment->attestation;
    json_key(w, "tpm");
    json_object_open(w);
    field_base64_if(w, "endorsementKey", here ? shown->endorsement_key : enrolled->endorsement_key);
    field_base64_if(w, "storageRootKey", here ? shown->storage_root_key : enrolled->storage_root_key);
    json_object_close(w);
}

static struct err write_proof(struct json_writer *w, const struct admission *admission,
                              const struct decision *decision)
{
    if (decision->authentication == HUB_AUTH_SELF_SIGNED)
        return write_certificate(w, admission, decision);
    if (decision->fresh_key) {
        write_tpm(w, admission, decision);
        return OK;
    }
    json_key(w, "symmetricKey");
    json_object_open(w);
    json_object_close(w);
    return OK;
}

static struct err write_device(struct json_writer *w, const struct admission *admission,
                               const struct decision *decision, struct slice payload)
{
    const struct registration *prior = admission->prior;
    json_key(w, "deviceRuntimeContext");
    json_object_open(w);
    json_field_text(w, "registrationId", reprovision_spelling(admission));
    if (prior != NULL && prior->assigned_hub.len > 0) {
        json_field_text(w, "currentIotHubHostName", prior->assigned_hub);
        json_field_text(w, "currentDeviceId", prior->device_id);
    }
    TRY(write_proof(w, admission, decision));
    field_json_if(w, "payload", payload);
    json_object_close(w);
    return OK;
}

struct err custom_question_write(const struct admission *admission, const struct decision *decision,
                                 struct slice payload, struct buf *out)
{
    const struct enrollment *e = decision->enrollment;
    struct json_writer w;
    json_begin(&w, out);
    json_object_open(&w);
    json_key(&w, e->kind == ENROLLMENT_GROUP ? "enrollmentGroup" : "individualEnrollment");
    TRY(enrollment_write(&w, e, ENROLLMENT_FOR_WEBHOOK, NULL));
    TRY(write_device(&w, admission, decision, payload));
    json_key(&w, "linkedHubs");
    json_array_open(&w);
    for (size_t i = 0; i < decision->candidate_count; i++)
        json_text(&w, decision->candidates[i]->host);
    json_array_close(&w);
    json_object_close(&w);
    return buf_err(out);
}

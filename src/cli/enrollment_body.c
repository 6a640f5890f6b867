// The JSON that creates and changes enrollments (service-api A.5).
#include "base/secret.h"
#include "cli/enrollment.h"
#include "json/merge.h"

static struct err check_object(const struct cli_args *args, const char *name, struct why *why)
{
    struct slice text = args_value(args, name);
    struct json_doc doc = {0};
    struct why what;
    if (text.at == NULL)
        return OK;
    if (failed(json_read(text, JSON_LIMITS_DEFAULT, &doc, &what)))
        return why_fail(why, ERR_INVALID, "--%s: %s", name, what.text);
    bool object = json_kind(json_root(&doc)) == JSON_KIND_OBJECT;
    json_doc_release(&doc);
    return object ? OK
                  : why_fail(why, ERR_INVALID, "--%s: must be a JSON object, such as {\"room\":7}", name);
}

static const struct reprovision_word {
    const char *word;
    bool update_hub;
    bool migrate_data;
} reprovision_words[] = {{"migrate", true, true}, {"reset", true, false}, {"never", false, false}};

static const struct reprovision_word *reprovision_of(const struct cli_args *args)
{
    struct slice asked = args_value(args, "reprovision");
    for (size_t i = 0; i < CLI_COUNT(reprovision_words); i++) {
        if (asked.at != NULL && slice_equal(asked, slice_text(reprovision_words[i].word)))
            return &reprovision_words[i];
    }
    return NULL;
}

static struct err check_allocation(const struct cli_args *args, struct why *why)
{
    struct slice policy = args_value(args, "allocation");
    if (args_has(args, "webhook") && policy.at != NULL && !slice_equal_nocase(policy, SLICE("custom")))
        return why_fail(why, ERR_INVALID, "--webhook is for --allocation custom");
    if (args_has(args, "reprovision") && reprovision_of(args) == NULL)
        return why_fail(why, ERR_INVALID, "--reprovision is migrate, reset or never");
    return OK;
}

struct err enrollment_options_read(struct cli *cli, const struct enrollment_kind *kind,
                                   const struct cli_args *args, struct enrollment_proof *proof,
                                   struct why *why)
{
    TRY(check_object(args, "tags", why));
    TRY(check_object(args, "desired", why));
    if (args_has(args, "enabled") && args_has(args, "disabled"))
        return why_fail(why, ERR_INVALID, "--enabled and --disabled exclude each other");
    if (args_has(args, "edge") && args_has(args, "no-edge"))
        return why_fail(why, ERR_INVALID, "--edge and --no-edge exclude each other");
    TRY(check_allocation(args, why));
    return enrollment_proof_read(cli, kind, args, proof, why);
}

static void write_twin(struct json_writer *w, const struct cli_args *args)
{
    struct slice tags = args_value(args, "tags"), desired = args_value(args, "desired");
    if (tags.at == NULL && desired.at == NULL)
        return;
    json_key(w, "initialTwin");
    json_object_open(w);
    if (tags.at != NULL)
        json_field_raw(w, "tags", tags);
    if (desired.at != NULL) {
        json_key(w, "properties");
        json_object_open(w);
        json_field_raw(w, "desired", desired);
        json_object_close(w);
    }
    json_object_close(w);
}

// What is not given stays, where there is an enrollment already.
static void write_webhook(struct json_writer *w, const struct cli_args *args, bool is_new)
{
    struct slice url = args_value(args, "webhook"), version = args_value(args, "webhook-api-version");
    if (url.at == NULL && version.at == NULL)
        return;
    if (version.at == NULL && is_new)
        version = SLICE("2021-10-01");
    json_key(w, "customAllocationDefinition");
    json_object_open(w);
    json_field_text_if(w, "webhookUrl", url);
    json_field_text_if(w, "apiVersion", version);
    json_object_close(w);
}

static void write_reprovision(struct json_writer *w, const struct cli_args *args)
{
    const struct reprovision_word *given = reprovision_of(args);
    if (given == NULL)
        return;
    json_key(w, "reprovisionPolicy");
    json_object_open(w);
    json_field_bool(w, "updateHubAssignment", given->update_hub);
    json_field_bool(w, "migrateDeviceData", given->migrate_data);
    json_object_close(w);
}

// Hubs need a policy (the service refuses them without): one hub can only mean static, several hashed, and a
// webhook custom.
static void write_allocation(struct json_writer *w, const struct cli_args *args, bool has_policy)
{
    struct slice policy = args_value(args, "allocation");
    struct slice hub = args_value(args, "hub");
    if (policy.at == NULL && args_has(args, "webhook"))
        policy = SLICE("custom");
    if (policy.at == NULL && hub.at != NULL && !has_policy)
        policy = args_value_at(args, "hub", 1).at != NULL ? SLICE("hashed") : SLICE("static");
    json_field_text_if(w, "allocationPolicy", policy);
    if (hub.at == NULL)
        return;
    json_key(w, "iotHubs");
    json_array_open(w);
    for (size_t i = 0; (hub = args_value_at(args, "hub", i)).at != NULL; i++)
        json_text(w, hub);
    json_array_close(w);
}

// `record`: what is there already; NULL for a new one.
static void write_given(struct json_writer *w, const struct cli_args *args, const struct json *record)
{
    json_field_text_if(w, "deviceId", args_value(args, "device-id"));
    if (args_has(args, "edge") || args_has(args, "no-edge")) {
        json_key(w, "capabilities");
        json_object_open(w);
        json_field_bool(w, "iotEdge", args_has(args, "edge"));
        json_object_close(w);
    }
    write_twin(w, args);
    if (args_has(args, "enabled") || args_has(args, "disabled"))
        json_field_text(w, "provisioningStatus",
                        args_has(args, "disabled") ? SLICE("disabled") : SLICE("enabled"));
    write_allocation(w, args, json_given(json_get(record, "allocationPolicy")));
    write_webhook(w, args, !json_given(json_get(record, "customAllocationDefinition")));
    write_reprovision(w, args);
}

static void write_keys(struct json_writer *w, const struct cli_args *args)
{
    json_key(w, "symmetricKey");
    json_object_open(w);
    json_field_text_if(w, "primaryKey", args_value(args, "primary-key"));
    json_field_text_if(w, "secondaryKey", args_value(args, "secondary-key"));
    json_object_close(w);
}

void enrollment_write_new(struct buf *out, const struct enrollment_kind *kind, const struct cli_args *args,
                          const struct enrollment_proof *proof)
{
    struct json_writer w;
    json_begin(&w, out);
    json_object_open(&w);
    json_field_text(&w, kind->id_member, args_word(args, 0));
    json_key(&w, "attestation");
    json_object_open(&w);
    json_field_text(&w, "type", slice_text(proof->type != NULL ? proof->type : "symmetricKey"));
    if (proof->type != NULL)
        enrollment_proof_write(&w, proof, false);
    else if (enrollment_keys_given(args))
        write_keys(&w, args);
    json_object_close(&w);
    write_given(&w, args, NULL);
    json_object_close(&w);
}

// What must go before the options are merged: members that only the service sets, and objects that options
// replace as a whole.
static void write_drops(struct json_writer *w, const struct cli_args *args)
{
    static const char *const services_own[] = {"registrationState", "createdDateTimeUtc",
                                               "lastUpdatedDateTimeUtc", "etag"};
    json_object_open(w);
    for (size_t i = 0; i < CLI_COUNT(services_own); i++)
        json_field_node(w, services_own[i], NULL);
    if (args_has(args, "tags") || args_has(args, "desired")) {
        json_key(w, "initialTwin");
        json_object_open(w);
        if (args_has(args, "tags"))
            json_field_node(w, "tags", NULL);
        if (args_has(args, "desired")) {
            json_key(w, "properties");
            json_object_open(w);
            json_field_node(w, "desired", NULL);
            json_object_close(w);
        }
        json_object_close(w);
    }
    json_object_close(w);
}

static struct err merge_text(struct json_doc *record, struct buf *patch, struct why *why)
{
    struct json_doc doc = {0};
    TRY(buf_err(patch));
    TRY(json_read(buf_slice(patch), JSON_LIMITS_DEFAULT, &doc, why));
    struct err e = json_doc_merge(record, json_root(&doc));
    json_doc_release(&doc);
    buf_clear(patch);
    return e;
}

// A secondary certificate that was never given is the primary once more (service-api A.5). It goes with it:
// nobody who replaces the one that they gave means the old one to stay good.
static bool secondary_follows(const struct json *record, const struct enrollment_proof *proof)
{
    if (proof->type == NULL || proof->named || slice_empty(proof->primary) || !slice_empty(proof->secondary))
        return false;
    const struct json *pair = json_get(json_get(json_get(record, "attestation"), "x509"), proof->form);
    const struct json *first = json_get(json_get(pair, "primary"), "info");
    const struct json *second = json_get(json_get(pair, "secondary"), "info");
    struct slice thumbprint = json_as_string(json_get(first, "sha256Thumbprint"));
    return !slice_empty(thumbprint) &&
           slice_equal(thumbprint, json_as_string(json_get(second, "sha256Thumbprint")));
}

static void write_attestation(struct json_writer *w, const struct json *record, const struct cli_args *args,
                              const struct enrollment_proof *given)
{
    struct enrollment_proof proof = *given;
    if (!enrollment_keys_given(args) && proof.type == NULL)
        return;
    proof.no_secondary = proof.no_secondary || secondary_follows(record, given);
    json_key(w, "attestation");
    json_object_open(w);
    if (proof.type != NULL)
        enrollment_proof_write(w, &proof, true);
    else
        write_keys(w, args);
    json_object_close(w);
}

struct err enrollment_write_changed(struct json_doc *record, const struct json *mechanism,
                                    const struct cli_args *args, const struct enrollment_proof *proof,
                                    struct buf *out, struct why *why)
{
    struct buf patch = buf_capped(256 * 1024);
    struct json_writer w;
    json_begin(&w, &patch);
    write_drops(&w, args);
    struct err e = merge_text(record, &patch, why);
    json_begin(&w, &patch);
    json_object_open(&w);
    if (mechanism != NULL)
        json_field_node(&w, "attestation", mechanism);
    json_object_close(&w);
    if (!failed(e))
        e = merge_text(record, &patch, why);
    json_begin(&w, &patch);
    json_object_open(&w);
    write_attestation(&w, json_root(record), args, proof);
    write_given(&w, args, json_root(record));
    json_object_close(&w);
    if (!failed(e))
        e = merge_text(record, &patch, why);
    if (!failed(e)) {
        json_begin(&w, out);
        json_node(&w, json_root(record));
        e = buf_err(out);
    }
    bytes_wipe(patch.at, patch.room);
    buf_release(&patch);
    return e;
}

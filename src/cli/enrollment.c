// usher enrollment … and usher group …: the records that admit one device, or a fleet.
#include "cli/enrollment.h"

#include "base/secret.h"
#include "json/merge.h"

static const struct enrollment_kind individual = {
    .path = "enrollments", .id_member = "registrationId", .word = "enrollment", .individual = true};
static const struct enrollment_kind group = {
    .path = "enrollmentGroups", .id_member = "enrollmentGroupId", .word = "enrollment group"};

// clang-format off
#define INFO(form, which) "attestation.x509." form "." which ".info."
#define CERTIFICATE_FIELDS(form) \
    {"certificate", INFO(form, "primary") "subjectName", NULL}, \
    {"  issuer", INFO(form, "primary") "issuerName", NULL}, \
    {"  thumbprint", INFO(form, "primary") "sha256Thumbprint", NULL}, \
    {"  expires", INFO(form, "primary") "notAfterUtc", NULL}, \
    {"secondary certificate", INFO(form, "secondary") "subjectName", NULL}, \
    {"  issuer", INFO(form, "secondary") "issuerName", NULL}, \
    {"  thumbprint", INFO(form, "secondary") "sha256Thumbprint", NULL}, \
    {"  expires", INFO(form, "secondary") "notAfterUtc", NULL}
// clang-format on

static const struct cli_column fields[] = {
    {"registration ID", "registrationId", NULL},
    {"group", "enrollmentGroupId", NULL},
    {"device ID", "deviceId", NULL},
    {"attestation", "attestation.type", NULL},
    {"primary key", "attestation.symmetricKey.primaryKey", NULL},
    {"secondary key", "attestation.symmetricKey.secondaryKey", NULL},
    CERTIFICATE_FIELDS("clientCertificates"),
    CERTIFICATE_FIELDS("signingCertificates"),
    {"CA certificate", "attestation.x509.caReferences.primary", NULL},
    {"secondary CA certificate", "attestation.x509.caReferences.secondary", NULL},
    {"endorsement key", "attestation.tpm.endorsementKey", NULL},
    {"CA of TPMs", "attestation.tpm.caReferences.primary", NULL},
    {"secondary CA of TPMs", "attestation.tpm.caReferences.secondary", NULL},
    {"provisioning", "provisioningStatus", "enabled"},
    {"allocation", "allocationPolicy", NULL},
    {"webhook", "customAllocationDefinition.webhookUrl", NULL},
    {"hubs", "iotHubs", NULL},
    {"may move", "reprovisionPolicy.updateHubAssignment", NULL},
    {"with its data", "reprovisionPolicy.migrateDeviceData", NULL},
    {"IoT Edge", "capabilities.iotEdge", NULL},
    {"tags", "initialTwin.tags", NULL},
    {"desired", "initialTwin.properties.desired", NULL},
    {"registration", "registrationState.status", NULL},
    {"assigned hub", "registrationState.assignedHub", NULL},
    {"created", "createdDateTimeUtc", NULL},
    {"updated", "lastUpdatedDateTimeUtc", NULL},
    {"etag", "etag", NULL},
};
static const struct cli_column individual_columns[] = {
    {"REGISTRATION ID", "registrationId", NULL}, {"DEVICE ID", "deviceId", NULL},
    {"ATTESTATION", "attestation.type", NULL},   {"PROVISIONING", "provisioningStatus", "enabled"},
    {"ALLOCATION", "allocationPolicy", NULL},    {"UPDATED", "lastUpdatedDateTimeUtc", NULL},
};
static const struct cli_column group_columns[] = {
    {"GROUP", "enrollmentGroupId", NULL},
    {"ATTESTATION", "attestation.type", NULL},
    {"PROVISIONING", "provisioningStatus", "enabled"},
    {"ALLOCATION", "allocationPolicy", NULL},
    {"UPDATED", "lastUpdatedDateTimeUtc", NULL},
};

static const struct enrollment_kind *kind_of(const struct cli_args *args)
{
    return args->verb->subject;
}

static struct err print_reply(struct cli *cli, struct reply *reply)
{
    struct err e = OK;
    if (cli->json)
        cli_raw(cli, reply->body);
    else
        e = cli_fields(cli, json_root(&reply->doc), fields, CLI_COUNT(fields));
    reply_release(reply);
    return e;
}

static struct err create(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct slice target;
    struct enrollment_proof proof;
    TRY(enrollment_options_read(cli, kind_of(args), args, &proof, why));
    if (proof.type != NULL && slice_empty(proof.primary))
        return why_fail(why, ERR_INVALID, "%s create: the first certificate is given by %s",
                        kind_of(args)->individual ? "enrollment" : "group",
                        !proof.named                      ? "--certificate"
                        : enrollment_proof_is_tpm(&proof) ? "--tpm-ca"
                                                          : "--ca");
    TRY(cli_path(cli, &target, kind_of(args)->path, args_word(args, 0), NULL));
    struct buf body = buf_capped(256 * 1024);
    enrollment_write_new(&body, kind_of(args), args, &proof);
    struct reply reply;
    TRY(cli_put(cli, &(struct control_request){.target = target, .create_only = true}, &body, &reply, why));
    return print_reply(cli, &reply);
}

// The record, and its attestation with the keys.
static struct err fetch(struct cli *cli, const struct cli_args *args, struct reply *record,
                        struct reply *mechanism, struct why *why)
{
    struct slice target;
    TRY(cli_path(cli, &target, kind_of(args)->path, args_word(args, 0), NULL));
    TRY(cli_get(cli, target, record, why));
    struct err e = cli_path(cli, &target, kind_of(args)->path, args_word(args, 0), "/attestationmechanism");
    if (!failed(e))
        e = cli_post(cli, target, mechanism, why);
    if (failed(e))
        reply_release(record);
    return e;
}

// The proof that is changed is of the kind that is there.
static struct err check_type(const struct cli_args *args, const struct enrollment_proof *proof,
                             struct slice type, struct why *why)
{
    if (enrollment_keys_given(args) && !slice_equal(type, SLICE("symmetricKey")))
        return why_fail(why, ERR_CONFLICT, "this %s does not attest by symmetric key", kind_of(args)->word);
    if (proof->type != NULL && !slice_equal(type, slice_text(proof->type)))
        return why_fail(why, ERR_CONFLICT, "this %s does not attest by %s: delete it and make it anew",
                        kind_of(args)->word, enrollment_proof_is_tpm(proof) ? "TPM" : "certificate");
    return OK;
}

// What to send instead of the record; *etag is the version that it replaces.
static struct err write_change(struct cli *cli, const struct cli_args *args,
                               const struct enrollment_proof *proof, struct buf *body, struct slice *etag,
                               struct why *why)
{
    struct reply record, mechanism;
    TRY(fetch(cli, args, &record, &mechanism, why));
    const struct json *root = json_root(&mechanism.doc);
    struct slice type = json_as_string(json_get(root, "type"));
    bool keyed = slice_equal(type, SLICE("symmetricKey"));
    struct err e = arena_copy(&cli->arena, json_as_string(json_get(json_root(&record.doc), "etag")), etag);
    if (!failed(e) && slice_empty(*etag))
        e = why_fail(why, ERR_PROTOCOL, "usherd's answer lacks the etag");
    if (!failed(e))
        e = check_type(args, proof, type, why);
    if (!failed(e))
        e = enrollment_write_changed(&record.doc, keyed ? root : NULL, args, proof, body, why);
    reply_release(&record);
    reply_release(&mechanism);
    return e;
}

static struct err change(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct reply reply;
    struct slice target, etag;
    struct enrollment_proof proof;
    TRY(enrollment_options_read(cli, kind_of(args), args, &proof, why));
    TRY(cli_path(cli, &target, kind_of(args)->path, args_word(args, 0), NULL));
    struct buf body = buf_capped(256 * 1024);
    struct err e = write_change(cli, args, &proof, &body, &etag, why);
    if (failed(e)) {
        bytes_wipe(body.at, body.room);
        buf_release(&body);
        return e;
    }
    TRY(cli_put(cli, &(struct control_request){.target = target, .if_match = etag}, &body, &reply, why));
    return print_reply(cli, &reply);
}

static struct err show_with_keys(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct reply record, mechanism;
    TRY(fetch(cli, args, &record, &mechanism, why));
    struct buf patch = buf_capped(256 * 1024), body = buf_capped(CONTROL_ANSWER_MAX);
    const struct json_limits limits = {.bytes = CONTROL_ANSWER_MAX, .depth = JSON_DEPTH_MAX};
    struct json_writer w;
    json_begin(&w, &patch);
    json_object_open(&w);
    json_field_node(&w, "attestation", json_root(&mechanism.doc));
    json_object_close(&w);
    struct err e = buf_err(&patch);
    if (!failed(e))
        e = json_merge(record.body, buf_slice(&patch), limits, &body, why);
    if (!failed(e))
        e = arena_copy(&cli->arena, buf_slice(&body), &record.body);
    reply_release(&record);
    reply_release(&mechanism);
    if (!failed(e))
        e = json_read(record.body, limits, &record.doc, why);
    if (!failed(e))
        e = print_reply(cli, &record);
    bytes_wipe(patch.at, patch.room);
    bytes_wipe(body.at, body.room);
    buf_release(&patch);
    buf_release(&body);
    return e;
}

static struct err show(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct reply reply;
    struct slice target;
    if (args_has(args, "keys"))
        return show_with_keys(cli, args, why);
    TRY(cli_path(cli, &target, kind_of(args)->path, args_word(args, 0), NULL));
    TRY(cli_get(cli, target, &reply, why));
    return print_reply(cli, &reply);
}

static struct err list(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct slice target;
    uint64_t top = 0;
    TRY(args_number(args, "top", 1, 1000000, &top, why));
    TRY(cli_path(cli, &target, kind_of(args)->path, (struct slice){0}, "/query"));
    bool one = kind_of(args)->individual;
    return cli_query(cli, target, args_value(args, "query"), (size_t)top,
                     one ? individual_columns : group_columns,
                     one ? CLI_COUNT(individual_columns) : CLI_COUNT(group_columns), why);
}

static struct err remove_one(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct slice target;
    TRY(cli_path(cli, &target, kind_of(args)->path, args_word(args, 0), NULL));
    return cli_delete(cli, target, why);
}

// clang-format off
#define KEY_OPTIONS \
    {.name = "primary-key", .value = "B64", .help = "16 to 64 bytes; generated for a new record when left out"}, \
    {.name = "secondary-key", .value = "B64", .help = "the second key, valid beside the first; generated likewise"}
#define CERTIFICATE_OPTIONS \
    {.name = "certificate", .value = "FILE", .help = "the device proves itself by exactly this certificate"}, \
    {.name = "secondary-certificate", .value = "FILE", .help = "another one that is as good, to change over to"}, \
    {.name = "endorsement-key", .value = "B64|FILE", .help = "the device proves itself by its TPM, which has this key"}
#define GROUP_CERTIFICATE_OPTIONS \
    {.name = "certificate", .value = "FILE", .help = "admit devices whose certificates are below this CA"}, \
    {.name = "secondary-certificate", .value = "FILE", .help = "or below this one"}, \
    {.name = "ca", .value = "NAME", .help = "admit devices below this CA certificate of the service"}, \
    {.name = "secondary-ca", .value = "NAME", .help = "or below this one"}, \
    {.name = "tpm-ca", .value = "NAME", .help = "admit TPMs whose makers' certificates are below this CA certificate"}, \
    {.name = "secondary-tpm-ca", .value = "NAME", .help = "or below this one"}
#define SETTING_OPTIONS \
    {.name = "allocation", .value = "POLICY", .help = "hashed, static, geoLatency or custom; else the service's"}, \
    {.name = "webhook", .value = "URL", .help = "custom allocation: ask this function which hub it is to be"}, \
    {.name = "webhook-api-version", .value = "V", .help = "that the function is told; 2021-10-01 unless said"}, \
    {.name = "hub", .value = "HOST", .help = "assign to this linked hub only", .repeat = true}, \
    {.name = "reprovision", .value = "HOW", .help = "of a device that registers again: migrate, reset or never; migrate unless said"}, \
    {.name = "tags", .value = "JSON", .help = "tags of the initial twin"}, \
    {.name = "desired", .value = "JSON", .help = "desired properties of the initial twin"}, \
    {.name = "disabled", .help = "admit no device by this record"}, \
    {.name = "edge", .help = "the devices are IoT Edge devices"}
#define DEVICE_ID_OPTION \
    {.name = "device-id", .value = "ID", .help = "the device's name in the hub; else its registration ID"}
#define CHANGE_OPTIONS \
    {.name = "enabled", .help = "admit devices again"}, \
    {.name = "no-edge", .help = "the devices are no IoT Edge devices"}

static const struct cli_option create_options[] = {
    KEY_OPTIONS, CERTIFICATE_OPTIONS, DEVICE_ID_OPTION, SETTING_OPTIONS, {0}};
static const struct cli_option group_create_options[] = {
    KEY_OPTIONS, GROUP_CERTIFICATE_OPTIONS, SETTING_OPTIONS, {0}};
static const struct cli_option change_options[] = {
    KEY_OPTIONS, CERTIFICATE_OPTIONS,
    {.name = "remove-secondary-certificate", .help = "only the first certificate is good from now on"},
    DEVICE_ID_OPTION, SETTING_OPTIONS, CHANGE_OPTIONS, {0}};
static const struct cli_option group_change_options[] = {
    KEY_OPTIONS, GROUP_CERTIFICATE_OPTIONS, SETTING_OPTIONS, CHANGE_OPTIONS, {0}};
static const struct cli_option show_options[] = {{.name = "keys", .help = "with the keys"}, {0}};
static const struct cli_option list_options[] = {
    {.name = "query", .value = "TEXT", .help = "SELECT * FROM enrollments WHERE ..."},
    {.name = "top", .value = "N", .help = "at most so many"},
    {0},
};

static const struct cli_verb individual_verbs[] = {
    {.name = "enrollment create", .arguments = "ID", .help = "admit one device, by key (which is printed), by certificate or by TPM",
     .options = create_options, .run = create, .subject = &individual},
    {.name = "enrollment show", .arguments = "ID", .help = "show an enrollment and where its device is",
     .options = show_options, .run = show, .subject = &individual},
    {.name = "enrollment list", .arguments = "", .help = "list individual enrollments",
     .options = list_options, .run = list, .subject = &individual},
    {.name = "enrollment update", .arguments = "ID", .help = "change what is given, leave the rest",
     .options = change_options, .run = change, .subject = &individual},
    {.name = "enrollment delete", .arguments = "ID", .help = "delete an enrollment",
     .run = remove_one, .subject = &individual},
};
static const struct cli_verb group_verbs[] = {
    {.name = "group create", .arguments = "ID", .help = "admit a fleet, by derived keys (the group's is printed) or below a CA",
     .options = group_create_options, .run = create, .subject = &group},
    {.name = "group show", .arguments = "ID", .help = "show an enrollment group",
     .options = show_options, .run = show, .subject = &group},
    {.name = "group list", .arguments = "", .help = "list enrollment groups",
     .options = list_options, .run = list, .subject = &group},
    {.name = "group update", .arguments = "ID", .help = "change what is given, leave the rest",
     .options = group_change_options, .run = change, .subject = &group},
    {.name = "group delete", .arguments = "ID", .help = "delete an enrollment group",
     .run = remove_one, .subject = &group},
};
// clang-format on
const struct cli_verb_list cli_enrollment_verbs = CLI_VERBS(individual_verbs);
const struct cli_verb_list cli_group_verbs = CLI_VERBS(group_verbs);

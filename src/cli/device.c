// usher device …: plays a device, to see with one command that provisioning works. Asks usherd nothing.
#include "client/device.h"

#include "base/secret.h"
#include "base/text.h"
#include "cli/file.h"
#include "crypto/certificate.h"
#include "crypto/chain.h"
#include "crypto/keys.h"
#include "crypto/tpm.h"

enum { MQTT_PORT = 8883, HTTPS_PORT = 443 };

static const char *text_of(struct cli *cli, struct slice text)
{
    return text.at != NULL ? arena_cstr(&cli->arena, text) : NULL;
}

static struct err read_transport(const struct cli_args *args, enum device_transport *transport,
                                 struct why *why)
{
    struct slice word = args_value(args, "transport");
    if (word.at == NULL || slice_equal(word, SLICE("mqtt")))
        *transport = DEVICE_MQTT;
    else if (slice_equal(word, SLICE("http")) || slice_equal(word, SLICE("https")))
        *transport = DEVICE_HTTP;
    else
        return why_fail(why, ERR_INVALID, "--transport is mqtt or http, not '%.*s'", SLICE_ARG(word));
    return OK;
}

static struct err read_payload(const struct cli_args *args, struct slice *payload, struct why *why)
{
    struct json_doc doc = {0};
    struct why what;
    *payload = args_value(args, "payload");
    if (payload->at == NULL)
        return OK;
    if (failed(json_read(*payload, JSON_LIMITS_DEFAULT, &doc, &what)))
        return why_fail(why, ERR_INVALID, "--payload: %s", what.text);
    json_doc_release(&doc);
    return OK;
}

// The common name of the first certificate in the file. False when it cannot be told, which whoever uses the
// file will explain.
static bool common_name(struct cli *cli, struct slice path, struct slice *name)
{
    struct slice text, der;
    struct chain *chain = NULL;
    struct why unused;
    if (failed(cli_file_read(cli, path, &text, &unused)))
        return false;
    const struct slice end = SLICE("-----END CERTIFICATE-----");
    text = slice_to(text, slice_find(text, end) + end.len);
    if (failed(certificate_read(&cli->arena, text, &der, &unused)) || failed(chain_new(&der, 1, &chain)))
        return false;
    bool told =
        chain_problem(chain) == NULL && !failed(arena_copy(&cli->arena, chain_common_name(chain), name));
    chain_release(chain);
    return told;
}

// The service compares the two; a wrong one is easier to see before it does.
static struct err warn_of_name(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct slice id = args_word(args, 0), name;
    if (cli->json || !common_name(cli, args_value(args, "certificate"), &name) ||
        slice_equal_nocase(name, id))
        return OK;
    buf_text(&cli->out, "warning: the registration ID is ");
    print_text(&cli->out, id);
    buf_text(&cli->out, slice_empty(name) ? ", and the certificate has no common name"
                                          : ", but the certificate's common name is ");
    print_text(&cli->out, name);
    buf_text(&cli->out, ": the service will refuse it\n");
    return cli_flush(cli, why);
}

static struct err read_key(const struct cli_args *args, struct device_settings *settings, struct why *why)
{
    struct why what;
    struct err e = key_read_b64(args_value(args, "key"), &settings->key, &what);
    return failed(e) ? why_fail(why, e.code, "--key: %s", what.text) : OK;
}

static struct err read_certificate(struct cli *cli, const struct cli_args *args,
                                   struct device_settings *settings, struct why *why)
{
    struct slice unused;
    if (!args_has(args, "certificate") || !args_has(args, "key-file"))
        return why_fail(why, ERR_INVALID, "device register: --certificate and --key-file go together");
    TRY(cli_file_path(cli, args_value(args, "certificate"), &settings->certificate_file, why));
    TRY(cli_file_path(cli, args_value(args, "key-file"), &settings->key_file, why));
    TRY(cli_file_read(cli, args_value(args, "certificate"), &unused, why));
    TRY(cli_file_read(cli, args_value(args, "key-file"), &unused, why));
    return warn_of_name(cli, args, why);
}

// What is above the certificate in the TPM, for a service that has no more than the root.
static struct err read_above(struct cli *cli, const struct cli_args *args, struct device_settings *settings,
                             struct why *why)
{
    size_t *count = &settings->endorsement_certificate_count;
    struct slice path;
    for (size_t i = 0; (path = args_value_at(args, "tpm-issuer", i)).at != NULL; i++) {
        if (*count == 0 || *count == DEVICE_TPM_CERTIFICATES_MAX)
            return why_fail(why, ERR_INVALID,
                            *count == 0 ? "--tpm-issuer: the TPM holds no certificate of its endorsement key"
                                        : "--tpm-issuer: at most %d are taken",
                            DEVICE_TPM_CERTIFICATES_MAX - 1);
        TRY(cli_file_certificate(cli, "tpm-issuer", path, &settings->endorsement_certificates[(*count)++],
                                 why));
    }
    return OK;
}

static struct err own_name(struct cli *cli, const struct device_tpm *tpm, struct slice *id)
{
    char text[TPM_REGISTRATION_ID];
    TRY(tpm_registration_id(device_tpm_endorsement_key(tpm), text));
    return arena_copy(&cli->arena, slice_of(text, sizeof text), id);
}

static struct err read_tpm(struct cli *cli, const struct cli_args *args, struct device_settings *settings,
                           struct why *why)
{
    const char *tcti = text_of(cli, args_value(args, "tpm"));
    if (tcti == NULL)
        return FAIL(ERR_NO_MEMORY);
    TRY(device_tpm_open(tcti, &settings->tpm, why));
    if (slice_empty(settings->registration_id))
        TRY(own_name(cli, settings->tpm, &settings->registration_id));
    TRY(device_tpm_certificate(settings->tpm, &cli->arena, &settings->endorsement_certificates[0], why));
    settings->endorsement_certificate_count = settings->endorsement_certificates[0].len > 0;
    return read_above(cli, args, settings, why);
}

// A key, a certificate with its key, or a TPM.
static struct err read_proof(struct cli *cli, const struct cli_args *args, struct device_settings *settings,
                             struct why *why)
{
    bool by_certificate = args_has(args, "certificate") || args_has(args, "key-file");
    if (by_certificate + args_has(args, "key") + args_has(args, "tpm") != 1)
        return why_fail(why, ERR_INVALID,
                        "device register: give one of --key, --certificate with --key-file, and --tpm");
    if (args_has(args, "tpm"))
        return read_tpm(cli, args, settings, why);
    if (slice_empty(settings->registration_id))
        return why_fail(why, ERR_INVALID,
                        "device register: the registration ID is needed; only a TPM has one of its own");
    return by_certificate ? read_certificate(cli, args, settings, why) : read_key(args, settings, why);
}

static struct err read_settings(struct cli *cli, const struct cli_args *args,
                                struct device_settings *settings, struct why *why)
{
    uint64_t port, hub_port = 0;
    if (slice_empty(args_value(args, "scope")))
        return why_fail(why, ERR_INVALID, "device register: --scope is needed");
    TRY(read_transport(args, &settings->transport, why));
    port = settings->transport == DEVICE_MQTT ? MQTT_PORT : HTTPS_PORT;
    TRY(args_number(args, "port", 1, 65535, &port, why));
    TRY(args_number(args, "hub-port", 1, 65535, &hub_port, why));
    TRY(read_payload(args, &settings->payload, why));
    settings->registration_id = args_word(args, 0);
    TRY(read_proof(cli, args, settings, why));
    settings->scope = args_value(args, "scope");
    settings->host = args_has(args, "host") ? text_of(cli, args_value(args, "host")) : "localhost";
    settings->ca_file = text_of(cli, args_value(args, "ca"));
    settings->port = (uint16_t)port;
    settings->hub_port = (uint16_t)hub_port;
    return settings->host != NULL ? OK : FAIL(ERR_NO_MEMORY);
}

static void say(void *context, const char *line)
{
    struct cli *cli = context;
    struct why unused;
    if (cli->json)
        return;
    print_text(&cli->out, slice_text(line));
    buf_u8(&cli->out, '\n');
    (void)cli_flush(cli, &unused); // shown as it happens; a broken stdout is noticed at the end
}

static void print_json(struct cli *cli, const struct device_settings *settings,
                       const struct device_result *result, bool visited)
{
    struct json_writer w;
    json_begin(&w, &cli->out);
    json_object_open(&w);
    json_field_text(&w, "registrationId", settings->registration_id);
    json_field_text_if(&w, "status", result->status);
    json_field_text_if(&w, "substatus", result->substatus);
    json_field_text_if(&w, "assignedHub", result->assigned_hub);
    json_field_text_if(&w, "deviceId", result->device_id);
    json_field_text_if(&w, "operationId", result->operation_id);
    json_key(&w, "timeToAssignedMs");
    json_decimal(&w, (double)result->assigned_us / 1000);
    if (visited) {
        json_key(&w, "hub");
        json_object_open(&w);
        json_field_bool(&w, "connected", result->connected);
        json_field_bool(&w, "telemetrySent", result->telemetry_sent);
        if (!slice_empty(result->twin))
            json_field_raw(&w, "twin", result->twin);
        json_object_close(&w);
    }
    json_object_close(&w);
    buf_u8(&cli->out, '\n');
}

static struct err print_fields(struct cli *cli, const struct device_result *result)
{
    struct slice milliseconds;
    struct table table = {.arena = &cli->arena, .columns = 2};
    TRY(arena_printf(&cli->arena, &milliseconds, "%.1f ms", (double)result->assigned_us / 1000));
    const struct slice rows[][2] = {
        {SLICE("assigned hub"), result->assigned_hub}, {SLICE("device ID"), result->device_id},
        {SLICE("substatus"), result->substatus},       {SLICE("operation"), result->operation_id},
        {SLICE("time to assigned"), milliseconds},     {SLICE("twin"), result->twin},
    };
    for (size_t i = 0; i < CLI_COUNT(rows); i++) {
        if (!slice_empty(rows[i][1]))
            TRY(table_add(&table, rows[i]));
    }
    table_print(&table, &cli->out);
    return OK;
}

static struct err register_device(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct device_settings settings = {.step = say, .context = cli};
    struct device_result result = {0};
    bool visits = !args_has(args, "no-connect");
    struct err e = read_settings(cli, args, &settings, why);
    if (!failed(e))
        e = device_register(&settings, &cli->arena, &result, why);
    bool assigned = !failed(e);
    if (assigned && visits)
        e = device_visit_hub(&settings, &cli->arena, &result, why);
    secret_wipe(&settings.key);
    device_tpm_close(settings.tpm);
    // What is known is told even when the hub was not reached.
    if (cli->json && assigned)
        print_json(cli, &settings, &result, visits);
    else if (assigned) {
        struct err printed = print_fields(cli, &result);
        e = failed(e) ? e : printed;
    }
    return e;
}

static void print_b64(struct cli *cli, struct json_writer *w, const char *member, struct slice bytes)
{
    struct buf text = buf_capped(8 * 1024);
    b64_encode(&text, bytes);
    if (w != NULL)
        json_field_text(w, member, buf_slice(&text));
    else
        buf_bytes(&cli->out, buf_slice(&text));
    buf_release(&text);
}

static void print_tpm(struct cli *cli, const struct device_tpm *tpm, struct slice id,
                      struct slice certificate)
{
    struct json_writer w;
    if (cli->json) {
        json_begin(&w, &cli->out);
        json_object_open(&w);
        json_field_text(&w, "registrationId", id);
        print_b64(cli, &w, "endorsementKey", device_tpm_endorsement_key(tpm));
        if (!slice_empty(certificate))
            print_b64(cli, &w, "endorsementCertificate", certificate);
        json_object_close(&w);
        buf_u8(&cli->out, '\n');
        return;
    }
    buf_text(&cli->out, "registration ID       ");
    buf_bytes(&cli->out, id);
    buf_text(&cli->out, "\nendorsement key       ");
    print_b64(cli, NULL, NULL, device_tpm_endorsement_key(tpm));
    buf_text(&cli->out, slice_empty(certificate) ? "\nits certificate       none in the TPM\n"
                                                 : "\nits certificate       in the TPM\n");
}

static struct err show_tpm(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct slice id = {0}, certificate = {0};
    struct device_tpm *tpm = NULL;
    const char *tcti = text_of(cli, args_value(args, "tpm"));
    if (tcti == NULL)
        return why_fail(why, ERR_INVALID, "device tpm: --tpm is needed: how to reach the TPM");
    TRY(device_tpm_open(tcti, &tpm, why));
    struct err e = own_name(cli, tpm, &id);
    if (!failed(e))
        e = device_tpm_certificate(tpm, &cli->arena, &certificate, why);
    if (!failed(e))
        print_tpm(cli, tpm, id, certificate);
    device_tpm_close(tpm);
    return e;
}

#define TPM_OPTION                                                                                           \
    {                                                                                                        \
        .name = "tpm", .value = "TCTI",                                                                      \
        .help = "how to reach the TPM, such as device:/dev/tpmrm0 or swtpm:host=127.0.0.1,port=2321"         \
    }

static const struct cli_option tpm_options[] = {TPM_OPTION, {0}};
static const struct cli_option options[] = {
    {.name = "key", .value = "B64", .help = "the enrollment's key, or the one derived for this device"},
    {.name = "certificate",
     .value = "FILE",
     .help = "instead of --key: PEM, the device's first, its chain after it"},
    {.name = "key-file", .value = "FILE", .help = "PEM of the key of that certificate, not encrypted"},
    TPM_OPTION,
    {.name = "tpm-issuer",
     .value = "FILE",
     .help = "certificate above that of the TPM's endorsement key, for a service that lacks it",
     .repeat = true},
    {.name = "scope", .value = "S", .help = "the ID scope of the service"},
    {.name = "host", .value = "H", .help = "of the provisioning service; localhost unless said"},
    {.name = "port", .value = "N", .help = "8883 for MQTT, 443 for HTTPS unless said"},
    {.name = "transport", .value = "mqtt|http", .help = "to register by; mqtt unless said"},
    {.name = "ca", .value = "FILE", .help = "PEM of the CA to trust; those of the system unless said"},
    {.name = "payload", .value = "JSON", .help = "the device's own data for the register call"},
    {.name = "hub-port", .value = "N", .help = "of the hub's MQTT, where its name does not tell"},
    {.name = "no-connect", .help = "stop when assigned, without visiting the hub"},
    {0},
};
static const struct cli_verb verbs[] = {
    {.name = "device register",
     .arguments = "[ID]",
     .help = "play a device: register, connect to the hub, read the twin, send a message",
     .more = "A device with a TPM goes by the TPM's own registration ID unless one is given.\n",
     .options = options,
     .run = register_device},
    {.name = "device tpm",
     .arguments = "",
     .help = "show what a TPM is enrolled by: its registration ID and endorsement key",
     .options = tpm_options,
     .run = show_tpm},
};
const struct cli_verb_list cli_device_verbs = CLI_VERBS(verbs);

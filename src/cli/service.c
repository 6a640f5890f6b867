// usher service …: the services (tenants) of one usherd.
#include "cli/cli.h"
#include "cli/file.h"

static const struct cli_column service_fields[] = {
    {"name", "name", NULL},
    {"ID scope", "idScope", NULL},
    {"host", "serviceOperationsHostName", NULL},
    {"device host", "deviceProvisioningHostName", NULL},
    {"allocation", "allocationPolicy", NULL},
    {"certificates of TPMs", "tpmEndorsementCertificates", NULL},
    {"avoid failing hubs", "avoidFailingHubs", NULL},
    {"unreachable hub", "unreachableHub", "proceed after a reset, wait with data to migrate"},
    {"created", "createdDateTimeUtc", NULL},
};
static const struct cli_column hub_columns[] = {{"LINKED HUB", "name", NULL},
                                                {"KIND", "kind", NULL},
                                                {"STATE", "state", NULL},
                                                {"WEIGHT", "allocationWeight", "1"},
                                                {"ALLOCATE", "applyAllocationPolicy", "yes"}};
static const struct cli_column list_columns[] = {{"NAME", "name", NULL},
                                                 {"ID SCOPE", "idScope", NULL},
                                                 {"HOST", "serviceOperationsHostName", NULL},
                                                 {"ALLOCATION", "allocationPolicy", NULL}};

static struct err print_service(struct cli *cli, const struct reply *reply)
{
    if (cli->json) {
        cli_raw(cli, reply->body);
        return OK;
    }
    const struct json *root = json_root(&reply->doc);
    TRY(cli_fields(cli, root, service_fields, CLI_COUNT(service_fields)));
    const struct json *hubs = json_get(root, "iotHubs");
    if (json_count(hubs) == 0)
        return OK;
    buf_u8(&cli->out, '\n');
    return cli_table(cli, hubs, hub_columns, CLI_COUNT(hub_columns));
}

static struct err show(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct reply reply;
    struct slice name, target;
    TRY(cli_service_name(cli, args_word(args, 0), &name, why));
    TRY(cli_path(cli, &target, "control/services", name, NULL));
    TRY(cli_get(cli, target, &reply, why));
    struct err e = print_service(cli, &reply);
    reply_release(&reply);
    return e;
}

static struct err list(struct cli *cli, const struct cli_args *args, struct why *why)
{
    (void)args;
    struct reply reply;
    struct slice target;
    TRY(cli_path(cli, &target, "control/services", (struct slice){0}, NULL));
    TRY(cli_get(cli, target, &reply, why));
    struct err e = cli_list_print(cli, &reply, list_columns, CLI_COUNT(list_columns));
    reply_release(&reply);
    return e;
}

// The word that the service uses for what was asked; NULL when --allocation was not given.
static struct err allocation_of(const struct cli_args *args, const char **word, struct why *why)
{
    struct slice asked = args_value(args, "allocation");
    *word = NULL;
    if (slice_equal_nocase(asked, SLICE("hashed")))
        *word = "Hashed";
    else if (slice_equal_nocase(asked, SLICE("static")))
        *word = "Static";
    else if (slice_equal_nocase(asked, SLICE("geoLatency")))
        *word = "GeoLatency";
    else if (asked.at != NULL)
        return why_fail(why, ERR_INVALID, "--allocation is hashed, static or geoLatency, not '%.*s'",
                        SLICE_ARG(asked));
    return OK;
}

static struct err tpm_certificates_of(const struct cli_args *args, struct slice *word, struct why *why)
{
    *word = args_value(args, "tpm-certificates");
    if (word->at == NULL || slice_equal(*word, SLICE("required")) || slice_equal(*word, SLICE("optional")))
        return OK;
    return why_fail(why, ERR_INVALID, "--tpm-certificates is required or optional, not '%.*s'",
                    SLICE_ARG(*word));
}

static struct err unreachable_of(const struct cli_args *args, struct slice *word, struct why *why)
{
    *word = args_value(args, "unreachable-hub");
    if (word->at == NULL || slice_equal(*word, SLICE("wait")) || slice_equal(*word, SLICE("proceed")) ||
        slice_equal(*word, SLICE("default")))
        return OK;
    return why_fail(why, ERR_INVALID, "--unreachable-hub is wait, proceed or default, not '%.*s'",
                    SLICE_ARG(*word));
}

// The file's JSON text: [{"zone":"de","hub":"hub-1.example.com","milliseconds":12.5},…].
static struct err latencies_of(struct cli *cli, const struct cli_args *args, struct slice *text,
                               struct why *why)
{
    struct slice path = args_value(args, "latencies");
    struct json_doc doc = {0};
    struct why what = {0};
    if (path.at == NULL)
        return OK;
    TRY(cli_file_read(cli, path, text, why));
    struct err e = json_read(*text, (struct json_limits){.bytes = CLI_FILE_MAX, .depth = 8}, &doc, &what);
    bool array = !failed(e) && json_kind(json_root(&doc)) == JSON_KIND_ARRAY;
    json_doc_release(&doc);
    return array ? OK
                 : why_fail(why, ERR_INVALID, "--latencies: %.*s is no JSON array%s%s", SLICE_ARG(path),
                            what.text[0] != '\0' ? ": " : "", what.text);
}

// How devices move between hubs.
static struct err write_moving(struct json_writer *w, struct cli *cli, const struct cli_args *args,
                               struct why *why)
{
    struct slice unreachable, latencies = {0};
    bool avoid = args_has(args, "avoid-failing-hubs"), heed_not = args_has(args, "no-avoid-failing-hubs");
    if (avoid && heed_not)
        return why_fail(why, ERR_INVALID, "give either --avoid-failing-hubs or --no-avoid-failing-hubs");
    TRY(unreachable_of(args, &unreachable, why));
    TRY(latencies_of(cli, args, &latencies, why));
    if (avoid || heed_not)
        json_field_bool(w, "avoidFailingHubs", avoid);
    if (slice_equal(unreachable, SLICE("default"))) {
        json_key(w, "unreachableHub");
        json_nothing(w);
    } else {
        json_field_text_if(w, "unreachableHub", unreachable);
    }
    if (!slice_empty(latencies))
        json_field_raw(w, "latencies", latencies);
    return OK;
}

// Creating and updating differ in the condition only: what is not given stays as it is, or gets its default.
static struct err put_service(struct cli *cli, const struct cli_args *args, bool create, struct why *why)
{
    const char *allocation;
    struct slice target, tpm_certificates;
    TRY(allocation_of(args, &allocation, why));
    TRY(tpm_certificates_of(args, &tpm_certificates, why));
    TRY(cli_path(cli, &target, "control/services", args_word(args, 0), NULL));
    struct buf body = buf_capped(CLI_FILE_MAX + 64 * 1024);
    struct json_writer w;
    json_begin(&w, &body);
    json_object_open(&w);
    json_field_text(&w, "name", args_word(args, 0));
    struct err e = write_moving(&w, cli, args, why);
    if (failed(e)) {
        buf_release(&body);
        return e;
    }
    json_field_text_if(&w, "serviceOperationsHostName", args_value(args, "host"));
    json_field_text_if(&w, "allocationPolicy", slice_text(allocation));
    json_field_text_if(&w, "tpmEndorsementCertificates", tpm_certificates);
    json_object_close(&w);
    struct control_request how = {
        .target = target, .create_only = create, .if_match = create ? (struct slice){0} : SLICE("*")};
    struct reply reply;
    TRY(cli_put(cli, &how, &body, &reply, why));
    e = print_service(cli, &reply);
    reply_release(&reply);
    return e;
}

static struct err create(struct cli *cli, const struct cli_args *args, struct why *why)
{
    return put_service(cli, args, true, why);
}

static struct err change(struct cli *cli, const struct cli_args *args, struct why *why)
{
    if (!args_any(args))
        return why_fail(why, ERR_INVALID, "service update: nothing to change is given");
    return put_service(cli, args, false, why);
}

static struct err remove_service(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct slice target;
    TRY(cli_path(cli, &target, "control/services", args_word(args, 0), NULL));
    return cli_delete(cli, target, why);
}

#define TPM_CERTIFICATES_OPTION                                                                              \
    {                                                                                                        \
        .name = "tpm-certificates", .value = "required|optional",                                            \
        .help = "required: a device with a TPM must show the certificate of its endorsement key too"         \
    }

#define MOVING_OPTIONS                                                                                       \
    {.name = "avoid-failing-hubs", .help = "a hub that fails gets no new devices until it recovers"},        \
        {.name = "no-avoid-failing-hubs", .help = "it gets them, and they wait for it; so unless said"},     \
        {.name = "unreachable-hub",                                                                          \
         .value = "wait|proceed",                                                                            \
         .help = "when a device leaves a hub that cannot be reached; default: see the manual"},              \
    {                                                                                                        \
        .name = "latencies", .value = "FILE",                                                                \
        .help = "for geoLatency: JSON, [{\"zone\":\"de\",\"hub\":HOST,\"milliseconds\":12.5},...]"           \
    }

static const struct cli_option create_options[] = {
    {.name = "host", .value = "HOST", .help = "the host name by which operators and devices reach it"},
    {.name = "allocation",
     .value = "POLICY",
     .help = "hashed (the default), static or geoLatency, for enrollments that do not say"},
    TPM_CERTIFICATES_OPTION,
    MOVING_OPTIONS,
    {0},
};
static const struct cli_option change_options[] = {
    {.name = "host", .value = "HOST", .help = "another host name by which to reach it"},
    {.name = "allocation",
     .value = "POLICY",
     .help = "hashed, static or geoLatency, for enrollments that do not say"},
    TPM_CERTIFICATES_OPTION,
    MOVING_OPTIONS,
    {0},
};
static const struct cli_verb verbs[] = {
    {.name = "service create",
     .arguments = "NAME",
     .help = "make a service: a tenant with an ID scope of its own",
     .options = create_options,
     .run = create},
    {.name = "service update",
     .arguments = "NAME",
     .help = "change what is given, leave the rest; it counts from the next request on",
     .options = change_options,
     .run = change},
    {.name = "service show",
     .arguments = "[NAME]",
     .help = "show a service and its linked hubs",
     .run = show},
    {.name = "service list", .arguments = "", .help = "list the services", .run = list},
    {.name = "service delete", .arguments = "NAME", .help = "delete a service", .run = remove_service},
};
const struct cli_verb_list cli_service_verbs = CLI_VERBS(verbs);

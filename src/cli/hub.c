// usher hub …: the hubs that a service may assign to, and what the embedded ones count.
#include "cli/cli.h"

static const struct cli_column link_columns[] = {
    {"HUB", "name", NULL},
    {"WEIGHT", "allocationWeight", "1"},
    {"ALLOCATE", "applyAllocationPolicy", "yes"},
    {"EMBEDDED", "embedded", NULL},
    {"CONNECTION STRING", "connectionString", NULL},
};
static const struct cli_column link_fields[] = {
    {"hub", "name", NULL},
    {"weight", "allocationWeight", "1"},
    {"allocate", "applyAllocationPolicy", "yes"},
    {"embedded", "embedded", NULL},
    {"connection string", "connectionString", NULL},
};
static const struct cli_column count_columns[] = {
    {"HUB", "name", NULL},
    {"DEVICES", "totalDeviceCount", NULL},
    {"CONNECTED", "connectedDeviceCount", NULL},
    {"TELEMETRY", "telemetryMessageCount", NULL},
};
static const struct cli_column count_fields[] = {
    {"hub", "name", NULL},
    {"devices", "totalDeviceCount", NULL},
    {"connected", "connectedDeviceCount", NULL},
    {"telemetry messages", "telemetryMessageCount", NULL},
};

static struct err print_link(struct cli *cli, struct reply *reply)
{
    struct err e = OK;
    if (cli->json)
        cli_raw(cli, reply->body);
    else
        e = cli_fields(cli, json_root(&reply->doc), link_fields, CLI_COUNT(link_fields));
    reply_release(reply);
    return e;
}

static struct err link_hub(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct slice target, connection_string = args_value(args, "connection-string");
    uint64_t weight = 0;
    bool embedded = args_has(args, "embedded");
    if (embedded == (connection_string.at != NULL))
        return why_fail(why, ERR_INVALID, "hub link: give either --connection-string or --embedded");
    TRY(args_number(args, "weight", 1, 1000, &weight, why));
    TRY(cli_service_path(cli, &target, "linkedHubs", args_word(args, 0), NULL, why));
    struct buf body = buf_capped(64 * 1024);
    struct json_writer w;
    json_begin(&w, &body);
    json_object_open(&w);
    json_field_text(&w, "name", args_word(args, 0));
    if (embedded)
        json_field_bool(&w, "embedded", true);
    else
        json_field_text(&w, "connectionString", connection_string);
    if (args_has(args, "no-allocation"))
        json_field_bool(&w, "applyAllocationPolicy", false);
    if (weight > 0)
        json_field_number(&w, "allocationWeight", (int64_t)weight);
    json_object_close(&w);
    struct reply reply;
    TRY(cli_put(cli, &(struct control_request){.target = target}, &body, &reply, why));
    return print_link(cli, &reply);
}

static struct err show(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct reply reply;
    struct slice target;
    TRY(cli_service_path(cli, &target, "linkedHubs", args_word(args, 0), NULL, why));
    TRY(cli_get(cli, target, &reply, why));
    return print_link(cli, &reply);
}

static struct err list(struct cli *cli, const struct cli_args *args, struct why *why)
{
    (void)args;
    struct reply reply;
    struct slice target;
    TRY(cli_service_path(cli, &target, "linkedHubs", (struct slice){0}, NULL, why));
    TRY(cli_get(cli, target, &reply, why));
    struct err e = cli_list_print(cli, &reply, link_columns, CLI_COUNT(link_columns));
    reply_release(&reply);
    return e;
}

static struct err unlink_hub(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct slice target;
    TRY(cli_service_path(cli, &target, "linkedHubs", args_word(args, 0), NULL, why));
    return cli_delete(cli, target, why);
}

static struct err stats(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct reply reply;
    struct slice target, host = args_word(args, 0);
    TRY(cli_path(cli, &target, "control/hubs", host, NULL));
    TRY(cli_get(cli, target, &reply, why));
    const struct json *root = json_root(&reply.doc);
    struct err e = OK;
    if (cli->json)
        cli_raw(cli, reply.body);
    else if (slice_empty(host))
        e = cli_table(cli, cli_list(root), count_columns, CLI_COUNT(count_columns));
    else
        e = cli_fields(cli, root, count_fields, CLI_COUNT(count_fields));
    reply_release(&reply);
    return e;
}

static const struct cli_option link_options[] = {
    {.name = "connection-string",
     .value = "CS",
     .help = "of a hub elsewhere; its policy needs RegistryWrite and ServiceConnect"},
    {.name = "embedded", .help = "the hub of that name inside usherd"},
    {.name = "weight", .value = "N", .help = "its share in hashed allocation, 1 to 1000; 1 unless said"},
    {.name = "no-allocation", .help = "link it without letting any device be assigned to it"},
    {0},
};
static const struct cli_verb verbs[] = {
    {.name = "hub link",
     .arguments = "HOST",
     .help = "link a hub to the service, or change how it is linked",
     .options = link_options,
     .run = link_hub},
    {.name = "hub show", .arguments = "HOST", .help = "show a linked hub", .run = show},
    {.name = "hub list", .arguments = "", .help = "list the linked hubs", .run = list},
    {.name = "hub unlink",
     .arguments = "HOST",
     .help = "take a hub away; devices assigned to it stay there",
     .run = unlink_hub},
    {.name = "hub stats",
     .arguments = "[HOST]",
     .help = "count devices, connections and telemetry of embedded hubs",
     .run = stats},
};
const struct cli_verb_list cli_hub_verbs = CLI_VERBS(verbs);

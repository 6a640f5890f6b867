// usher hub …: the hubs that a service may assign to, and what the embedded ones count.
#include "cli/cli.h"

static const struct cli_column link_columns[] = {
    {"HUB", "name", NULL},
    {"KIND", "kind", NULL},
    {"STATE", "state", NULL},
    {"WEIGHT", "allocationWeight", "1"},
    {"ALLOCATE", "applyAllocationPolicy", "yes"},
    {"CAPACITY", "capacity", "-"},
    {"LOCATION", "location", "-"},
    {"HEALTH", "health.state", "-"},
};
static const struct cli_column link_fields[] = {
    {"hub", "name", NULL},
    {"kind", "kind", NULL},
    {"state", "state", NULL},
    {"weight", "allocationWeight", "1"},
    {"allocate", "applyAllocationPolicy", "yes"},
    {"devices", "devices", NULL},
    {"capacity", "capacity", "no limit"},
    {"calls per minute", "callsPerMinute", NULL},
    {"location", "location", NULL},
    {"connection string", "connectionString", NULL},
    {"secondary", "secondaryConnectionString", NULL},
    {"health", "health.state", NULL},
    {"since", "health.since", NULL},
    {"because", "health.reason", NULL},
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

// HostName=…;UserName=…;Password=…, from --user and --password. Whoever makes it keeps a ';' out of them,
// which would end a part.
static struct err broker_string(struct cli *cli, const struct cli_args *args, struct slice *out,
                                struct why *why)
{
    struct slice user = args_value(args, "user"), password = args_value(args, "password");
    if (slice_empty(user) || slice_empty(password))
        return why_fail(why, ERR_INVALID,
                        "%s: --mosquitto needs --user and --password, or --connection-string",
                        args->verb->name);
    if (slice_find_byte(user, ';') < user.len || slice_find_byte(password, ';') < password.len)
        return why_fail(why, ERR_INVALID, "%s: user and password are without ';'", args->verb->name);
    return arena_printf(&cli->arena, out, "HostName=%.*s;UserName=%.*s;Password=%.*s",
                        SLICE_ARG(args_word(args, 0)), SLICE_ARG(user), SLICE_ARG(password));
}

static struct err check_together(const struct cli_args *args, struct why *why)
{
    bool broker = args_has(args, "mosquitto");
    bool login = args_has(args, "user") || args_has(args, "password");
    if (login && !broker)
        return why_fail(why, ERR_INVALID, "%s: --user and --password are for --mosquitto", args->verb->name);
    if (login && args_has(args, "connection-string"))
        return why_fail(why, ERR_INVALID, "%s: give either --connection-string or --user and --password",
                        args->verb->name);
    if (args_has(args, "allocation") && args_has(args, "no-allocation"))
        return why_fail(why, ERR_INVALID, "%s: give either --allocation or --no-allocation",
                        args->verb->name);
    return OK;
}

// `--capacity none` and so on: no limit any more.
static struct err write_limit(struct json_writer *w, const struct cli_args *args, const char *option,
                              const char *member, struct why *why)
{
    uint64_t number = 0;
    if (!args_has(args, option))
        return OK;
    json_key(w, member);
    if (slice_equal(args_value(args, option), SLICE("none"))) {
        json_nothing(w);
        return OK;
    }
    TRY(args_number(args, option, 1, UINT32_MAX, &number, why));
    json_number(w, (int64_t)number);
    return OK;
}

static void write_or_null(struct json_writer *w, const struct cli_args *args, const char *option,
                          const char *member)
{
    struct slice value = args_value(args, option);
    if (value.at == NULL)
        return;
    json_key(w, member);
    if (slice_equal(value, SLICE("none")))
        json_nothing(w);
    else
        json_text(w, value);
}

static struct err write_settings(struct json_writer *w, const struct cli_args *args, struct why *why)
{
    uint64_t weight = 0;
    TRY(args_number(args, "weight", 1, 1000, &weight, why));
    write_or_null(w, args, "secondary-connection-string", "secondaryConnectionString");
    if (args_has(args, "allocation") || args_has(args, "no-allocation"))
        json_field_bool(w, "applyAllocationPolicy", args_has(args, "allocation"));
    if (weight > 0)
        json_field_number(w, "allocationWeight", (int64_t)weight);
    TRY(write_limit(w, args, "capacity", "capacity", why));
    TRY(write_limit(w, args, "calls-per-minute", "callsPerMinute", why));
    write_or_null(w, args, "location", "location");
    return OK;
}

static struct err put_hub(struct cli *cli, const struct cli_args *args, struct slice target,
                          struct slice connection_string, struct why *why)
{
    struct buf body = buf_capped(64 * 1024);
    struct json_writer w;
    struct reply reply;
    json_begin(&w, &body);
    json_object_open(&w);
    json_field_text(&w, "name", args_word(args, 0));
    if (args_has(args, "embedded"))
        json_field_bool(&w, "embedded", true);
    if (args_has(args, "mosquitto"))
        json_field_text(&w, "kind", SLICE("mosquitto"));
    json_field_text_if(&w, "connectionString", connection_string);
    struct err e = write_settings(&w, args, why);
    if (failed(e)) {
        buf_release(&body);
        return e;
    }
    json_object_close(&w);
    TRY(cli_put(cli, &(struct control_request){.target = target}, &body, &reply, why));
    return print_link(cli, &reply);
}

static struct err link_hub(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct slice target, connection_string = args_value(args, "connection-string");
    TRY(check_together(args, why));
    if (args_has(args, "mosquitto") && slice_empty(connection_string))
        TRY(broker_string(cli, args, &connection_string, why));
    if (args_has(args, "embedded") == !slice_empty(connection_string))
        return why_fail(why, ERR_INVALID,
                        "hub link: give one of --connection-string, --embedded and --mosquitto");
    TRY(cli_service_path(cli, &target, "linkedHubs", args_word(args, 0), NULL, why));
    return put_hub(cli, args, target, connection_string, why);
}

// A hub that is not linked is not linked by this.
static struct err find_hub(struct cli *cli, const struct cli_args *args, struct slice *target,
                           struct why *why)
{
    struct reply there;
    TRY(cli_service_path(cli, target, "linkedHubs", args_word(args, 0), NULL, why));
    TRY(cli_get(cli, *target, &there, why));
    reply_release(&there);
    return OK;
}

static struct err update_hub(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct slice target, connection_string = args_value(args, "connection-string");
    if (!args_any(args))
        return why_fail(why, ERR_INVALID, "hub update: nothing to change is given");
    TRY(check_together(args, why));
    if (args_has(args, "user") || args_has(args, "password"))
        TRY(broker_string(cli, args, &connection_string, why));
    TRY(find_hub(cli, args, &target, why));
    return put_hub(cli, args, target, connection_string, why);
}

// hub cordon, drain and open: the verb's subject is the state.
static struct err set_state(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct slice target;
    struct reply reply;
    struct json_writer w;
    TRY(find_hub(cli, args, &target, why));
    struct buf body = buf_capped(64 * 1024);
    json_begin(&w, &body);
    json_object_open(&w);
    json_field_text(&w, "state", slice_text(args->verb->subject));
    json_object_close(&w);
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

#define SETTINGS                                                                                             \
    {.name = "secondary-connection-string",                                                                  \
     .value = "CS",                                                                                          \
     .help = "with the other key of the same policy, tried when the first is refused; none drops it"},       \
        {.name = "weight",                                                                                   \
         .value = "N",                                                                                       \
         .help = "its share in hashed allocation, 1 to 1000; 1 unless said"},                                \
        {.name = "location",                                                                                 \
         .value = "PLACE",                                                                                   \
         .help = "for geoLatency: a region's name such as westeurope, or LATITUDE,LONGITUDE; or none"},      \
        {.name = "capacity",                                                                                 \
         .value = "N",                                                                                       \
         .help = "give it no new devices when the service has so many there; or none"},                      \
    {                                                                                                        \
        .name = "calls-per-minute", .value = "N", .help = "to its API, at most; or none: the usual pace"     \
    }

#define BROKER                                                                                               \
    {.name = "mosquitto", .help = "it is a Mosquitto broker with the dynamic security plugin"},              \
        {.name = "user", .value = "U", .help = "of the broker: who may administer its dynamic security"},    \
    {                                                                                                        \
        .name = "password", .value = "P", .help = "that user's; other users of this machine may see it here" \
    }

static const struct cli_option link_options[] = {
    {.name = "connection-string",
     .value = "CS",
     .help = "of a hub elsewhere; its policy needs RegistryWrite and ServiceConnect"},
    {.name = "embedded", .help = "the hub of that name inside usherd"},
    BROKER,
    SETTINGS,
    {.name = "no-allocation", .help = "link it without letting any device be assigned to it"},
    {0},
};
static const struct cli_option update_options[] = {
    {.name = "connection-string", .value = "CS", .help = "with another key or password"},
    BROKER,
    SETTINGS,
    {.name = "allocation", .help = "let devices be assigned to it"},
    {.name = "no-allocation", .help = "let no more devices be assigned to it"},
    {0},
};
static const struct cli_verb verbs[] = {
    {.name = "hub link",
     .arguments = "HOST",
     .help = "link a hub to the service, or change how it is linked",
     .options = link_options,
     .run = link_hub},
    {.name = "hub update",
     .arguments = "HOST",
     .help = "change what is given of a linked hub, leave the rest",
     .options = update_options,
     .run = update_hub},
    {.name = "hub cordon",
     .arguments = "HOST",
     .help = "let no new devices be assigned to a hub; those that are there stay",
     .subject = "cordoned",
     .run = set_state},
    {.name = "hub drain",
     .arguments = "HOST",
     .help = "the same, and its devices go elsewhere when they register again",
     .subject = "draining",
     .run = set_state},
    {.name = "hub open",
     .arguments = "HOST",
     .help = "end that: let devices be assigned to a hub",
     .subject = "open",
     .run = set_state},
    {.name = "hub show",
     .arguments = "HOST",
     .help = "show a linked hub, its health and how many devices the service has there",
     .run = show},
    {.name = "hub list", .arguments = "", .help = "list the linked hubs", .run = list},
    {.name = "hub unlink",
     .arguments = "HOST",
     .help = "take a hub away; devices assigned to it stay there until they register again",
     .run = unlink_hub},
    {.name = "hub stats",
     .arguments = "[HOST]",
     .help = "count devices, connections and telemetry of embedded hubs",
     .run = stats},
};
const struct cli_verb_list cli_hub_verbs = CLI_VERBS(verbs);

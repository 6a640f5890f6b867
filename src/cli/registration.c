// usher registration …: where devices were assigned.
#include "cli/cli.h"

static const struct cli_column fields[] = {
    {"registration ID", "registrationId", NULL},
    {"status", "status", NULL},
    {"substatus", "substatus", NULL},
    {"assigned hub", "assignedHub", NULL},
    {"device ID", "deviceId", NULL},
    {"error", "errorCode", NULL},
    {"message", "errorMessage", NULL},
    {"payload", "payload", NULL},
    {"came from", "address", NULL},
    {"on its way to", "intendedHub", NULL},
    {"left behind at", "leftHub", NULL},
    {"left device ID", "leftDeviceId", NULL},
    {"created", "createdDateTimeUtc", NULL},
    {"updated", "lastUpdatedDateTimeUtc", NULL},
    {"etag", "etag", NULL},
};
static const struct cli_column columns[] = {
    {"REGISTRATION ID", "registrationId", NULL}, {"STATUS", "status", NULL},
    {"ASSIGNED HUB", "assignedHub", NULL},       {"DEVICE ID", "deviceId", NULL},
    {"UPDATED", "lastUpdatedDateTimeUtc", NULL},
};

static struct err show(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct reply reply;
    struct slice target;
    // more than the service API shows, whose shape is Azure's
    TRY(cli_service_path(cli, &target, "registrations", args_word(args, 0), NULL, why));
    TRY(cli_get(cli, target, &reply, why));
    struct err e = OK;
    if (cli->json)
        cli_raw(cli, reply.body);
    else
        e = cli_fields(cli, json_root(&reply.doc), fields, CLI_COUNT(fields));
    reply_release(&reply);
    return e;
}

static struct err list(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct slice target, group = args_value(args, "group");
    uint64_t top = 0;
    if (slice_empty(group))
        return why_fail(why, ERR_INVALID,
                        "registration list: --group is needed, because the API lists by group");
    TRY(args_number(args, "top", 1, 1000000, &top, why));
    TRY(cli_path(cli, &target, "registrations", group, "/query"));
    return cli_query(cli, target, args_value(args, "query"), (size_t)top, columns, CLI_COUNT(columns), why);
}

static struct err remove_registration(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct slice target;
    TRY(cli_path(cli, &target, "registrations", args_word(args, 0), NULL));
    return cli_delete(cli, target, why);
}

static const struct cli_option list_options[] = {
    {.name = "group", .value = "GROUP", .help = "of the devices of this enrollment group"},
    {.name = "query", .value = "TEXT", .help = "SELECT * FROM deviceRegistrations WHERE ..."},
    {.name = "top", .value = "N", .help = "at most so many"},
    {0},
};
static const struct cli_verb verbs[] = {
    {.name = "registration show",
     .arguments = "ID",
     .help = "show where a device was assigned, and what it left behind elsewhere",
     .run = show},
    {.name = "registration list",
     .arguments = "",
     .help = "list the registrations of a group",
     .options = list_options,
     .run = list},
    {.name = "registration delete",
     .arguments = "ID",
     .help = "forget an assignment; the device's identity in the hub stays",
     .run = remove_registration},
};
const struct cli_verb_list cli_registration_verbs = CLI_VERBS(verbs);

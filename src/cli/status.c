// usher status: is usherd there, and where does it listen.
#include "cli/cli.h"

static const struct cli_column status_fields[] = {
    {"version", "version", NULL}, {"uptime (s)", "uptimeSeconds", NULL}, {"services", "services", NULL}};
static const struct cli_column listener_columns[] = {
    {"PROTOCOL", "protocol", NULL}, {"ADDRESS", "address", NULL}, {"PORT", "port", NULL}};

static struct err show(struct cli *cli, const struct cli_args *args, struct why *why)
{
    (void)args;
    struct reply reply;
    struct slice target;
    TRY(cli_path(cli, &target, "control/status", (struct slice){0}, NULL));
    TRY(cli_get(cli, target, &reply, why));
    struct err e = OK;
    if (cli->json) {
        cli_raw(cli, reply.body);
    } else {
        const struct json *root = json_root(&reply.doc);
        e = cli_fields(cli, root, status_fields, CLI_COUNT(status_fields));
        buf_u8(&cli->out, '\n');
        if (!failed(e))
            e = cli_table(cli, json_get(root, "listeners"), listener_columns, CLI_COUNT(listener_columns));
    }
    reply_release(&reply);
    return e;
}

static const struct cli_verb verbs[] = {
    {.name = "status", .arguments = "", .help = "show usherd's version and where it listens", .run = show},
};
const struct cli_verb_list cli_status_verbs = CLI_VERBS(verbs);

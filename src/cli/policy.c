// usher policy …: the access policies of a service. Their keys are shown by usher connection-string.
#include "cli/cli.h"

static const struct cli_column policy_columns[] = {{"POLICY", "keyName", NULL}, {"RIGHTS", "rights", NULL}};
static const struct cli_column policy_fields[] = {{"policy", "keyName", NULL}, {"rights", "rights", NULL}};

static struct err print_policy(struct cli *cli, struct reply *reply)
{
    struct err e = OK;
    if (cli->json)
        cli_raw(cli, reply->body);
    else
        e = cli_fields(cli, json_root(&reply->doc), policy_fields, CLI_COUNT(policy_fields));
    reply_release(reply);
    return e;
}

// "A,B" or "A, B" becomes "A, B", as the service writes it.
static void put_rights(struct buf *out, struct slice rights)
{
    struct slice right;
    bool first = true;
    while (slice_cut(&rights, ',', &right)) {
        right = slice_trim(right);
        if (slice_empty(right))
            continue;
        if (!first)
            buf_text(out, ", ");
        buf_bytes(out, right);
        first = false;
    }
}

static struct err create(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct slice target;
    if (slice_empty(args_value(args, "rights")))
        return why_fail(why, ERR_INVALID,
                        "policy create: --rights is needed, such as EnrollmentRead,EnrollmentWrite");
    TRY(cli_service_path(cli, &target, "policies", args_word(args, 0), NULL, why));
    struct buf rights = buf_capped(64 * 1024), body = buf_capped(128 * 1024);
    put_rights(&rights, args_value(args, "rights"));
    struct json_writer w;
    json_begin(&w, &body);
    json_object_open(&w);
    json_field_text(&w, "keyName", args_word(args, 0));
    json_field_text(&w, "rights", buf_slice(&rights));
    json_object_close(&w);
    buf_release(&rights);
    struct reply reply;
    TRY(cli_put(cli, &(struct control_request){.target = target, .create_only = true}, &body, &reply, why));
    return print_policy(cli, &reply);
}

static struct err show(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct reply reply;
    struct slice target;
    TRY(cli_service_path(cli, &target, "policies", args_word(args, 0), NULL, why));
    TRY(cli_get(cli, target, &reply, why));
    return print_policy(cli, &reply);
}

static struct err list(struct cli *cli, const struct cli_args *args, struct why *why)
{
    (void)args;
    struct reply reply;
    struct slice target;
    TRY(cli_service_path(cli, &target, "policies", (struct slice){0}, NULL, why));
    TRY(cli_get(cli, target, &reply, why));
    struct err e = cli_list_print(cli, &reply, policy_columns, CLI_COUNT(policy_columns));
    reply_release(&reply);
    return e;
}

static struct err remove_policy(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct slice target;
    TRY(cli_service_path(cli, &target, "policies", args_word(args, 0), NULL, why));
    return cli_delete(cli, target, why);
}

static const struct cli_option create_options[] = {
    {.name = "rights",
     .value = "R[,R...]",
     .help = "of ServiceConfig, EnrollmentRead, EnrollmentWrite, DeviceConnect, "
             "RegistrationStatusRead, RegistrationStatusWrite"},
    {0},
};
static const struct cli_verb verbs[] = {
    {.name = "policy create",
     .arguments = "NAME",
     .help = "make an access policy with new keys",
     .options = create_options,
     .run = create},
    {.name = "policy show", .arguments = "NAME", .help = "show what a policy may do", .run = show},
    {.name = "policy list", .arguments = "", .help = "list the access policies", .run = list},
    {.name = "policy delete",
     .arguments = "NAME",
     .help = "delete a policy; its keys stop working at once",
     .run = remove_policy},
};
const struct cli_verb_list cli_policy_verbs = CLI_VERBS(verbs);

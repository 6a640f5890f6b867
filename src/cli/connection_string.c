// usher connection-string: what a service SDK or a hub SDK is given to reach a service or an embedded hub.
#include "cli/cli.h"

#define SERVICE_POLICY "provisioningserviceowner"
#define HUB_POLICY     "iothubowner"

// The policy of that name among the answer's, which may be one policy or a list.
static const struct json *find_policy(const struct json *root, struct slice name)
{
    const struct json *list = cli_list(root);
    if (list == NULL)
        return slice_equal_nocase(json_as_string(json_get(root, "keyName")), name) ? root : NULL;
    for (size_t i = 0; i < json_count(list); i++) {
        if (slice_equal_nocase(json_as_string(json_get(json_at(list, i), "keyName")), name))
            return json_at(list, i);
    }
    return NULL;
}

static struct err print(struct cli *cli, struct slice host, const struct json *policy, struct why *why)
{
    struct slice name = json_as_string(json_get(policy, "keyName"));
    struct slice key = json_as_string(json_get(policy, "primaryKey"));
    if (slice_empty(host) || slice_empty(name) || slice_empty(key))
        return why_fail(why, ERR_PROTOCOL, "usherd's answer lacks the host name or the key");
    struct slice text;
    TRY(arena_printf(&cli->arena, &text, "HostName=%.*s;SharedAccessKeyName=%.*s;SharedAccessKey=%.*s",
                     SLICE_ARG(host), SLICE_ARG(name), SLICE_ARG(key)));
    if (!cli->json) {
        cli_raw(cli, text);
        return OK;
    }
    struct json_writer w;
    json_begin(&w, &cli->out);
    json_object_open(&w);
    json_field_text(&w, "connectionString", text);
    json_object_close(&w);
    buf_u8(&cli->out, '\n');
    return OK;
}

static struct err of_hub(struct cli *cli, struct slice host, struct slice policy_name, struct why *why)
{
    struct reply reply;
    struct slice target;
    if (slice_empty(policy_name))
        policy_name = SLICE(HUB_POLICY);
    TRY(cli_path(cli, &target, "control/hubs", host, "/listkeys"));
    TRY(cli_post(cli, target, &reply, why));
    const struct json *policy = find_policy(json_root(&reply.doc), policy_name);
    // a port in an embedded hub's name is that of its MQTT door; SDKs use this string over HTTPS, and take no
    // port in it
    struct slice bare = slice_to(host, slice_find_byte(host, ':'));
    struct err e = policy != NULL ? print(cli, bare, policy, why)
                                  : why_fail(why, ERR_ABSENT, "hub %.*s has no policy '%.*s'",
                                             SLICE_ARG(host), SLICE_ARG(policy_name));
    reply_release(&reply);
    return e;
}

static struct err of_service(struct cli *cli, struct slice policy_name, struct why *why)
{
    struct reply reply;
    struct slice service, target, host;
    if (slice_empty(policy_name))
        policy_name = SLICE(SERVICE_POLICY);
    TRY(cli_service_name(cli, (struct slice){0}, &service, why));
    TRY(cli_path(cli, &target, "control/services", service, NULL));
    TRY(cli_get(cli, target, &reply, why));
    struct err e = arena_copy(
        &cli->arena, json_as_string(json_get(json_root(&reply.doc), "serviceOperationsHostName")), &host);
    reply_release(&reply);
    TRY(e);
    TRY(cli_service_path(cli, &target, "policies", policy_name, "/listkeys", why));
    TRY(cli_post(cli, target, &reply, why));
    e = print(cli, host, find_policy(json_root(&reply.doc), policy_name), why);
    reply_release(&reply);
    return e;
}

static struct err show(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct slice hub = args_value(args, "hub");
    if (hub.at != NULL && slice_empty(hub))
        return why_fail(why, ERR_INVALID, "--hub is empty");
    return slice_empty(hub) ? of_service(cli, args_word(args, 0), why)
                            : of_hub(cli, hub, args_word(args, 0), why);
}

static const struct cli_option options[] = {
    {.name = "hub",
     .value = "HOST",
     .help = "of this embedded hub (policy " HUB_POLICY "), not of the service"},
    {0},
};
static const struct cli_verb verbs[] = {
    {.name = "connection-string",
     .arguments = "[POLICY]",
     .help = "print a connection string, with its key, for an SDK",
     .options = options,
     .run = show},
};
const struct cli_verb_list cli_connection_verbs = CLI_VERBS(verbs);

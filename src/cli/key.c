// usher key …: the key of one device of a group, as the factory that makes the device needs it.
#include "cli/cli.h"

#include "base/secret.h"
#include "base/text.h"
#include "crypto/keys.h"

// The group's primary key, as base64 in the arena.
static struct err group_key(struct cli *cli, struct slice group, struct slice *key, struct why *why)
{
    struct reply reply;
    struct slice target;
    TRY(cli_path(cli, &target, "enrollmentGroups", group, "/attestationmechanism"));
    TRY(cli_post(cli, target, &reply, why));
    const struct json *root = json_root(&reply.doc);
    struct err e =
        arena_copy(&cli->arena, json_as_string(json_get(json_get(root, "symmetricKey"), "primaryKey")), key);
    if (!failed(e) && slice_empty(*key))
        e = why_fail(why, ERR_CONFLICT, "group '%.*s' does not attest by symmetric key", SLICE_ARG(group));
    reply_release(&reply);
    return e;
}

static struct err print_key(struct cli *cli, const struct secret *key)
{
    if (!cli->json) {
        b64_encode(&cli->out, secret_slice(key));
        buf_u8(&cli->out, '\n');
        return OK;
    }
    struct buf text = buf_capped(256);
    struct json_writer w;
    b64_encode(&text, secret_slice(key));
    json_begin(&w, &cli->out);
    json_object_open(&w);
    json_field_text(&w, "key", buf_slice(&text));
    json_object_close(&w);
    buf_u8(&cli->out, '\n');
    bytes_wipe(text.at, text.room);
    buf_release(&text);
    return OK;
}

static struct err derive(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct slice text = args_value(args, "key"), group = args_value(args, "group");
    struct secret master, derived;
    struct why what;
    if (slice_empty(text) == slice_empty(group))
        return why_fail(why, ERR_INVALID, "key derive: give either --key or --group");
    if (!slice_empty(group))
        TRY(group_key(cli, group, &text, why));
    struct err e = key_read_b64(text, &master, &what);
    if (failed(e))
        return why_fail(why, e.code, "the group's key: %s", what.text);
    e = key_derive(&master, args_word(args, 0), &derived);
    if (!failed(e))
        e = print_key(cli, &derived);
    secret_wipe(&master);
    secret_wipe(&derived);
    return e;
}

static const struct cli_option options[] = {
    {.name = "key", .value = "B64", .help = "the group's key; nothing is asked of usherd then"},
    {.name = "group", .value = "GROUP", .help = "derive from the primary key of this enrollment group"},
    {0},
};
static const struct cli_verb verbs[] = {
    {.name = "key derive",
     .arguments = "REGISTRATION_ID",
     .help = "print the key of one device of a group",
     .options = options,
     .run = derive},
};
const struct cli_verb_list cli_key_verbs = CLI_VERBS(verbs);

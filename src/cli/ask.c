// Asking usherd: paths, the one call, and what a refusal says.
#include "cli/cli.h"

#include "base/secret.h"
#include "base/text.h"

static const struct json_limits reply_limits = {.bytes = CONTROL_ANSWER_MAX, .depth = JSON_DEPTH_MAX};

void reply_release(struct reply *reply)
{
    json_doc_release(&reply->doc);
}

// A line of the error body of service-api A.6, or of the hub API (H.2).
static struct err refused(struct cli *cli, const struct reply *reply)
{
    const struct json *root = json_root(&reply->doc);
    struct slice message = cli_text(cli, root, "message");
    struct slice code = cli_text(cli, root, "errorCode");
    struct slice tracking = cli_text(cli, root, "trackingId");
    if (slice_empty(message))
        message = cli_text(cli, root, "Message");
    if (slice_empty(message))
        message = SLICE("usherd refused without saying why");
    if (slice_empty(code))
        TRY(arena_printf(&cli->arena, &code, "%u", reply->status));
    bool tracked = !slice_empty(tracking);
    TRY(arena_printf(&cli->arena, &cli->refusal, "%.*s (error %.*s%s%.*s)", SLICE_ARG(message),
                     SLICE_ARG(code), tracked ? ", tracking ID " : "", SLICE_ARG(tracking)));
    return FAIL(reply->status == 404 ? ERR_ABSENT : ERR_CONFLICT);
}

struct err cli_ask(struct cli *cli, const struct control_request *request, struct reply *reply,
                   struct why *why)
{
    struct control_request asked = *request;
    struct control_answer answer;
    struct why ignored;
    *reply = (struct reply){0};
    asked.service = cli->service;
    TRY(control_ask(cli->socket_path, &asked, &cli->arena, &answer, why));
    reply->status = answer.status;
    reply->body = answer.body;
    reply->continuation = answer.continuation;
    reply->warning = answer.warning;
    bool refusal = answer.status < 200 || answer.status > 299;
    if (!slice_empty(answer.body)) {
        struct err e = json_read(answer.body, reply_limits, &reply->doc, refusal ? &ignored : why);
        if (failed(e) && !refusal)
            return e.code == ERR_NO_MEMORY ? e : FAIL(ERR_PROTOCOL);
    }
    if (!refusal)
        return OK;
    struct err e = refused(cli, reply);
    reply_release(reply);
    return e;
}

struct err cli_get(struct cli *cli, struct slice target, struct reply *reply, struct why *why)
{
    return cli_ask(cli, &(struct control_request){.method = SLICE("GET"), .target = target}, reply, why);
}

struct err cli_post(struct cli *cli, struct slice target, struct reply *reply, struct why *why)
{
    return cli_ask(cli, &(struct control_request){.method = SLICE("POST"), .target = target}, reply, why);
}

struct err cli_delete(struct cli *cli, struct slice target, struct why *why)
{
    struct reply reply;
    TRY(cli_ask(cli, &(struct control_request){.method = SLICE("DELETE"), .target = target}, &reply, why));
    reply_release(&reply);
    return OK;
}

struct err cli_put(struct cli *cli, const struct control_request *how, struct buf *body, struct reply *reply,
                   struct why *why)
{
    struct control_request request = *how;
    request.method = SLICE("PUT");
    request.body = buf_slice(body);
    struct err e = buf_err(body);
    if (!failed(e))
        e = cli_ask(cli, &request, reply, why);
    bytes_wipe(body->at, body->room);
    buf_release(body);
    return e;
}

struct err cli_path(struct cli *cli, struct slice *out, const char *head, struct slice segment,
                    const char *tail)
{
    struct buf path = buf_capped(64 * 1024);
    buf_printf(&path, "/%s", head);
    if (!slice_empty(segment)) {
        buf_u8(&path, '/');
        percent_encode(&path, segment);
    }
    buf_text(&path, tail != NULL ? tail : "");
    buf_text(&path, "?api-version=" CLI_API_VERSION);
    struct err e = buf_err(&path);
    if (!failed(e))
        e = arena_copy(&cli->arena, buf_slice(&path), out);
    buf_release(&path);
    return e;
}

struct err cli_service_path(struct cli *cli, struct slice *out, const char *kind, struct slice name,
                            const char *tail, struct why *why)
{
    struct slice service;
    TRY(cli_service_name(cli, (struct slice){0}, &service, why));
    struct buf path = buf_capped(64 * 1024);
    if (kind[0] != '\0')
        buf_printf(&path, "/%s", kind);
    if (!slice_empty(name)) {
        buf_u8(&path, '/');
        percent_encode(&path, name);
    }
    buf_text(&path, tail != NULL ? tail : "");
    buf_u8(&path, '\0');
    struct err e = buf_err(&path);
    if (!failed(e))
        e = cli_path(cli, out, "control/services", service, (const char *)path.at);
    buf_release(&path);
    return e;
}

const struct json *cli_list(const struct json *root)
{
    return json_kind(root) == JSON_KIND_ARRAY ? root : json_get(root, "value");
}

static struct err only_service(struct cli *cli, const struct json *list, struct slice *name, struct why *why)
{
    if (json_count(list) == 0)
        return why_fail(why, ERR_ABSENT, "there is no service yet: usher service create NAME");
    if (json_count(list) > 1)
        return why_fail(why, ERR_INVALID,
                        "there are %zu services: say which with --service NAME (usher service list)",
                        json_count(list));
    const struct json *item = json_at(list, 0);
    struct slice found =
        json_kind(item) == JSON_KIND_STRING ? json_as_string(item) : cli_text(cli, item, "name");
    if (slice_empty(found))
        return why_fail(why, ERR_PROTOCOL, "usherd lists a service without a name");
    return arena_copy(&cli->arena, found, name);
}

struct err cli_service_name(struct cli *cli, struct slice given, struct slice *name, struct why *why)
{
    *name = slice_empty(given) ? cli->service : given;
    if (!slice_empty(*name))
        return OK;
    struct reply reply;
    struct slice target;
    TRY(cli_path(cli, &target, "control/services", (struct slice){0}, NULL));
    TRY(cli_get(cli, target, &reply, why));
    struct err e = only_service(cli, cli_list(json_root(&reply.doc)), name, why);
    reply_release(&reply);
    return e;
}

// usher certificate …: the CA certificates of a service, which vouch for devices of enrollment groups.
#include "cli/cli.h"

#include "base/text.h"
#include "cli/file.h"

enum { BODY_MAX = 4 << 20, DAY_S = 86400 };

static struct err path_of(struct cli *cli, const struct cli_args *args, const char *tail, struct slice *out,
                          struct why *why)
{
    return cli_service_path(cli, out, "certificates", args_word(args, 0), tail, why);
}

// The condition of a change: the version that --etag names, else whichever is there.
static struct slice condition(const struct cli_args *args)
{
    return args_has(args, "etag") ? args_value(args, "etag") : SLICE("*");
}

static struct err need_file(const struct cli_args *args, struct slice *path, struct why *why)
{
    *path = args_value(args, "file");
    return path->at != NULL ? OK : why_fail(why, ERR_INVALID, "%s: --file is needed", args->verb->name);
}

// --- printing

// "Sat, 31 Dec 2039 23:59:59 GMT (4785 days left)".
static struct err with_days_left(struct cli *cli, struct slice expiry, struct slice *out)
{
    struct tm tm = {0};
    const char *text = arena_cstr(&cli->arena, expiry);
    if (text == NULL)
        return FAIL(ERR_NO_MEMORY);
    *out = expiry;
    if (strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm) == NULL)
        return OK;
    long long left_s = (long long)timegm(&tm) - (long long)time(NULL);
    if (left_s <= 0)
        return arena_printf(&cli->arena, out, "%s (expired)", text);
    return arena_printf(&cli->arena, out, "%s (%lld days left)", text, left_s / DAY_S);
}

static struct err print_one(struct cli *cli, const struct json *record)
{
    static const struct {
        const char *heading, *path;
    } rows[] = {
        {"name", "name"},
        {"subject", "properties.subject"},
        {"expires", "properties.expiry"},
        {"thumbprint", "properties.thumbprint"},
        {"verified", "properties.isVerified"},
        {"revocation list until", "properties.crl.nextUpdate"},
        {"revocation list required", "properties.crl.required"},
        {"created", "properties.created"},
        {"updated", "properties.updated"},
        {"etag", "etag"},
    };
    struct table table = {.arena = &cli->arena, .columns = 2};
    for (size_t i = 0; i < CLI_COUNT(rows); i++) {
        struct slice text = cli_text(cli, record, rows[i].path);
        if (strcmp(rows[i].heading, "expires") == 0 && !slice_empty(text))
            TRY(with_days_left(cli, text, &text));
        if (!slice_empty(text))
            TRY(table_add(&table, (struct slice[]){slice_text(rows[i].heading), text}));
    }
    table_print(&table, &cli->out);
    return OK;
}

// The line after a certificate that does not count yet.
static void hint_unverified(struct cli *cli, const struct json *record, struct slice name)
{
    bool verified = true;
    (void)json_as_bool(json_get(json_get(record, "properties"), "isVerified"), &verified);
    if (!verified)
        buf_printf(
            &cli->out,
            "\nNo device is let in by it until you prove that you hold its key (below a verified root, an "
            "intermediate\nneeds no proof):\n"
            "  usher certificate code %.*s\n",
            SLICE_ARG(name));
}

static struct err print_reply(struct cli *cli, struct reply *reply, struct slice name)
{
    struct err e = OK;
    if (cli->json) {
        cli_raw(cli, reply->body);
    } else {
        struct slice word;
        e = print_one(cli, json_root(&reply->doc));
        if (!failed(e))
            e = cli_shell_word(cli, name, &word);
        if (!failed(e))
            hint_unverified(cli, json_root(&reply->doc), word);
    }
    reply_release(reply);
    return e;
}

// --- the verbs

static struct err put(struct cli *cli, const struct cli_args *args, struct control_request how,
                      struct why *why)
{
    struct slice file, der;
    struct reply reply;
    TRY(need_file(args, &file, why));
    TRY(cli_file_certificate(cli, "file", file, &der, why));
    TRY(path_of(cli, args, NULL, &how.target, why));
    struct buf text = buf_capped(BODY_MAX), body = buf_capped(BODY_MAX);
    struct json_writer w;
    b64_encode(&text, der);
    json_begin(&w, &body);
    json_object_open(&w);
    json_key(&w, "properties");
    json_object_open(&w);
    json_field_text(&w, "certificate", buf_slice(&text));
    if (args_has(args, "verified"))
        json_field_bool(&w, "isVerified", true);
    json_object_close(&w);
    json_object_close(&w);
    buf_release(&text);
    TRY(cli_put(cli, &how, &body, &reply, why));
    return print_reply(cli, &reply, args_word(args, 0));
}

static struct err create(struct cli *cli, const struct cli_args *args, struct why *why)
{
    return put(cli, args, (struct control_request){.create_only = true}, why);
}

static struct err update(struct cli *cli, const struct cli_args *args, struct why *why)
{
    return put(cli, args, (struct control_request){.if_match = condition(args)}, why);
}

// Puts the records of all pages into one array; a page that is not the last says where the next one is.
static struct err gather(struct cli *cli, struct slice target, struct json_writer *all, struct why *why)
{
    while (!slice_empty(target)) {
        struct reply reply;
        TRY(cli_get(cli, target, &reply, why));
        const struct json *page = cli_list(json_root(&reply.doc));
        for (size_t i = 0; i < json_count(page); i++)
            json_node(all, json_at(page, i));
        struct err e = arena_copy(&cli->arena, cli_text(cli, json_root(&reply.doc), "nextLink"), &target);
        reply_release(&reply);
        TRY(e);
    }
    return OK;
}

static struct err print_list(struct cli *cli, struct slice text, struct why *why)
{
    static const struct cli_column columns[] = {
        {"NAME", "name", NULL},
        {"SUBJECT", "properties.subject", NULL},
        {"EXPIRES", "properties.expiry", NULL},
        {"VERIFIED", "properties.isVerified", "no"},
        {"THUMBPRINT", "properties.thumbprint", NULL},
    };
    const struct json_limits limits = {.bytes = CLI_OUT_CAP, .depth = JSON_DEPTH_MAX};
    struct json_doc doc = {0};
    if (cli->json) {
        cli_raw(cli, text);
        return OK;
    }
    TRY(json_read(text, limits, &doc, why));
    struct err e = cli_table(cli, cli_list(json_root(&doc)), columns, CLI_COUNT(columns));
    json_doc_release(&doc);
    return e;
}

static struct err list(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct slice target;
    struct buf text = buf_capped(CLI_OUT_CAP);
    struct json_writer w;
    (void)args;
    TRY(cli_service_path(cli, &target, "certificates", (struct slice){0}, NULL, why));
    json_begin(&w, &text);
    json_object_open(&w);
    json_key(&w, "value");
    json_array_open(&w);
    struct err e = gather(cli, target, &w, why);
    if (!failed(e)) {
        json_array_close(&w);
        json_object_close(&w);
        e = buf_err(&text);
    }
    if (!failed(e))
        e = print_list(cli, buf_slice(&text), why);
    buf_release(&text);
    return e;
}

static struct err show(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct reply reply;
    struct slice target;
    TRY(path_of(cli, args, NULL, &target, why));
    TRY(cli_get(cli, target, &reply, why));
    return print_reply(cli, &reply, args_word(args, 0));
}

static struct err remove_one(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct reply reply;
    struct control_request request = {.method = SLICE("DELETE"), .if_match = condition(args)};
    TRY(path_of(cli, args, NULL, &request.target, why));
    TRY(cli_ask(cli, &request, &reply, why));
    if (!cli->json && !slice_empty(reply.warning)) {
        buf_text(&cli->out, "warning: ");
        print_text(&cli->out, reply.warning);
        buf_u8(&cli->out, '\n');
    }
    reply_release(&reply);
    return OK;
}

static struct err print_code(struct cli *cli, struct slice code, struct slice name)
{
    struct slice word;
    TRY(cli_shell_word(cli, name, &word));
    buf_text(&cli->out, "code  ");
    print_text(&cli->out, code);
    buf_printf(&cli->out,
               "\n\nProve within seven days that you hold the CA's key: sign a certificate whose common name "
               "is the code.\nWith a bench PKI in DIR:\n"
               "  usher pki verification DIR %.*s\n"
               "  usher certificate verify %.*s --file DIR/verification-%.*s.pem\n",
               SLICE_ARG(code), SLICE_ARG(word), SLICE_ARG(slice_to(code, 8)));
    buf_printf(&cli->out,
               "With any other CA, where ca.pem is its certificate and ca.key its key:\n"
               "  openssl req -x509 -extensions usr_cert -CA ca.pem -CAkey ca.key -days 7 -nodes "
               "-newkey rsa:2048 -keyout /dev/null -subj /CN=%.*s -out proof.pem\n"
               "  usher certificate verify %.*s --file proof.pem\n",
               SLICE_ARG(code), SLICE_ARG(word));
    return OK;
}

static struct err new_code(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct reply reply;
    struct control_request request = {.method = SLICE("POST"), .if_match = SLICE("*")};
    TRY(path_of(cli, args, "/generateVerificationCode", &request.target, why));
    TRY(cli_ask(cli, &request, &reply, why));
    struct slice code = cli_text(cli, json_root(&reply.doc), "properties.verificationCode");
    struct err e = OK;
    if (cli->json)
        cli_raw(cli, reply.body);
    else if (slice_empty(code))
        e = why_fail(why, ERR_PROTOCOL, "usherd's answer lacks the code");
    else
        e = print_code(cli, code, args_word(args, 0));
    reply_release(&reply);
    return e;
}

static struct err verify(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct slice file, der;
    struct reply reply;
    struct control_request request = {.method = SLICE("POST"), .if_match = SLICE("*")};
    TRY(need_file(args, &file, why));
    TRY(cli_file_certificate(cli, "file", file, &der, why));
    TRY(path_of(cli, args, "/verify", &request.target, why));
    struct buf text = buf_capped(BODY_MAX), body = buf_capped(BODY_MAX);
    struct json_writer w;
    b64_encode(&text, der);
    json_begin(&w, &body);
    json_object_open(&w);
    json_field_text(&w, "certificate", buf_slice(&text));
    json_object_close(&w);
    struct err e = buf_err(&body);
    request.body = buf_slice(&body);
    if (!failed(e))
        e = cli_ask(cli, &request, &reply, why);
    buf_release(&text);
    buf_release(&body);
    return failed(e) ? e : print_reply(cli, &reply, args_word(args, 0));
}

// A list as PEM goes as it is, one as DER in base64.
static struct err write_crl(struct cli *cli, const struct cli_args *args, struct buf *body, struct why *why)
{
    struct slice file, content;
    struct json_writer w;
    TRY(need_file(args, &file, why));
    TRY(cli_file_read(cli, file, &content, why));
    struct buf text = buf_capped(BODY_MAX);
    if (slice_find(content, SLICE("-----BEGIN")) < content.len)
        buf_bytes(&text, content);
    else
        b64_encode(&text, content);
    json_begin(&w, body);
    json_object_open(&w);
    json_field_text(&w, "crl", buf_slice(&text));
    json_field_bool(&w, "required", args_has(args, "required"));
    json_object_close(&w);
    struct err e = buf_err(&text);
    buf_release(&text);
    return failed(e) ? e : buf_err(body);
}

static struct err put_crl(struct cli *cli, const struct cli_args *args, struct slice target, struct why *why)
{
    struct reply reply;
    struct buf body = buf_capped(BODY_MAX);
    struct err e = write_crl(cli, args, &body, why);
    if (failed(e)) {
        buf_release(&body);
        return e;
    }
    TRY(cli_put(cli, &(struct control_request){.target = target, .if_match = SLICE("*")}, &body, &reply,
                why));
    return print_reply(cli, &reply, args_word(args, 0));
}

static struct err revocations(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct reply reply;
    struct slice target;
    bool removes = args_has(args, "remove");
    if (removes == args_has(args, "file") || (removes && args_has(args, "required")))
        return why_fail(why, ERR_INVALID, "certificate crl: give either --file or, alone, --remove");
    TRY(path_of(cli, args, "/crl", &target, why));
    if (!removes)
        return put_crl(cli, args, target, why);
    TRY(cli_ask(
        cli, &(struct control_request){.method = SLICE("DELETE"), .target = target, .if_match = SLICE("*")},
        &reply, why));
    reply_release(&reply);
    return OK;
}

// clang-format off
#define FILE_OPTION {.name = "file", .value = "FILE", .help = "the CA certificate: PEM, DER or base64 of either"}
#define VERIFIED_OPTION {.name = "verified", .help = "trust it at once, without proof that its key is held"}
#define ETAG_OPTION {.name = "etag", .value = "E", .help = "only if it is still this version; any unless said"}

static const struct cli_option create_options[] = {FILE_OPTION, VERIFIED_OPTION, {0}};
static const struct cli_option update_options[] = {FILE_OPTION, VERIFIED_OPTION, ETAG_OPTION, {0}};
static const struct cli_option delete_options[] = {ETAG_OPTION, {0}};
static const struct cli_option verify_options[] = {
    {.name = "file", .value = "PROOF", .help = "a certificate named by the code and signed by the CA's key"},
    {0},
};
static const struct cli_option crl_options[] = {
    {.name = "file", .value = "CRL", .help = "the list, signed by the CA: PEM or DER"},
    {.name = "required", .help = "admit nothing that this CA issued without a list that is up to date"},
    {.name = "remove", .help = "take the list away"},
    {0},
};
static const struct cli_verb verbs[] = {
    {.name = "certificate create", .arguments = "NAME", .help = "upload a CA certificate, root or intermediate",
     .options = create_options, .run = create},
    {.name = "certificate list", .arguments = "", .help = "list the CA certificates", .run = list},
    {.name = "certificate show", .arguments = "NAME", .help = "show a CA certificate and when it expires", .run = show},
    {.name = "certificate update", .arguments = "NAME",
     .help = "replace a CA certificate; another one has to be verified anew", .options = update_options, .run = update},
    {.name = "certificate delete", .arguments = "NAME",
     .help = "delete a CA certificate; it vouches for nobody from now on",
     .options = delete_options, .run = remove_one},
    {.name = "certificate code", .arguments = "NAME", .help = "make a verification code, and say how to use it",
     .run = new_code},
    {.name = "certificate verify", .arguments = "NAME", .help = "hand in the proof that the CA's key is held",
     .options = verify_options, .run = verify},
    {.name = "certificate crl", .arguments = "NAME", .help = "set or remove the revocation list of a CA certificate",
     .options = crl_options, .run = revocations},
};
// clang-format on
const struct cli_verb_list cli_certificate_verbs = CLI_VERBS(verbs);

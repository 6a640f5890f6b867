// From a command line to a verb and an exit code.
#include "cli/cli.h"

#include "base/secret.h"

#define DEFAULT_SOCKET "/run/usher/control.sock"

const struct cli_option cli_common_options[] = {
    {.name = "socket",
     .value = "PATH",
     .help = "usherd's control socket; else $USHER_SOCKET, else " DEFAULT_SOCKET},
    {.name = "service", .value = "NAME", .help = "which service is meant, where there are several"},
    {.name = "json", .help = "print JSON for programs, as the service answers it"},
    {.name = "help", .help = "explain the program, or a verb"},
    {.name = "version", .help = "print the version"},
    {0},
};

const struct cli_verb_list *const cli_groups[] = {
    &cli_status_verbs,       &cli_service_verbs,
    &cli_hub_verbs,          &cli_dry_run_verbs,
    &cli_policy_verbs,       &cli_connection_verbs,
    &cli_certificate_verbs,  &cli_enrollment_verbs,
    &cli_group_verbs,        &cli_key_verbs,
    &cli_registration_verbs, &cli_pki_verbs,
    &cli_device_verbs,       NULL,
};

struct err cli_flush(struct cli *cli, struct why *why)
{
    if (!cli->live)
        return buf_err(&cli->out);
    TRY(buf_err(&cli->out));
    bool written = cli->out.len == 0 || fwrite(cli->out.at, 1, cli->out.len, stdout) == cli->out.len;
    buf_clear(&cli->out);
    if (!written || fflush(stdout) != 0)
        return why_fail(why, ERR_SYSTEM, "the output cannot be written");
    return OK;
}

void cli_release(struct cli *cli)
{
    bytes_wipe(cli->out.at, cli->out.room); // answers hold keys
    buf_release(&cli->out);
    arena_release(&cli->arena);
}

// How many words of argv name the verb; 0 when they name another.
static int words_of(const struct cli_verb *verb, int argc, const char *const *argv, int at)
{
    int words = 0;
    struct slice rest = slice_text(verb->name), word;
    while (slice_cut(&rest, ' ', &word)) {
        if (at + words == argc || !slice_equal(word, slice_text(argv[at + words])))
            return 0;
        words++;
    }
    return words;
}

// Moves *at past the words that name the verb. NULL when none does; *group is then the group that the first
// word names, if one does.
static const struct cli_verb *find_verb(int argc, const char *const *argv, int *at, struct slice *group)
{
    for (const struct cli_verb_list *const *list = cli_groups; *list != NULL; list++) {
        for (size_t i = 0; i < (*list)->count; i++) {
            const struct cli_verb *verb = &(*list)->verbs[i];
            int words = words_of(verb, argc, argv, *at);
            if (words > 0) {
                *at += words;
                return verb;
            }
            struct slice rest = slice_text(verb->name), first;
            if (slice_cut(&rest, ' ', &first) && slice_equal(first, slice_text(argv[*at])))
                *group = first;
        }
    }
    return NULL;
}

// All verbs, or those of one group when its name is not empty.
static void list_verbs(struct buf *out, struct slice group)
{
    for (const struct cli_verb_list *const *list = cli_groups; *list != NULL; list++) {
        for (size_t i = 0; i < (*list)->count; i++) {
            const struct cli_verb *verb = &(*list)->verbs[i];
            struct slice rest = slice_text(verb->name), first;
            if (!slice_cut(&rest, ' ', &first) || (group.len > 0 && !slice_equal(first, group)))
                continue;
            int len = (int)(strlen(verb->name) + 1 + strlen(verb->arguments));
            buf_printf(out, "  %s %s%*s  %s\n", verb->name, verb->arguments, len < 34 ? 34 - len : 0, "",
                       verb->help);
        }
    }
}

static void help_program(struct buf *out, struct slice group)
{
    buf_text(out, "usher [--socket PATH] [--service NAME] [--json] VERB ...\n"
                  "Runs a provisioning service: asks usherd over its control socket.\n\nVerbs:\n");
    list_verbs(out, group);
    buf_text(out, "\nOptions:\n");
    help_options(out, cli_common_options);
    buf_text(
        out,
        "\nusher VERB --help explains one verb. Exit codes: 0 done, 1 refused or failed, 2 wrong use.\n");
}

static struct err no_verb(struct cli *cli, int argc, const char *const *argv, int at, struct slice group,
                          const struct cli_args *args, struct why *why)
{
    bool wants_help = args_has(args, "help");
    for (int i = at; i < argc; i++)
        wants_help = wants_help || strcmp(argv[i], "--help") == 0;
    if (wants_help && (at == argc || group.len > 0)) {
        help_program(&cli->out, group);
        return OK;
    }
    if (at == argc)
        return why_fail(why, ERR_INVALID, "say what to do: usher --help lists the verbs");
    if (group.len > 0 && at + 1 == argc)
        return why_fail(why, ERR_INVALID, "'%s' needs another word: usher %s --help lists them", argv[at],
                        argv[at]);
    if (group.len > 0)
        return why_fail(why, ERR_INVALID, "unknown verb '%s %s': usher %s --help lists them", argv[at],
                        argv[at + 1], argv[at]);
    return why_fail(why, ERR_INVALID, "unknown verb '%s': usher --help lists them", argv[at]);
}

static struct err run(struct cli *cli, int argc, const char *const *argv, struct cli_args *args,
                      struct why *why)
{
    int at = 1;
    struct slice group = {0};
    TRY(options_leading(argc, argv, cli_common_options, args, &at, why));
    if (args_has(args, "version")) {
        buf_text(&cli->out, "usher " USHER_VERSION "\n");
        return OK;
    }
    const struct cli_verb *verb = at < argc ? find_verb(argc, argv, &at, &group) : NULL;
    if (verb == NULL)
        return no_verb(cli, argc, argv, at, group, args, why);
    struct err e = options_read(argc, argv, at, verb, cli_common_options, args, why);
    if (failed(e)) {
        struct why what = *why;
        return why_fail(why, e.code, "%s: %s", verb->name, what.text);
    }
    if (args_has(args, "help")) {
        help_verb(&cli->out, verb, cli_common_options);
        return OK;
    }
    if (args_has(args, "socket")) {
        cli->socket_path = arena_cstr(&cli->arena, args_value(args, "socket"));
        if (cli->socket_path == NULL)
            return FAIL(ERR_NO_MEMORY);
    }
    cli->service = args_value(args, "service");
    cli->json = args_has(args, "json");
    return verb->run(cli, args, why);
}

int cli_run(struct cli *cli, int argc, const char *const *argv, struct buf *trouble)
{
    struct cli_args args = {0};
    struct why why = {0};
    if (cli->socket_path == NULL)
        cli->socket_path = DEFAULT_SOCKET;
    struct err e = run(cli, argc, argv, &args, &why);
    if (!failed(e))
        e = cli_flush(cli, &why);
    if (!failed(e))
        return 0;
    struct why unused;
    if (!slice_empty(cli->refusal))
        print_text(trouble, cli->refusal);
    else if (why.text[0] != '\0')
        print_text(trouble, slice_text(why.text));
    else
        buf_text(trouble, err_info(e)->sentence);
    (void)cli_flush(cli, &unused); // what was known before it failed
    return e.code == ERR_INVALID ? 2 : 1;
}

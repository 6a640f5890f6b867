// usher pki …: certificates for benches, demos and newcomers. Asks usherd nothing.
#include "cli/pki_folder.h"

#include <stdarg.h>

enum { NAME_LEN_MAX = 40 }; // of --name: " intermediate3" and more has to fit into a common name

static struct err read_key_type(const struct cli_args *args, enum bench_key *key, struct why *why)
{
    struct slice type = args_value(args, "key-type");
    *key = slice_equal(type, SLICE("rsa")) ? BENCH_RSA : BENCH_EC;
    if (type.at != NULL && *key == BENCH_EC && !slice_equal(type, SLICE("ec")))
        return why_fail(why, ERR_INVALID, "--key-type is ec or rsa, not '%.*s'", SLICE_ARG(type));
    return OK;
}

static struct err read_days(const struct cli_args *args, int *days, struct why *why)
{
    uint64_t number = 0;
    TRY(args_number(args, "days", 1, BENCH_DAYS_MAX, &number, why));
    *days = (int)number;
    return OK;
}

// The lines after what was made: what to do with it.
static void next(struct cli *cli, const char *what)
{
    if (!cli->json)
        buf_printf(&cli->out, "\n%s:\n", what);
}

static void __attribute__((format(printf, 2, 3))) command(struct cli *cli, const char *format, ...)
{
    char line[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (!cli->json)
        buf_printf(&cli->out, "  %s\n", line);
}

static void next_register(struct pki_folder *folder, struct slice id, bool alone)
{
    command(folder->cli,
            "usher device register %.*s --certificate %.*s/%.*s%s.pem --key-file %.*s/%.*s.key --scope SCOPE "
            "--port PORT --ca CA",
            SLICE_ARG(id), SLICE_ARG(folder->word), SLICE_ARG(id), alone ? "" : "-chain",
            SLICE_ARG(folder->word), SLICE_ARG(id));
}

static void next_enroll(struct pki_folder *folder, struct slice id)
{
    next(folder->cli, "Admit this one device by its certificate, and play it");
    command(folder->cli, "usher enrollment create %.*s --certificate %.*s/%.*s.pem", SLICE_ARG(id),
            SLICE_ARG(folder->word), SLICE_ARG(id));
    next_register(folder, id, true);
}

static void next_upload(struct pki_folder *folder, struct slice id)
{
    next(folder->cli, "Let the service trust the root, and admit every device below it");
    command(folder->cli, "usher certificate create bench-root --file %.*s/root.pem --verified",
            SLICE_ARG(folder->word));
    command(folder->cli, "usher group create bench-devices --ca bench-root");
    if (!slice_empty(id))
        next_register(folder, id, false);
    else
        command(folder->cli, "usher pki device %.*s my-device", SLICE_ARG(folder->word));
}

// --- create

// Everything is looked at before anything is made.
static struct err check_create(struct pki_folder *folder, const struct cli_args *args, uint64_t intermediates,
                               struct why *why)
{
    static const char *const options[] = {"device", "self-signed"};
    TRY(pki_free(folder, PKI_ROOT, why));
    for (unsigned i = 1; i <= intermediates; i++) {
        struct slice name;
        TRY(arena_printf(&folder->cli->arena, &name, PKI_INTERMEDIATE "%u", i));
        TRY(pki_free(folder, name, why));
    }
    for (size_t o = 0; o < CLI_COUNT(options); o++) {
        struct slice id;
        for (size_t i = 0; (id = args_value_at(args, options[o], i)).at != NULL; i++) {
            TRY(pki_name_check("the device", id, why));
            TRY(pki_free(folder, id, why));
        }
    }
    return OK;
}

static struct err make_authorities(struct pki_folder *folder, struct slice name, uint64_t intermediates,
                                   struct slice *issuer, struct why *why)
{
    struct pki_wanted wanted = {.role = BENCH_ROOT, .name = PKI_ROOT};
    struct arena *arena = &folder->cli->arena;
    TRY(arena_printf(arena, &wanted.common_name, "%.*s root", SLICE_ARG(name)));
    TRY(pki_make(folder, &wanted, why));
    *issuer = wanted.name;
    for (unsigned i = 1; i <= intermediates; i++) {
        wanted = (struct pki_wanted){.role = BENCH_INTERMEDIATE, .issuer = *issuer};
        TRY(arena_printf(arena, &wanted.name, PKI_INTERMEDIATE "%u", i));
        TRY(arena_printf(arena, &wanted.common_name, "%.*s " PKI_INTERMEDIATE " %u", SLICE_ARG(name), i));
        TRY(pki_make(folder, &wanted, why));
        *issuer = wanted.name;
    }
    return OK;
}

static struct err make_devices(struct pki_folder *folder, const struct cli_args *args, const char *option,
                               struct slice issuer, struct why *why)
{
    struct slice id;
    for (size_t i = 0; (id = args_value_at(args, option, i)).at != NULL; i++) {
        const struct pki_wanted wanted = {
            .role = BENCH_DEVICE, .name = id, .common_name = id, .issuer = issuer};
        TRY(pki_make(folder, &wanted, why));
    }
    return OK;
}

static struct err fill(struct pki_folder *folder, const struct cli_args *args, struct why *why)
{
    uint64_t intermediates = 0;
    struct slice issuer, name = args_value(args, "name");
    struct slice id = args_value(args, "device"), alone = args_value(args, "self-signed");
    TRY(args_number(args, "intermediates", 0, PKI_INTERMEDIATES_MAX, &intermediates, why));
    TRY(read_key_type(args, &folder->key, why));
    if (name.at == NULL)
        name = SLICE("Usher bench");
    if (name.len == 0 || name.len > NAME_LEN_MAX)
        return why_fail(why, ERR_INVALID, "--name: 1 to %d bytes", (int)NAME_LEN_MAX);
    TRY(check_create(folder, args, intermediates, why));
    TRY(make_authorities(folder, name, intermediates, &issuer, why));
    TRY(make_devices(folder, args, "device", issuer, why));
    TRY(make_devices(folder, args, "self-signed", (struct slice){0}, why));
    pki_print(folder);
    next_upload(folder, id);
    if (!slice_empty(alone))
        next_enroll(folder, alone);
    return OK;
}

static struct err create(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct pki_folder folder;
    struct err e = pki_folder_open(&folder, cli, args_word(args, 0), true, why);
    if (!failed(e))
        e = fill(&folder, args, why);
    pki_folder_release(&folder);
    return e;
}

// --- adding to a folder

// A certificate of that role, by the arguments that the three verbs share. The issuer is the one given, else
// `issuer`, else the last one.
static struct err add(struct pki_folder *folder, const struct cli_args *args, struct pki_wanted *wanted,
                      struct slice issuer, struct why *why)
{
    TRY(read_key_type(args, &folder->key, why));
    TRY(read_days(args, &wanted->days, why));
    if (args_has(args, "issuer"))
        issuer = args_value(args, "issuer");
    else if (slice_empty(issuer))
        TRY(pki_last_issuer(folder, &issuer));
    if (!args_has(args, "self-signed"))
        wanted->issuer = issuer;
    TRY(pki_make(folder, wanted, why));
    pki_print(folder);
    return OK;
}

static struct err add_intermediate(struct pki_folder *folder, const struct cli_args *args, struct why *why)
{
    struct slice name = args_word(args, 1);
    struct pki_wanted wanted = {.role = BENCH_INTERMEDIATE, .name = name, .common_name = name};
    TRY(pki_name_check("the intermediate", name, why));
    TRY(add(folder, args, &wanted, (struct slice){0}, why));
    next(folder->cli, "Make devices below it, and admit those alone");
    command(folder->cli, "usher pki device %.*s my-device --issuer %.*s", SLICE_ARG(folder->word),
            SLICE_ARG(name));
    command(folder->cli, "usher group create %.*s --certificate %.*s/%.*s.pem", SLICE_ARG(name),
            SLICE_ARG(folder->word), SLICE_ARG(name));
    return OK;
}

static struct err add_device(struct pki_folder *folder, const struct cli_args *args, struct why *why)
{
    struct slice id = args_word(args, 1);
    struct pki_wanted wanted = {.role = BENCH_DEVICE, .name = id, .common_name = id};
    if (args_has(args, "issuer") && args_has(args, "self-signed"))
        return why_fail(why, ERR_INVALID, "--issuer and --self-signed exclude each other");
    TRY(pki_name_check("the device", id, why));
    TRY(add(folder, args, &wanted, (struct slice){0}, why));
    if (slice_empty(wanted.issuer)) {
        next_enroll(folder, id);
        return OK;
    }
    next(folder->cli, "When a group admits what is below its issuer, play it");
    next_register(folder, id, false);
    return OK;
}

static struct err add_verification(struct pki_folder *folder, const struct cli_args *args, struct why *why)
{
    struct slice code = args_word(args, 1);
    struct pki_wanted wanted = {.role = BENCH_VERIFICATION, .common_name = code};
    TRY(pki_name_check("the code", code, why));
    TRY(arena_printf(&folder->cli->arena, &wanted.name, "verification-%.*s", SLICE_ARG(slice_to(code, 8))));
    TRY(add(folder, args, &wanted, PKI_ROOT, why));
    next(folder->cli, "Hand it in, for the CA certificate that the code was made for");
    command(folder->cli, "usher certificate verify NAME --file %.*s/%.*s.pem", SLICE_ARG(folder->word),
            SLICE_ARG(wanted.name));
    return OK;
}

static struct err in_folder(struct cli *cli, const struct cli_args *args, struct why *why)
{
    struct pki_folder folder;
    struct err e = pki_folder_open(&folder, cli, args_word(args, 0), false, why);
    const char *verb = args->verb->subject;
    if (!failed(e) && strcmp(verb, "intermediate") == 0)
        e = add_intermediate(&folder, args, why);
    else if (!failed(e) && strcmp(verb, "device") == 0)
        e = add_device(&folder, args, why);
    else if (!failed(e))
        e = add_verification(&folder, args, why);
    pki_folder_release(&folder);
    return e;
}

// clang-format off
#define KEY_TYPE_OPTION \
    {.name = "key-type", .value = "ec|rsa", .help = "EC P-256, unless said, or RSA with 2048 bits"}
#define DAYS_OPTION(usual) {.name = "days", .value = "N", .help = "how long it holds; " usual " unless said"}
#define LAST_ISSUER_OPTION \
    {.name = "issuer", .value = "NAME", .help = "who signs it; the last intermediate, else root, unless said"}
#define LAYOUT \
    "DIR holds, for each NAME (root, intermediate1, intermediate2, ..., and each device's ID):\n" \
    "  NAME.pem        its certificate\n" \
    "  NAME.key        its private key, which only you may read\n" \
    "  NAME-chain.pem  its certificate and the intermediates above it, nearest first, without the root:\n" \
    "                  what a device shows; not for the root and for what is self-signed\n" \
    "No file that is there already is overwritten.\n"

static const struct cli_option create_options[] = {
    KEY_TYPE_OPTION,
    {.name = "name", .value = "TEXT", .help = "begins the names of root and intermediates; \"Usher bench\" unless said"},
    {.name = "intermediates", .value = "N", .help = "CAs between root and devices, 0 to 3; none unless said"},
    {.name = "device", .value = "ID", .help = "a device below the last CA", .repeat = true},
    {.name = "self-signed", .value = "ID", .help = "a device that signs for itself", .repeat = true},
    {0},
};
static const struct cli_option intermediate_options[] = {
    LAST_ISSUER_OPTION, KEY_TYPE_OPTION, DAYS_OPTION("1826"), {0}};
static const struct cli_option device_options[] = {
    LAST_ISSUER_OPTION,
    {.name = "self-signed", .help = "it signs for itself, for an enrollment of its own"},
    KEY_TYPE_OPTION, DAYS_OPTION("365"), {0}};
static const struct cli_option verification_options[] = {
    {.name = "issuer", .value = "NAME", .help = "the CA whose key is to be proved; root unless said"},
    {0},
};
static const struct cli_verb verbs[] = {
    {.name = "pki create", .arguments = "DIR", .help = "make a bench PKI: root, intermediates, devices",
     .more = LAYOUT, .options = create_options, .run = create},
    {.name = "pki intermediate", .arguments = "DIR NAME", .help = "add a CA to a bench PKI",
     .more = LAYOUT, .options = intermediate_options, .run = in_folder, .subject = "intermediate"},
    {.name = "pki device", .arguments = "DIR ID", .help = "add a device, whose registration ID is ID",
     .more = LAYOUT, .options = device_options, .run = in_folder, .subject = "device"},
    {.name = "pki verification", .arguments = "DIR CODE", .help = "sign a verification code with a CA's key",
     .more = "Makes DIR/verification-CODE.pem, CODE shortened to 8 letters, for usher certificate verify.\n",
     .options = verification_options, .run = in_folder, .subject = "verification"},
};
// clang-format on
const struct cli_verb_list cli_pki_verbs = CLI_VERBS(verbs);

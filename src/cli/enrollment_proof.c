// The certificate and TPM options of enrollments (service-api A.5, x509 and tpm).
#include "cli/enrollment.h"

#include <time.h>

#include "base/text.h"
#include "cli/file.h"
#include "crypto/chain.h"
#include "crypto/possession.h"

static const char *const forms[] = {"clientCertificates", "signingCertificates", "caReferences"};

bool enrollment_keys_given(const struct cli_args *args)
{
    return args_has(args, "primary-key") || args_has(args, "secondary-key");
}

static bool certificates_given(const struct cli_args *args)
{
    return args_has(args, "certificate") || args_has(args, "secondary-certificate") ||
           args_has(args, "remove-secondary-certificate");
}

static bool names_given(const struct cli_args *args)
{
    return args_has(args, "ca") || args_has(args, "secondary-ca");
}

static bool tpm_given(const struct cli_args *args)
{
    return args_has(args, "endorsement-key") || args_has(args, "tpm-ca") ||
           args_has(args, "secondary-tpm-ca");
}

static struct err check(const struct cli_args *args, struct why *why)
{
    bool by_certificate = certificates_given(args), by_name = names_given(args), by_tpm = tpm_given(args);
    if (by_tpm && (enrollment_keys_given(args) || by_certificate || by_name))
        return why_fail(why, ERR_INVALID,
                        "a device proves itself by key, by certificate or by TPM: give the options of one of "
                        "them only");
    if (enrollment_keys_given(args) && (by_certificate || by_name))
        return why_fail(why, ERR_INVALID,
                        "a device proves itself by key or by certificate: --primary-key and --secondary-key "
                        "do not go together with %s",
                        by_name ? "--ca and --secondary-ca" : "--certificate and --secondary-certificate");
    if (by_certificate && by_name)
        return why_fail(why, ERR_INVALID,
                        "--certificate takes a certificate from a file, --ca the name of one that the "
                        "service has: give one of the two");
    if (args_has(args, "secondary-certificate") && args_has(args, "remove-secondary-certificate"))
        return why_fail(why, ERR_INVALID,
                        "--secondary-certificate and --remove-secondary-certificate exclude each other");
    return OK;
}

// A group's certificate that vouches for nobody: the service takes it, and then refuses the devices.
static void warn_of_authority(struct cli *cli, const char *option, struct slice der)
{
    struct authority unused;
    struct why what = {0};
    if (authority_check(der, (int64_t)time(NULL) * 1000000, &unused, &what).code != ERR_INVALID)
        return;
    buf_printf(&cli->out, "warning: --%s: ", option);
    print_text(&cli->out, slice_text(what.text));
    buf_text(&cli->out, "; no device will be let in by it\n");
}

// A device is let in only by a certificate with its registration ID as common name.
static void warn_of_name(struct cli *cli, const char *option, struct slice der, struct slice id)
{
    struct chain *chain = NULL;
    if (failed(chain_new(&der, 1, &chain)))
        return;
    struct slice name = chain_common_name(chain);
    if (chain_problem(chain) == NULL && !slice_equal_nocase(name, id)) {
        buf_printf(&cli->out, "warning: --%s: the certificate's common name is '", option);
        print_text(&cli->out, name);
        buf_text(&cli->out, "', and the registration ID ");
        print_text(&cli->out, id);
        buf_text(&cli->out, ": they must be the same, or the device will be refused\n");
    }
    chain_release(chain);
}

// Base64 of the certificate in the file that the option names; empty when it was not given.
static struct err read_file(struct cli *cli, const struct enrollment_kind *kind, const struct cli_args *args,
                            const char *option, struct slice *out, struct why *why)
{
    struct slice der;
    if (!args_has(args, option))
        return OK;
    TRY(cli_file_certificate(cli, option, args_value(args, option), &der, why));
    if (!cli->json && kind->individual)
        warn_of_name(cli, option, der, args_word(args, 0));
    else if (!cli->json)
        warn_of_authority(cli, option, der);
    struct buf text = buf_capped(CLI_FILE_MAX);
    b64_encode(&text, der);
    struct err e = buf_err(&text);
    if (!failed(e))
        e = arena_copy(&cli->arena, buf_slice(&text), out);
    buf_release(&text);
    return e;
}

static struct err by_certificate(struct cli *cli, const struct enrollment_kind *kind,
                                 const struct cli_args *args, struct enrollment_proof *proof, struct why *why)
{
    proof->type = "x509";
    proof->form = forms[kind->individual ? 0 : 1];
    proof->no_secondary = args_has(args, "remove-secondary-certificate");
    TRY(read_file(cli, kind, args, "certificate", &proof->primary, why));
    return read_file(cli, kind, args, "secondary-certificate", &proof->secondary, why);
}

enum { MODULUS = 256 }; // bytes; no endorsement key has fewer

// Base64 of an endorsement key, or the name of a file.
static bool is_key(struct cli *cli, struct slice given)
{
    struct slice bytes = {0};
    return !failed(b64_decode_arena(&cli->arena, given, &bytes)) && bytes.len >= MODULUS;
}

// As `usher device tpm` prints it, or a file of that or of the TPM2B_PUBLIC itself, as tpm2-tools write it.
static struct err by_tpm(struct cli *cli, const struct cli_args *args, struct enrollment_proof *proof,
                         struct why *why)
{
    struct slice given = args_value(args, "endorsement-key"), content = {0};
    struct why what = {0};
    *proof = (struct enrollment_proof){.type = "tpm", .form = "endorsementKey", .primary = given};
    if (is_key(cli, given))
        return OK;
    struct err e = cli_file_read(cli, given, &content, &what);
    if (failed(e))
        return why_fail(why, e.code, "--endorsement-key is neither base64 of a key nor a file: %s",
                        what.text);
    proof->primary = slice_trim(content);
    if (is_key(cli, proof->primary))
        return OK;
    struct buf text = buf_capped(CLI_FILE_MAX * 2);
    b64_encode(&text, content);
    e = buf_err(&text);
    if (!failed(e))
        e = arena_copy(&cli->arena, buf_slice(&text), &proof->primary);
    buf_release(&text);
    return e;
}

struct err enrollment_proof_read(struct cli *cli, const struct enrollment_kind *kind,
                                 const struct cli_args *args, struct enrollment_proof *proof, struct why *why)
{
    *proof = (struct enrollment_proof){0};
    TRY(check(args, why));
    if (certificates_given(args))
        return by_certificate(cli, kind, args, proof, why);
    if (names_given(args))
        *proof = (struct enrollment_proof){.type = "x509",
                                           .form = forms[2],
                                           .named = true,
                                           .primary = args_value(args, "ca"),
                                           .secondary = args_value(args, "secondary-ca")};
    else if (tpm_given(args) && kind->individual)
        return by_tpm(cli, args, proof, why);
    else if (tpm_given(args))
        *proof = (struct enrollment_proof){.type = "tpm",
                                           .form = forms[2],
                                           .named = true,
                                           .primary = args_value(args, "tpm-ca"),
                                           .secondary = args_value(args, "secondary-tpm-ca")};
    return OK;
}

static void write_one(struct json_writer *w, const struct enrollment_proof *proof, const char *member,
                      struct slice value, bool patch)
{
    if (slice_empty(value))
        return;
    if (proof->named) {
        json_field_text(w, member, value);
        return;
    }
    json_key(w, member);
    json_object_open(w);
    json_field_text(w, "certificate", value);
    if (patch)
        json_field_node(w, "info", NULL); // of the one before
    json_object_close(w);
}

static void write_pair(struct json_writer *w, const struct enrollment_proof *proof, bool patch)
{
    for (size_t i = 0; i < CLI_COUNT(forms); i++) {
        if (patch && forms[i] != proof->form && !enrollment_proof_is_tpm(proof))
            json_field_node(w, forms[i], NULL);
    }
    json_key(w, proof->form);
    json_object_open(w);
    write_one(w, proof, "primary", proof->primary, patch);
    write_one(w, proof, "secondary", proof->secondary, patch);
    if (patch && proof->no_secondary)
        json_field_node(w, "secondary", NULL);
    json_object_close(w);
}

void enrollment_proof_write(struct json_writer *w, const struct enrollment_proof *proof, bool patch)
{
    json_key(w, proof->type);
    json_object_open(w);
    if (enrollment_proof_is_tpm(proof) && !proof->named) {
        json_field_text(w, proof->form, proof->primary);
        if (patch)
            json_field_node(w, "storageRootKey", NULL); // of the TPM before
    } else {
        write_pair(w, proof, patch);
    }
    json_object_close(w);
}

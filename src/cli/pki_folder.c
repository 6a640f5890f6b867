// Names, files and issuers of a bench PKI.
#include "cli/pki_folder.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/secret.h"
#include "cli/file.h"

enum { FILES_MAX = 64 * 1024, NAME_MAX_LEN = BENCH_NAME_MAX };

struct err pki_folder_open(struct pki_folder *folder, struct cli *cli, struct slice path, bool make,
                           struct why *why)
{
    const char *name;
    struct stat found;
    *folder = (struct pki_folder){.cli = cli, .path = path, .now_us = (int64_t)time(NULL) * 1000000};
    folder->made = (struct table){.arena = &cli->arena, .columns = 2};
    folder->files = buf_capped(FILES_MAX);
    json_begin(&folder->json, &folder->files);
    json_array_open(&folder->json);
    while (folder->path.len > 1 && slice_ends_with(folder->path, SLICE("/")))
        folder->path.len--;
    TRY(cli_file_path(cli, folder->path, &name, why));
    TRY(cli_shell_word(cli, folder->path, &folder->word));
    if (make && mkdir(name, 0700) != 0 && errno != EEXIST)
        return why_fail(why, ERR_SYSTEM, "%.*s: cannot be made: %s", SLICE_ARG(folder->path),
                        strerror(errno));
    if (stat(name, &found) != 0 || !S_ISDIR(found.st_mode))
        return why_fail(why, ERR_ABSENT, "%.*s is no folder: make a PKI first (usher pki create)",
                        SLICE_ARG(folder->path));
    return OK;
}

void pki_folder_release(struct pki_folder *folder)
{
    buf_release(&folder->files);
}

struct err pki_path(struct pki_folder *folder, struct slice name, const char *suffix, struct slice *out)
{
    return arena_printf(&folder->cli->arena, out, "%.*s/%.*s%s", SLICE_ARG(folder->path), SLICE_ARG(name),
                        suffix);
}

struct err pki_name_check(const char *what, struct slice name, struct why *why)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    bool good = name.len > 0 && name.len <= NAME_MAX_LEN;
    for (size_t i = 0; i < name.len && good; i++) {
        char byte = (char)name.at[i];
        bool last = i + 1 == name.len;
        good = byte != '\0' && (strchr(letters, byte) != NULL || strchr(last ? "-" : "-._:", byte) != NULL);
    }
    return good ? OK
                : why_fail(why, ERR_INVALID,
                           "%s '%.*s': 1 to %d letters, digits and - . _ : that end in a letter, a digit or "
                           "a dash",
                           what, SLICE_ARG(name), (int)NAME_MAX_LEN);
}

struct err pki_free(struct pki_folder *folder, struct slice name, struct why *why)
{
    static const char *const suffixes[] = {".pem", ".key", "-chain.pem"};
    for (size_t i = 0; i < CLI_COUNT(suffixes); i++) {
        struct slice path;
        TRY(pki_path(folder, name, suffixes[i], &path));
        if (cli_file_there(folder->cli, path))
            return why_fail(why, ERR_CONFLICT,
                            "%.*s is there already, and is not overwritten: take another name or folder, or "
                            "remove it yourself",
                            SLICE_ARG(path));
    }
    return OK;
}

struct err pki_last_issuer(struct pki_folder *folder, struct slice *name)
{
    *name = PKI_ROOT;
    for (unsigned i = 1;; i++) {
        struct slice next, path;
        TRY(arena_printf(&folder->cli->arena, &next, PKI_INTERMEDIATE "%u", i));
        TRY(pki_path(folder, next, ".pem", &path));
        if (!cli_file_there(folder->cli, path))
            return OK;
        *name = next;
    }
}

static struct err note(struct pki_folder *folder, struct slice path, const char *what)
{
    json_text(&folder->json, path);
    return table_add(&folder->made, (struct slice[]){path, slice_text(what)});
}

// What is above the leaf in its chain: the issuer's own chain, or the issuer alone where somebody else made
// it. Nothing above what the root signed.
static struct err read_above(struct pki_folder *folder, const struct pki_wanted *wanted, struct slice issuer,
                             struct slice *above, struct why *why)
{
    struct slice path;
    *above = (struct slice){0};
    if (slice_equal(wanted->issuer, PKI_ROOT))
        return OK;
    TRY(pki_path(folder, wanted->issuer, "-chain.pem", &path));
    if (cli_file_there(folder->cli, path))
        return cli_file_read(folder->cli, path, above, why);
    *above = issuer;
    return OK;
}

static struct err write_chain(struct pki_folder *folder, const struct pki_wanted *wanted, struct slice own,
                              struct slice issuer, struct why *why)
{
    struct slice above, path;
    struct buf chain = buf_capped(CLI_OUT_CAP);
    TRY(read_above(folder, wanted, issuer, &above, why));
    TRY(pki_path(folder, wanted->name, "-chain.pem", &path));
    buf_bytes(&chain, own);
    buf_bytes(&chain, above);
    struct err e = buf_err(&chain);
    if (!failed(e))
        e = cli_file_write_new(folder->cli, path, buf_slice(&chain), 0644, why);
    if (!failed(e))
        e = note(folder, path, "the certificate with the intermediates above it");
    buf_release(&chain);
    return e;
}

static struct err write_all(struct pki_folder *folder, const struct pki_wanted *wanted,
                            const struct bench_spec *spec, struct slice certificate, struct slice key,
                            struct why *why)
{
    static const char *const what[] = {
        [BENCH_ROOT] = "certificate of the root",
        [BENCH_INTERMEDIATE] = "certificate of an intermediate CA",
        [BENCH_DEVICE] = "certificate of a device",
        [BENCH_SERVER] = "certificate of a server",
        [BENCH_VERIFICATION] = "the proof, signed by the CA's key",
    };
    struct slice path, key_path;
    bool alone = wanted->role == BENCH_DEVICE && slice_empty(wanted->issuer);
    bool keeps_key = wanted->role != BENCH_VERIFICATION;
    TRY(pki_path(folder, wanted->name, ".pem", &path));
    TRY(pki_path(folder, wanted->name, ".key", &key_path));
    if (keeps_key)
        TRY(cli_file_write_new(folder->cli, key_path, key, 0600, why));
    TRY(cli_file_write_new(folder->cli, path, certificate, 0644, why));
    TRY(note(folder, path, alone ? "certificate of a device, signed by itself" : what[wanted->role]));
    if (keeps_key)
        TRY(note(folder, key_path, "its key: keep it secret"));
    if (slice_empty(wanted->issuer) || wanted->role == BENCH_VERIFICATION)
        return OK;
    return write_chain(folder, wanted, certificate, spec->issuer_certificate, why);
}

static struct err read_issuer(struct pki_folder *folder, struct slice name, struct bench_spec *spec,
                              struct why *why)
{
    struct slice path;
    if (slice_empty(name))
        return OK;
    TRY(pki_name_check("the issuer", name, why));
    TRY(pki_path(folder, name, ".pem", &path));
    TRY(cli_file_read(folder->cli, path, &spec->issuer_certificate, why));
    TRY(pki_path(folder, name, ".key", &path));
    return cli_file_read(folder->cli, path, &spec->issuer_key, why);
}

struct err pki_make(struct pki_folder *folder, const struct pki_wanted *wanted, struct why *why)
{
    struct bench_spec spec = {.role = wanted->role,
                              .key = folder->key,
                              .common_name = wanted->common_name,
                              .path_len = BENCH_ANY_DEPTH,
                              .days = wanted->days,
                              .now_us = folder->now_us};
    struct buf certificate = buf_capped(BENCH_PEM_MAX), key = certificate;
    struct why what = {0};
    TRY(pki_free(folder, wanted->name, why));
    TRY(read_issuer(folder, wanted->issuer, &spec, why));
    struct err e = bench_make(&spec, &certificate, &key, &what);
    if (e.code == ERR_INVALID)
        e = why_fail(why, ERR_INVALID, "%.*s: %s", SLICE_ARG(wanted->name), what.text);
    if (!failed(e))
        e = write_all(folder, wanted, &spec, buf_slice(&certificate), buf_slice(&key), why);
    bytes_wipe(key.at, key.room);
    buf_release(&certificate);
    buf_release(&key);
    return e;
}

void pki_print(struct pki_folder *folder)
{
    struct json_writer w;
    if (!folder->cli->json) {
        table_print(&folder->made, &folder->cli->out);
        return;
    }
    json_array_close(&folder->json);
    json_begin(&w, &folder->cli->out);
    json_object_open(&w);
    json_field_text(&w, "folder", folder->path);
    json_field_raw(&w, "files", buf_slice(&folder->files));
    json_object_close(&w);
    buf_u8(&folder->cli->out, '\n');
}

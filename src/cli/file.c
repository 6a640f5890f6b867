// Reading whole files, and writing new ones without ever harming an old one.
#include "cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "crypto/certificate.h"

struct err cli_file_path(struct cli *cli, struct slice path, const char **out, struct why *why)
{
    if (slice_empty(path) || slice_find_byte(path, '\0') < path.len)
        return why_fail(why, ERR_INVALID, "the name of a file is empty");
    *out = arena_cstr(&cli->arena, path);
    return *out != NULL ? OK : FAIL(ERR_NO_MEMORY);
}

static struct err trouble(struct slice path, const char *what, struct why *why)
{
    return why_fail(why, ERR_SYSTEM, "%.*s: %s: %s", SLICE_ARG(path), what, strerror(errno));
}

static struct err read_all(int file, struct slice path, struct buf *out, struct why *why)
{
    for (;;) {
        uint8_t *to = buf_reserve(out, 16 * 1024);
        if (to == NULL && out->broken == ERR_CAPPED)
            return why_fail(why, ERR_CAPPED, "%.*s: is longer than anything that belongs here",
                            SLICE_ARG(path));
        if (to == NULL)
            return buf_err(out);
        ssize_t got = read(file, to, 16 * 1024);
        if (got < 0 && errno != EINTR)
            return trouble(path, "cannot be read", why);
        buf_added(out, got > 0 ? (size_t)got : 0);
        if (got == 0)
            return OK;
    }
}

struct err cli_file_read(struct cli *cli, struct slice path, struct slice *content, struct why *why)
{
    const char *name = NULL;
    TRY(cli_file_path(cli, path, &name, why));
    int file = open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return trouble(path, "cannot be opened", why);
    struct buf all = buf_capped(CLI_FILE_MAX);
    struct err e = read_all(file, path, &all, why);
    close(file);
    if (!failed(e))
        e = arena_copy(&cli->arena, buf_slice(&all), content);
    bytes_wipe(all.at, all.room); // it may be a key
    buf_release(&all);
    return e;
}

static bool write_all(int file, struct slice content)
{
    while (content.len > 0) {
        ssize_t wrote = write(file, content.at, content.len);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        content = slice_from(content, (size_t)wrote);
    }
    return true;
}

struct err cli_file_write_new(struct cli *cli, struct slice path, struct slice content, unsigned mode,
                              struct why *why)
{
    const char *name = NULL;
    TRY(cli_file_path(cli, path, &name, why));
    int file = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file < 0 && errno == EEXIST)
        return why_fail(why, ERR_CONFLICT, "%.*s is there already, and is not overwritten", SLICE_ARG(path));
    if (file < 0)
        return trouble(path, "cannot be made", why);
    bool wrote = write_all(file, content);
    struct err e = wrote ? OK : trouble(path, "cannot be written", why);
    if (close(file) != 0 && !failed(e))
        e = trouble(path, "cannot be written", why);
    if (failed(e))
        (void)unlink(name);
    return e;
}

bool cli_file_there(struct cli *cli, struct slice path)
{
    struct stat unused;
    const char *name = arena_cstr(&cli->arena, path);
    return name != NULL && lstat(name, &unused) == 0;
}

struct err cli_file_certificate(struct cli *cli, const char *option, struct slice path, struct slice *der,
                                struct why *why)
{
    struct slice content = {0};
    struct why what = {0};
    TRY(cli_file_read(cli, path, &content, why));
    struct err e = certificate_read(&cli->arena, content, der, &what);
    if (e.code == ERR_INVALID)
        return why_fail(why, ERR_INVALID, "--%s %.*s: %s", option, SLICE_ARG(path), what.text);
    return e;
}

struct err cli_shell_word(struct cli *cli, struct slice word, struct slice *out)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:/@%+=,";
    struct buf quoted = buf_capped(word.len * 4 + 2);
    bool bare = word.len > 0;
    for (size_t i = 0; i < word.len; i++)
        bare = bare && word.at[i] != '\0' && strchr(plain, word.at[i]) != NULL;
    if (bare)
        return arena_copy(&cli->arena, word, out);
    buf_u8(&quoted, '\'');
    for (size_t i = 0; i < word.len; i++) {
        if (word.at[i] == '\'')
            buf_text(&quoted, "'\\''");
        else
            buf_u8(&quoted, word.at[i]);
    }
    buf_u8(&quoted, '\'');
    struct err e = buf_err(&quoted);
    if (!failed(e))
        e = arena_copy(&cli->arena, buf_slice(&quoted), out);
    buf_release(&quoted);
    return e;
}

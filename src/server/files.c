// Files, with every failure saying which file and why.
#include "server/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct err file_fail(struct why *why, const char *path, const char *what)
{
    return why_fail(why, ERR_CONFIG, "%s: %s: %s", path, what, strerror(errno));
}

// Up to the buffer's cap.
static struct err read_all(int fd, const char *path, struct buf *out, struct why *why)
{
    uint8_t chunk[4096];
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0)
            return file_fail(why, path, "cannot be read");
        buf_bytes(out, slice_of(chunk, (size_t)got));
        if (failed(buf_err(out)))
            return why_fail(why, ERR_CONFIG, "%s: longer than %zu bytes", path, out->cap);
        if (got == 0)
            return OK;
    }
}

struct err file_read(const char *path, bool secret, struct buf *out, struct why *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | (secret ? O_NOFOLLOW : 0));
    if (fd < 0)
        return file_fail(why, path, "cannot be opened");
    struct stat st;
    struct err e = OK;
    if (fstat(fd, &st) != 0)
        e = file_fail(why, path, "cannot be examined");
    else if (secret && (st.st_mode & 077) != 0)
        e = why_fail(why, ERR_CONFIG, "%s: others than its owner may use it; run chmod 600 on it", path);
    if (!failed(e))
        e = read_all(fd, path, out, why);
    close(fd);
    return e;
}

static bool write_all(int fd, struct slice content)
{
    while (content.len > 0) {
        ssize_t wrote = write(fd, content.at, content.len);
        if (wrote <= 0)
            return false;
        content = slice_from(content, (size_t)wrote);
    }
    return fsync(fd) == 0;
}

struct err file_write(const char *path, struct slice content, unsigned mode, struct why *why)
{
    char temporary[4096];
    int len = snprintf(temporary, sizeof temporary, "%s.new", path);
    if (len < 0 || (size_t)len >= sizeof temporary)
        return why_fail(why, ERR_CONFIG, "%s: the path is too long", path);
    (void)unlink(temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return file_fail(why, temporary, "cannot be made");
    bool wrote = write_all(fd, content);
    close(fd);
    if (wrote && rename(temporary, path) == 0)
        return OK;
    struct err e = file_fail(why, path, "cannot be written");
    (void)unlink(temporary);
    return e;
}

void folder_remove(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        return;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        (void)unlinkat(dirfd(folder), entry->d_name, 0); // "." and ".." are folders and stay
    closedir(folder);
    (void)rmdir(path);
}

// System calls around the database file. SQLite's own locks on the file vanish when any other descriptor of
// it is closed, so nothing here touches it after SQLite has opened it.
#include "store/sqlite/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

static struct err system_failure(struct why *why, const char *what, const char *path)
{
    char reason[64];
    return why_fail(why, ERR_SYSTEM, "Cannot %s %s: %s.", what, path,
                    strerror_r(errno, reason, sizeof reason));
}

// Locks and shared memory do not hold between machines, and a write may be lost after it was acknowledged.
static bool on_network(int fd)
{
    enum { NFS = 0x6969, SMB = 0x517B };
    const unsigned CIFS = 0xFF534D42, SMB2 = 0xFE534D42;
    struct statfs fs;
    if (fstatfs(fd, &fs) != 0)
        return false;
    unsigned type = (unsigned)fs.f_type;
    return type == NFS || type == SMB || type == CIFS || type == SMB2;
}

struct err file_lock(const char *path, int *fd, struct why *why)
{
    *fd = -1;
    char name[PATH_MAX];
    int len = snprintf(name, sizeof name, "%s.lock", path);
    if (len < 0 || (size_t)len >= sizeof name)
        return why_fail(why, ERR_CONFIG, "The path of the database is longer than a path may be.");
    int lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0)
        return system_failure(why, "open the lock file", name);
    struct err e = OK;
    if (on_network(lock))
        e = why_fail(why, ERR_CONFIG, "%s is on a network file system; the database needs a local disk.",
                     path);
    else if (flock(lock, LOCK_EX | LOCK_NB) != 0)
        e = errno == EWOULDBLOCK
                ? why_fail(why, ERR_STORE, "%s is in use by another process, which holds %s.", path, name)
                : system_failure(why, "lock", name);
    if (failed(e))
        close(lock);
    else
        *fd = lock;
    return e;
}

void file_unlock(int fd)
{
    if (fd >= 0)
        close(fd);
}

struct err file_sync_folder(const char *path, struct why *why)
{
    char copy[PATH_MAX];
    (void)snprintf(copy, sizeof copy, "%s", path);
    const char *folder = dirname(copy);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return system_failure(why, "open the folder", folder);
    struct err e = fsync(fd) != 0 ? system_failure(why, "sync the folder", folder) : OK;
    close(fd);
    return e;
}

struct err file_create(const char *path, struct why *why)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return OK;
    if (fd < 0)
        return system_failure(why, "create", path);
    struct err e = fsync(fd) != 0 ? system_failure(why, "sync", path) : OK;
    close(fd);
    return failed(e) ? e : file_sync_folder(path, why);
}

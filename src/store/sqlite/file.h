// The database file as a file: its lock, its creation, where it may lie. Not for what is in it.
#pragma once

#include "base/err.h"

// Takes PATH.lock for this process. *fd is released by file_unlock, or by the end of the process. ERR_STORE
// when another process holds it, ERR_CONFIG on a network file system, ERR_SYSTEM.
struct err file_lock(const char *path, int *fd, struct why *why);
void file_unlock(int fd); // -1: nothing
// Makes an empty file that only its owner may read, and makes its name durable; nothing when there is one.
struct err file_create(const char *path, struct why *why);
// Makes durable which files lie beside PATH.
struct err file_sync_folder(const char *path, struct why *why);

// Reading and writing the daemon's small files: certificates, keys, configuration.
#pragma once

#include "base/buf.h"

enum { FILE_MAX = 1 << 20 };

// All of the file, at most as many bytes as `out` takes. `secret` refuses a file that others than its owner
// may read or write (threats D16), and symbolic links. ERR_CONFIG with why, which names the file and what to
// do.
struct err file_read(const char *path, bool secret, struct buf *out, struct why *why);
// Writes a new file with this mode, whole or not at all: a temporary file beside it, synced and renamed.
struct err file_write(const char *path, struct slice content, unsigned mode, struct why *why);
// Removes what a scratch folder of the daemon holds, and the folder. Only plain files and sockets, no folders
// inside.
void folder_remove(const char *path);

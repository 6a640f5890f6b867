// A bench in one folder.
#include "server/dev.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "crypto/bench_pki.h"
#include "crypto/random.h"
#include "crypto/seal.h"
#include "server/files.h"

static struct err path_in(const struct dev *dev, struct arena *arena, const char *name, struct slice *out)
{
    struct slice path;
    TRY(arena_printf(arena, &path, "%s/%s", dev->folder, name));
    *out = path; // arena_printf ends it with NUL
    return OK;
}

static const char *c_text(struct slice terminated)
{
    return (const char *)terminated.at;
}

static bool missing(struct slice path)
{
    return access(c_text(path), F_OK) != 0;
}

static struct err make_certificates(const struct dev *dev, struct arena *arena, const struct config *config,
                                    struct why *why)
{
    static const char *const dns[] = {"localhost"};
    static const char *const ips[] = {"127.0.0.1", "::1"};
    struct bench_names names = {.dns = dns, .dns_count = 1, .ips = ips, .ip_count = 2};
    struct slice ca_path;
    TRY(path_in(dev, arena, "ca.pem", &ca_path));
    struct buf ca = buf_capped(BENCH_PEM_MAX), ca_key = ca, certificate = ca, key = ca;
    int64_t now_us = daemon_wall_us();
    struct err e = bench_ca_make("Usher bench CA", now_us, &ca, &ca_key, why);
    if (!failed(e))
        e = bench_server_make(buf_slice(&ca), buf_slice(&ca_key), &names, now_us, &certificate, &key, why);
    if (!failed(e))
        e = file_write(c_text(ca_path), buf_slice(&ca), 0644, why);
    if (!failed(e))
        e = file_write(c_text(config->tls_key), buf_slice(&key), 0600, why);
    if (!failed(e)) // last: its presence says that all are there
        e = file_write(c_text(config->tls_certificate), buf_slice(&certificate), 0644, why);
    bytes_wipe(ca_key.at, ca_key.len);
    bytes_wipe(key.at, key.len);
    buf_release(&ca);
    buf_release(&ca_key);
    buf_release(&certificate);
    buf_release(&key);
    return e;
}

static struct err make_master_key(const struct config *config, struct why *why)
{
    uint8_t key[SEAL_MASTER_SIZE];
    struct buf text = buf_capped(128);
    random_fill(key, sizeof key);
    b64_encode(&text, slice_of(key, sizeof key));
    buf_u8(&text, '\n');
    struct err e = file_write(c_text(config->master_key_file), buf_slice(&text), 0600, why);
    bytes_wipe(key, sizeof key);
    bytes_wipe(text.at, text.len);
    buf_release(&text);
    return e;
}

static struct err make_folder(struct dev *dev, const char *folder, struct why *why)
{
    const char *parent = getenv("TMPDIR");
    int len = folder != NULL ? snprintf(dev->folder, sizeof dev->folder, "%s", folder)
                             : snprintf(dev->folder, sizeof dev->folder, "%s/usher-dev-XXXXXX",
                                        parent != NULL ? parent : "/tmp");
    if (len < 0 || (size_t)len >= sizeof dev->folder - 16)
        return why_fail(why, ERR_CONFIG, "the path of the folder is too long");
    dev->scratch = folder == NULL;
    bool made = dev->scratch ? mkdtemp(dev->folder) != NULL : mkdir(dev->folder, 0700) == 0 || errno == EEXIST;
    if (!made)
        return why_fail(why, ERR_CONFIG, "%s: cannot be made: %s", dev->folder, strerror(errno));
    return OK;
}

struct err dev_prepare(struct dev *dev, const char *folder, struct config *config, struct arena *arena, struct why *why)
{
    TRY(make_folder(dev, folder, why));
    TRY(path_in(dev, arena, "server.pem", &config->tls_certificate));
    TRY(path_in(dev, arena, "server.key", &config->tls_key));
    TRY(path_in(dev, arena, "usher.db", &config->store_path));
    TRY(path_in(dev, arena, "master.key", &config->master_key_file));
    TRY(path_in(dev, arena, "control.sock", &config->control_socket));
    if (missing(config->tls_certificate))
        TRY(make_certificates(dev, arena, config, why));
    if (missing(config->master_key_file))
        TRY(make_master_key(config, why));
    return OK;
}

void dev_release(struct dev *dev)
{
    if (dev->scratch && dev->folder[0] != '\0')
        folder_remove(dev->folder);
}

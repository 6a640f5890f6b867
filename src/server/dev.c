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
#include "domain/service.h"
#include "hub/embedded/hub_settings.h"
#include "server/files.h"

enum { DOCUMENT_MAX = 64 * 1024, POLICY_KEY = 32, MQTT_PORT = 8883, AMQP_PORT = 5671 };

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
    struct bench_spec authority = {
        .role = BENCH_ROOT, .common_name = SLICE("Usher bench CA"), .now_us = daemon_wall_us()};
    struct bench_spec server = {.role = BENCH_SERVER,
                                .common_name = SLICE("localhost"),
                                .now_us = authority.now_us,
                                .names = {.dns = dns, .dns_count = 1, .ips = ips, .ip_count = 2}};
    struct slice ca_path;
    TRY(path_in(dev, arena, "ca.pem", &ca_path));
    struct buf ca = buf_capped(BENCH_PEM_MAX), ca_key = ca, certificate = ca, key = ca;
    struct err e = bench_make(&authority, &ca, &ca_key, why);
    server.issuer_certificate = buf_slice(&ca);
    server.issuer_key = buf_slice(&ca_key);
    if (!failed(e))
        e = bench_make(&server, &certificate, &key, why);
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
    bool made =
        dev->scratch ? mkdtemp(dev->folder) != NULL : mkdir(dev->folder, 0700) == 0 || errno == EEXIST;
    if (!made)
        return why_fail(why, ERR_CONFIG, "%s: cannot be made: %s", dev->folder, strerror(errno));
    return OK;
}

struct err dev_prepare(struct dev *dev, const char *folder, struct config *config, struct why *why)
{
    struct arena *arena = &dev->arena;
    *arena = arena_capped(1 << 20);
    arena->wipe = true;
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

// ---- the service
// ---------------------------------------------------------------------------------------------------------------------

static struct err connection_string(struct arena *arena, struct slice host, const struct policy *policy,
                                    struct slice *out)
{
    struct buf text = buf_capped(4096);
    buf_text(&text, "HostName=");
    buf_bytes(&text, host);
    buf_text(&text, ";SharedAccessKeyName=");
    buf_bytes(&text, policy->name);
    buf_text(&text, ";SharedAccessKey=");
    b64_encode(&text, secret_slice(&policy->primary));
    struct err e = buf_err(&text);
    if (!failed(e))
        e = arena_copy(arena, buf_slice(&text), out);
    bytes_wipe(text.at, text.len);
    buf_release(&text);
    return e;
}

static struct err new_service(struct dev *dev, struct daemon *d, struct service *out)
{
    struct policy *owner = arena_take(&dev->arena, sizeof *owner);
    struct linked_hub *hubs = arena_take_many(&dev->arena, dev->hubs.count, sizeof *hubs);
    uint8_t random[2 * POLICY_KEY + 4];
    if (owner == NULL || hubs == NULL)
        return FAIL(ERR_NO_MEMORY);
    random_fill_from(&d->random, random, sizeof random);
    *owner = (struct policy){.name = SLICE("provisioningserviceowner"), .rights = RIGHT_ALL};
    (void)secret_set(&owner->primary, slice_of(random, POLICY_KEY));
    (void)secret_set(&owner->secondary, slice_of(random + POLICY_KEY, POLICY_KEY));
    for (size_t i = 0; i < dev->hubs.count; i++)
        hubs[i] = (struct linked_hub){
            .host = dev->hubs.items[i], .kind = HUB_KIND_EMBEDDED, .weight = 1, .allocate = true};
    *out = (struct service){
        .name = SLICE("dev"),
        .host_name = SLICE("localhost"),
        .allocation = ALLOCATION_HASHED,
        .policies = owner,
        .policy_count = 1,
        .hubs = hubs,
        .hub_count = dev->hubs.count,
        .created_us = clock_wall_us(&d->clock),
        .updated_us = clock_wall_us(&d->clock),
        .etag = random_etag(&d->random),
    };
    const uint8_t *scope = random + 2 * POLICY_KEY;
    struct err e = arena_printf(&dev->arena, &out->id_scope, "0ne%02X%02X%02X%02X", scope[0], scope[1],
                                scope[2], scope[3]);
    bytes_wipe(random, sizeof random);
    return e;
}

static struct err put_service(struct dev *dev, struct daemon *d, const struct service *service)
{
    struct buf document = buf_capped(DOCUMENT_MAX);
    struct err e = service_document_write(service, &document);
    struct service_record record = {
        .name = service->name,
        .id_scope = service->id_scope,
        .document = buf_slice(&document),
        .created_us = service->created_us,
        .updated_us = service->updated_us,
        .etag = service->etag,
    };
    struct store_request put = {
        .verb = STORE_PUT,
        .table = STORE_SERVICE,
        .key = service->name,
        .condition = STORE_IF_ABSENT,
        .record = &record,
        .arena = &dev->arena,
    };
    if (!failed(e))
        e = daemon_ask_store(d, &put);
    bytes_wipe(document.at, document.len);
    buf_release(&document);
    return e;
}

static struct err get_or_make_service(struct dev *dev, struct daemon *d, struct service *out, struct why *why)
{
    struct store_request get = {
        .verb = STORE_GET, .table = STORE_SERVICE, .key = SLICE("dev"), .arena = &dev->arena};
    struct err e = daemon_ask_store(d, &get);
    if (!failed(e))
        return service_document_read(&dev->arena, ((struct service_record *)get.found)->document, out, why);
    if (e.code != ERR_ABSENT)
        return e;
    TRY(new_service(dev, d, out));
    return put_service(dev, d, out);
}

struct err dev_populate(struct dev *dev, struct daemon *daemon, struct why *why)
{
    struct slice host = SLICE("localhost");
    if (dev->hubs.count == 0) {
        // the Node SDK pastes the assigned hub into its URL, which is how it learns of another port
        // (service-api H.5)
        if (daemon->mqtt_port != MQTT_PORT)
            TRY(arena_printf(&dev->arena, &host, "localhost:%u", daemon->mqtt_port));
        dev->hubs.items[dev->hubs.count++] = host;
    }
    TRY(daemon_ensure_hubs(daemon, &dev->hubs, why));
    struct service service = {0};
    TRY(get_or_make_service(dev, daemon, &service, why));
    dev->id_scope = service.id_scope;
    if (service_hub(&service, dev->hubs.items[0]) == NULL && service.hub_count > 0)
        dev->linked_hub = service.hubs[0].host;
    if (service.policy_count > 0)
        TRY(connection_string(&dev->arena, service.host_name, &service.policies[0],
                              &dev->service_connection));
    struct hub_settings hub = {0};
    TRY(daemon_hub_settings(daemon, dev->hubs.items[0], &dev->arena, &hub, why));
    struct slice bare = slice_to(dev->hubs.items[0], slice_find_byte(dev->hubs.items[0], ':'));
    return connection_string(&dev->arena, bare, &hub.policies[0], &dev->hub_connection);
}

void dev_print(const struct dev *dev, const struct daemon *daemon)
{
    (void)printf(
        "Usher bench\n"
        "  ID scope                     %.*s\n"
        "  provisioning host, MQTT      localhost:%u\n"
        "  provisioning host, HTTPS     localhost:%u      (and MQTT or AMQP over WebSocket)\n"
        "  provisioning host, AMQP      localhost:%u\n"
        "  trust this CA                %s/ca.pem      (NODE_EXTRA_CA_CERTS=… for Node)\n"
        "  service connection string    %.*s\n"
        "  embedded hub                 %.*s\n"
        "  hub connection string        %.*s\n"
        "  usher                        usher --socket %s/control.sock enrollment create my-device\n",
        SLICE_ARG(dev->id_scope), daemon->mqtt_port, daemon->https_port, daemon->amqp_port, dev->folder,
        SLICE_ARG(dev->service_connection), SLICE_ARG(dev->hubs.items[0]), SLICE_ARG(dev->hub_connection),
        dev->folder);
    if (daemon->https_port != 443)
        (void)printf(
            "  HTTPS is not on 443: SDKs that cannot be given a port will not find it, and none will over "
            "WebSocket\n");
    if (daemon->amqp_port != AMQP_PORT)
        (void)printf("  AMQP is not on %d: SDKs that cannot be given a port will not find it\n", AMQP_PORT);
    if (dev->linked_hub.len > 0)
        (void)printf("  Devices of this folder are assigned to %.*s, made in an earlier run: start with the "
                     "same --mqtt-port\n"
                     "  (or --hub), or in a fresh folder\n",
                     SLICE_ARG(dev->linked_hub));
    (void)printf("ready\n");
    (void)fflush(stdout);
}

void dev_release(struct dev *dev)
{
    if (dev->scratch && dev->folder[0] != '\0')
        folder_remove(dev->folder);
    arena_release(&dev->arena);
}

// Starting and ending the broker by its process ID, and talking to it as devices and administrators do.
#include "hub/mosquitto/broker_bench_test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <mqtt_protocol.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/list.h"
#include "hub/mosquitto/command.h"

#define PLUGIN    "/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so"
#define ADMIN     "bench-admin"
#define ADMIN_KEY "bench password"

enum { HEARD_PAYLOAD_MAX = 4000 };

static int64_t wall(const struct clock *clock)
{
    (void)clock;
    return bench_clock_us(CLOCK_REALTIME);
}

static int64_t monotonic(const struct clock *clock)
{
    (void)clock;
    return bench_clock_us(CLOCK_MONOTONIC);
}

static void count_up(struct random *random, void *at, size_t len)
{
    struct broker_bench *b = CONTAINER_OF(random, struct broker_bench, random);
    memset(at, 0, len);
    b->next_random++;
    memcpy(at, &b->next_random, len < 8 ? len : 8);
}

// --- the broker
// -----------------------------------------------------------------------------------------------------------

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

static void write_file(struct broker_bench *b, const char *name, struct slice text)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", b->dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text.at, 1, text.len, file), text.len);
    assert_int_equal(fclose(file), 0);
}

static void run(char *const argv[])
{
    int status = 0;
    pid_t pid;
    posix_spawn_file_actions_t silence;
    posix_spawn_file_actions_init(&silence);
    posix_spawn_file_actions_addopen(&silence, 1, "/dev/null", O_WRONLY, 0);
    assert_int_equal(posix_spawnp(&pid, argv[0], &silence, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&silence);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void write_config(struct broker_bench *b)
{
    char text[2048];
    char plugin[512] = "";
    if (!b->without_plugin)
        (void)snprintf(plugin, sizeof plugin,
                       "allow_anonymous false\nplugin " PLUGIN "\nplugin_opt_config_file %s/dynsec.json\n",
                       b->dir);
    (void)snprintf(text, sizeof text,
                   "per_listener_settings false\nuser root\n%s%s"
                   "listener %u 127.0.0.1\ncertfile %s/chain.pem\nkeyfile %s/key.pem\n"
                   "listener %u 127.0.0.1\ncertfile %s/chain.pem\nkeyfile %s/key.pem\ncafile %s/devices.pem\n"
                   "require_certificate true\nuse_identity_as_username true\nuse_username_as_clientid true\n",
                   b->without_plugin ? "allow_anonymous true\n" : "", plugin, b->key_port, b->dir, b->dir,
                   b->certificate_port, b->dir, b->dir, b->dir);
    write_file(b, "mosquitto.conf", slice_text(text));
}

static void await_door(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int64_t until_us = bench_clock_us(CLOCK_MONOTONIC) + PATIENCE_MS * INT64_C(1000);
    bool open = false;
    while (!open && bench_clock_us(CLOCK_MONOTONIC) < until_us) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        open = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
        (void)close(fd);
        (void)sched_yield();
    }
    assert_true(open);
}

void broker_start(struct broker_bench *b)
{
    char config[128];
    char log[128];
    char program[] = "mosquitto";
    char flag[] = "-c";
    posix_spawn_file_actions_t actions;
    write_config(b);
    (void)snprintf(config, sizeof config, "%s/mosquitto.conf", b->dir);
    (void)snprintf(log, sizeof log, "%s/mosquitto.log", b->dir);
    char *argv[] = {program, flag, config, NULL};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    assert_int_equal(posix_spawnp(&b->pid, argv[0], &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    await_door(b->key_port);
    await_door(b->certificate_port);
}

void broker_stop(struct broker_bench *b)
{
    if (b->pid <= 0)
        return;
    (void)kill(b->pid, SIGCONT);
    (void)kill(b->pid, SIGTERM);
    assert_int_equal(waitpid(b->pid, NULL, 0), b->pid);
    b->pid = 0;
}

static void make_files(struct broker_bench *b)
{
    char path[128];
    char program[] = "mosquitto_ctrl";
    char dynsec[] = "dynsec";
    char init[] = "init";
    char admin[] = ADMIN;
    char password[] = ADMIN_KEY;
    char *argv[] = {program, dynsec, init, path, admin, password, NULL};
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(b->dir, sizeof b->dir, "%s/usher-mosquitto-XXXXXX",
                   tmp != NULL && strlen(tmp) < 30 ? tmp : "/tmp");
    assert_non_null(mkdtemp(b->dir));
    write_file(b, "chain.pem", buf_slice(&b->bench.certificates.chain_pem));
    write_file(b, "key.pem", buf_slice(&b->bench.certificates.key_pem));
    write_file(b, "ca.pem", buf_slice(&b->bench.certificates.ca_pem));
    write_file(b, "devices.pem", buf_slice(&b->bench.certificates.other_ca_pem));
    write_file(b, "device.pem", buf_slice(&b->bench.certificates.client_pem));
    write_file(b, "device.key", buf_slice(&b->bench.certificates.client_key_pem));
    (void)snprintf(path, sizeof path, "%s/dynsec.json", b->dir);
    run(argv);
}

static void remove_files(const struct broker_bench *b)
{
    static const char *const names[] = {"chain.pem",   "key.pem",        "ca.pem",
                                        "devices.pem", "device.pem",     "device.key",
                                        "dynsec.json", "mosquitto.conf", "mosquitto.log"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", b->dir, names[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(b->dir), 0);
}

// --- the connector
// --------------------------------------------------------------------------------------------------------

static void changed(void *context, struct slice host, struct slice id_scope, bool failing,
                    const struct why *why)
{
    struct broker_bench *b = context;
    (void)why;
    assert_slice(host, b->host);
    pthread_mutex_lock(&b->bench.lock);
    (void)snprintf(b->told_scope, sizeof b->told_scope, "%.*s", SLICE_ARG(id_scope));
    *(failing ? &b->told_failing : &b->told_well) += 1;
    pthread_cond_broadcast(&b->bench.changed);
    pthread_mutex_unlock(&b->bench.lock);
}

static void make(void *argument)
{
    struct broker_bench *b = argument;
    static char ca_file[128];
    (void)snprintf(ca_file, sizeof ca_file, "%s/ca.pem", b->dir);
    struct hub_mosquitto_settings settings = {
        .poller = loop_poller(b->bench.loop),
        .replies = loop_mailbox(b->bench.loop),
        .clock = &b->clock,
        .random = &b->random,
        .log = &b->bench.log,
        .watch = {.changed = changed, .context = b},
        .probe_pause_ms = b->probe_pause_ms,
        .shares = b->shares,
        .ca_file = slice_text(ca_file),
    };
    assert_false(failed(hub_mosquitto_new(&settings, &b->connector)));
}

void broker_bench_start(struct broker_bench *b)
{
    b->clock = (struct clock){.wall_us = wall, .monotonic_us = monotonic};
    b->random = (struct random){.fill = count_up};
    mosquitto_lib_init();
    static const struct loop_settings usual;
    bench_start(&b->bench, &usual);
    make_files(b);
    b->key_port = free_port();
    b->certificate_port = free_port();
    (void)snprintf(b->host, sizeof b->host, "localhost:%u", b->key_port);
    broker_start(b);
    broker_command(b,
                   "{\"command\":\"createRole\",\"rolename\":\"usher-service\",\"acls\":[{\"acltype\":"
                   "\"publishClientSend\",\"topic\":\"devices/#\",\"allow\":true}]},"
                   "{\"command\":\"createClient\",\"username\":\"" SERVICE_USER
                   "\",\"password\":\"" SERVICE_KEY
                   "\",\"roles\":[{\"rolename\":\"admin\"},{\"rolename\":\"usher-service\"}]}",
                   "\"createClient\"}");
    bench_do(&b->bench, make, b);
}

void broker_bench_end(struct broker_bench *b)
{
    loop_stop(b->bench.loop, 0);
    bench_await_end(&b->bench);
    hub_connector_free(b->connector);
    bench_end(&b->bench);
    broker_stop(b);
    remove_files(b);
    mosquitto_lib_cleanup();
}

struct broker_bench bench;

int broker_bench_setup(void **state)
{
    (void)state;
    bench = (struct broker_bench){0};
    broker_bench_start(&bench);
    return 0;
}

int broker_bench_teardown(void **state)
{
    (void)state;
    broker_bench_end(&bench);
    return 0;
}

static void answered(struct hub_request *request)
{
    outcome_arrive(&((struct shot *)request->context)->outcome);
}

void shot_init(struct shot *shot, struct broker_bench *b, const char *device_id)
{
    *shot = (struct shot){.broker = b, .arena = arena_capped(1 << 20)};
    outcome_init(&shot->outcome);
    shot->hub = (struct linked_hub){.host = slice_text(b->host),
                                    .kind = HUB_KIND_MOSQUITTO,
                                    .policy_name = SLICE(SERVICE_USER),
                                    .weight = 1,
                                    .allocate = true};
    assert_true(secret_set(&shot->hub.policy_key, SLICE(SERVICE_KEY)));
    shot->request = (struct hub_request){
        .verb = HUB_ASSIGN,
        .hub = &shot->hub,
        .identity = {.device_id = slice_text(device_id), .authentication = HUB_AUTH_SAS},
        .now_us = bench_clock_us(CLOCK_REALTIME),
        .deadline_ms = PATIENCE_MS,
        .arena = &shot->arena,
        .done = answered,
        .context = shot,
    };
    assert_true(secret_set(&shot->request.identity.primary_key, SLICE(KEY_1)));
    assert_true(secret_set(&shot->request.identity.secondary_key, SLICE(KEY_1)));
}

static void submit(void *element)
{
    struct shot *shot = element;
    shot->outcome.starting = true;
    hub_submit(shot->broker->connector, &shot->request);
    shot->outcome.starting = false;
}

void shots_fire(struct shot *shots, size_t count)
{
    bench_do_each(&shots[0].broker->bench, submit, shots, count, sizeof *shots);
}

struct err shot_wait(struct shot *shot)
{
    outcome_await(&shot->outcome);
    return shot->request.result;
}

struct err shot_run(struct shot *shot)
{
    shots_fire(shot, 1);
    return shot_wait(shot);
}

void shot_release(struct shot *shot)
{
    arena_release(&shot->arena);
}

void assign_device(struct broker_bench *b, const char *device_id, enum hub_twin how, const char *twin,
                   const char *reported)
{
    struct shot shot;
    shot_init(&shot, b, device_id);
    shot.request.twin_how = how;
    shot.request.twin = slice_text(twin);
    shot.request.reported = slice_text(reported);
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_NONE);
    shot_release(&shot);
}

void remove_device(struct broker_bench *b, const char *device_id)
{
    struct shot shot;
    shot_init(&shot, b, device_id);
    shot.request.verb = HUB_REMOVE;
    (void)!failed(shot_run(&shot));
    assert_result(&shot, ERR_NONE);
    shot_release(&shot);
}

// --- knockers
// -------------------------------------------------------------------------------------------------------------

static void on_connect(struct mosquitto *client, void *context, int code, int flags,
                       const mosquitto_property *properties)
{
    (void)client;
    (void)flags;
    (void)properties;
    ((struct knocker *)context)->connack = code;
}

static void on_disconnect(struct mosquitto *client, void *context, int code,
                          const mosquitto_property *properties)
{
    (void)client;
    (void)code;
    (void)properties;
    ((struct knocker *)context)->lost = true;
}

static void on_publish(struct mosquitto *client, void *context, int mid, int code,
                       const mosquitto_property *properties)
{
    (void)client;
    (void)mid;
    (void)properties;
    ((struct knocker *)context)->code = code >= 128 ? code : ALLOWED; // 16: nobody is subscribed
}

static void on_subscribe(struct mosquitto *client, void *context, int mid, int count, const int *granted,
                         const mosquitto_property *properties)
{
    (void)client;
    (void)mid;
    (void)properties;
    assert_int_equal(count, 1);
    ((struct knocker *)context)->code = granted[0] >= 128 ? granted[0] : ALLOWED;
}

static void on_message(struct mosquitto *client, void *context, const struct mosquitto_message *message,
                       const mosquitto_property *properties)
{
    struct knocker *k = context;
    size_t len = strlen(k->heard);
    (void)client;
    (void)properties;
    int shown = message->payloadlen < HEARD_PAYLOAD_MAX ? message->payloadlen : HEARD_PAYLOAD_MAX;
    (void)snprintf(k->heard + len, sizeof k->heard - len, "%s %.*s\n", message->topic, shown,
                   (const char *)message->payload);
}

// One step; false when the connection is over or patience is.
static bool turn(struct knocker *k, int64_t until_us)
{
    return mosquitto_loop(k->client, 50, 1) == MOSQ_ERR_SUCCESS && bench_clock_us(CLOCK_MONOTONIC) < until_us;
}

static int64_t patience_us(void)
{
    return bench_clock_us(CLOCK_MONOTONIC) + PATIENCE_MS * INT64_C(1000);
}

static int go_in(struct knocker *k, uint16_t port)
{
    mosquitto_connect_v5_callback_set(k->client, on_connect);
    mosquitto_disconnect_v5_callback_set(k->client, on_disconnect);
    mosquitto_publish_v5_callback_set(k->client, on_publish);
    mosquitto_subscribe_v5_callback_set(k->client, on_subscribe);
    mosquitto_message_v5_callback_set(k->client, on_message);
    assert_int_equal(mosquitto_int_option(k->client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5), 0);
    assert_int_equal(mosquitto_connect(k->client, "localhost", port, 60), 0);
    int64_t until_us = patience_us();
    while (k->connack < 0 && turn(k, until_us))
        ;
    return k->connack;
}

static void be(struct knocker *k, const char *client_id)
{
    *k = (struct knocker){.connack = -1, .code = -1};
    k->client = mosquitto_new(client_id, true, k);
    assert_non_null(k->client);
}

int knock(struct knocker *k, struct broker_bench *b, const char *user, const char *password,
          const char *client_id)
{
    char ca[128];
    (void)snprintf(ca, sizeof ca, "%s/ca.pem", b->dir);
    be(k, client_id);
    assert_int_equal(mosquitto_tls_set(k->client, ca, NULL, NULL, NULL, NULL), 0);
    assert_int_equal(mosquitto_username_pw_set(k->client, user, password), 0);
    return go_in(k, b->key_port);
}

int knock_with_certificate(struct knocker *k, struct broker_bench *b, const char *client_id)
{
    char ca[128];
    char certificate[128];
    char key[128];
    (void)snprintf(ca, sizeof ca, "%s/ca.pem", b->dir);
    (void)snprintf(certificate, sizeof certificate, "%s/device.pem", b->dir);
    (void)snprintf(key, sizeof key, "%s/device.key", b->dir);
    be(k, client_id);
    assert_int_equal(mosquitto_tls_set(k->client, ca, NULL, certificate, key, NULL), 0);
    return go_in(k, b->certificate_port);
}

int knocker_publish(struct knocker *k, const char *topic, const char *payload, bool retain)
{
    int64_t until_us = patience_us();
    k->code = -1;
    assert_int_equal(
        mosquitto_publish_v5(k->client, NULL, topic, (int)strlen(payload), payload, 1, retain, NULL), 0);
    while (k->code < 0 && turn(k, until_us))
        ;
    return k->code;
}

int knocker_subscribe(struct knocker *k, const char *topic)
{
    int64_t until_us = patience_us();
    k->code = -1;
    assert_int_equal(mosquitto_subscribe_v5(k->client, NULL, topic, 0, 0, NULL), 0);
    while (k->code < 0 && turn(k, until_us))
        ;
    return k->code;
}

void knocker_await(struct knocker *k, const char *part)
{
    int64_t until_us = patience_us();
    while (!says(k->heard, part) && turn(k, until_us))
        ;
    if (!says(k->heard, part))
        fail_msg("never heard %s, but: %s", part, k->heard);
}

bool knocker_await_loss(struct knocker *k)
{
    int64_t until_us = patience_us();
    while (!k->lost && turn(k, until_us))
        ;
    return k->lost;
}

void knocker_leave(struct knocker *k)
{
    mosquitto_disconnect(k->client);
    mosquitto_destroy(k->client);
}

void broker_command(struct broker_bench *b, const char *command, const char *expect)
{
    struct knocker k;
    char text[2048];
    (void)snprintf(text, sizeof text, "{\"commands\":[%s]}", command);
    assert_int_equal(knock(&k, b, ADMIN, ADMIN_KEY, "bench"), ALLOWED);
    assert_int_equal(knocker_subscribe(&k, COMMAND_ANSWERS), ALLOWED);
    assert_int_equal(knocker_publish(&k, COMMAND_TOPIC, text, false), ALLOWED);
    knocker_await(&k, "responses");
    if (!says(k.heard, expect))
        fail_msg("the plugin says %s, not %s", k.heard, expect);
    knocker_leave(&k);
}

// The answer to a command comes after what is retained.
void retained_below(struct broker_bench *b, const char *topic, char *out, size_t room)
{
    struct knocker k;
    assert_int_equal(knock(&k, b, ADMIN, ADMIN_KEY, "bench"), ALLOWED);
    assert_int_equal(knocker_subscribe(&k, COMMAND_ANSWERS), ALLOWED);
    assert_int_equal(knocker_subscribe(&k, topic), ALLOWED);
    assert_int_equal(
        knocker_publish(&k, COMMAND_TOPIC, "{\"commands\":[{\"command\":\"getDefaultACLAccess\"}]}", false),
        ALLOWED);
    knocker_await(&k, "responses");
    char *end = strstr(k.heard, COMMAND_ANSWERS);
    assert_non_null(end);
    *end = '\0';
    (void)snprintf(out, room, "%s", k.heard);
    knocker_leave(&k);
}

// usherd: reads its arguments, runs the daemon until it is told to stop.
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "crypto/begin.h"
#include "server/daemon.h"
#include "server/dev.h"
#include "server/files.h"

enum { EXIT_USAGE = 2 };

struct options {
    bool dev;
    const char *folder;
    const char *config_file;
    bool check_only;
    struct config_list hubs;
    struct config config;
    struct arena arena;
};

static const char usage[] =
    "usherd provisions devices: it speaks the protocols of Azure IoT DPS, and holds a small IoT hub for the "
    "bench.\n"
    "\n"
    "  usherd --dev [--dir DIR] [--https-port N] [--mqtt-port N] [--amqp-port N] [--hub NAME]...\n"
    "         [--strict-polling]\n"
    "      a bench: everything is made in DIR (default: a scratch folder, removed at the end); listens on "
    "loopback;\n"
    "      prints what an SDK needs, then `ready`\n"
    "  usherd --config FILE          for real use\n"
    "  usherd --check-config FILE    says whether the settings in FILE are right (not the files that they "
    "name)\n"
    "  --set NAME=VALUE              a setting (see below); what comes later on the command line counts\n"
    "  --help, --version\n"
    "\n"
    "SIGTERM and SIGINT stop it gracefully, SIGHUP has it read certificate, key and places anew. Logs are "
    "JSON lines "
    "on stderr.\n"
    "\n"
    "Settings, in the file as nested YAML:\n";

enum {
    O_DEV = 256,
    O_DIR,
    O_HTTPS_PORT,
    O_MQTT_PORT,
    O_AMQP_PORT,
    O_HUB,
    O_STRICT,
    O_CONFIG,
    O_CHECK,
    O_SET,
    O_HELP,
    O_VERSION
};

static const struct option long_options[] = {
    {"dev", no_argument, NULL, O_DEV},
    {"dir", required_argument, NULL, O_DIR},
    {"https-port", required_argument, NULL, O_HTTPS_PORT},
    {"mqtt-port", required_argument, NULL, O_MQTT_PORT},
    {"amqp-port", required_argument, NULL, O_AMQP_PORT},
    {"hub", required_argument, NULL, O_HUB},
    {"strict-polling", no_argument, NULL, O_STRICT},
    {"config", required_argument, NULL, O_CONFIG},
    {"check-config", required_argument, NULL, O_CHECK},
    {"set", required_argument, NULL, O_SET},
    {"help", no_argument, NULL, O_HELP},
    {"version", no_argument, NULL, O_VERSION},
    {0},
};

static void print_help(void)
{
    struct buf text = buf_capped(64 * 1024);
    buf_text(&text, usage);
    config_help(&text);
    (void)fwrite(text.at, 1, text.len, stdout);
    buf_release(&text);
}

static struct err set_pair(struct options *o, struct slice pair, struct why *why)
{
    struct slice name;
    if (!slice_cut(&pair, '=', &name) || name.len == 0)
        return why_fail(why, ERR_CONFIG, "--set takes NAME=VALUE");
    return config_set(&o->config, &o->arena, name, pair, why);
}

static struct err read_config_file(struct options *o, struct why *why)
{
    struct buf text = buf_capped(FILE_MAX);
    struct err e = file_read(o->config_file, false, &text, why);
    if (!failed(e)) {
        struct why inner = {0};
        e = config_read(&o->config, &o->arena, buf_slice(&text), &inner);
        if (failed(e))
            e = why_fail(why, e.code, "%s: %.180s", o->config_file, inner.text);
    }
    buf_release(&text);
    return e;
}

static struct err take_option(struct options *o, int option, struct why *why)
{
    struct slice value = slice_text(optarg);
    switch (option) {
    case O_DEV:
        o->dev = true;
        return OK;
    case O_DIR:
        o->folder = optarg;
        return OK;
    case O_HTTPS_PORT:
        return config_set(&o->config, &o->arena, SLICE("listen.https.port"), value, why);
    case O_MQTT_PORT:
        return config_set(&o->config, &o->arena, SLICE("listen.mqtt.port"), value, why);
    case O_AMQP_PORT:
        return config_set(&o->config, &o->arena, SLICE("listen.amqp.port"), value, why);
    case O_STRICT:
        return config_set(&o->config, &o->arena, SLICE("device.strictPolling"), SLICE("true"), why);
    case O_HUB:
        return config_set(&o->config, &o->arena, SLICE("embeddedHubs"), value, why);
    case O_CHECK:
        o->check_only = true;
        // fall through
    case O_CONFIG:
        o->config_file = optarg;
        return read_config_file(o, why);
    default:
        return set_pair(o, value, why);
    }
}

// 0: go on; else the exit code plus one.
static int read_options(struct options *o, int argc, char **argv)
{
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (option == O_HELP) {
            print_help();
            return 1 + EXIT_SUCCESS;
        }
        if (option == O_VERSION) {
            (void)puts("usherd " USHER_VERSION);
            return 1 + EXIT_SUCCESS;
        }
        if (option == '?') {
            (void)fputs("usherd: try usherd --help\n", stderr);
            return 1 + EXIT_USAGE;
        }
        struct why why = {0};
        if (failed(take_option(o, option, &why))) {
            (void)fprintf(stderr, "usherd: %s\n", why.text);
            return 1 + EXIT_USAGE;
        }
    }
    const char *wrong = optind < argc                       ? "takes options only, no other words"
                        : o->dev && o->config_file != NULL  ? "--dev and --config exclude each other"
                        : !o->dev && o->folder != NULL      ? "--dir goes with --dev"
                        : !o->dev && o->config_file == NULL ? "give --dev for a bench, or --config FILE"
                                                            : NULL;
    if (wrong == NULL)
        return 0;
    (void)fprintf(stderr, "usherd: %s; try usherd --help\n", wrong);
    return 1 + EXIT_USAGE;
}

// Keys must not end up in a core file, and each connection needs a descriptor. Each connection also takes and
// gives back some 30 KB, so the heap keeps a little more room than it is born to, instead of asking the
// kernel each time.
static void prepare_process(const struct config *config)
{
    enum { HEAP_KEEP = 4 << 20, HEAP_STEP = 256 << 10 };
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_KEEP);
    (void)mallopt(M_TOP_PAD, HEAP_STEP);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        rlim_t wanted = (rlim_t)config->max_connections + 256;
        if (files.rlim_cur < wanted) {
            files.rlim_cur = files.rlim_max < wanted ? files.rlim_max : wanted;
            (void)setrlimit(RLIMIT_NOFILE, &files);
        }
    }
}

static void log_reload(const struct daemon *daemon, struct err e, const struct why *why)
{
    struct log_line line;
    log_begin(&line, &daemon->log, failed(e) ? ERR_LEVEL_ERROR : ERR_LEVEL_INFO, "certificate.reloaded");
    log_text(&line, LOG_file, daemon->config->tls_certificate);
    if (failed(e)) {
        log_failure(&line, e, why);
        log_text(&line, LOG_detail, SLICE("the certificate in use stays"));
    }
    log_end(&line);
}

// Returns the name of the signal that ends it.
static const char *serve(struct daemon *daemon, const sigset_t *signals)
{
    for (int signal = 0; sigwait(signals, &signal) == 0;) {
        if (signal != SIGHUP)
            return signal == SIGINT ? "SIGINT" : "SIGTERM";
        struct why why = {0};
        log_reload(daemon, daemon_reload_tls(daemon, &why), &why);
        why = (struct why){0};
        struct err logged = daemon_reload_places(daemon, &why);
        (void)logged;
    }
    return "";
}

static int run(struct options *o, struct dev *dev)
{
    static struct daemon daemon; // what is cut off at the end may still point here
    struct why why = {0};
    struct err e = o->dev ? dev_prepare(dev, o->folder, &o->config, &why) : OK;
    if (!failed(e))
        e = config_check(&o->config, &why);
    if (failed(e) || o->check_only) {
        if (failed(e))
            (void)fprintf(stderr, "usherd: %s\n", why.text);
        else
            (void)printf("%s is right\n", o->config_file);
        return failed(e) ? EXIT_USAGE : EXIT_SUCCESS;
    }
    prepare_process(&o->config);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    e = daemon_init(&daemon, &o->config, &why);
    if (!failed(e))
        e = o->dev ? dev_populate(dev, &daemon, &why)
                   : daemon_ensure_hubs(&daemon, &o->config.embedded_hubs, &why);
    if (!failed(e))
        e = daemon_start(&daemon, &why);
    if (failed(e)) {
        (void)fprintf(stderr, "usherd: %s\n", why.text[0] != '\0' ? why.text : err_info(e)->sentence);
        (void)daemon_stop(&daemon, "");
        return EXIT_FAILURE;
    }
    if (o->dev)
        dev_print(dev, &daemon);
    return daemon_stop(&daemon, serve(&daemon, &signals)) ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct options options = {.arena = arena_capped(1 << 20)};
    struct dev dev = {0};
    crypto_begin();
    config_init(&options.config);
    int code = read_options(&options, argc, argv);
    if (code == 0) {
        dev.hubs = options.config.embedded_hubs;
        code = run(&options, &dev) + 1;
    }
    dev_release(&dev);
    arena_release(&options.arena);
    return code - 1;
}

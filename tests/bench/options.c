// The command line of the load generator.
#include <string.h>

#include "crypto/keys.h"

#include "load.h"

static const struct kind kinds[] = {
    {"mqtt", LOAD_MQTT, NULL},   {"mqtt-ws", LOAD_MQTT, "mqtt"},
    {"amqp", LOAD_AMQP, NULL},   {"amqp-ws", LOAD_AMQP, "AMQPWSB10"},
    {"https", LOAD_HTTPS, NULL}, {"tpm", LOAD_TPM, NULL},
    {"get", LOAD_GET, NULL},     {"echo", LOAD_ECHO, NULL},
};

const char options_usage[] =
    "usher-load --kind mqtt|mqtt-ws|amqp|amqp-ws|https|tpm|get|echo --port N --ca FILE [--scope S]\n"
    "           [--group-key B64 | --key B64 | --issuer FILE --issuer-key FILE | --tpms FILE]\n"
    "           [--certificate FILE --certificate-key FILE] [--detach 1 | --pipelined 1 | --pings N]\n"
    "           [--prefix P] [--first N] [--stride N] [--count N] [--concurrency N] [--keep 1]\n";

static const struct kind *kind_of(const char *name)
{
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        if (strcmp(kinds[k].name, name) == 0)
            return &kinds[k];
    }
    return NULL;
}

static bool read_key(struct options *o, const char *text, bool own)
{
    struct why why = {0};
    o->own_key = own;
    return !failed(key_read_b64(slice_text(text), &o->group_key, &why));
}

// Options whose value is a number. False: there is none of this name.
static bool set_number(struct options *o, const char *name, const char *value)
{
    uint64_t number = 0;
    (void)slice_to_u64(slice_text(value), &number);
    const struct {
        const char *name;
        long *to;
    } numbers[] = {{"--count", &o->count},
                   {"--first", &o->first},
                   {"--stride", &o->stride},
                   {"--concurrency", &o->concurrency},
                   {"--pings", &o->pings}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strcmp(numbers[i].name, name) == 0) {
            *numbers[i].to = (long)number;
            return true;
        }
    }
    if (strcmp(name, "--port") == 0)
        o->port = (uint16_t)number;
    else if (strcmp(name, "--keep") == 0)
        o->keep = number != 0;
    else if (strcmp(name, "--pipelined") == 0 && number != 0)
        o->order = AMQP_CLIENT_PIPELINED;
    else if (strcmp(name, "--detach") == 0 && number != 0)
        o->order = AMQP_CLIENT_DETACH;
    else
        return false;
    return true;
}

static bool set_text(struct options *o, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **to;
    } texts[] = {{"--ca", &o->ca_file},
                 {"--certificate", &o->certificate_file},
                 {"--certificate-key", &o->key_file},
                 {"--issuer", &o->issuer_file},
                 {"--issuer-key", &o->issuer_key_file},
                 {"--tpms", &o->tpm_file},
                 {"--scope", &o->scope},
                 {"--prefix", &o->prefix}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(texts[i].name, name) == 0) {
            *texts[i].to = value;
            return true;
        }
    }
    return false;
}

static bool set(struct options *o, const char *name, const char *value)
{
    if (strcmp(name, "--kind") == 0)
        return (o->kind = kind_of(value)) != NULL;
    if (strcmp(name, "--group-key") == 0 || strcmp(name, "--key") == 0)
        return read_key(o, value, strcmp(name, "--key") == 0);
    return set_text(o, name, value) || set_number(o, name, value);
}

bool options_read(struct options *o, int argc, char **argv)
{
    *o = (struct options){
        .scope = "", .prefix = "bench-", .count = 1, .stride = 1, .concurrency = 1, .kind = &kinds[0]};
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!set(o, argv[i], argv[i + 1]))
            return false;
    }
    bool tpm = o->kind->protocol == LOAD_TPM;
    if (o->pings > 0 && o->kind->protocol != LOAD_MQTT)
        return false;
    return o->port != 0 && o->ca_file != NULL && o->count > 0 && o->concurrency > 0 &&
           o->concurrency <= SLOTS_MAX && tpm == (o->tpm_file != NULL) && argc % 2 == 1;
}

// `usherd --dev`: everything that a bench needs, made in one folder, and what it then tells its user. Never
// for production.
#pragma once

#include "server/config.h"
#include "server/daemon.h"

struct dev {
    char folder[512];
    bool scratch;            // made by us, removed at the end
    struct config_list hubs; // asked for by --hub, or the one that stands for this daemon
    struct arena arena;
    // what dev_print tells; set by dev_populate
    struct slice id_scope;
    struct slice linked_hub; // empty when the folder's service assigns to the hub that this run serves; else
                             // one it assigns to
    struct slice service_connection;
    struct slice hub_connection;
};

// Makes the folder (a scratch one when `folder` is NULL) and in it, unless they are there: bench CA, server
// certificate, master key. Sets the configuration to use them.
struct err dev_prepare(struct dev *dev, const char *folder, struct config *config, struct why *why);
// Between daemon_init and daemon_start: makes the embedded hubs and the service `dev` with them linked,
// unless the store has them.
struct err dev_populate(struct dev *dev, struct daemon *daemon, struct why *why);
// Prints what an SDK needs, and `ready`.
void dev_print(const struct dev *dev, const struct daemon *daemon);
void dev_release(struct dev *dev);

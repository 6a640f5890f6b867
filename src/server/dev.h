// `usherd --dev`: everything that a bench needs, made in one folder, and what it then tells its user. Never for production.
#pragma once

#include "server/config.h"
#include "server/daemon.h"

struct dev {
    char folder[512];
    bool scratch; // made by us, removed at the end
    struct slice hubs[CONFIG_LIST_MAX]; // asked for by --hub
    size_t hub_count;
};

// Makes the folder (a scratch one when `folder` is NULL) and in it, unless they are there: bench CA, server certificate,
// master key. Sets the configuration to use them.
struct err dev_prepare(struct dev *dev, const char *folder, struct config *config, struct arena *arena, struct why *why);
// Once the daemon listens: makes the service `dev` with its hubs linked, unless the store has it.
struct err dev_populate(const struct dev *dev, struct daemon *daemon, struct why *why);
// Prints what an SDK needs, and `ready`.
void dev_print(const struct dev *dev, struct daemon *daemon);
void dev_release(struct dev *dev);

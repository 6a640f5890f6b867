// The services that this daemon serves, as one immutable snapshot per loop, found by ID scope, name or host
// name. A loop reads its snapshot anew from the store when it is told that settings changed; requests under
// way keep the one they hold.
#pragma once

#include "base/log.h"
#include "domain/service.h"
#include "ports/store.h"

struct directory;
struct directory_snapshot;

// Reads nothing yet: call directory_reload and wait for its callback before serving.
struct err directory_new(struct store_client *store, const struct log *log, struct directory **out);
void directory_free(struct directory *directory);
// Somebody who waits for a reload; the caller's storage until loaded is called.
struct directory_wait {
    void (*loaded)(struct directory_wait *wait, struct err result);
    void *context;
    struct directory_wait *next; // the directory's
};

// Reads all services; wait->loaded (wait may be NULL) is called once, later, with OK or why not: the old
// snapshot then stays. A reload asked for while one is under way is run after it.
void directory_reload(struct directory *directory, struct directory_wait *wait);

// The current snapshot, held until released. Same loop only.
struct directory_snapshot *directory_hold(struct directory *directory);
void directory_release(struct directory_snapshot *snapshot);

size_t directory_count(const struct directory_snapshot *snapshot);
const struct service *directory_at(const struct directory_snapshot *snapshot, size_t index);
const struct service *directory_by_scope(const struct directory_snapshot *snapshot, struct slice id_scope);
const struct service *directory_by_name(const struct directory_snapshot *snapshot, struct slice name);
// By the Host header, without port and case; the only service there is, when none has that host name; else
// NULL.
const struct service *directory_by_host(const struct directory_snapshot *snapshot, struct slice host);

// One device record of the embedded hub is read, changed and written with compare-and-set on its etag; when
// somebody else was faster, the change is applied anew to what is there then. No locks, no order between two
// updates of one device.
#pragma once

#include "ports/random.h"
#include "ports/store.h"

enum { DEVICE_UPDATE_TRIES = 8, DEVICE_UPDATE_ARENA_CAP = 4 << 20 };

// Caller's storage, zeroed but for the first part, until device_update_release.
struct device_update {
    struct store_client *store;
    struct random *random;
    struct slice hub; // the partition: host name in lower case; this and id live until done
    struct slice id;
    // Changes *device, a copy in `arena`, or refuses; called again for each try. May set `unchanged` (nothing
    // is written) or `remove`. NULL with device_update_create: a device that exists is ERR_CONFLICT.
    struct err (*change)(struct device_update *update, struct device *device);
    void (*done)(struct device_update *update); // once, never from within start or create
    void *context;

    bool unchanged;
    bool remove;
    // ERR_ABSENT: no such device. ERR_OVERLOADED: others were faster each time. Else what change or the store
    // said.
    struct err result;
    struct why why;
    struct device *device; // as it is now, or as removed; in `arena`
    bool created;
    struct arena arena; // results and copies; made by start and create

    struct store_request request; // private from here
    unsigned tries;
};

// Reads first.
void device_update_start(struct device_update *update);
// Writes `device` if there is none of that ID, in one store call; else changes the one there is. What it
// points to lives until done. Its etag is set.
void device_update_create(struct device_update *update, struct device *device);
void device_update_release(struct device_update *update);

// What every connector must do (ports/hub.h), as one list of tests that runs against each of them. A
// connector's own test file brings a subject and calls hub_conformance; what only one make of hub can do
// wrong, such as an answer that is no JSON, is for the connector's own tests.
#pragma once

#include "ports/hub.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct hub_subject {
    const char *name;
    // A connector with a hub that has no devices; fills in `connector` and `hub`. And its end.
    void (*begin)(struct hub_subject *subject);
    void (*end)(struct hub_subject *subject);
    // Calls run(argument) on the connector's loop, and returns when it is over.
    void (*on_loop)(struct hub_subject *subject, void (*run)(void *argument), void *argument);
    // Lets the loop go on until *left, which is changed on the loop, is 0; fails the test when that takes
    // ten seconds.
    void (*await)(struct hub_subject *subject, const size_t *left);
    // The device has this as its reported properties: an object's JSON. NULL: devices of this hub report
    // nothing that the hub keeps.
    void (*report)(struct hub_subject *subject, const char *device_id, const char *reported);
    // Whether the hub would let the device in with this key.
    bool (*admits)(struct hub_subject *subject, const char *device_id, const struct secret *key);
    bool keeps_no_tags;
    bool in_our_store; // no credentials, no network: there is no `locked` and no `nowhere`

    // Filled by begin.
    struct hub_connector *connector;
    struct linked_hub hub;
    struct linked_hub locked;  // the same with credentials that the hub does not take
    struct linked_hub nowhere; // a hub that does not answer
    void *own;
};

// Runs all tests; returns how many failed.
int hub_conformance(struct hub_subject *subject);

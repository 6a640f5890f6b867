// Dry runs: what would become of the devices of a service if its policies, its hubs or its enrollments were
// others? Walks over all registrations and asks the decision core about each, as if the device registered
// now, one after the other in the order of their IDs. Changes nothing and calls no hub.
#pragma once

#include "domain/enrollment.h"
#include "domain/service.h"
#include "flow/hub_health.h"
#include "ports/clock.h"
#include "ports/places.h"
#include "ports/poller.h"
#include "ports/random.h"
#include "ports/store.h"

struct dry_runs;

// KEPT: the latest, running and ended ones; those that ended are kept for KEPT_S.
enum { DRY_RUNS_KEPT = 4, DRY_RUN_KEPT_S = 3600, DRY_RUN_HUBS_MAX = 256, DRY_RUN_ID = 16 };

// Everything of one loop, and outlives the runs.
struct dry_runs_settings {
    struct store_client *store;
    struct poller *poller;
    const struct clock *clock;
    struct random *random;
    struct places *places;     // NULL: nothing is known of addresses
    struct hub_health *health; // NULL: all hubs are well
};

struct err dry_runs_new(const struct dry_runs_settings *settings, struct dry_runs **out);
void dry_runs_free(struct dry_runs *runs); // NULL is fine; none is running
// Ends what runs; idle is called once nothing is under way, perhaps at once. None is started afterwards.
void dry_runs_stop(struct dry_runs *runs, void (*idle)(void *context), void *context);
bool dry_runs_running(const struct dry_runs *runs);

// An enrollment that would be another one than what is stored, or that would not be there.
struct dry_run_change {
    enum enrollment_kind kind;
    struct slice key;                    // canonical ID
    const struct enrollment *enrollment; // NULL: deleted
};

// What is asked. All that it points to is in the arena.
struct dry_run_plan {
    struct arena arena;
    const struct service *service; // as it would be
    const struct dry_run_change *changes;
    size_t change_count;
};

// Takes over plan->arena, whatever happens. `id`: DRY_RUN_ID characters. ERR_OVERLOADED when as many run as
// are kept.
struct err dry_run_start(struct dry_runs *runs, struct dry_run_plan *plan, char id[DRY_RUN_ID + 1],
                         struct why *why);

enum dry_run_status { DRY_RUN_RUNNING, DRY_RUN_DONE, DRY_RUN_FAILED };

// Where the devices are, and would be: then = now - leave + arrive. A device that would be refused, and one
// of which nothing can be said, is where it is now.
struct dry_run_hub {
    struct slice host;
    size_t now;
    size_t arrive;
    size_t leave;
};

// Each registration that was looked at is one of stay, move, assign, refused and unknown.
struct dry_run_report {
    enum dry_run_status status;
    struct err result; // FAILED: why
    struct why why;
    size_t total; // registrations that there were when it began
    size_t done;  // that were looked at
    size_t stay;
    size_t move;
    size_t assign;  // that are at no hub yet, and would be
    size_t refused; // no enrollment admits them, or no hub is left
    size_t unknown; // custom allocation: the webhook is not asked
    const struct dry_run_hub *hubs;
    size_t hub_count;
};

// NULL when there is no such run of this service (any more). Valid until the loop's next turn.
const struct dry_run_report *dry_run_find(struct dry_runs *runs, struct slice id_scope, struct slice id);

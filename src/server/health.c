// A note to each other loop; one that no memory is left for is not sent: that loop finds out itself.
#include "server/health.h"

#include <stdlib.h>

#include "flow/hub_health.h"
#include "server/daemon.h"
#include "server/worker.h"

enum { HOST_MAX_BYTES = 300 };

struct note {
    struct mail mail;
    struct hub_health *health; // of the loop that gets it
    unsigned from;
    bool failing;
    struct why why;
    size_t scope_len;
    char scope[ID_SCOPE_MAX];
    size_t host_len;
    char host[HOST_MAX_BYTES];
};

static void note_arrived(struct mail *mail)
{
    struct note *note = CONTAINER_OF(mail, struct note, mail);
    hub_health_set_link(note->health, slice_of(note->host, note->host_len),
                        slice_of(note->scope, note->scope_len), note->from, note->failing, &note->why);
    free(note);
}

static void send(const struct worker *from, struct worker *to, struct slice host, struct slice id_scope,
                 bool failing, const struct why *why)
{
    struct note *note = calloc(1, sizeof *note);
    if (note == NULL)
        return;
    note->mail.deliver = note_arrived;
    note->health = to->health;
    note->from = from->index;
    note->failing = failing;
    if (why != NULL)
        note->why = *why;
    note->host_len = host.len;
    memcpy(note->host, host.at, host.len);
    note->scope_len = id_scope.len;
    if (id_scope.len > 0)
        memcpy(note->scope, id_scope.at, id_scope.len);
    mailbox_post(loop_mailbox(to->loop), &note->mail);
}

static void changed(void *context, struct slice host, struct slice id_scope, bool failing,
                    const struct why *why)
{
    struct worker *w = context;
    struct daemon *d = w->daemon;
    if (host.len > HOST_MAX_BYTES || id_scope.len > ID_SCOPE_MAX)
        return;
    hub_health_set_link(w->health, host, id_scope, w->index, failing, why);
    struct log_line line;
    log_begin(&line, &d->log, failing ? ERR_LEVEL_WARN : ERR_LEVEL_INFO,
              failing ? "hub.failing" : "hub.well");
    log_text(&line, LOG_hub, host);
    if (id_scope.len > 0)
        log_text(&line, LOG_idScope, id_scope);
    if (failing && why != NULL)
        log_text(&line, LOG_reason, slice_text(why->text));
    log_end(&line);
    for (unsigned i = 0; i < d->worker_count; i++) {
        if (&d->workers[i] != w && d->workers[i].loop != NULL)
            send(w, &d->workers[i], host, id_scope, failing, why);
    }
}

struct hub_watch health_watch(struct worker *worker)
{
    return (struct hub_watch){changed, worker};
}

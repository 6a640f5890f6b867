// What the daemon can be watched by, in Prometheus' text format. Labels name services, never a device, an
// enrollment or a certificate (threats D20).
#include "api/control/work.h"

static void looked(struct expiry_wait *wait, struct err result)
{
    struct call *call = wait->context;
    work_of(call)->reloaded = result;
    call_resume(call);
}

// The figures are those of this moment. Over the control socket only, so nobody else can make it look.
struct err metrics_look(struct call *call)
{
    struct work *work = work_of(call);
    if (work->api->settings.expiry == NULL)
        return FAIL(ERR_ROUTE);
    work->look = (struct expiry_wait){.looked = looked, .context = call};
    (void)call_pause(call);
    expiry_look(work->api->settings.expiry, &work->look);
    return OK;
}

static void head(struct buf *out, const char *name, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

static void write_number(struct buf *out, const char *name, const char *help, int64_t value)
{
    head(out, name, help);
    buf_printf(out, "%s %lld\n", name, (long long)value);
}

// A service's name needs no escapes: letters, digits and '-'.
static void write_certificates(struct call *call, struct buf *out)
{
    static const char *const windows[] = {[CA_EXPIRY_FAR] = "later",
                                          [CA_EXPIRY_30_DAYS] = "30d",
                                          [CA_EXPIRY_7_DAYS] = "7d",
                                          [CA_EXPIRY_1_DAY] = "1d",
                                          [CA_EXPIRY_PAST] = "expired"};
    const struct expiry *expiry = work_of(call)->api->settings.expiry;
    head(out, "usher_ca_certificates", "CA certificates by the time that is left, each in one window.");
    for (size_t i = 0; i < directory_count(call->held); i++) {
        const struct service *service = directory_at(call->held, i);
        struct expiry_counts counts = expiry_of(expiry, service->id_scope);
        for (size_t w = 0; w < sizeof windows / sizeof windows[0]; w++)
            buf_printf(out, "usher_ca_certificates{service=\"%.*s\",window=\"%s\"} %lld\n",
                       SLICE_ARG(service->name), windows[w], (long long)counts.certificates[w]);
    }
    head(out, "usher_crls_stale", "Revocation lists whose next update is overdue.");
    for (size_t i = 0; i < directory_count(call->held); i++) {
        const struct service *service = directory_at(call->held, i);
        struct expiry_counts counts = expiry_of(expiry, service->id_scope);
        buf_printf(out, "usher_crls_stale{service=\"%.*s\"} %lld\n", SLICE_ARG(service->name),
                   (long long)counts.stale_lists);
    }
}

struct err metrics_show(struct call *call)
{
    const struct control_api *api = work_of(call)->api;
    struct buf *out = &call->x->body;
    TRY(work_of(call)->reloaded);
    int64_t server_us = expiry_server_us(api->settings.expiry);
    int64_t up_us = clock_monotonic_us(api->area.clock) - api->started_us;
    head(out, "usher_info", "The version that runs.");
    buf_printf(out, "usher_info{version=\"%s\"} 1\n", api->settings.version);
    write_number(out, "usher_uptime_seconds", "Since the start.", up_us / 1000000);
    write_number(out, "usher_services", "Services that are served.", (int64_t)directory_count(call->held));
    if (server_us != 0)
        write_number(out, "usher_server_certificate_expiry_seconds",
                     "Left until the server's own certificate expires; negative when it has.",
                     (server_us - clock_wall_us(api->area.clock)) / 1000000);
    write_certificates(call, out);
    call->x->content_type = SLICE("text/plain; version=0.0.4; charset=utf-8");
    return buf_err(out);
}

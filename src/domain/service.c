// Finding a service's policies and hubs, and the words of rights. The stored form is service_document.c.
#include "domain/service.h"

const struct policy *service_policy(const struct service *service, struct slice name)
{
    for (size_t i = 0; i < service->policy_count; i++) {
        if (slice_equal_nocase(service->policies[i].name, name))
            return &service->policies[i];
    }
    return NULL;
}

const struct linked_hub *service_hub(const struct service *service, struct slice host)
{
    for (size_t i = 0; i < service->hub_count; i++) {
        if (slice_equal_nocase(service->hubs[i].host, host))
            return &service->hubs[i];
    }
    return NULL;
}

// In the order in which they are written. A write right includes its read right (service-api B.4).
static const struct {
    const char *word;
    uint32_t bit;
    uint32_t includes;
} rights_table[] = {
    {"ServiceConfig", RIGHT_SERVICE_CONFIG, 0},
    {"EnrollmentRead", RIGHT_ENROLLMENT_READ, 0},
    {"EnrollmentWrite", RIGHT_ENROLLMENT_WRITE, RIGHT_ENROLLMENT_READ},
    {"DeviceConnect", RIGHT_DEVICE_CONNECT, 0},
    {"RegistrationStatusRead", RIGHT_REGISTRATION_READ, 0},
    {"RegistrationStatusWrite", RIGHT_REGISTRATION_WRITE, RIGHT_REGISTRATION_READ},
};
enum { RIGHTS = sizeof rights_table / sizeof rights_table[0] };

struct err rights_read(struct slice text, uint32_t *rights, struct why *why)
{
    struct slice word;
    uint32_t bits = 0;
    *rights = 0;
    while (slice_cut(&text, ',', &word)) {
        size_t i = 0;
        word = slice_trim(word);
        while (i < RIGHTS && !slice_equal_nocase(word, slice_text(rights_table[i].word)))
            i++;
        if (i == RIGHTS)
            return why_fail(
                why, ERR_INVALID,
                "rights: each must be one of ServiceConfig, EnrollmentRead, EnrollmentWrite, DeviceConnect, "
                "RegistrationStatusRead, RegistrationStatusWrite, with commas between them");
        bits |= rights_table[i].bit | rights_table[i].includes;
    }
    if (bits == 0)
        return why_fail(why, ERR_INVALID, "rights: name at least one, such as EnrollmentWrite");
    *rights = bits;
    return OK;
}

void rights_write(struct buf *out, uint32_t rights)
{
    const char *between = "";
    for (size_t i = 0; i < RIGHTS; i++) {
        if ((rights & rights_table[i].bit) == 0)
            continue;
        buf_text(out, between);
        buf_text(out, rights_table[i].word);
        between = ", ";
    }
}

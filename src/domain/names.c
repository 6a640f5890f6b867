// Tables of words.
#include "domain/names.h"

#define NAME_AS_WORD(constant, text) [constant] = text,
#define NAMES(name, TABLE)                                                                                   \
    static const char *const name##_words[] = {TABLE(NAME_AS_WORD)};                                         \
    const struct names name##_names = {name##_words, sizeof name##_words / sizeof name##_words[0]};

NAMES(attestation_type, ATTESTATION_TYPES)
NAMES(allocation_policy, ALLOCATION_POLICIES)
NAMES(provisioning_status, PROVISIONING_STATUSES)
NAMES(registration_status, REGISTRATION_STATUSES)
NAMES(registration_substatus, REGISTRATION_SUBSTATUSES)
NAMES(enrollment_kind, ENROLLMENT_KINDS)
NAMES(certificate_role, CERTIFICATE_ROLES)
NAMES(hub_authentication, HUB_AUTHENTICATIONS)
NAMES(device_status, DEVICE_STATUSES)
NAMES(switch, SWITCHES)
NAMES(hub_state, HUB_STATES)
NAMES(hub_kind, HUB_KINDS)
NAMES(unreachable_rule, UNREACHABLE_RULES)

struct slice name_of(const struct names *names, unsigned value)
{
    return slice_text(value < names->count ? names->words[value] : "");
}

bool name_read(const struct names *names, struct slice word, unsigned *value)
{
    for (unsigned i = 0; i < names->count && word.len > 0; i++) {
        if (slice_equal_nocase(slice_text(names->words[i]), word)) {
            *value = i;
            return true;
        }
    }
    return false;
}

// The table of client families (device-protocol 1.5, 2.1 and 9).
#include "api/device/quirks.h"

#include <stdbool.h>

enum transport { OVER_ANY, OVER_MQTT, OVER_HTTP, OVER_AMQP };

enum fingerprint {
    VERSION_TWICE,      // ClientVersion is the api-version again
    LINK_NAME,          // the link's name begins with `text`
    CLIENT_STARTS_WITH, // ClientVersion, client-version or User-Agent begins with `text`
    ANYTHING,
};

#define WAKE_UP                                                                                              \
    "its thread waits for the reply only after it has sent the request, and sleeps 60 s when the reply was " \
    "faster"

static const struct row {
    enum transport over;
    enum fingerprint by;
    const char *text;
    struct quirk quirk;
} rows[] = {
    {OVER_MQTT, VERSION_TWICE, "", {"java", WAKE_UP, 20}},
    {OVER_AMQP, LINK_NAME, "provision_", {"java", WAKE_UP, 20}}, // provision_sender_link and …receiver_link
    {OVER_AMQP, CLIENT_STARTS_WITH, "com.microsoft.azure.sdk.iot.dps", {"java", WAKE_UP, 20}},
    {OVER_ANY,
     CLIENT_STARTS_WITH,
     "com.microsoft.azure.sdk.iot.dps",
     {"java", "over HTTPS it reads the reply in turn", 0}},
    {OVER_ANY, CLIENT_STARTS_WITH, "azure-iot-provisioning-device", {"node", "", 0}},
    {OVER_ANY, CLIENT_STARTS_WITH, "azure-iot-device-provisioning-py", {"python", "", 0}},
    {OVER_ANY, CLIENT_STARTS_WITH, "Microsoft.Azure.Devices.Provisioning.Client", {"csharp", "", 0}},
    {OVER_ANY, CLIENT_STARTS_WITH, "prov_device_client", {"c", "", 0}},
    {OVER_ANY, ANYTHING, "", {"", "", 0}},
};

struct traces {
    enum transport over;
    struct slice api_version; // MQTT
    struct slice link_name;   // AMQP
    struct slice client;
};

static bool fits(const struct row *row, const struct traces *seen)
{
    if (row->over != OVER_ANY && row->over != seen->over)
        return false;
    switch (row->by) {
    case VERSION_TWICE:
        return seen->client.len > 0 && slice_equal(seen->api_version, seen->client);
    case LINK_NAME:
        return slice_starts_with(seen->link_name, slice_text(row->text));
    case CLIENT_STARTS_WITH:
        return slice_starts_with(seen->client, slice_text(row->text));
    case ANYTHING:
        return true;
    }
    return false;
}

static const struct quirk *find(struct traces seen)
{
    const struct row *row = rows;
    while (!fits(row, &seen))
        row++;
    return &row->quirk;
}

const struct quirk *quirk_of_mqtt(struct slice api_version, struct slice client_version)
{
    return find((struct traces){.over = OVER_MQTT, .api_version = api_version, .client = client_version});
}

const struct quirk *quirk_of_amqp(struct slice link_name, struct slice client_version)
{
    return find((struct traces){.over = OVER_AMQP, .link_name = link_name, .client = client_version});
}

const struct quirk *quirk_of_http(struct slice user_agent)
{
    return find((struct traces){.over = OVER_HTTP, .client = user_agent});
}

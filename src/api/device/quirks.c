// The table of client families (device-protocol 1.5, 2.1 and 9).
#include "api/device/quirks.h"

#include <stdbool.h>

enum fingerprint {
    MQTT_VERSION_TWICE, // ClientVersion is the api-version again
    CLIENT_STARTS_WITH, // ClientVersion or User-Agent begins with `text`
    ANYTHING,
};

static const struct row {
    enum fingerprint by;
    const char *text;
    struct quirk quirk;
} rows[] = {
    {MQTT_VERSION_TWICE,
     "",
     {"java",
      "its thread waits for the reply only after it has sent the request, and sleeps 60 s when the reply was "
      "faster",
      20}},
    {CLIENT_STARTS_WITH,
     "com.microsoft.azure.sdk.iot.dps",
     {"java", "over HTTPS it reads the reply in turn", 0}},
    {CLIENT_STARTS_WITH, "azure-iot-provisioning-device", {"node", "", 0}},
    {CLIENT_STARTS_WITH, "azure-iot-device-provisioning-py", {"python", "", 0}},
    {CLIENT_STARTS_WITH, "Microsoft.Azure.Devices.Provisioning.Client", {"csharp", "", 0}},
    {CLIENT_STARTS_WITH, "prov_device_client", {"c", "", 0}},
    {ANYTHING, "", {"", "", 0}},
};

static const struct quirk *find(struct slice api_version, struct slice client, bool mqtt)
{
    const struct row *row = rows;
    for (;; row++) {
        bool fits =
            row->by == ANYTHING ||
            (row->by == MQTT_VERSION_TWICE && mqtt && client.len > 0 && slice_equal(api_version, client)) ||
            (row->by == CLIENT_STARTS_WITH && slice_starts_with(client, slice_text(row->text)));
        if (fits)
            return &row->quirk;
    }
}

const struct quirk *quirk_of_mqtt(struct slice api_version, struct slice client_version)
{
    return find(api_version, client_version, true);
}

const struct quirk *quirk_of_http(struct slice user_agent)
{
    return find((struct slice){0}, user_agent, false);
}

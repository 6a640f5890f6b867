// The tables of columns, and copying through them.
#include "store/columns.h"

#define AT(type_, field) .offset = offsetof(struct type_, field)

static const struct column service_columns[] = {
    {"name", COLUMN_TEXT, AT(service_record, name), .path = "name"},
    {"id_scope", COLUMN_TEXT, AT(service_record, id_scope), .path = "idScope"},
    {"document", COLUMN_SEALED, AT(service_record, document)},
    {"created_us", COLUMN_TIME, AT(service_record, created_us)},
    {"updated_us", COLUMN_TIME, AT(service_record, updated_us)},
    {"etag", COLUMN_ETAG, AT(service_record, etag)},
};

static const struct column hub_columns[] = {
    {"host", COLUMN_TEXT, AT(hub_record, host), .path = "host"},
    {"document", COLUMN_SEALED, AT(hub_record, document)},
    {"created_us", COLUMN_TIME, AT(hub_record, created_us)},
    {"updated_us", COLUMN_TIME, AT(hub_record, updated_us)},
    {"etag", COLUMN_ETAG, AT(hub_record, etag)},
};

// Individual enrollments and groups differ in what a query calls their names. An absent provisioning status
// means enabled (service-api A.5), so a query for the enabled ones finds it.
#define ENROLLMENT_COLUMNS(id_path, device_id_path)                                                          \
    {"id", COLUMN_TEXT, AT(enrollment, id), .path = id_path},                                                \
        {"kind", COLUMN_WORD, AT(enrollment, kind), .words = &enrollment_kind_names},                        \
        {"device_id", COLUMN_TEXT, AT(enrollment, device_id), .path = device_id_path},                       \
        {"attestation_type", COLUMN_WORD, AT(enrollment, attestation.type),                                  \
         .words = &attestation_type_names, .path = "attestation.type"},                                      \
        {"primary_key", COLUMN_SECRET, AT(enrollment, attestation.primary_key)},                             \
        {"secondary_key", COLUMN_SECRET, AT(enrollment, attestation.secondary_key)},                         \
        {"certificate_role", COLUMN_WORD, AT(enrollment, attestation.certificate_role),                      \
         .words = &certificate_role_names},                                                                  \
        {"primary_certificate", COLUMN_BLOB, AT(enrollment, attestation.primary_certificate)},               \
        {"secondary_certificate", COLUMN_BLOB, AT(enrollment, attestation.secondary_certificate)},           \
        {"primary_ca", COLUMN_TEXT, AT(enrollment, attestation.primary_ca)},                                 \
        {"secondary_ca", COLUMN_TEXT, AT(enrollment, attestation.secondary_ca)},                             \
        {"endorsement_key", COLUMN_BLOB, AT(enrollment, attestation.endorsement_key)},                       \
        {"storage_root_key", COLUMN_BLOB, AT(enrollment, attestation.storage_root_key)},                     \
        {"provisioning_status",                                                                              \
         COLUMN_WORD,                                                                                        \
         AT(enrollment, provisioning_status),                                                                \
         .words = &provisioning_status_names,                                                                \
         .path = "provisioningStatus",                                                                       \
         .unset = "enabled"},                                                                                \
        {"iot_edge", COLUMN_SWITCH, AT(enrollment, iot_edge), .words = &switch_names,                        \
         .path = "capabilities.iotEdge"},                                                                    \
        {"initial_twin", COLUMN_JSON, AT(enrollment, initial_twin), .path = "initialTwin"},                  \
        {"device_information", COLUMN_JSON, AT(enrollment, device_information),                              \
         .path = "optionalDeviceInformation"},                                                               \
        {"reprovision_set", COLUMN_FLAG, AT(enrollment, reprovision_set)},                                   \
        {"update_hub_assignment", COLUMN_FLAG, AT(enrollment, update_hub_assignment),                        \
         .path = "reprovisionPolicy.updateHubAssignment",                                                    \
         .present = offsetof(struct enrollment, reprovision_set)},                                           \
        {"migrate_device_data", COLUMN_FLAG, AT(enrollment, migrate_device_data),                            \
         .path = "reprovisionPolicy.migrateDeviceData",                                                      \
         .present = offsetof(struct enrollment, reprovision_set)},                                           \
        {"allocation", COLUMN_WORD, AT(enrollment, allocation), .words = &allocation_policy_names,           \
         .path = "allocationPolicy"},                                                                        \
        {"hubs", COLUMN_JSON, AT(enrollment, hubs)},                                                         \
        {"hub_host_name", COLUMN_TEXT, AT(enrollment, hub_host_name), .path = "iotHubHostName"},             \
        {"webhook_url", COLUMN_TEXT, AT(enrollment, webhook_url)},                                           \
        {"webhook_api_version", COLUMN_TEXT, AT(enrollment, webhook_api_version)},                           \
        {"words", COLUMN_FINDERS, AT(enrollment, words)},                                                    \
        {"created_us", COLUMN_TIME, AT(enrollment, created_us), .path = "createdDateTimeUtc"},               \
        {"updated_us", COLUMN_TIME, AT(enrollment, updated_us), .path = "lastUpdatedDateTimeUtc"},           \
    {                                                                                                        \
        "etag", COLUMN_ETAG, AT(enrollment, etag)                                                            \
    }

static const struct column enrollment_columns[] = {ENROLLMENT_COLUMNS("registrationId", "deviceId")};
static const struct column group_columns[] = {ENROLLMENT_COLUMNS("enrollmentGroupId", NULL)};

static const struct column registration_columns[] = {
    {"id", COLUMN_TEXT, AT(registration, id), .path = "registrationId"},
    {"status", COLUMN_WORD, AT(registration, status), .words = &registration_status_names, .path = "status"},
    {"substatus", COLUMN_WORD, AT(registration, substatus), .words = &registration_substatus_names,
     .path = "substatus"},
    {"enrollment_kind", COLUMN_WORD, AT(registration, enrollment_kind), .words = &enrollment_kind_names},
    {"enrollment_id", COLUMN_TEXT, AT(registration, enrollment_id), .path = "enrollmentGroupId",
     .present = offsetof(struct registration, enrollment_kind)},
    {"operation_id", COLUMN_TEXT, AT(registration, operation_id)},
    {"previous_operation_id", COLUMN_TEXT, AT(registration, previous_operation_id)},
    {"assigned_hub", COLUMN_TEXT, AT(registration, assigned_hub), .path = "assignedHub"},
    {"device_id", COLUMN_TEXT, AT(registration, device_id), .path = "deviceId"},
    {"intended_hub", COLUMN_TEXT, AT(registration, intended_hub)},
    {"intended_device_id", COLUMN_TEXT, AT(registration, intended_device_id)},
    {"plan_steps", COLUMN_INTEGER, AT(registration, plan_steps)},
    {"primary_thumbprint", COLUMN_TEXT, AT(registration, primary_thumbprint)},
    {"secondary_thumbprint", COLUMN_TEXT, AT(registration, secondary_thumbprint)},
    {"hub_key", COLUMN_SECRET, AT(registration, hub_key)},
    {"hub_key_tpm", COLUMN_TEXT, AT(registration, hub_key_tpm)},
    {"payload", COLUMN_JSON, AT(registration, payload), .path = "payload"},
    {"intended_substatus", COLUMN_WORD, AT(registration, intended_substatus),
     .words = &registration_substatus_names},
    {"left_hub", COLUMN_TEXT, AT(registration, left_hub), .path = "leftHub"},
    {"left_device_id", COLUMN_TEXT, AT(registration, left_device_id)},
    {"question", COLUMN_JSON, AT(registration, question)},
    {"twin", COLUMN_JSON, AT(registration, twin)},
    {"address", COLUMN_TEXT, AT(registration, address)},
    {"error_code", COLUMN_INTEGER, AT(registration, error_code), .path = "errorCode", .zero_is_absent = true},
    {"error_message", COLUMN_TEXT, AT(registration, error_message), .path = "errorMessage"},
    {"created_us", COLUMN_TIME, AT(registration, created_us), .path = "createdDateTimeUtc"},
    {"updated_us", COLUMN_TIME, AT(registration, updated_us), .path = "lastUpdatedDateTimeUtc"},
    {"etag", COLUMN_ETAG, AT(registration, etag)},
};

static const struct column device_columns[] = {
    {"id", COLUMN_TEXT, AT(device, id), .path = "deviceId"},
    {"generation", COLUMN_INTEGER, AT(device, generation)},
    {"status", COLUMN_WORD, AT(device, status), .words = &device_status_names, .path = "status"},
    {"status_reason", COLUMN_TEXT, AT(device, status_reason), .path = "statusReason"},
    {"authentication", COLUMN_WORD, AT(device, authentication), .words = &hub_authentication_names,
     .path = "authenticationType"},
    {"primary_key", COLUMN_SECRET, AT(device, primary_key)},
    {"secondary_key", COLUMN_SECRET, AT(device, secondary_key)},
    {"primary_thumbprint", COLUMN_TEXT, AT(device, primary_thumbprint)},
    {"secondary_thumbprint", COLUMN_TEXT, AT(device, secondary_thumbprint)},
    {"iot_edge", COLUMN_SWITCH, AT(device, iot_edge), .words = &switch_names, .path = "capabilities.iotEdge"},
    {"tags", COLUMN_JSON, AT(device, tags), .path = "tags"},
    {"desired", COLUMN_JSON, AT(device, desired), .path = "properties.desired"},
    {"reported", COLUMN_JSON, AT(device, reported), .path = "properties.reported"},
    {"desired_metadata", COLUMN_JSON, AT(device, desired_metadata)},
    {"reported_metadata", COLUMN_JSON, AT(device, reported_metadata)},
    {"desired_version", COLUMN_INTEGER, AT(device, desired_version)},
    {"reported_version", COLUMN_INTEGER, AT(device, reported_version)},
    {"twin_version", COLUMN_INTEGER, AT(device, twin_version)},
    {"identity_version", COLUMN_INTEGER, AT(device, identity_version)},
    {"created_us", COLUMN_TIME, AT(device, created_us)},
    {"updated_us", COLUMN_TIME, AT(device, updated_us)},
    {"status_updated_us", COLUMN_TIME, AT(device, status_updated_us)},
    {"etag", COLUMN_ETAG, AT(device, etag)},
};

static const struct column certificate_columns[] = {
    {"name", COLUMN_TEXT, AT(ca_certificate, name), .path = "name"},
    {"certificate", COLUMN_BLOB, AT(ca_certificate, certificate)},
    {"verified", COLUMN_FLAG, AT(ca_certificate, verified), .path = "isVerified"},
    {"code", COLUMN_SECRET, AT(ca_certificate, code)},
    {"code_until_us", COLUMN_TIME, AT(ca_certificate, code_until_us)},
    {"crl_digest", COLUMN_BLOB, AT(ca_certificate, crl_digest)},
    {"crl_next_update_us", COLUMN_TIME, AT(ca_certificate, crl_next_update_us)},
    {"crl_required", COLUMN_FLAG, AT(ca_certificate, crl_required)},
    {"not_after_us", COLUMN_TIME, AT(ca_certificate, not_after_us), .path = "expiry"},
    {"words", COLUMN_FINDERS, AT(ca_certificate, words)},
    {"created_us", COLUMN_TIME, AT(ca_certificate, created_us)},
    {"updated_us", COLUMN_TIME, AT(ca_certificate, updated_us)},
    {"etag", COLUMN_ETAG, AT(ca_certificate, etag)},
};

static const struct column crl_columns[] = {
    {"name", COLUMN_TEXT, AT(ca_crl, name), .path = "name"},
    {"crl", COLUMN_BLOB, AT(ca_crl, crl)},
    {"created_us", COLUMN_TIME, AT(ca_crl, created_us)},
    {"updated_us", COLUMN_TIME, AT(ca_crl, updated_us)},
    {"etag", COLUMN_ETAG, AT(ca_crl, etag)},
};

#define TABLE(sql, columns_, type_)                                                                          \
    {                                                                                                        \
        sql, columns_, sizeof columns_ / sizeof columns_[0], sizeof(struct type_)                            \
    }
static const struct columns tables[STORE_TABLES] = {
    [STORE_SERVICE] = TABLE("service", service_columns, service_record),
    [STORE_ENROLLMENT] = TABLE("enrollment", enrollment_columns, enrollment),
    [STORE_GROUP] = TABLE("enrollment_group", group_columns, enrollment),
    [STORE_REGISTRATION] = TABLE("registration", registration_columns, registration),
    [STORE_HUB] = TABLE("hub", hub_columns, hub_record),
    [STORE_DEVICE] = TABLE("device", device_columns, device),
    [STORE_CERTIFICATE] = TABLE("certificate", certificate_columns, ca_certificate),
    [STORE_CRL] = TABLE("crl", crl_columns, ca_crl),
};
#define FITS(columns_) _Static_assert(sizeof columns_ / sizeof columns_[0] <= COLUMNS_MAX, "too many columns")
FITS(enrollment_columns);
FITS(registration_columns);
FITS(device_columns);
FITS(certificate_columns);

const struct columns *columns_of(enum store_table table)
{
    INVARIANT((unsigned)table < STORE_TABLES);
    return &tables[table];
}

const void *column_field(const struct column *column, const void *record)
{
    return (const uint8_t *)record + column->offset;
}

void *column_field_mut(const struct column *column, void *record)
{
    return (uint8_t *)record + column->offset;
}

uint64_t columns_etag(enum store_table table, const void *record)
{
    const struct columns *c = columns_of(table);
    // the etag is the last column of every table
    return *(const uint64_t *)column_field(&c->list[c->count - 1], record);
}

const struct column *columns_finders(enum store_table table)
{
    const struct columns *c = columns_of(table);
    for (size_t i = 0; i < c->count; i++) {
        if (c->list[i].type == COLUMN_FINDERS)
            return &c->list[i];
    }
    return NULL;
}

const struct column *columns_named(enum store_table table, const char *name)
{
    const struct columns *c = columns_of(table);
    for (size_t i = 0; i < c->count; i++) {
        if (slice_equal(slice_text(c->list[i].name), slice_text(name)))
            return &c->list[i];
    }
    return NULL;
}

static bool holds_slice(const struct column *column)
{
    return column->type <= COLUMN_SEALED;
}

size_t columns_size(enum store_table table, const void *record)
{
    const struct columns *c = columns_of(table);
    size_t size = c->size;
    for (size_t i = 0; i < c->count; i++) {
        if (holds_slice(&c->list[i]))
            size += ((const struct slice *)column_field(&c->list[i], record))->len;
    }
    return size;
}

void columns_pack(enum store_table table, const void *record, void *at)
{
    const struct columns *c = columns_of(table);
    memcpy(at, record, c->size);
    uint8_t *to = (uint8_t *)at + c->size;
    for (size_t i = 0; i < c->count; i++) {
        if (!holds_slice(&c->list[i]))
            continue;
        struct slice *s = column_field_mut(&c->list[i], at);
        if (s->len > 0)
            memcpy(to, s->at, s->len);
        s->at = s->len > 0 ? to : NULL;
        to += s->len;
    }
}

struct err columns_copy(struct arena *arena, enum store_table table, const void *record, void **out)
{
    void *at = arena_take(arena, columns_size(table, record));
    if (at == NULL)
        return FAIL(ERR_NO_MEMORY);
    columns_pack(table, record, at);
    *out = at;
    return OK;
}

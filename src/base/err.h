// The one error idiom of the house: a code that must not be ignored, and the one table that says what each
// code means to a device, an operator, a log reader and a protocol. Not for text about one particular
// request: that is struct why.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// What a caller should make of an error.
enum err_class {
    ERR_CLASS_OK,
    ERR_CLASS_INPUT,    // the request is wrong; sending it again will not help
    ERR_CLASS_AUTH,     // the caller could not prove who it is, or may not do this
    ERR_CLASS_ABSENT,   // the thing named is not there
    ERR_CLASS_CONFLICT, // somebody else was there first, or a precondition does not hold
    ERR_CLASS_BUSY,     // try again later
    ERR_CLASS_FAULT,    // something is broken on our side; try again later
};

enum err_level { ERR_LEVEL_DEBUG, ERR_LEVEL_INFO, ERR_LEVEL_WARN, ERR_LEVEL_ERROR };

// X(code, name, class, http, number, amqp condition, mqtt connack, level, sentence)
//   name      the keyword in logs; for errors of the hub API the name that Azure's hub uses
//   number    the DPS (or hub) error number that goes into an error body
//   connack   MQTT 3.1.1 CONNACK return code when it ends a CONNECT
//   sentence  what the other side may be told. All failures of a device's proof say the same, so that an
//             anonymous peer cannot learn which registration IDs exist (threats B6); the log says which it
//             was.
#define ERR_TABLE(X)                                                                                         \
    X(ERR_NONE, "ok", OK, 200, 0, "", 0, DEBUG, "Success.")                                                  \
    X(ERR_INTERNAL, "internal", FAULT, 500, 500001, "amqp:internal-error", 3, ERROR,                         \
      "Internal error; try again later.")                                                                    \
    X(ERR_NO_MEMORY, "no_memory", BUSY, 503, 503001, "amqp:internal-error", 3, ERROR,                        \
      "Out of memory; try again later.")                                                                     \
    X(ERR_CAPPED, "capped", INPUT, 413, 413001, "amqp:link:message-size-exceeded", 2, INFO,                  \
      "The message is larger than the service takes.")                                                       \
    X(ERR_OVERLOADED, "overloaded", BUSY, 503, 503002, "amqp:internal-error", 3, WARN,                       \
      "Busy; try again later.")                                                                              \
    X(ERR_THROTTLED, "throttled", BUSY, 429, 429001, "com.microsoft:device-container-throttled", 3, INFO,    \
      "Operations are being throttled for this tenant.")                                                     \
    X(ERR_TIMEOUT, "timeout", BUSY, 503, 503003, "amqp:internal-error", 3, WARN,                             \
      "Timed out; try again later.")                                                                         \
    X(ERR_STOPPING, "stopping", BUSY, 503, 503004, "amqp:internal-error", 3, INFO,                           \
      "The service is stopping; try again later.")                                                           \
    X(ERR_STORE, "store_failed", FAULT, 503, 503005, "amqp:internal-error", 3, ERROR,                        \
      "The store cannot be written; try again later.")                                                       \
    X(ERR_SEAL, "seal_broken", FAULT, 500, 500002, "amqp:internal-error", 3, ERROR,                          \
      "A stored secret cannot be opened with this master key.")                                              \
    X(ERR_SYSTEM, "system", FAULT, 500, 500003, "amqp:internal-error", 3, ERROR, "A system call failed.")    \
    X(ERR_CONFIG, "config_invalid", INPUT, 500, 500004, "amqp:internal-error", 3, ERROR,                     \
      "The configuration is wrong.")                                                                         \
    X(ERR_MALFORMED, "malformed", INPUT, 400, 400004, "amqp:decode-error", 2, INFO,                          \
      "The request is not well-formed.")                                                                     \
    X(ERR_INVALID, "invalid", INPUT, 400, 400004, "amqp:invalid-field", 2, INFO,                             \
      "The request is not valid.")                                                                           \
    X(ERR_QUERY, "query_invalid", INPUT, 400, 400004, "amqp:invalid-field", 2, INFO,                         \
      "The query is not valid.")                                                                             \
    X(ERR_API_VERSION, "api_version", INPUT, 400, 400001, "amqp:invalid-field", 2, INFO,                     \
      "The api-version is missing or not of the form YYYY-MM-DD.")                                           \
    X(ERR_LENGTH_REQUIRED, "length_required", INPUT, 411, 411001, "amqp:decode-error", 2, INFO,              \
      "Content-Length is required.")                                                                         \
    X(ERR_MEDIA_TYPE, "media_type", INPUT, 415, 415001, "amqp:not-implemented", 2, INFO,                     \
      "Only application/json without content coding is taken.")                                              \
    X(ERR_WEBSOCKET_VERSION, "websocket_version", INPUT, 426, 426001, "amqp:not-implemented", 2, INFO,       \
      "Only version 13 of WebSocket is spoken.")                                                             \
    X(ERR_METHOD, "method_not_allowed", INPUT, 405, 405001, "amqp:not-allowed", 2, INFO,                     \
      "The method is not allowed on this path.")                                                             \
    X(ERR_ROUTE, "no_such_path", ABSENT, 404, 404001, "amqp:not-found", 2, INFO,                             \
      "There is nothing at this path.")                                                                      \
    X(ERR_PROTOCOL, "protocol_violation", INPUT, 400, 400004, "amqp:connection:framing-error", 1, INFO,      \
      "The protocol was not followed.")                                                                      \
    X(ERR_CREDENTIAL_MISSING, "credential_missing", AUTH, 401, 401002, "amqp:unauthorized-access", 5, INFO,  \
      "Unauthorized")                                                                                        \
    X(ERR_SAS_MALFORMED, "sas_malformed", AUTH, 401, 401002, "amqp:unauthorized-access", 5, INFO,            \
      "Unauthorized")                                                                                        \
    X(ERR_SAS_SIGNATURE, "sas_signature", AUTH, 401, 401002, "amqp:unauthorized-access", 5, INFO,            \
      "Unauthorized")                                                                                        \
    X(ERR_SAS_EXPIRED, "sas_expired", AUTH, 401, 401002, "amqp:unauthorized-access", 5, INFO,                \
      "Unauthorized")                                                                                        \
    X(ERR_SAS_RESOURCE, "sas_resource", AUTH, 401, 401002, "amqp:unauthorized-access", 5, INFO,              \
      "Unauthorized")                                                                                        \
    X(ERR_POLICY_UNKNOWN, "policy_unknown", AUTH, 401, 401002, "amqp:unauthorized-access", 5, INFO,          \
      "Unauthorized")                                                                                        \
    X(ERR_RIGHT_MISSING, "right_missing", AUTH, 401, 401002, "amqp:unauthorized-access", 5, INFO,            \
      "The access policy does not hold the right that this call needs.")                                     \
    X(ERR_SCOPE_UNKNOWN, "scope_unknown", AUTH, 401, 401002, "amqp:unauthorized-access", 5, INFO,            \
      "Unauthorized")                                                                                        \
    X(ERR_REGISTRATION_UNKNOWN, "registration_unknown", AUTH, 401, 401002, "amqp:unauthorized-access", 5,    \
      INFO, "Unauthorized")                                                                                  \
    X(ERR_ATTESTATION_TYPE, "attestation_type", AUTH, 401, 401002, "amqp:unauthorized-access", 5, INFO,      \
      "Unauthorized")                                                                                        \
    X(ERR_CERTIFICATE_EXPIRED, "certificate_expired", AUTH, 401, 401002, "amqp:unauthorized-access", 5,      \
      INFO, "Unauthorized")                                                                                  \
    X(ERR_CERTIFICATE_REVOKED, "certificate_revoked", AUTH, 401, 401002, "amqp:unauthorized-access", 5,      \
      INFO, "Unauthorized")                                                                                  \
    X(ERR_CERTIFICATE_REFUSED, "certificate_refused", AUTH, 401, 401002, "amqp:unauthorized-access", 5,      \
      INFO, "Unauthorized")                                                                                  \
    X(ERR_CERTIFICATE_UNTRUSTED, "certificate_untrusted", AUTH, 401, 401002, "amqp:unauthorized-access", 5,  \
      INFO, "Unauthorized")                                                                                  \
    X(ERR_REGISTRATION_TAKEN, "registration_taken", AUTH, 401, 401002, "amqp:unauthorized-access", 5, INFO,  \
      "Unauthorized")                                                                                        \
    X(ERR_TPM_KEY, "tpm_key", AUTH, 401, 401002, "amqp:unauthorized-access", 5, INFO, "Unauthorized")        \
    X(ERR_CHALLENGE_UNKNOWN, "challenge_unknown", AUTH, 401, 401002, "amqp:unauthorized-access", 5, INFO,    \
      "Unauthorized")                                                                                        \
    X(ERR_IDENTITY_MISMATCH, "identity_mismatch", AUTH, 401, 401002, "amqp:unauthorized-access", 5, INFO,    \
      "Unauthorized")                                                                                        \
    X(ERR_ENROLLMENT_DISABLED, "enrollment_disabled", AUTH, 401, 401002, "amqp:unauthorized-access", 5,      \
      INFO, "The enrollment is disabled.")                                                                   \
    X(ERR_ABSENT, "absent", ABSENT, 404, 404203, "amqp:not-found", 5, INFO, "There is no such record.")      \
    X(ERR_ENROLLMENT_NOT_FOUND, "enrollment_not_found", ABSENT, 404, 404201, "amqp:not-found", 5, INFO,      \
      "Enrollment not found.")                                                                               \
    X(ERR_REGISTRATION_NOT_FOUND, "registration_not_found", ABSENT, 404, 404201, "amqp:not-found", 5, INFO,  \
      "Registration not found.")                                                                             \
    X(ERR_OPERATION_NOT_FOUND, "operation_not_found", ABSENT, 404, 404202, "amqp:not-found", 5, INFO,        \
      "Operation not found.")                                                                                \
    X(ERR_GROUP_NOT_FOUND, "group_not_found", ABSENT, 404, 404204, "amqp:not-found", 5, INFO,                \
      "Enrollment group not found.")                                                                         \
    X(ERR_SERVICE_NOT_FOUND, "service_not_found", ABSENT, 404, 404205, "amqp:not-found", 5, INFO,            \
      "Service not found.")                                                                                  \
    X(ERR_SETTING_NOT_FOUND, "setting_not_found", ABSENT, 404, 404206, "amqp:not-found", 5, INFO,            \
      "There is no hub, access policy, certificate or setting of that name.")                                \
    X(ERR_ENROLLMENT_EXISTS, "enrollment_exists", CONFLICT, 409, 409201, "amqp:precondition-failed", 2,      \
      INFO, "Enrollment already exists.")                                                                    \
    X(ERR_GROUP_EXISTS, "group_exists", CONFLICT, 409, 409202, "amqp:precondition-failed", 2, INFO,          \
      "Enrollment group already exists.")                                                                    \
    X(ERR_CONFLICT, "conflict", CONFLICT, 409, 409203, "amqp:precondition-failed", 2, INFO,                  \
      "Precondition failed.")                                                                                \
    X(ERR_ETAG, "etag_mismatch", CONFLICT, 412, 412201, "amqp:precondition-failed", 2, INFO,                 \
      "The ETag does not match; read the record again.")                                                     \
    X(ERR_WEBHOOK, "webhook_failed", FAULT, 400, 400207, "amqp:not-allowed", 2, WARN,                        \
      "Custom allocation failed.")                                                                           \
    X(ERR_NO_HUB, "no_hub", FAULT, 400, 400208, "amqp:not-found", 2, WARN,                                   \
      "No IoT hub to assign to: link a hub that the enrollment allows.")                                     \
    X(ERR_HUB_UNAUTHORIZED, "hub_unauthorized", FAULT, 400, 400209, "amqp:unauthorized-access", 2, ERROR,    \
      "The linked IoT hub refused the service's credentials.")                                               \
    X(ERR_HUB_REFUSED, "hub_refused", FAULT, 400, 400210, "amqp:not-allowed", 2, ERROR,                      \
      "The linked IoT hub refused the device identity.")                                                     \
    X(ERR_HUB_UNAVAILABLE, "hub_unavailable", BUSY, 503, 503006, "amqp:internal-error", 3, WARN,             \
      "The linked IoT hub cannot be reached; the service goes on trying.")                                   \
    X(ERR_HUB_ARGUMENT, "ArgumentInvalid", INPUT, 400, 400004, "amqp:invalid-field", 2, INFO,                \
      "Bad argument.")                                                                                       \
    X(ERR_HUB_FORMAT, "IotHubFormatError", INPUT, 400, 400006, "amqp:invalid-field", 2, INFO, "Bad format.") \
    X(ERR_HUB_BULK, "BulkRegistryOperationFailure", INPUT, 400, 400013, "amqp:invalid-field", 2, INFO,       \
      "One or more items failed.")                                                                           \
    X(ERR_HUB_CALLER, "IotHubUnauthorizedAccess", AUTH, 401, 401002, "amqp:unauthorized-access", 5, INFO,    \
      "Unauthorized")                                                                                        \
    X(ERR_HUB_DEVICE_NOT_FOUND, "DeviceNotFound", ABSENT, 404, 404001, "amqp:not-found", 5, INFO,            \
      "The device is not registered.")                                                                       \
    X(ERR_HUB_DEVICE_OFFLINE, "DeviceNotOnline", ABSENT, 404, 404103, "amqp:not-found", 5, INFO,             \
      "The device is not connected.")                                                                        \
    X(ERR_HUB_DEVICE_EXISTS, "DeviceAlreadyExists", CONFLICT, 409, 409001, "amqp:precondition-failed", 2,    \
      INFO, "The device is already registered.")                                                             \
    X(ERR_HUB_ETAG, "PreconditionFailed", CONFLICT, 412, 412001, "amqp:precondition-failed", 2, INFO,        \
      "The ETag does not match.")                                                                            \
    X(ERR_HUB_TOO_LARGE, "MessageTooLarge", INPUT, 413, 413001, "amqp:link:message-size-exceeded", 2, INFO,  \
      "The message is too large.")                                                                           \
    X(ERR_HUB_DEVICE_TIMEOUT, "GatewayTimeout", BUSY, 504, 504101, "amqp:internal-error", 3, INFO,           \
      "The device did not answer in time.")

#define ERR_AS_ENUM(code, name, class, http, number, amqp, connack, level, sentence) code,
enum err_code { ERR_TABLE(ERR_AS_ENUM) ERR_COUNT };
#undef ERR_AS_ENUM

// The result of anything that can fail. Zero is success.
struct [[nodiscard]] err {
    uint32_t code; // enum err_code
};

struct err_info {
    const char *name;
    enum err_class class;
    uint16_t http;
    uint32_t number;
    const char *amqp;
    uint8_t connack;
    enum err_level level;
    const char *sentence;
};

// The table's row for e; the row of ERR_INTERNAL for a code out of range. Never NULL.
const struct err_info *err_info(struct err e);

#define OK            ((struct err){0})
#define FAIL(errcode) ((struct err){(errcode)})

static inline bool failed(struct err e)
{
    return e.code != 0;
}

// Returns from the calling function with the error, if there is one.
#define TRY(expression)                                                                                      \
    do {                                                                                                     \
        struct err try_err_ = (expression);                                                                  \
        if (failed(try_err_))                                                                                \
            return try_err_;                                                                                 \
    } while (0)

// What was wrong with one particular input and what to do about it, for people. Text of whoever sent the
// input may be quoted in it, secrets never.
struct why {
    char text[240];
};

// Sets why->text (when why is not NULL; cut to fit) and returns the error, so that a check can end in one
// line.
struct err why_fail(struct why *why, enum err_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Aborts with file and line, in release builds too. For what only a bug can break, never for input.
#define INVARIANT(condition)                                                                                 \
    do {                                                                                                     \
        if (__builtin_expect(!(condition), 0))                                                               \
            invariant_broken(#condition, __FILE__, __LINE__);                                                \
    } while (0)
_Noreturn void invariant_broken(const char *condition, const char *file, int line);

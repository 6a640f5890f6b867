// Rights, connection strings, and that a stored service comes back as it was.
#include "domain/service.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct {
    const char *text;
    uint32_t rights; // 0: refused
} rights[] = {
    {"ServiceConfig", RIGHT_SERVICE_CONFIG},
    {"EnrollmentRead", RIGHT_ENROLLMENT_READ},
    {"EnrollmentWrite", RIGHT_ENROLLMENT_READ | RIGHT_ENROLLMENT_WRITE},
    {"registrationstatuswrite,DEVICECONNECT",
     RIGHT_REGISTRATION_READ | RIGHT_REGISTRATION_WRITE | RIGHT_DEVICE_CONNECT},
    {" ServiceConfig ,\tEnrollmentRead ", RIGHT_SERVICE_CONFIG | RIGHT_ENROLLMENT_READ},
    {"ServiceConfig, DeviceConnect, EnrollmentWrite, RegistrationStatusWrite", RIGHT_ALL},
    {"", 0},
    {"   ", 0},
    {"All", 0},
    {"ServiceConfig EnrollmentRead", 0},
    {"ServiceConfig,,EnrollmentRead", 0},
};

static void rights_are_words_with_commas(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++) {
        uint32_t bits = 99;
        struct why why = {0};
        struct err e = rights_read(slice_text(rights[i].text), &bits, &why);
        if (bits != rights[i].rights || failed(e) != (rights[i].rights == 0))
            fail_msg("'%s': %x, %s", rights[i].text, bits, why.text);
        assert_int_equal(why.text[0] != '\0', failed(e));
    }
}

static void written_rights_read_back(void **state)
{
    (void)state;
    for (uint32_t bits = 1; bits <= RIGHT_ALL; bits++) {
        uint32_t again = 0;
        uint32_t expected = bits;
        struct buf out = buf_capped(256);
        if ((bits & RIGHT_ENROLLMENT_WRITE) != 0)
            expected |= RIGHT_ENROLLMENT_READ;
        if ((bits & RIGHT_REGISTRATION_WRITE) != 0)
            expected |= RIGHT_REGISTRATION_READ;
        rights_write(&out, bits);
        assert_false(failed(rights_read(buf_slice(&out), &again, NULL)));
        assert_int_equal(again, expected);
        buf_release(&out);
    }
}

static const struct {
    const char *text;
    const char *told; // a part of the reason; NULL: taken
} strings[] = {
    {"HostName=hub.example.com;SharedAccessKeyName=iothubowner;SharedAccessKey=AAECAwQFBgcICQoLDA0ODw==",
     NULL},
    {"  "
     "SharedAccessKey=AAECAwQFBgcICQoLDA0ODw==;hostname=hub.example.com:8443;SharedAccessKeyName=x;Other=1;"
     "\n",
     NULL},
    {"", "lacks HostName"},
    {"HostName=hub.example.com;SharedAccessKey=AAEC", "lacks SharedAccessKeyName"},
    {"HostName=hub.example.com;SharedAccessKeyName=x", "lacks SharedAccessKey"},
    {"HostName=hub.example.com;SharedAccessKeyName=x;SharedAccessKey=", "lacks SharedAccessKey"},
    {"HostName=hub.example.com;SharedAccessKeyName=x;SharedAccessKey=%%%", "base64"},
    {"HostName=https://hub.example.com/;SharedAccessKeyName=x;SharedAccessKey=AAEC", "HostName"},
    {"HostName=hub.example.com:99999;SharedAccessKeyName=x;SharedAccessKey=AAEC", "port"},
    {"HostName=a;HostName=b;SharedAccessKeyName=x;SharedAccessKey=AAEC", "twice"},
    {"hub.example.com", "lacks HostName"},
    {"HostName=broker.example:8883;UserName=admin;Password=sixteen=letters!", NULL},
    {"HostName=broker.example;Password=x", "lacks UserName"},
    {"HostName=broker.example;UserName=admin", "lacks Password"},
    {"UserName=admin;Password=x", "lacks HostName"},
    {"HostName=a;UserName=admin;Password=x;SharedAccessKey=AAEC", "a broker"},
    {"HostName=a;UserName=u;Password=0123456789012345678901234567890123456789012345678901234567890123x",
     "Password is longer"},
};

static void a_connection_string_is_read_or_says_what_is_missing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        struct arena arena = arena_capped(65536);
        struct linked_hub hub = {.weight = 7};
        struct why why = {0};
        struct err e = hub_connection_string_read(&arena, slice_text(strings[i].text), &hub, &why);
        bool right = strings[i].told == NULL
                         ? !failed(e) && hub.host.len > 0 && hub.policy_key.len == 16
                         : e.code == ERR_INVALID && strstr(why.text, strings[i].told) != NULL;
        if (!right || hub.weight != 7)
            fail_msg("'%s': %u %s", strings[i].text, e.code, why.text);
        arena_release(&arena);
    }
}

static void a_reason_never_shows_the_key(void **state)
{
    (void)state;
    struct arena arena = arena_capped(65536);
    struct linked_hub hub = {0};
    struct why why = {0};
    struct slice text = SLICE("HostName=h;SharedAccessKeyName=x;SharedAccessKey=notbase64secret!");
    assert_true(failed(hub_connection_string_read(&arena, text, &hub, &why)));
    assert_null(strstr(why.text, "secret!"));
    arena_release(&arena);
}

static struct secret key_of(uint8_t byte, size_t len)
{
    struct secret key = {.len = len};
    memset(key.bytes, byte, len);
    return key;
}

static void a_stored_service_comes_back_as_it_was(void **state)
{
    (void)state;
    struct arena arena = arena_capped(1 << 20);
    struct policy policies[] = {
        {SLICE("owner"), key_of(1, 64), key_of(2, 64), RIGHT_ALL},
        {SLICE("re\"ader"), key_of(3, 32), key_of(4, 32), RIGHT_ENROLLMENT_READ},
    };
    struct linked_hub hubs[] = {
        {.host = SLICE("localhost:18883"), .kind = HUB_KIND_EMBEDDED, .weight = 1, .allocate = true},
        {.host = SLICE("Hub.example.com"),
         .kind = HUB_KIND_AZURE,
         .policy_name = SLICE("iothubowner"),
         .policy_key = key_of(9, 5),
         .weight = 1000,
         .weight_set = true,
         .allocate = false,
         .allocate_set = true},
    };
    struct service service = {.name = SLICE("dev"),
                              .host_name = SLICE("localhost"),
                              .id_scope = SLICE("0ne0000ABCD"),
                              .allocation = ALLOCATION_STATIC,
                              .tpm_certificate_required = true,
                              .policies = policies,
                              .policy_count = 2,
                              .hubs = hubs,
                              .hub_count = 2};
    struct service again;
    struct buf out = buf_capped(65536);
    assert_false(failed(service_document_write(&service, &out)));
    assert_false(failed(service_document_read(&arena, buf_slice(&out), &again, NULL)));
    memset(out.at, 'x', out.len); // nothing may point into the document
    assert_true(slice_equal(again.name, service.name) && slice_equal(again.host_name, service.host_name));
    assert_true(slice_equal(again.id_scope, service.id_scope));
    assert_int_equal(again.allocation, ALLOCATION_STATIC);
    assert_true(again.tpm_certificate_required);
    assert_int_equal(again.policy_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(slice_equal(again.policies[i].name, policies[i].name));
        assert_true(secret_equal(&again.policies[i].primary, &policies[i].primary));
        assert_true(secret_equal(&again.policies[i].secondary, &policies[i].secondary));
        assert_int_equal(again.policies[i].rights, policies[i].rights);
    }
    assert_int_equal(again.hub_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(slice_equal(again.hubs[i].host, hubs[i].host));
        assert_int_equal(again.hubs[i].kind, hubs[i].kind);
        assert_true(slice_equal(again.hubs[i].policy_name, hubs[i].policy_name));
        assert_int_equal(again.hubs[i].policy_key.len, hubs[i].policy_key.len);
        assert_memory_equal(again.hubs[i].policy_key.bytes, hubs[i].policy_key.bytes, hubs[i].policy_key.len);
        assert_int_equal(again.hubs[i].weight, hubs[i].weight);
        assert_int_equal(again.hubs[i].weight_set, hubs[i].weight_set);
        assert_int_equal(again.hubs[i].allocate, hubs[i].allocate);
        assert_int_equal(again.hubs[i].allocate_set, hubs[i].allocate_set);
    }
    assert_non_null(service_policy(&again, SLICE("OWNER")));
    assert_null(service_policy(&again, SLICE("owne")));
    assert_ptr_equal(service_hub(&again, SLICE("hub.EXAMPLE.com")), &again.hubs[1]);
    assert_null(service_hub(&again, SLICE("localhost")));
    buf_release(&out);
    arena_release(&arena);
}

static void a_damaged_document_is_an_internal_error(void **state)
{
    (void)state;
    static const char *const damaged[] = {
        "",
        "[]",
        "{\"name\":\"dev\"}",
        "{\"name\":\"dev\",\"idScope\":\"0ne1\",\"policies\":[],\"hubs\":[{\"host\":\"h\",\"kind\":\"other\"}"
        "]}",
        "{\"name\":\"dev\",\"idScope\":\"0ne1\",\"policies\":[{\"name\":\"p\",\"primaryKey\":\"?\","
        "\"rights\":1}],\"hubs\":[]}",
    };
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        struct arena arena = arena_capped(65536);
        struct service service;
        struct why why = {0};
        assert_int_equal(service_document_read(&arena, slice_text(damaged[i]), &service, &why).code,
                         ERR_INTERNAL);
        assert_true(why.text[0] != '\0');
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rights_are_words_with_commas),
        cmocka_unit_test(written_rights_read_back),
        cmocka_unit_test(a_connection_string_is_read_or_says_what_is_missing),
        cmocka_unit_test(a_reason_never_shows_the_key),
        cmocka_unit_test(a_stored_service_comes_back_as_it_was),
        cmocka_unit_test(a_damaged_document_is_an_internal_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

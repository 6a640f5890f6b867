// Which URLs and addresses a webhook may have (threats D1). The second half, that none of those refused is
// connected to, is webhook_test.c's.
#include "webhook/guard.h"

#include <stdio.h>

#include "base/testing.h"

static const struct guard usual = {.ports = {443, 8443}, .port_count = 2};

struct row {
    const char *text;
    const char *refused; // part of the reason; NULL: may be called
};

static void check_address(const struct guard *guard, const struct row *row)
{
    struct ip address;
    if (!ip_read(slice_text(row->text), &address))
        fail_msg("%s is no address", row->text);
    const char *what = guard_refuses(guard, &address);
    if ((what == NULL) != (row->refused == NULL) || (what != NULL && strstr(what, row->refused) == NULL))
        fail_msg("%s: %s, and should be %s", row->text, what != NULL ? what : "public",
                 row->refused != NULL ? row->refused : "public");
}

static const struct row addresses[] = {
    {"8.8.8.8", NULL},
    {"20.42.1.1", NULL},
    {"1.0.0.1", NULL},
    {"223.255.255.255", NULL},
    {"0.0.0.0", "unspecified"},
    {"0.1.2.3", "unspecified"},
    {"9.255.255.255", NULL},
    {"10.0.0.0", "private"},
    {"10.255.255.255", "private"},
    {"11.0.0.0", NULL},
    {"100.63.255.255", NULL},
    {"100.64.0.1", "shared"},
    {"100.100.100.200", "shared"}, // metadata of a cloud
    {"100.127.255.255", "shared"},
    {"100.128.0.0", NULL},
    {"127.0.0.1", "loopback"},
    {"127.255.255.254", "loopback"},
    {"168.63.129.15", NULL},
    {"168.63.129.16", "cloud"},
    {"169.254.169.254", "link-local"}, // metadata of clouds
    {"172.15.255.255", NULL},
    {"172.16.0.1", "private"},
    {"172.31.255.255", "private"},
    {"172.32.0.0", NULL},
    {"192.0.0.192", "reserved"}, // metadata of a cloud
    {"192.0.2.1", "documentation"},
    {"192.88.99.1", "reserved"},
    {"192.168.1.1", "private"},
    {"192.169.0.0", NULL},
    {"198.18.0.1", "benchmarks"},
    {"198.19.255.255", "benchmarks"},
    {"198.51.100.7", "documentation"},
    {"203.0.113.7", "documentation"},
    {"224.0.0.1", "multicast"},
    {"239.255.255.250", "multicast"},
    {"240.0.0.1", "reserved"},
    {"255.255.255.255", "reserved"},
    {"2606:4700::1111", NULL},
    {"2a01:4f8::1", NULL},
    {"::", "unspecified"},
    {"::1", "loopback"},
    {"::2", "reserved"},
    {"::7f00:1", "reserved"}, // IPv4-compatible
    {"::ffff:127.0.0.1", "loopback"},
    {"::ffff:169.254.169.254", "link-local"},
    {"::ffff:8.8.8.8", NULL},
    {"::ffff:0:127.0.0.1", "reserved"}, // IPv4-translated
    {"64:ff9b::127.0.0.1", "loopback"}, // NAT64
    {"64:ff9b::10.1.2.3", "private"},
    {"64:ff9b::8.8.8.8", NULL},
    {"64:ff9b:1::8.8.8.8", "reserved"}, // NAT64 of somebody's own
    {"100::1", "reserved"},             // discard
    {"2001:db8::1", "documentation"},
    {"3fff::1", "documentation"},
    {"2001:2::1", "reserved"},
    {"2001:20::1", "reserved"},
    {"2001:200::1", NULL},
    {"2002:7f00:1::1", "loopback"}, // 6to4
    {"2002:a9fe:a9fe::", "link-local"},
    {"2002:808:808::1", NULL},
    {"2001:0:808:808:0:0:f7f7:f7f7", NULL},       // Teredo: server and client 8.8.8.8
    {"2001:0:808:808:0:0:80ff:fffe", "loopback"}, // its client is 127.0.0.1
    {"2001:0:a00:1:0:0:f7f7:f7f7", "private"},    // its server is 10.0.0.1
    {"fc00::1", "private"},
    {"fd00:ec2::254", "private"}, // metadata of a cloud
    {"fe80::1", "link-local"},
    {"febf::1", "link-local"},
    {"fec0::1", "site-local"},
    {"ff02::1", "multicast"},
    {"4000::1", "reserved"},
    {"5f00::1", "reserved"},
};

static void only_the_public_internet_is_called(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++)
        check_address(&usual, &addresses[i]);
}

static void what_an_operator_lists_is_called_too_and_nothing_beside_it(void **state)
{
    (void)state;
    struct guard guard = usual;
    static const char *const networks[] = {"10.1.0.0/16", "127.0.0.1", "fd00:1::/32"};
    for (size_t i = 0; i < 3; i++)
        assert_false(
            failed(ip_network_read(slice_text(networks[i]), &guard.allowed[guard.allowed_count++], NULL)));
    static const struct row rows[] = {
        {"10.1.0.0", NULL},
        {"10.1.255.255", NULL},
        {"10.2.0.0", "private"},
        {"10.0.255.255", "private"},
        {"::ffff:10.1.2.3", NULL},
        {"127.0.0.1", NULL},
        {"127.0.0.2", "loopback"},
        {"::1", "loopback"},
        {"fd00:1::5", NULL},
        {"fd00:2::5", "private"},
        {"64:ff9b::10.1.0.1", "private"}, // another way to it, which was not listed
        {"8.8.8.8", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_address(&guard, &rows[i]);
}

static void check_url(const struct guard *guard, const char *text, const char *refused, const char *host)
{
    struct guard_url url;
    struct why why = {0};
    struct err e = guard_url_read(guard, slice_text(text), &url, &why);
    if (failed(e) != (refused != NULL) || (refused != NULL && strstr(why.text, refused) == NULL))
        fail_msg("%s: \"%s\", and should be \"%s\"", text, failed(e) ? why.text : "taken",
                 refused != NULL ? refused : "taken");
    if (refused != NULL) {
        assert_int_equal(e.code, ERR_WEBHOOK);
        assert_null(strstr(why.text, "SECRET"));
    } else {
        assert_string_equal(url.host, host);
    }
}

static void a_url_says_https_a_host_and_a_listed_port_and_nothing_odd(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        const char *refused;
        const char *host;
    } rows[] = {
        {"https://f.example.org/api/t?code=SECRET", NULL, "f.example.org:443"},
        {"https://f.example.org", NULL, "f.example.org:443"},
        {"HTTPS://F.Example.ORG:8443/x", NULL, "f.example.org:8443"},
        {"https://f.example.org?code=SECRET@x", NULL, "f.example.org:443"},
        {"https://f.example.org/a@b", NULL, "f.example.org:443"},
        {"https://f.example.org#SECRET", NULL, "f.example.org:443"},
        {"https://a_b.example.org.", NULL, "a_b.example.org.:443"},
        {"https://[2606:4700::1111]/x", NULL, "[2606:4700::1111]:443"},
        {"https://8.8.8.8:8443/", NULL, "8.8.8.8:8443"},
        {"https://2130706433/", NULL, "2130706433:443"}, // the address that it comes to decides
        {"https://0x7f.1/", NULL, "0x7f.1:443"},
        {"http://f.example.org/?code=SECRET", "only https", NULL},
        {"HTTP://f.example.org/", "only https", NULL},
        {"file:///etc/passwd", "must begin with https", NULL},
        {"ftp://f.example.org/", "must begin with https", NULL},
        {"gopher://127.0.0.1:6379/_SECRET", "must begin with https", NULL},
        {"dict://127.0.0.1/", "must begin with https", NULL},
        {"//f.example.org/", "must begin with https", NULL},
        {"f.example.org", "must begin with https", NULL},
        {"https:/f.example.org", "must begin with https", NULL},
        {"https:f.example.org", "must begin with https", NULL},
        {"javascript:SECRET", "must begin with https", NULL},
        {"", "must begin with https", NULL},
        {"https://", "no host", NULL},
        {"https:///x", "no host", NULL},
        {"https://:443/", "no host", NULL},
        {"https://user@f.example.org/", "names a user", NULL},
        {"https://user:SECRET@f.example.org/", "names a user", NULL},
        {"https://f.example.org@127.0.0.1/", "names a user", NULL},
        {"https://f.example.org:443@127.0.0.1/", "names a user", NULL},
        {"https://@127.0.0.1/", "names a user", NULL},
        {"https://f.example.org\\@127.0.0.1/", "character", NULL},
        {"https://f.example.org /", "character", NULL},
        {"https://f.example.org/a b", "character", NULL},
        {" https://f.example.org/", "character", NULL},
        {"https://f.example.org/\r\nHost: x", "character", NULL},
        {"https://f.example.org/\tx", "character", NULL},
        {"https://f.example.org\x7f/", "character", NULL},
        {"https://%31%32%37.0.0.1/", "no host", NULL},
        {"https://127.0.0.1%00.example.org/", "no host", NULL},
        {"https://\xe2\x91\xa0\xe2\x91\xa1.example.org/", "no host", NULL}, // circled digits
        {"https://f.example.org,127.0.0.1/", "no host", NULL},
        {"https://f.example.org;127.0.0.1/", "no host", NULL},
        {"https://[::1", "no host", NULL},
        {"https://[::1]x/", "no host", NULL},
        {"https://[fe80::1%25eth0]/", "no host", NULL},
        {"https://[127.0.0.1/", "no host", NULL},
        {"https://::1/", "no host", NULL},
        {"https://f.example.org:/", "no port", NULL},
        {"https://f.example.org:0/", "no port", NULL},
        {"https://f.example.org:65536/", "no port", NULL},
        {"https://f.example.org:+443/", "no port", NULL},
        {"https://f.example.org:443:22/", "no port", NULL},
        {"https://f.example.org:0x1bb/", "no port", NULL},
        {"https://f.example.org:22/", "port 22", NULL},
        {"https://f.example.org:5432/", "port 5432", NULL},
        {"https://f.example.org:80/", "port 80", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_url(&usual, rows[i].url, rows[i].refused, rows[i].host);
}

static void a_host_of_any_length_is_read_or_refused(void **state)
{
    (void)state;
    char url[600];
    for (size_t len = 1; len < 500; len++) {
        (void)snprintf(url, sizeof url, "https://%0*d:443/", (int)len, 0);
        struct guard_url out;
        assert_int_equal(failed(guard_url_read(&usual, slice_text(url), &out, NULL)), len > GUARD_HOST_MAX);
    }
}

static void http_is_taken_where_it_is_allowed_on_a_listed_port(void **state)
{
    (void)state;
    struct guard guard = usual;
    guard.http = true;
    check_url(&guard, "http://f.example.org:8443/x", NULL, "f.example.org:8443");
    check_url(&guard, "http://f.example.org/x", "port 80", NULL);
    check_url(&guard, "https://f.example.org/x", NULL, "f.example.org:443");
    check_url(&guard, "ftp://f.example.org/x", "must begin with https", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_public_internet_is_called),
        cmocka_unit_test(what_an_operator_lists_is_called_too_and_nothing_beside_it),
        cmocka_unit_test(a_url_says_https_a_host_and_a_listed_port_and_nothing_odd),
        cmocka_unit_test(a_host_of_any_length_is_read_or_refused),
        cmocka_unit_test(http_is_taken_where_it_is_allowed_on_a_listed_port),
    };
    return cmocka_run_group_tests_name("webhook guard", tests, NULL, NULL);
}

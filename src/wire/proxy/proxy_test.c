// Headers of the PROXY protocol as proxies send them, whole, in pieces and wrong.
#include "wire/proxy/proxy.h"

#include "base/buf.h"
#include "base/testing.h"

#define SIGNATURE 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a

// 192.0.2.7:56324 to 198.51.100.1:443
#define TCP4_ADDRESSES 192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 0x04, 0x01, 0xbb
// [2001:db8::7]:56324 to [2001:db8::1]:443
#define TCP6_ADDRESSES                                                                                       \
    0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, \
        0, 0, 0, 0, 1, 0xdc, 0x04, 0x01, 0xbb

static struct proxy_header must_read(struct slice bytes, size_t size)
{
    struct proxy_header header;
    struct why why = {0};
    size_t used = 0;
    if (failed(proxy_read(bytes, &header, &used, &why)))
        fail_msg("refused: %s", why.text);
    assert_int_equal(used, size);
    return header;
}

static void assert_source(const struct proxy_header *header, const char *address)
{
    struct ip ip;
    assert_true(ip_read(slice_text(address), &ip));
    assert_memory_equal(&header->source, &ip, sizeof ip);
    assert_false(header->local);
    assert_int_equal(header->port, 56324);
}

static void the_source_is_what_the_proxy_says(void **state)
{
    (void)state;
    struct proxy_header v4 = must_read(BYTES(SIGNATURE, 0x21, 0x11, 0, 12, TCP4_ADDRESSES), 28);
    assert_source(&v4, "192.0.2.7");
    assert_false(v4.v6);
    struct proxy_header v6 = must_read(BYTES(SIGNATURE, 0x21, 0x21, 0, 36, TCP6_ADDRESSES), 52);
    assert_source(&v6, "2001:db8::7");
    assert_true(v6.v6);
}

static void what_follows_the_header_is_not_taken(void **state)
{
    (void)state;
    struct proxy_header header =
        must_read(BYTES(SIGNATURE, 0x21, 0x11, 0, 12, TCP4_ADDRESSES, 0x16, 0x03, 0x01), 28);
    assert_source(&header, "192.0.2.7");
}

// The TLV of AWS with the ID of a VPC endpoint (0xea), and a NOOP (0x04) that pads.
static void tlvs_are_passed_over(void **state)
{
    (void)state;
    struct proxy_header header = must_read(
        BYTES(SIGNATURE, 0x21, 0x11, 0, 24, TCP4_ADDRESSES, 0xea, 0, 5, 1, 'v', 'p', 'c', 'e', 4, 0, 1, 0),
        40);
    assert_source(&header, "192.0.2.7");
}

static void a_health_check_of_the_proxy_has_no_source(void **state)
{
    (void)state;
    assert_true(must_read(BYTES(SIGNATURE, 0x20, 0x00, 0, 0), 16).local);
    assert_true(must_read(BYTES(SIGNATURE, 0x20, 0x00, 0, 3, 4, 0, 0), 19).local);
    // addresses may be there, and must not be used (2.2: LOCAL)
    struct proxy_header header = must_read(BYTES(SIGNATURE, 0x20, 0x11, 0, 12, TCP4_ADDRESSES), 28);
    assert_true(header.local);
    assert_int_equal(header.port, 0);
}

static void a_header_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct slice whole = BYTES(SIGNATURE, 0x21, 0x21, 0, 39, TCP6_ADDRESSES, 4, 0, 0);
    for (size_t len = 0; len < whole.len; len++)
        (void)must_read(slice_to(whole, len), 0);
    struct proxy_header header = must_read(whole, whole.len);
    assert_source(&header, "2001:db8::7");
}

static void refused(struct slice bytes, const char *because)
{
    struct proxy_header header;
    struct why why = {0};
    size_t used = 0;
    assert_int_equal(proxy_read(bytes, &header, &used, &why).code, ERR_PROTOCOL);
    if (strstr(why.text, because) == NULL)
        fail_msg("\"%s\" does not say: %s", why.text, because);
}

static void what_is_no_header_is_refused_at_once_and_named(void **state)
{
    (void)state;
    refused(SLICE("P"), "version 1");
    refused(SLICE("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"),
            "version 1 of the PROXY protocol (text), which is not taken: have the proxy send version 2");
    refused(BYTES(0x16, 0x03, 0x01, 0x02, 0x00), "TLS without a PROXY header");
    refused(SLICE("GET / HTTP/1.1\r\n"), "no PROXY header");
    refused(SLICE("\r\n\r\n\r"), "no PROXY header");
}

static void a_header_that_breaks_the_rules_is_refused(void **state)
{
    (void)state;
    refused(BYTES(SIGNATURE, 0x11, 0x11, 0, 12), "version 1");
    refused(BYTES(SIGNATURE, 0x31, 0x11, 0, 12), "version 3");
    refused(BYTES(SIGNATURE, 0x22, 0x11, 0, 12), "unknown command 2");
    refused(BYTES(SIGNATURE, 0x21, 0x11, 0, 11), "too short for its addresses: 11 bytes");
    refused(BYTES(SIGNATURE, 0x21, 0x21, 0, 35), "too short for its addresses: 35 bytes");
    refused(BYTES(SIGNATURE, 0x21, 0x00, 0, 0), "family and transport 0x00"); // unspecified
    refused(BYTES(SIGNATURE, 0x21, 0x12, 0, 12), "0x12");                     // UDP
    refused(BYTES(SIGNATURE, 0x21, 0x31, 0, 216), "0x31");                    // Unix sockets
    refused(BYTES(SIGNATURE, 0x21, 0x11, 0x10, 0x01), "4097 bytes behind its first 16");
    refused(BYTES(SIGNATURE, 0x20, 0x00, 0xff, 0xff), "65535 bytes behind its first 16");
}

static void as_many_tlvs_as_may_be_are_passed_over(void **state)
{
    (void)state;
    struct buf bytes = buf_capped(PROXY_FIXED + PROXY_BEHIND_MAX);
    buf_bytes(&bytes, BYTES(SIGNATURE, 0x21, 0x11, 0x10, 0x00, TCP4_ADDRESSES));
    while (bytes.len < bytes.cap)
        buf_u8(&bytes, 4);
    struct proxy_header header = must_read(buf_slice(&bytes), PROXY_FIXED + PROXY_BEHIND_MAX);
    assert_source(&header, "192.0.2.7");
    buf_release(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_source_is_what_the_proxy_says),
        cmocka_unit_test(what_follows_the_header_is_not_taken),
        cmocka_unit_test(tlvs_are_passed_over),
        cmocka_unit_test(a_health_check_of_the_proxy_has_no_source),
        cmocka_unit_test(a_header_may_come_byte_by_byte),
        cmocka_unit_test(what_is_no_header_is_refused_at_once_and_named),
        cmocka_unit_test(a_header_that_breaks_the_rules_is_refused),
        cmocka_unit_test(as_many_tlvs_as_may_be_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

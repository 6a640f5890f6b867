// usher pki: what is in the folder afterwards, who signed whom, and that no file is ever overwritten.
#include "cli/run_test.h"

#include <dirent.h>
#include <sys/stat.h>

#include "base/instant.h"
#include "crypto/certificate.h"

static char folder[64];
static char path_text[128];

static int make_folder(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/usher-pki-test-XXXXXX");
    return mkdtemp(folder) == NULL || set_up(state) != 0;
}

static int remove_folder(void **state)
{
    DIR *open = opendir(folder);
    for (struct dirent *entry = readdir(open); entry != NULL; entry = readdir(open))
        (void)unlinkat(dirfd(open), entry->d_name, 0);
    closedir(open);
    return rmdir(folder) != 0 || tear_down(state) != 0;
}

#define FOLDER_TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

static const char *path(const char *name)
{
    snprintf(path_text, sizeof path_text, "%s/%s", folder, name);
    return path_text;
}

static struct slice content(const char *name)
{
    static char texts[4][16 * 1024];
    static size_t turn;
    char *text = texts[turn++ % 4];
    FILE *file = fopen(path(name), "r");
    if (file == NULL)
        fail_msg("%s is missing", path(name));
    size_t len = fread(text, 1, sizeof texts[0] - 1, file);
    fclose(file);
    return slice_of(text, len);
}

static bool there(const char *name)
{
    return access(path(name), F_OK) == 0;
}

static size_t count_files(void)
{
    size_t count = 0;
    DIR *open = opendir(folder);
    for (struct dirent *entry = readdir(open); entry != NULL; entry = readdir(open))
        count += entry->d_name[0] != '.';
    closedir(open);
    return count;
}

static struct certificate_info info(const char *name)
{
    struct certificate_info info;
    struct slice der;
    assert_false(failed(certificate_read(&cli.arena, content(name), &der, NULL)));
    assert_false(failed(certificate_describe(&cli.arena, der, &info, NULL)));
    return info;
}

// The folder is the third word.
#define PKI(verb, ...) RUN("pki", verb, folder __VA_OPT__(, ) __VA_ARGS__)

static void one_command_makes_a_whole_pki(void **state)
{
    (void)state;
    assert_int_equal(PKI("create", "--name", "Acme", "--intermediates", "2", "--device", "dev1", "--device",
                         "Dev:2", "--self-signed", "solo"),
                     0);
    assert_slice(info("root.pem").subject_name, "CN=Acme root");
    assert_slice(info("root.pem").issuer_name, "CN=Acme root");
    assert_slice(info("intermediate1.pem").issuer_name, "CN=Acme root");
    assert_slice(info("intermediate2.pem").subject_name, "CN=Acme intermediate 2");
    assert_slice(info("intermediate2.pem").issuer_name, "CN=Acme intermediate 1");
    assert_slice(info("dev1.pem").subject_name, "CN=dev1");
    assert_slice(info("dev1.pem").issuer_name, "CN=Acme intermediate 2");
    assert_slice(info("Dev:2.pem").subject_name, "CN=Dev:2");
    assert_slice(info("solo.pem").issuer_name, "CN=solo");
    // root and solo have no chain
    assert_int_equal(count_files(), 2 + 3 + 3 + 3 + 3 + 2);
    assert_int_equal(fake.served, 0);
}

static void a_chain_is_the_leaf_and_the_intermediates_without_the_root(void **state)
{
    (void)state;
    assert_int_equal(PKI("create", "--intermediates", "2", "--device", "dev1"), 0);
    struct buf want = buf_capped(64 * 1024);
    buf_bytes(&want, content("dev1.pem"));
    buf_bytes(&want, content("intermediate2.pem"));
    buf_bytes(&want, content("intermediate1.pem"));
    assert_true(slice_equal(content("dev1-chain.pem"), buf_slice(&want)));
    buf_release(&want);
}

static void a_chain_right_below_the_root_is_the_leaf_alone(void **state)
{
    (void)state;
    assert_int_equal(PKI("create", "--device", "dev1"), 0);
    assert_slice(info("dev1.pem").issuer_name, "CN=Usher bench root");
    assert_true(slice_equal(content("dev1-chain.pem"), content("dev1.pem")));
}

static void keys_are_for_their_owner_only(void **state)
{
    (void)state;
    static const char *const keys[] = {"root.key", "intermediate1.key", "dev1.key", "solo.key"};
    struct stat found;
    assert_int_equal(PKI("create", "--intermediates", "1", "--device", "dev1", "--self-signed", "solo"), 0);
    for (size_t i = 0; i < CLI_COUNT(keys); i++) {
        assert_int_equal(stat(path(keys[i]), &found), 0);
        assert_int_equal(found.st_mode & 0777, 0600);
        assert_true(slice_starts_with(content(keys[i]), SLICE("-----BEGIN PRIVATE KEY-----\n")));
    }
    assert_true(slice_find(content("root.pem"), SLICE("PRIVATE")) == content("root.pem").len);
}

static void nothing_is_overwritten_and_nothing_half_made(void **state)
{
    (void)state;
    assert_int_equal(PKI("create", "--device", "dev1"), 0);
    struct buf before = buf_capped(64 * 1024);
    buf_bytes(&before, content("root.key"));
    size_t files = count_files();
    assert_int_equal(PKI("create"), 1);
    assert_trouble("root.pem is there already");
    buf_clear(&trouble);
    assert_int_equal(PKI("device", "dev1"), 1);
    assert_trouble("dev1.pem is there already");
    assert_true(slice_equal(content("root.key"), buf_slice(&before)));
    assert_int_equal(count_files(), files);
    buf_release(&before);
}

static void a_device_that_is_there_stops_create_before_it_begins(void **state)
{
    (void)state;
    FILE *file = fopen(path("dev2.key"), "w");
    fclose(file);
    assert_int_equal(PKI("create", "--device", "dev1", "--device", "dev2"), 1);
    assert_trouble("dev2.key is there already");
    assert_int_equal(count_files(), 1);
}

static void a_device_is_added_below_the_last_intermediate_or_the_one_named(void **state)
{
    (void)state;
    assert_int_equal(PKI("create", "--intermediates", "1"), 0);
    assert_int_equal(PKI("intermediate", "line-3", "--issuer", "root"), 0);
    assert_int_equal(PKI("intermediate", "intermediate2"), 0);
    assert_int_equal(PKI("device", "a"), 0);
    assert_int_equal(PKI("device", "b", "--issuer", "line-3"), 0);
    assert_int_equal(PKI("device", "c", "--issuer", "root"), 0);
    assert_int_equal(PKI("device", "d", "--self-signed"), 0);
    assert_slice(info("line-3.pem").issuer_name, "CN=Usher bench root");
    assert_slice(info("intermediate2.pem").issuer_name, "CN=Usher bench intermediate 1");
    assert_slice(info("a.pem").issuer_name, "CN=intermediate2");
    assert_slice(info("b.pem").issuer_name, "CN=line-3");
    assert_slice(info("c.pem").issuer_name, "CN=Usher bench root");
    assert_slice(info("d.pem").issuer_name, "CN=d");
    assert_false(there("d-chain.pem"));
}

static void days_and_key_type_are_as_asked_for(void **state)
{
    (void)state;
    int64_t until_us = 0, from_us = 0;
    assert_int_equal(PKI("create"), 0);
    assert_int_equal(PKI("device", "rsa", "--days", "3", "--key-type", "rsa"), 0);
    struct certificate_info have = info("rsa.pem");
    assert_true(instant_parse(have.not_before, &from_us) && instant_parse(have.not_after, &until_us));
    assert_int_equal(until_us - from_us, INT64_C(3) * 86400 * 1000000);
    assert_true(content("rsa.key").len > 1500); // 2048 bits of RSA; EC has some 240 bytes
    assert_true(content("root.key").len < 500);
}

static void a_verification_is_named_by_the_code_and_leaves_no_key(void **state)
{
    (void)state;
    static const char code[] = "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF";
    assert_int_equal(PKI("create", "--intermediates", "1"), 0);
    assert_int_equal(PKI("verification", code), 0);
    struct certificate_info have = info("verification-01234567.pem");
    assert_slice(slice_from(have.subject_name, 3), code);
    assert_slice(have.issuer_name, "CN=Usher bench root"); // not the last intermediate: codes are for roots
    assert_false(there("verification-01234567.key"));
    assert_int_equal(PKI("verification", "abcdefabcdef", "--issuer", "intermediate1"), 0);
    assert_slice(info("verification-abcdefab.pem").issuer_name, "CN=Usher bench intermediate 1");
}

static void the_output_says_what_to_do_next(void **state)
{
    (void)state;
    char line[256];
    assert_int_equal(PKI("create", "--device", "dev1", "--self-signed", "solo"), 0);
    snprintf(line, sizeof line, "  usher certificate create bench-root --file %s/root.pem --verified\n",
             folder);
    assert_has(printed(), line);
    snprintf(line, sizeof line,
             "  usher device register dev1 --certificate %s/dev1-chain.pem --key-file %s/dev1.key --scope "
             "SCOPE --port PORT --ca CA\n",
             folder, folder);
    assert_has(printed(), line);
    snprintf(line, sizeof line, "  usher enrollment create solo --certificate %s/solo.pem\n", folder);
    assert_has(printed(), line);
}

static void programs_are_told_the_files(void **state)
{
    (void)state;
    char want[512];
    assert_int_equal(PKI("create", "--json"), 0);
    snprintf(want, sizeof want, "{\"folder\":\"%s\",\"files\":[\"%s/root.pem\",\"%s/root.key\"]}\n", folder,
             folder, folder);
    assert_slice(buf_slice(&cli.out), want);
}

static void names_that_would_leave_the_folder_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"../x",
                                      "a/b",
                                      "..",
                                      "a b",
                                      "a.",
                                      "caf\xc3\xa9",
                                      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    assert_int_equal(PKI("create"), 0);
    size_t files = count_files();
    for (size_t i = 0; i < CLI_COUNT(bad); i++) {
        assert_int_equal(PKI("device", bad[i]), 2);
        assert_int_equal(PKI("device", "x", "--issuer", bad[i]), 2);
        assert_int_equal(PKI("intermediate", bad[i]), 2);
        assert_int_equal(PKI("verification", bad[i]), 2);
    }
    assert_int_equal(count_files(), files);
}

static void wrong_use_is_refused_before_anything_is_made(void **state)
{
    (void)state;
    assert_int_equal(PKI("create", "--key-type", "dsa"), 2);
    assert_int_equal(PKI("create", "--intermediates", "4"), 2);
    assert_int_equal(PKI("create", "--name", ""), 2);
    assert_int_equal(PKI("create", "--device", "a/b"), 2);
    assert_int_equal(count_files(), 0);
    assert_int_equal(PKI("create"), 0);
    assert_int_equal(PKI("device", "x", "--days", "0"), 2);
    assert_int_equal(PKI("device", "x", "--issuer", "root", "--self-signed"), 2);
    assert_int_equal(PKI("device", "x", "--issuer", "nobody"), 1);
    assert_int_equal(count_files(), 2);
}

static void a_folder_that_is_none_is_said_so(void **state)
{
    (void)state;
    assert_int_equal(RUN("pki", "device", "/nonexistent/pki", "x"), 1);
    assert_trouble("/nonexistent/pki is no folder: make a PKI first (usher pki create)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(one_command_makes_a_whole_pki),
        FOLDER_TEST(a_chain_is_the_leaf_and_the_intermediates_without_the_root),
        FOLDER_TEST(a_chain_right_below_the_root_is_the_leaf_alone),
        FOLDER_TEST(keys_are_for_their_owner_only),
        FOLDER_TEST(nothing_is_overwritten_and_nothing_half_made),
        FOLDER_TEST(a_device_that_is_there_stops_create_before_it_begins),
        FOLDER_TEST(a_device_is_added_below_the_last_intermediate_or_the_one_named),
        FOLDER_TEST(days_and_key_type_are_as_asked_for),
        FOLDER_TEST(a_verification_is_named_by_the_code_and_leaves_no_key),
        FOLDER_TEST(the_output_says_what_to_do_next),
        FOLDER_TEST(programs_are_told_the_files),
        FOLDER_TEST(names_that_would_leave_the_folder_are_refused),
        FOLDER_TEST(wrong_use_is_refused_before_anything_is_made),
        FOLDER_TEST(a_folder_that_is_none_is_said_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

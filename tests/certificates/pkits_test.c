// NIST's Public Key Interoperability Test Suite (PKITS, RFC 5280 path validation) through the verifier, as
// pkits.txt says: what NIST expects, what we do, and why where that is not the same. A deviation that comes
// or goes is a failure. The certificates and lists are those of Debian's python3-cryptography-vectors.
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/testing.h"
#include "crypto/path.h"
#include "crypto/possession.h"

enum { ROWS_MAX = 400, REASONS_MAX = 32, FILES_MAX = 12 };

#define NOW_US INT64_C(1577836800000000) // 2020-01-01T00:00:00Z, when the vectors' certificates are valid

struct row {
    char text[1024]; // cut into what the others point to
    char *test, *nist, *ours, *reason, *certificates, *lists;
};

static struct row rows[ROWS_MAX];
static struct CMUnitTest tests[ROWS_MAX];
static size_t row_count, as_nist;
static struct {
    char name[32];
    size_t count;
} reasons[REASONS_MAX];
static size_t reason_count;
static char folder[PATH_MAX];

static bool find_vectors(void)
{
    FILE *files = popen("dpkg-query -L python3-cryptography-vectors 2>/dev/null", "r");
    char line[PATH_MAX];
    while (files && fgets(line, sizeof line, files)) {
        line[strcspn(line, "\n")] = '\0';
        const char *end = strrchr(line, '/');
        if (end && strcmp(end, "/PKITS_data") == 0)
            snprintf(folder, sizeof folder, "%s", line);
    }
    return files && pclose(files) == 0 && folder[0] != '\0';
}

static char *next_word(char **at)
{
    *at += strspn(*at, " \n");
    char *word = *at;
    *at += strcspn(*at, " \n");
    if (**at)
        *(*at)++ = '\0';
    return word;
}

// "# NAME: why" makes a reason known; every other line that is not empty and no comment is a test.
static bool read_table(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[sizeof rows[0].text];
    while (file && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (line[0] == '#' && line[1] == ' ' && colon &&
            strcspn(line + 2, " ") > (size_t)(colon - line - 2)) {
            snprintf(reasons[reason_count++].name, sizeof reasons[0].name, "%.*s", (int)(colon - line - 2),
                     line + 2);
        } else if (line[0] != '#' && line[0] != '\n') {
            struct row *row = &rows[row_count++];
            memcpy(row->text, line, sizeof line);
            char *at = row->text;
            char **const columns[] = {&row->test,   &row->nist,         &row->ours,
                                      &row->reason, &row->certificates, &row->lists};
            for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
                *columns[i] = next_word(&at);
        }
    }
    return file && fclose(file) == 0 && row_count > 0;
}

static struct slice read_vector(struct arena *arena, const char *kind, const char *name, const char *ending)
{
    char path[PATH_MAX + 256];
    snprintf(path, sizeof path, "%s/%s/%s%s", folder, kind, name, ending);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s is not there", path);
    uint8_t *bytes = arena_take(arena, 64 * 1024);
    size_t len = fread(bytes, 1, 64 * 1024, file);
    fclose(file);
    return slice_of(bytes, len);
}

static size_t read_all(struct arena *arena, char *names, const char *kind, const char *ending,
                       struct slice *out)
{
    size_t count = 0;
    for (char *name = strtok_r(names, ",", &names); name; name = strtok_r(NULL, ",", &names)) {
        assert_true(count < FILES_MAX);
        out[count++] = read_vector(arena, kind, name, ending);
    }
    return count;
}

// The sections about revocation; elsewhere lists are handed in, but may be missing.
static bool lists_required(const char *test)
{
    static const char *const sections[] = {"4.4.", "4.5.", "4.7.", "4.14.", "4.15."};
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (strncmp(test, sections[i], strlen(sections[i])) == 0)
            return true;
    return false;
}

// A list belongs to each CA whose key signed it. Of those that an operator may hand in, the last one counts.
static void hand_in(struct arena *arena, const struct slice *lists, size_t count, struct path_known *known)
{
    for (size_t i = 0; i < count; i++) {
        struct slice der;
        struct crl_facts *facts = arena_take(arena, sizeof *facts);
        struct why why;
        if (failed(crl_read(arena, lists[i], known->der, NOW_US, &der, facts, &why)))
            continue;
        known->crl = der;
        known->crl_digest = slice_of(facts->digest, sizeof facts->digest);
    }
}

static struct err judge(struct row *row, struct arena *arena, struct why *why)
{
    struct slice shown[FILES_MAX], lists[FILES_MAX];
    struct path_known known[FILES_MAX] = {{.anchor = true}};
    size_t count = read_all(arena, row->certificates, "certs", ".crt", shown);
    size_t list_count = read_all(arena, row->lists, "crls", ".crl", lists);
    known[0].der = read_vector(arena, "certs", "TrustAnchorRootCertificate", ".crt");
    for (size_t i = 1; i < count; i++)
        known[i].der = shown[i];
    for (size_t i = 0; i < count; i++) {
        known[i].crl_required = lists_required(row->test);
        hand_in(arena, lists, list_count, &known[i]);
    }
    struct issuers *issuers = NULL;
    struct chain *chain = NULL;
    assert_false(failed(issuers_new(64, 1 << 20, &issuers)));
    assert_false(failed(chain_new(shown, count, &chain)));
    const struct path_question question = {
        .chain = chain, .known = known, .known_count = count, .now_us = NOW_US};
    struct path path;
    size_t found = 0;
    struct err e = path_find(issuers, &question, &path, 1, &found, why);
    chain_release(chain);
    issuers_free(issuers);
    return e;
}

static void count_reason(const char *name)
{
    for (size_t i = 0; i < reason_count; i++) {
        if (strcmp(reasons[i].name, name) == 0) {
            reasons[i].count++;
            return;
        }
    }
    fail_msg("the reason '%s' is not explained", name);
}

static void check_row(void **state)
{
    struct row *row = *state;
    struct arena arena = arena_capped(4 << 20);
    struct why why = {.text = "accepted"};
    struct err e = judge(row, &arena, &why);
    arena_release(&arena);
    if (getenv("PKITS_SAY"))
        print_message("# %s %s %s: %s\n", row->test, row->nist, err_info(e)->name, why.text);
    if (strcmp(err_info(e)->name, row->ours) != 0)
        fail_msg("have %s (%s), want %s", err_info(e)->name, why.text, row->ours);
    bool agrees = failed(e) == (strncmp(row->nist, "invalid", 7) == 0);
    if (agrees != (strcmp(row->reason, "-") == 0))
        fail_msg("NIST says %s, we %s, and the reason given is '%s'", row->nist, row->ours, row->reason);
    if (agrees)
        as_nist++;
    else
        count_reason(row->reason);
}

int main(int argc, char **argv)
{
    if (argc != 2 || !read_table(argv[1])) {
        fputs("usage: pkits_test pkits.txt\n", stderr);
        return 1;
    }
    if (!find_vectors()) {
        fputs("Debian's python3-cryptography-vectors is not installed: script/bootstrap test\n", stderr);
        return 1;
    }
    for (size_t i = 0; i < row_count; i++)
        tests[i] =
            (struct CMUnitTest){.name = rows[i].test, .test_func = check_row, .initial_state = &rows[i]};
    int failures = _cmocka_run_group_tests("PKITS", tests, row_count, NULL, NULL);
    printf("# %zu tests: as NIST says %zu, deviations %zu\n", row_count, as_nist, row_count - as_nist);
    for (size_t i = 0; i < reason_count; i++)
        printf("#   %s: %zu\n", reasons[i].name, reasons[i].count);
    return failures;
}

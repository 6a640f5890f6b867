// Every row of the table through the verifier: the bad ones are refused for the right reason, the good ones
// pass, and none makes it work more than its bound. Time spent is printed, never asserted.
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/testing.h"
#include "cases.h"
#include "crypto/path.h"
#include "crypto/possession.h"
#include "signatures.h"

#define NOW_S  ((time_t)1800000000) // 2027-01-15T08:00:00Z
#define NOW_US ((int64_t)NOW_S * 1000000)
#define DAY_US INT64_C(86400000000)

static double slowest_ms;
static char slowest[64];

struct lists {
    struct slice der[2];
    struct crl_facts facts[2];
    bool there[2];
};

static bool holds(const enum who *list, size_t max, enum who who)
{
    for (size_t i = 0; i < max; i++)
        if (list[i] == who)
            return true;
    return false;
}

static struct slice der_of(const struct case_made *made, enum who who)
{
    return slice_of(made->certificates[who].der, made->certificates[who].len);
}

// As an operator's upload does it: what is not taken is not there. A list that is stale now was uploaded when
// it was fresh.
static void upload_lists(const struct bad_case *row, const struct case_made *made, struct arena *arena,
                         struct lists *out)
{
    for (size_t i = 0; i < 2; i++) {
        const struct bad_list *list = &row->lists[i];
        if (!made->lists[i])
            continue;
        struct slice text = slice_of(made->lists[i], made->list_len[i]);
        struct why why = {0};
        bool taken = !failed(
            crl_read(arena, text, der_of(made, list->ca), NOW_US, &out->der[i], &out->facts[i], &why));
        assert_true(taken == (row->where != AT_UPLOAD));
        if (!taken && list->plan.until < 0) {
            int64_t then = NOW_US + (list->plan.until - 1) * DAY_US;
            taken = !failed(
                crl_read(arena, text, der_of(made, list->ca), then, &out->der[i], &out->facts[i], &why));
            assert_true(taken);
        }
        out->there[i] = taken;
    }
}

static size_t gather_known(const struct bad_case *row, const struct case_made *made,
                           const struct lists *lists, struct path_known *known)
{
    size_t count = 0;
    for (enum who who = ROOT; who < WHO_COUNT; who++) {
        bool anchor = holds(row->verified, 6, who);
        if (!anchor && !holds(row->unverified, 4, who) && !holds(row->group, 2, who))
            continue;
        known[count] = (struct path_known){.der = der_of(made, who), .anchor = anchor};
        for (size_t i = 0; i < 2; i++) {
            if (row->lists[i].ca != who)
                continue;
            known[count].crl_required = row->lists[i].required;
            if (lists->there[i]) {
                known[count].crl = lists->der[i];
                known[count].crl_digest = slice_of(lists->facts[i].digest, sizeof lists->facts[i].digest);
            }
        }
        count++;
    }
    return count;
}

static void check_upload(const struct bad_case *row, const struct case_made *made)
{
    struct authority facts;
    struct why why = {0};
    bool all_taken = true;
    for (size_t i = 0; i < who_count(row->verified, 6); i++)
        if (failed(authority_check(der_of(made, row->verified[i]), NOW_US, &facts, &why)))
            all_taken = false;
    if (row->where == AT_UPLOAD && !row->lists[0].ca)
        assert_false(all_taken);
    else if (!all_taken)
        fail_msg("its CA certificate is not taken: %s", why.text);
}

static struct err judge(const struct bad_case *row, const struct case_made *made, struct arena *arena,
                        struct chain *chain, struct why *why)
{
    if (row->individual[0])
        return path_check_pinned(chain, NOW_US, why);
    struct lists lists = {0};
    upload_lists(row, made, arena, &lists);
    struct path_known known[WHO_COUNT];
    struct path_question question = {.chain = chain, .known = known, .now_us = NOW_US};
    question.known_count = gather_known(row, made, &lists, known);
    struct issuers *issuers = NULL;
    assert_false(failed(issuers_new(64, 1 << 20, &issuers)));
    struct path paths[4];
    size_t count = 0;
    clock_t begun = clock();
    signatures_checked = 0;
    struct err got = path_find(issuers, &question, paths, 4, &count, why);
    double ms = (double)(clock() - begun) * 1000 / CLOCKS_PER_SEC;
    if (ms > slowest_ms) {
        slowest_ms = ms;
        snprintf(slowest, sizeof slowest, "%s", row->name);
    }
    if (signatures_checked > PATH_SIGNATURES_MAX)
        fail_msg("%u signatures checked", signatures_checked);
    if (!failed(got))
        assert_true(count >= 1 && paths[0].count >= 1);
    issuers_free(issuers);
    return got;
}

static void check_row(void **state)
{
    const struct bad_case row = case_at((size_t)(uintptr_t)*state);
    struct case_made made;
    case_make(&row, NOW_S, &made);
    struct arena arena = arena_capped(4 << 20);
    check_upload(&row, &made);

    struct slice shown[12];
    size_t count = who_count(row.shown, 12);
    for (size_t i = 0; i < count; i++)
        shown[i] = der_of(&made, row.shown[i]);
    struct chain *chain = NULL;
    assert_false(failed(chain_new(shown, count, &chain)));
    struct why why = {0};
    struct err got = judge(&row, &made, &arena, chain, &why);
    chain_release(chain);
    arena_release(&arena);
    case_release(&made);

    uint32_t want = row.decided || row.scene ? ERR_NONE : row.error;
    if (got.code != want)
        fail_msg("have %s (%s), want %s", err_info(got)->name, why.text, err_info(FAIL(want))->name);
    if (want && !strstr(why.text, row.phrase))
        fail_msg("the reason is '%s', without '%s'", why.text, row.phrase);
}

static struct CMUnitTest rows[512];

int main(void)
{
    size_t count = 0;
    for (; count < case_count(); count++) {
        rows[count] = (struct CMUnitTest){.name = case_at(count).name, .test_func = check_row};
        rows[count].initial_state = (void *)(uintptr_t)count;
    }
    int failures = _cmocka_run_group_tests("bad certificates", rows, count, NULL, NULL);
    printf("# the slowest, %s, took the verifier %.1f ms of CPU\n", slowest, slowest_ms);
    return failures;
}

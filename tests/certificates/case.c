// Fills in what a row of the table leaves out, and makes its certificates.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"

static const struct {
    const struct bad_case *rows;
    const size_t *count;
} TABLES[] = {
    {cases_chain, &cases_chain_count},
    {cases_profile, &cases_profile_count},
    {cases_names, &cases_names_count},
    {cases_others, &cases_others_count},
};

const char *who_name(enum who who)
{
    static const char *const names[WHO_COUNT] = {
        "nobody", "root",  "middle",     "leaf",         "second",     "third",
        "fourth", "fifth", "other-root", "other-middle", "other-leaf",
    };
    return names[who];
}

size_t who_count(const enum who *list, size_t max)
{
    size_t count = 0;
    while (count < max && list[count])
        count++;
    return count;
}

size_t case_count(void)
{
    size_t total = 0;
    for (size_t i = 0; i < sizeof TABLES / sizeof *TABLES; i++)
        total += *TABLES[i].count;
    return total;
}

struct bad_case case_at(size_t index)
{
    size_t table = 0;
    while (index >= *TABLES[table].count)
        index -= *TABLES[table++].count;
    struct bad_case row = TABLES[table].rows[index];
    struct plan *plans = row.certificates;
    if (!row.shown[0])
        memcpy(row.shown, (enum who[]){LEAF, MIDDLE}, 2 * sizeof(enum who));
    if (!row.verified[0] && !row.unverified[0])
        row.verified[0] = ROOT;
    if (!row.group[0] && !row.individual[0] && !row.other_proof)
        row.group[0] = ROOT;
    if (!row.asks)
        row.asks = row.name;
    const unsigned signers[WHO_COUNT] = {[ROOT] = ROOT, [MIDDLE] = ROOT, [LEAF] = MIDDLE};
    for (enum who who = ROOT; who <= LEAF; who++)
        if (!plans[who].signer)
            plans[who].signer = signers[who];
    return row;
}

static bool is_ca(enum who who)
{
    return who != LEAF && who != OTHER_LEAF;
}

static void make_keys_and_names(const struct bad_case *row, struct case_made *out)
{
    const struct plan *plans = row->certificates;
    for (enum who who = ROOT; who < WHO_COUNT; who++) {
        if (!plans[who].signer)
            continue;
        char otherwise[64];
        snprintf(otherwise, sizeof otherwise, is_ca(who) ? "CN=$ %s" : "CN=$", who_name(who));
        out->certificates[who].subject =
            name_read(plans[who].subject ? plans[who].subject : otherwise, row->name);
        if (!plans[who].key_of)
            out->certificates[who].key = key_make(plans[who].key);
    }
    for (enum who who = ROOT; who < WHO_COUNT; who++) {
        if (!plans[who].key_of)
            continue;
        out->certificates[who].key = out->certificates[plans[who].key_of].key;
        EVP_PKEY_up_ref(out->certificates[who].key);
    }
}

void case_make(const struct bad_case *row, time_t now, struct case_made *out)
{
    *out = (struct case_made){0};
    make_keys_and_names(row, out);
    for (enum who who = ROOT; who < WHO_COUNT; who++) {
        const struct plan *plan = &row->certificates[who];
        if (plan->signer)
            certificate_make(plan, row->name, is_ca(who), &out->certificates[plan->signer], now,
                             &out->certificates[who]);
    }
    for (size_t i = 0; i < 2 && row->lists[i].ca; i++) {
        const struct bad_list *list = &row->lists[i];
        if (list->missing)
            continue;
        const struct made *revoked[2];
        size_t count = who_count(list->revokes, 2);
        for (size_t k = 0; k < count; k++)
            revoked[k] = &out->certificates[list->revokes[k]];
        const struct made *all = out->certificates;
        crl_make(&list->plan, &all[list->named ? list->named : list->ca],
                 &all[list->signed_by ? list->signed_by : list->ca], revoked, count, now, &out->lists[i],
                 &out->list_len[i]);
    }
}

void case_release(struct case_made *made)
{
    for (enum who who = ROOT; who < WHO_COUNT; who++)
        made_release(&made->certificates[who]);
    for (size_t i = 0; i < 2; i++)
        free(made->lists[i]);
}

// Assigning devices to the embedded hub, against the memory store.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hub/embedded/hub_embedded.h"
#include "hub/embedded/hub_settings.h"
#include "store/memory/memory.h"

#define T0 (INT64_C(1700000000) * 1000000)

struct counting_random {
    struct random port;
    uint8_t next;
};

static void fill(struct random *random, void *at, size_t len)
{
    struct counting_random *counting = (struct counting_random *)random;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)at)[i] = counting->next++;
}

struct world {
    struct counting_random random;
    struct mailbox replies;
    struct store *store;
    struct store_client *client;
    struct hub_connector *connector;
    struct arena arena;
    unsigned answers;
    unsigned changes; // that the connector told of
    char changed[64]; // the last of them
};

static void deliver_until(struct world *w, unsigned answers)
{
    while (w->answers < answers) {
        struct mail *mail = mailbox_wait(&w->replies, 5000);
        assert_non_null(mail);
        for (struct mail *next; mail != NULL; mail = next) {
            next = mail->next;
            mail->deliver(mail);
        }
    }
}

static void stored(struct store_request *request)
{
    ((struct world *)request->context)->answers++;
}

static void store_do(struct world *w, struct store_request *request)
{
    request->arena = &w->arena;
    request->done = stored;
    request->context = w;
    unsigned before = w->answers;
    store_submit(w->client, request);
    deliver_until(w, before + 1);
}

static void note_change(void *context, struct slice host, struct slice device_id)
{
    struct world *w = context;
    w->changes++;
    (void)snprintf(w->changed, sizeof w->changed, "%.*s/%.*s", SLICE_ARG(host), SLICE_ARG(device_id));
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    *w = (struct world){.random.port.fill = fill, .arena = arena_capped(8 << 20)};
    mailbox_init(&w->replies, NULL, NULL);
    assert_false(failed(store_memory_new(&(struct store_memory_options){0}, &w->store, NULL)));
    assert_false(failed(store_client_new(w->store, &w->replies, &w->client)));
    w->connector = hub_embedded_new(w->client, &w->random.port, &w->replies,
                                    (struct hub_embedded_watch){.changed = note_change, .context = w});
    struct hub_record hub = {.host = SLICE("hub.local:8884"), .document = SLICE("{}"), .etag = 1};
    struct store_request put = {.verb = STORE_PUT, .table = STORE_HUB, .key = hub.host, .record = &hub};
    store_do(w, &put);
    assert_false(failed(put.result));
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    hub_connector_free(w->connector);
    store_client_free(w->client);
    store_free(w->store);
    mailbox_release(&w->replies);
    arena_release(&w->arena);
    free(w);
    return 0;
}

static void answered(struct hub_request *request)
{
    ((struct world *)request->context)->answers++;
}

static struct hub_request assign(struct world *w, struct slice host, struct slice key, const char *twin)
{
    struct linked_hub hub = {.host = host, .kind = HUB_KIND_EMBEDDED};
    struct hub_request request = {
        .verb = HUB_ASSIGN,
        .hub = &hub,
        .identity = {.device_id = SLICE("Dev1"), .iot_edge = SWITCH_ON},
        .twin_how = twin != NULL ? HUB_TWIN_SET : HUB_TWIN_KEEP,
        .twin = slice_text(twin),
        .now_us = T0,
        .arena = &w->arena,
        .done = answered,
        .context = w,
    };
    assert_true(secret_set(&request.identity.primary_key, key));
    assert_true(secret_set(&request.identity.secondary_key, key));
    unsigned before = w->answers;
    hub_submit(w->connector, &request);
    assert_int_equal(w->answers, before); // never from within submit
    deliver_until(w, before + 1);
    return request;
}

static const struct device *stored_device(struct world *w)
{
    struct store_request get = {
        .verb = STORE_GET, .table = STORE_DEVICE, .partition = SLICE("hub.local:8884"), .key = SLICE("Dev1")};
    store_do(w, &get);
    return failed(get.result) ? NULL : get.found;
}

static void assert_text(struct slice got, const char *want)
{
    if (!slice_equal(got, slice_text(want)))
        fail_msg("%.*s is not %s", SLICE_ARG(got), want);
}

static void a_new_device_gets_its_identity_and_first_twin(void **state)
{
    struct world *w = *state;
    struct hub_request r = assign(w, SLICE("Hub.Local:8884"), SLICE("0123456789abcdef"),
                                  "{\"tags\":{\"t\":1},\"properties\":{\"desired\":{\"d\":2}}}");
    assert_int_equal(r.result.code, ERR_NONE);
    const struct device *d = stored_device(w);
    assert_non_null(d);
    assert_text(d->id, "Dev1");
    assert_true(bytes_equal_ct(secret_slice(&d->primary_key), SLICE("0123456789abcdef")));
    assert_text(d->tags, "{\"t\":1}");
    assert_text(d->desired, "{\"d\":2}");
    assert_int_equal(d->desired_version, 1);
    assert_int_equal(d->iot_edge, SWITCH_ON);
    assert_int_equal(d->status, DEVICE_ENABLED);
}

static void assigning_again_refreshes_the_keys_and_leaves_the_rest(void **state)
{
    struct world *w = *state;
    assert_int_equal(assign(w, SLICE("hub.local:8884"), SLICE("0123456789abcdef"),
                            "{\"properties\":{\"desired\":{\"d\":2}}}")
                         .result.code,
                     ERR_NONE);
    struct device changed = *stored_device(w);
    changed.status = DEVICE_DISABLED;
    changed.reported = SLICE("{\"r\":1}");
    changed.etag = 77;
    struct store_request put = {.verb = STORE_PUT,
                                .table = STORE_DEVICE,
                                .partition = SLICE("hub.local:8884"),
                                .key = SLICE("Dev1"),
                                .record = &changed};
    store_do(w, &put);
    assert_int_equal(assign(w, SLICE("hub.local:8884"), SLICE("fedcba9876543210"), NULL).result.code,
                     ERR_NONE);
    const struct device *d = stored_device(w);
    assert_true(bytes_equal_ct(secret_slice(&d->primary_key), SLICE("fedcba9876543210")));
    assert_int_equal(d->status, DEVICE_DISABLED);
    assert_text(d->reported, "{\"r\":1}");
    assert_text(d->desired, "{\"d\":2}");
    assert_int_equal(d->identity_version, changed.identity_version + 1);
}

static void assigning_the_same_again_changes_nothing(void **state)
{
    struct world *w = *state;
    assert_int_equal(assign(w, SLICE("hub.local:8884"), SLICE("0123456789abcdef"), NULL).result.code,
                     ERR_NONE);
    uint64_t etag = stored_device(w)->etag;
    assert_int_equal(assign(w, SLICE("hub.local:8884"), SLICE("0123456789abcdef"), NULL).result.code,
                     ERR_NONE);
    assert_int_equal(stored_device(w)->etag, etag);
}

// Whoever holds live sessions has them judged anew; a twin that is set does not concern them.
static void changed_credentials_are_told_and_nothing_else(void **state)
{
    struct world *w = *state;
    struct slice host = SLICE("Hub.Local:8884");
    assert_int_equal(assign(w, host, SLICE("0123456789abcdef"), NULL).result.code, ERR_NONE);
    assert_int_equal(assign(w, host, SLICE("0123456789abcdef"), NULL).result.code, ERR_NONE);
    assert_int_equal(assign(w, host, SLICE("0123456789abcdef"), "{\"tags\":{\"t\":1}}").result.code,
                     ERR_NONE);
    assert_int_equal(w->changes, 0);
    assert_int_equal(assign(w, host, SLICE("fedcba9876543210"), NULL).result.code, ERR_NONE);
    assert_int_equal(w->changes, 1);
    assert_string_equal(w->changed, "hub.local:8884/Dev1");
    struct linked_hub hub = {.host = host, .kind = HUB_KIND_EMBEDDED};
    struct hub_request remove = {.verb = HUB_REMOVE,
                                 .hub = &hub,
                                 .identity = {.device_id = SLICE("Dev1")},
                                 .arena = &w->arena,
                                 .done = answered,
                                 .context = w};
    for (unsigned again = 0; again < 2; again++) { // the second time there is none
        unsigned before = w->answers;
        hub_submit(w->connector, &remove);
        deliver_until(w, before + 1);
        assert_int_equal(remove.result.code, ERR_NONE);
        assert_int_equal(w->changes, 2);
    }
}

static void set_twin_replaces_tags_and_desired_of_a_device_that_is_there(void **state)
{
    struct world *w = *state;
    assert_int_equal(assign(w, SLICE("hub.local:8884"), SLICE("0123456789abcdef"),
                            "{\"tags\":{\"t\":1},\"properties\":{\"desired\":{\"d\":2}}}")
                         .result.code,
                     ERR_NONE);
    assert_int_equal(assign(w, SLICE("hub.local:8884"), SLICE("0123456789abcdef"),
                            "{\"properties\":{\"desired\":{\"e\":3}}}")
                         .result.code,
                     ERR_NONE);
    const struct device *d = stored_device(w);
    assert_text(d->tags, "{}");
    assert_text(d->desired, "{\"e\":3}");
    assert_int_equal(d->desired_version, 2);
}

static void what_the_hub_cannot_take_is_refused_with_a_reason(void **state)
{
    struct world *w = *state;
    struct hub_request r = assign(w, SLICE("other.local"), SLICE("0123456789abcdef"), NULL);
    assert_int_equal(r.result.code, ERR_HUB_REFUSED);
    assert_non_null(strstr(r.why.text, "no embedded hub"));
    for (int known = 0; known < 2; known++) { // looked up, then remembered
        r = assign(w, SLICE("hub.local:8884"), SLICE("0123456789abcdef"), "{\"tags\":{\"a.b\":1}}");
        assert_int_equal(r.result.code, ERR_HUB_REFUSED);
        assert_non_null(strstr(r.why.text, "a.b"));
    }
    assert_null(stored_device(w));
}

static void capabilities_that_are_not_said_stay(void **state)
{
    struct world *w = *state;
    struct linked_hub hub = {.host = SLICE("hub.local:8884"), .kind = HUB_KIND_EMBEDDED};
    assert_int_equal(assign(w, hub.host, SLICE("0123456789abcdef"), NULL).result.code, ERR_NONE);
    struct hub_request r = {.verb = HUB_ASSIGN,
                            .hub = &hub,
                            .identity = {.device_id = SLICE("Dev1"), .iot_edge = SWITCH_UNSET},
                            .now_us = T0,
                            .arena = &w->arena,
                            .done = answered,
                            .context = w};
    assert_true(secret_set(&r.identity.primary_key, SLICE("fedcba9876543210")));
    unsigned before = w->answers;
    hub_submit(w->connector, &r);
    deliver_until(w, before + 1);
    assert_int_equal(r.result.code, ERR_NONE);
    assert_int_equal(stored_device(w)->iot_edge, SWITCH_ON);
}

// ---- enlisting

static const char first_twin[] = "{\"tags\":{\"t\":1},\"properties\":{\"desired\":{\"d\":2}}}";
static const struct linked_hub here = {.host = SLICE("Hub.Local:8884"), .kind = HUB_KIND_EMBEDDED};

static struct hub_request enlistable(struct world *w, const char *device_id)
{
    struct hub_request request = {
        .verb = HUB_ASSIGN,
        .hub = &here,
        .identity = {.device_id = slice_text(device_id), .iot_edge = SWITCH_ON},
        .twin_how = HUB_TWIN_SET,
        .twin = slice_text(first_twin),
        .now_us = T0,
        .arena = &w->arena,
    };
    assert_true(secret_set(&request.identity.primary_key, SLICE("0123456789abcdef")));
    assert_true(secret_set(&request.identity.secondary_key, SLICE("fedcba9876543210")));
    return request;
}

static void an_enlisted_device_is_the_one_that_would_have_been_made(void **state)
{
    struct world *w = *state;
    assert_int_equal(assign(w, here.host, SLICE("0123456789abcdef"), first_twin).result.code, ERR_NONE);
    const struct device *made = stored_device(w);
    struct hub_request request = enlistable(w, "Dev2");
    struct store_request put;
    assert_true(hub_enlist(w->connector, &request, &put));
    assert_int_equal(put.condition, STORE_IF_ABSENT);
    store_do(w, &put);
    assert_int_equal(put.result.code, ERR_NONE);
    struct store_request get = {
        .verb = STORE_GET, .table = STORE_DEVICE, .partition = SLICE("hub.local:8884"), .key = SLICE("Dev2")};
    store_do(w, &get);
    assert_int_equal(get.result.code, ERR_NONE);
    const struct device *d = get.found;
    assert_text(d->id, "Dev2");
    assert_true(bytes_equal_ct(secret_slice(&d->primary_key), SLICE("0123456789abcdef")));
    assert_true(bytes_equal_ct(secret_slice(&d->secondary_key), SLICE("fedcba9876543210")));
    assert_text(d->tags, "{\"t\":1}");
    assert_text(d->desired, "{\"d\":2}");
    assert_int_equal(d->desired_version, made->desired_version);
    assert_int_equal(d->twin_version, made->twin_version);
    assert_int_equal(d->authentication, made->authentication);
    assert_int_equal(d->status, made->status);
    assert_int_equal(d->iot_edge, made->iot_edge);
    assert_int_equal(d->created_us, made->created_us);
    assert_int_equal(d->updated_us, made->updated_us);
    assert_text(d->reported, "{}");
}

static void a_device_is_enlisted_once(void **state)
{
    struct world *w = *state;
    assert_int_equal(assign(w, here.host, SLICE("0123456789abcdef"), NULL).result.code, ERR_NONE);
    uint64_t etag = stored_device(w)->etag;
    struct hub_request request = enlistable(w, "Dev1");
    struct store_request put;
    assert_true(hub_enlist(w->connector, &request, &put));
    store_do(w, &put);
    assert_int_equal(put.result.code, ERR_CONFLICT);
    assert_int_equal(stored_device(w)->etag, etag);
}

static void what_cannot_be_enlisted_is_left_to_be_submitted(void **state)
{
    struct world *w = *state;
    struct linked_hub elsewhere = {.host = SLICE("other.local"), .kind = HUB_KIND_EMBEDDED};
    struct store_request put;
    struct hub_request request = enlistable(w, "Dev2");
    assert_false(hub_enlist(w->connector, &request, &put)); // nobody knows yet whether there is such a hub
    assert_int_equal(assign(w, here.host, SLICE("0123456789abcdef"), NULL).result.code, ERR_NONE);
    assert_true(hub_enlist(w->connector, &request, &put));
    request.hub = &elsewhere;
    assert_false(hub_enlist(w->connector, &request, &put));
    request = enlistable(w, "Dev2");
    request.verb = HUB_REMOVE;
    assert_false(hub_enlist(w->connector, &request, &put));
    request = enlistable(w, "no blanks");
    assert_false(hub_enlist(w->connector, &request, &put));
    request = enlistable(w, "Dev2");
    request.twin = SLICE("{\"tags\":[]}");
    assert_false(hub_enlist(w->connector, &request, &put));
}

static void removing_a_device_twice_is_no_error(void **state)
{
    struct world *w = *state;
    struct linked_hub hub = {.host = SLICE("hub.local:8884"), .kind = HUB_KIND_EMBEDDED};
    assert_int_equal(assign(w, hub.host, SLICE("0123456789abcdef"), NULL).result.code, ERR_NONE);
    for (int i = 0; i < 2; i++) {
        struct hub_request r = {.verb = HUB_REMOVE,
                                .hub = &hub,
                                .identity.device_id = SLICE("Dev1"),
                                .now_us = T0,
                                .arena = &w->arena,
                                .done = answered,
                                .context = w};
        unsigned before = w->answers;
        hub_submit(w->connector, &r);
        deliver_until(w, before + 1);
        assert_int_equal(r.result.code, ERR_NONE);
        assert_null(stored_device(w));
    }
}

static void a_hub_keeps_its_policies_in_its_document(void **state)
{
    struct world *w = *state;
    struct hub_settings made;
    struct hub_settings read;
    struct buf text = buf_capped(8192);
    assert_false(failed(hub_settings_default(&w->arena, &w->random.port, &made)));
    assert_false(failed(hub_settings_write(&made, &text)));
    assert_false(failed(hub_settings_read(&w->arena, buf_slice(&text), &read, NULL)));
    assert_int_equal(read.policy_count, 5);
    const struct policy *p = hub_settings_policy(&read, SLICE("RegistryReadWrite"));
    assert_non_null(p);
    assert_int_equal(p->rights, HUB_REGISTRY_READ | HUB_REGISTRY_WRITE);
    assert_true(secret_equal(&p->primary, &made.policies[4].primary));
    assert_false(secret_equal(&p->primary, &p->secondary));
    assert_null(hub_settings_policy(&read, SLICE("nobody")));
    assert_int_equal(
        hub_settings_read(&w->arena, SLICE("{\"policies\":[{\"name\":\"x\"}]}"), &read, NULL).code,
        ERR_INTERNAL);
    buf_release(&text);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(a_new_device_gets_its_identity_and_first_twin),
        WITH_WORLD(assigning_again_refreshes_the_keys_and_leaves_the_rest),
        WITH_WORLD(assigning_the_same_again_changes_nothing),
        WITH_WORLD(changed_credentials_are_told_and_nothing_else),
        WITH_WORLD(set_twin_replaces_tags_and_desired_of_a_device_that_is_there),
        WITH_WORLD(what_the_hub_cannot_take_is_refused_with_a_reason),
        WITH_WORLD(capabilities_that_are_not_said_stay),
        WITH_WORLD(an_enlisted_device_is_the_one_that_would_have_been_made),
        WITH_WORLD(a_device_is_enlisted_once),
        WITH_WORLD(what_cannot_be_enlisted_is_left_to_be_submitted),
        WITH_WORLD(removing_a_device_twice_is_no_error),
        WITH_WORLD(a_hub_keeps_its_policies_in_its_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

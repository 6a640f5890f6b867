// A link that is retired while its thread ends: at whichever step of the loop that happens, the link goes.
#include <stdatomic.h>

#include <sched.h>
#include <semaphore.h>
#include <time.h>

#include "base/testing.h"

// All that link.c does with atomics comes by here.
static void before(const volatile void *at);
static void after_exchange(const volatile void *at);

#undef atomic_load
#undef atomic_store
#undef atomic_exchange
#define atomic_load(at)         (before(at), atomic_load_explicit(at, memory_order_seq_cst))
#define atomic_store(at, value) (before(at), atomic_store_explicit(at, value, memory_order_seq_cst))
#define atomic_exchange(at, value)                                                                           \
    __extension__({                                                                                          \
        bool was = atomic_exchange_explicit(at, value, memory_order_seq_cst);                                \
        after_exchange(at);                                                                                  \
        was;                                                                                                 \
    })

#include "hub/mosquitto/link.c"

enum { PATIENCE_S = 10, NOTHING_MORE_MS = 3000 };

static _Atomic(struct link *) watched; // its thread may end when the loop comes to this step of delivering
static unsigned step_to_end_at;
static unsigned step;
static bool ended_by_now;
static pthread_t the_loop;
static sem_t may_end;
static sem_t has_ended;

static void let_it_end(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    ended_by_now = true;
    assert_int_equal(sem_post(&may_end), 0);
    assert_int_equal(sem_timedwait(&has_ended, &until), 0);
}

static void before(const volatile void *at)
{
    struct link *link = watched;
    if (link == NULL)
        return;
    if (pthread_equal(pthread_self(), the_loop)) {
        if (!ended_by_now && step++ == step_to_end_at)
            let_it_end();
    } else if (at == &link->ended) {
        while (sem_wait(&may_end) != 0)
            ;
    }
}

// The last that the thread has to say is said.
static void after_exchange(const volatile void *at)
{
    struct link *link = watched;
    if (link != NULL && at == &link->notified && atomic_load_explicit(&link->ended, memory_order_seq_cst))
        (void)sem_post(&has_ended);
}

static int64_t now_us(const struct clock *clock)
{
    struct timespec now;
    (void)clock;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static const struct clock the_clock = {now_us, now_us};

static void hear(void *context, const struct link_event *event)
{
    (void)context;
    (void)event;
}

static void wake_nobody(void *context)
{
    (void)context;
}

// Its port leads nowhere: the first that it tells is that it found nobody.
static struct link *link_with_mail(struct mailbox *replies)
{
    struct link *link = NULL;
    struct link_settings settings = {.host = SLICE("127.0.0.1"),
                                     .port = 1,
                                     .user = SLICE("user"),
                                     .password = SLICE("password"),
                                     .id = 7,
                                     .replies = replies,
                                     .clock = &the_clock,
                                     .heard = hear};
    assert_false(failed(link_new(&settings, &link, NULL)));
    int64_t until_us = now_us(NULL) + PATIENCE_S * INT64_C(1000000);
    while (!atomic_load_explicit(&link->notified, memory_order_seq_cst) && now_us(NULL) < until_us)
        (void)sched_yield();
    assert_true(atomic_load_explicit(&link->notified, memory_order_seq_cst));
    return link;
}

static void a_retired_link_goes_at_whichever_step_its_thread_ends(void **state)
{
    enum { STEPS = 4 }; // of deliver, and one after it
    (void)state;
    the_loop = pthread_self();
    link_library_init();
    for (unsigned i = 0; i < STEPS; i++) {
        struct mailbox replies;
        struct list retired;
        list_init(&retired);
        mailbox_init(&replies, wake_nobody, NULL);
        assert_int_equal(sem_init(&may_end, 0, 0), 0);
        assert_int_equal(sem_init(&has_ended, 0, 0), 0);
        struct link *link = link_with_mail(&replies);
        step_to_end_at = i + 1; // link_retire is one
        step = 0;
        ended_by_now = false;
        watched = link;
        link_retire(link, &retired);
        (void)mailbox_deliver(&replies);
        if (!ended_by_now)
            let_it_end();
        watched = NULL;
        int64_t until_us = now_us(NULL) + NOTHING_MORE_MS * INT64_C(1000);
        while (!list_empty(&retired) && now_us(NULL) < until_us) {
            if (mailbox_deliver(&replies) == 0)
                (void)sched_yield();
        }
        if (!list_empty(&retired))
            fail_msg("its thread ended at step %u of a delivery, and nobody will ever hear of it", i);
        mailbox_release(&replies);
        sem_destroy(&may_end);
        sem_destroy(&has_ended);
    }
    link_library_release();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_retired_link_goes_at_whichever_step_its_thread_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

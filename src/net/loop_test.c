// The loop itself: mail from its own thread and from others, timers and descriptors of the poller port, the
// end.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/bench_test.h"

static struct loop *loop_for_test(void)
{
    struct loop *loop = NULL;
    assert_false(failed(loop_new(&(struct loop_settings){0}, &loop, NULL)));
    return loop;
}

struct chain {
    struct mail mail;
    struct loop *loop;
    unsigned left;
    bool inside;
};

static void next_link(struct mail *mail)
{
    struct chain *chain = (struct chain *)mail;
    assert_false(chain->inside); // posting delivers later, never at once
    if (--chain->left == 0) {
        loop_stop(chain->loop, 0);
        return;
    }
    chain->inside = true;
    mailbox_post(loop_mailbox(chain->loop), &chain->mail);
    chain->inside = false;
}

static void mail_to_the_own_loop_is_delivered_later_without_waiting(void **state)
{
    (void)state;
    struct chain chain = {.mail.deliver = next_link, .loop = loop_for_test(), .left = 100000};
    mailbox_post(loop_mailbox(chain.loop), &chain.mail);
    loop_run(chain.loop);
    assert_int_equal(chain.left, 0);
    loop_free(chain.loop);
}

struct endless {
    struct mail mail;
    struct loop *loop;
    struct poll_timer timer;
};

static void post_again(struct mail *mail)
{
    struct endless *endless = (struct endless *)mail;
    mailbox_post(loop_mailbox(endless->loop), mail);
}

static void stop_endless(struct poll_timer *timer)
{
    struct endless *endless = timer->context;
    poller_timer_release(loop_poller(endless->loop), timer);
    loop_stop(endless->loop, 0);
}

static void mail_without_end_does_not_starve_timers(void **state)
{
    (void)state;
    struct endless endless = {.mail.deliver = post_again, .loop = loop_for_test()};
    endless.timer = (struct poll_timer){.fire = stop_endless, .context = &endless};
    assert_false(failed(poller_timer_start(loop_poller(endless.loop), &endless.timer, 1)));
    mailbox_post(loop_mailbox(endless.loop), &endless.mail);
    loop_run(endless.loop);
    loop_free(endless.loop);
}

struct ball {
    struct mail mail;
    struct loop *loops[2];
    unsigned hits;
};

static void hit(struct mail *mail)
{
    struct ball *ball = (struct ball *)mail;
    if (++ball->hits == 20000) {
        loop_stop(ball->loops[0], 0);
        loop_stop(ball->loops[1], 0);
        return;
    }
    mailbox_post(loop_mailbox(ball->loops[ball->hits % 2]), mail);
}

static void *run_loop(void *loop)
{
    loop_run(loop);
    return NULL;
}

static void two_loops_on_two_threads_exchange_mail(void **state)
{
    (void)state;
    struct ball ball = {.mail.deliver = hit, .loops = {loop_for_test(), loop_for_test()}};
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, run_loop, ball.loops[1]), 0);
    mailbox_post(loop_mailbox(ball.loops[0]), &ball.mail);
    loop_run(ball.loops[0]);
    pthread_join(other, NULL);
    assert_int_equal(ball.hits, 20000);
    loop_free(ball.loops[0]);
    loop_free(ball.loops[1]);
}

enum { POSTERS = 4, LETTERS = 5000 };

struct post_office {
    struct loop *loop;
    unsigned arrived;
};

struct letter {
    struct mail mail;
    struct post_office *office;
};

static void count_letter(struct mail *mail)
{
    struct post_office *office = ((struct letter *)mail)->office;
    if (++office->arrived == POSTERS * LETTERS)
        loop_stop(office->loop, 0);
}

static void *post_letters(void *context)
{
    struct letter *letters = context;
    for (unsigned i = 0; i < LETTERS; i++)
        mailbox_post(loop_mailbox(letters[i].office->loop), &letters[i].mail);
    return NULL;
}

static void no_mail_of_many_threads_is_lost(void **state)
{
    (void)state;
    struct post_office office = {.loop = loop_for_test()};
    struct letter *letters = calloc(POSTERS * LETTERS, sizeof *letters);
    for (unsigned i = 0; i < POSTERS * LETTERS; i++)
        letters[i] = (struct letter){.mail.deliver = count_letter, .office = &office};
    pthread_t threads[POSTERS];
    for (unsigned i = 0; i < POSTERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_letters, letters + i * LETTERS), 0);
    loop_run(office.loop);
    for (unsigned i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(office.arrived, POSTERS * LETTERS);
    loop_free(office.loop);
    free(letters);
}

struct ticking {
    struct loop *loop;
    struct poll_timer timer;
    unsigned fired;
    bool starting;
};

static void tick(struct poll_timer *timer)
{
    struct ticking *t = timer->context;
    assert_false(t->starting);
    if (++t->fired < 3) {
        t->starting = true;
        assert_false(failed(poller_timer_start(loop_poller(t->loop), timer, 0)));
        t->starting = false;
        return;
    }
    poller_timer_release(loop_poller(t->loop), timer);
    poller_timer_release(loop_poller(t->loop), timer);
    loop_stop(t->loop, 0);
}

static void timers_fire_once_per_start_and_take_the_latest_time(void **state)
{
    (void)state;
    struct ticking t = {.loop = loop_for_test()};
    t.timer = (struct poll_timer){.fire = tick, .context = &t};
    int64_t from_us = loop_now_us(t.loop);
    assert_false(failed(poller_timer_start(loop_poller(t.loop), &t.timer, 3600 * 1000)));
    assert_false(failed(poller_timer_start(loop_poller(t.loop), &t.timer, 30)));
    loop_run(t.loop);
    assert_int_equal(t.fired, 3);
    assert_true(loop_now_us(t.loop) - from_us >= 29000);
    loop_free(t.loop);
}

struct piping {
    struct loop *loop;
    int ends[2];
    struct poll_watch reader;
    struct poll_watch writer;
    char got;
};

static void can_write(struct poll_watch *watch, int fd, unsigned events)
{
    struct piping *p = watch->context;
    assert_int_equal(fd, p->ends[1]);
    assert_true(events & POLL_WRITE);
    assert_int_equal(write(fd, "w", 1), 1);
    poller_unwatch(loop_poller(p->loop), watch);
}

static void can_read(struct poll_watch *watch, int fd, unsigned events)
{
    struct piping *p = watch->context;
    assert_int_equal(fd, p->ends[0]);
    assert_true(events & POLL_READ);
    assert_int_equal(read(fd, &p->got, 1), 1);
    poller_unwatch(loop_poller(p->loop), watch);
    loop_stop(p->loop, 0);
}

static void descriptors_can_be_watched(void **state)
{
    (void)state;
    struct piping p = {.loop = loop_for_test()};
    assert_int_equal(pipe(p.ends), 0);
    p.reader = (struct poll_watch){.ready = can_read, .context = &p};
    p.writer = (struct poll_watch){.ready = can_write, .context = &p};
    struct poller *poller = loop_poller(p.loop);
    assert_false(failed(poller_watch(poller, &p.reader, p.ends[0], POLL_READ)));
    assert_false(failed(poller_watch(poller, &p.writer, p.ends[1], 0)));
    assert_false(failed(poller_watch(poller, &p.writer, p.ends[1], POLL_WRITE)));
    loop_run(p.loop);
    assert_int_equal(p.got, 'w');
    // watching what was watched before works: libcurl uses a descriptor's number again at once
    assert_false(failed(poller_watch(poller, &p.reader, p.ends[0], POLL_READ)));
    poller_unwatch(poller, &p.reader);
    poller_unwatch(poller, &p.reader);
    loop_free(p.loop);
    close(p.ends[0]);
    close(p.ends[1]);
}

static void a_loop_that_was_stopped_before_it_ran_ends_at_once(void **state)
{
    (void)state;
    struct loop *loop = loop_for_test();
    loop_stop(loop, 10000);
    loop_run(loop);
    loop_free(loop);
}

#define CASE(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(mail_to_the_own_loop_is_delivered_later_without_waiting),
        CASE(mail_without_end_does_not_starve_timers),
        CASE(two_loops_on_two_threads_exchange_mail),
        CASE(no_mail_of_many_threads_is_lost),
        CASE(timers_fire_once_per_start_and_take_the_latest_time),
        CASE(descriptors_can_be_watched),
        CASE(a_loop_that_was_stopped_before_it_ran_ends_at_once),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}

// Mail between threads arrives once, in order, and waiting for it ends.
#include "base/mailbox.h"
#include "base/testing.h"

#include <unistd.h>

enum { SENDERS = 3, EACH = 2000 };

struct letter {
    struct mail mail;
    int sender;
    int number;
};

static int next_number[SENDERS];
static int wakes;

static void delivered(struct mail *mail)
{
    struct letter *letter = (struct letter *)mail;
    assert_int_equal(letter->number, next_number[letter->sender]++);
}

static void woken(void *context)
{
    (void)context;
    wakes++;
}

static void the_owner_is_woken_once_for_a_box_that_was_empty(void **state)
{
    (void)state;
    struct mailbox box;
    mailbox_init(&box, woken, NULL);
    struct letter letters[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    next_number[0] = 0;
    wakes = 0;
    for (int i = 0; i < 3; i++) {
        letters[i].mail.deliver = delivered;
        mailbox_post(&box, &letters[i].mail);
    }
    assert_int_equal(wakes, 1);
    assert_int_equal(box.count, 3);
    assert_int_equal(mailbox_deliver(&box), 3);
    assert_int_equal(next_number[0], 3);
    assert_int_equal(mailbox_deliver(&box), 0);
    assert_null(mailbox_take(&box));
    letters[0].number = 3;
    mailbox_post(&box, &letters[0].mail);
    assert_int_equal(wakes, 2);
    assert_int_equal(mailbox_deliver(&box), 1);
    mailbox_release(&box);
}

static void the_owner_sleeps_on_until_it_is_rung_for(void **state)
{
    (void)state;
    struct mailbox box;
    mailbox_init(&box, woken, NULL);
    struct letter letters[2] = {{.number = 0}, {.number = 1}};
    next_number[0] = 0;
    wakes = 0;
    for (int i = 0; i < 2; i++) {
        letters[i].mail.deliver = delivered;
        mailbox_put(&box, &letters[i].mail);
    }
    assert_int_equal(wakes, 0);
    mailbox_ring(&box);
    assert_int_equal(wakes, 1);
    assert_int_equal(mailbox_deliver(&box), 2);
    mailbox_release(&box);
}

enum { RING_MS = 20, WAIT_MS = 20000 };

struct caller {
    struct mailbox *box;
    struct letter letter;
};

static void *put_and_ring(void *context)
{
    struct caller *caller = context;
    usleep(RING_MS * 1000); // so that the owner waits by then; if not, it only hears of it sooner
    mailbox_put(caller->box, &caller->letter.mail);
    mailbox_ring(caller->box);
    return NULL;
}

static void an_owner_that_waits_is_rung_for(void **state)
{
    (void)state;
    struct mailbox box;
    struct timespec begun, ended;
    mailbox_init(&box, NULL, NULL);
    struct caller caller = {&box, {.mail = {.deliver = delivered}}};
    pthread_t thread;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    assert_int_equal(pthread_create(&thread, NULL, put_and_ring, &caller), 0);
    assert_ptr_equal(mailbox_wait(&box, WAIT_MS), &caller.letter.mail);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    assert_in_range(ended.tv_sec - begun.tv_sec, 0, WAIT_MS / 2000); // not when it looked by itself
    pthread_join(thread, NULL);
    mailbox_release(&box);
}

static void mail_that_was_withdrawn_does_not_arrive(void **state)
{
    (void)state;
    struct mailbox box;
    mailbox_init(&box, NULL, NULL);
    for (int withdrawn = 0; withdrawn < 3; withdrawn++) {
        struct letter letters[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
        struct letter after = {.number = 2};
        next_number[0] = 0;
        for (int i = 0; i < 3; i++) {
            letters[i].number = i < withdrawn ? i : i - 1;
            letters[i].mail.deliver = delivered;
            mailbox_post(&box, &letters[i].mail);
        }
        assert_true(mailbox_withdraw(&box, &letters[withdrawn].mail));
        assert_false(mailbox_withdraw(&box, &letters[withdrawn].mail));
        after.mail.deliver = delivered;
        mailbox_post(&box, &after.mail);
        assert_int_equal(box.count, 3);
        assert_int_equal(mailbox_deliver(&box), 3);
        assert_int_equal(next_number[0], 3);
    }
    mailbox_release(&box);
}

static void waiting_ends_without_mail(void **state)
{
    (void)state;
    struct mailbox box;
    mailbox_init(&box, NULL, NULL);
    assert_null(mailbox_wait(&box, 1));
    mailbox_release(&box);
}

struct sender {
    struct mailbox *box;
    struct letter *letters;
};

static void *send_all(void *context)
{
    struct sender *s = context;
    for (int i = 0; i < EACH; i++)
        mailbox_post(s->box, &s->letters[i].mail);
    return NULL;
}

static void many_senders_lose_nothing_and_each_keeps_its_order(void **state)
{
    (void)state;
    static struct letter letters[SENDERS][EACH];
    struct mailbox box;
    mailbox_init(&box, NULL, NULL);
    pthread_t threads[SENDERS];
    struct sender senders[SENDERS];
    for (int s = 0; s < SENDERS; s++) {
        next_number[s] = 0;
        for (int i = 0; i < EACH; i++)
            letters[s][i] = (struct letter){.mail = {.deliver = delivered}, .sender = s, .number = i};
        senders[s] = (struct sender){&box, letters[s]};
        assert_int_equal(pthread_create(&threads[s], NULL, send_all, &senders[s]), 0);
    }
    int count = 0;
    while (count < SENDERS * EACH) {
        struct mail *mail = mailbox_wait(&box, 60000);
        assert_non_null(mail);
        for (struct mail *next; mail != NULL; mail = next, count++) {
            next = mail->next;
            mail->deliver(mail);
        }
    }
    for (int s = 0; s < SENDERS; s++) {
        pthread_join(threads[s], NULL);
        assert_int_equal(next_number[s], EACH);
    }
    mailbox_release(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_owner_is_woken_once_for_a_box_that_was_empty),
        cmocka_unit_test(the_owner_sleeps_on_until_it_is_rung_for),
        cmocka_unit_test(an_owner_that_waits_is_rung_for),
        cmocka_unit_test(mail_that_was_withdrawn_does_not_arrive),
        cmocka_unit_test(waiting_ends_without_mail),
        cmocka_unit_test(many_senders_lose_nothing_and_each_keeps_its_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

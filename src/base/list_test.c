// Lists whose links live in the elements.
#include "base/list.h"
#include "base/testing.h"

struct item {
    int number;
    struct list link;
};

static int number_of(struct list *link)
{
    return CONTAINER_OF(link, struct item, link)->number;
}

static void elements_come_in_the_order_they_were_appended(void **state)
{
    (void)state;
    struct list l;
    list_init(&l);
    assert_true(list_empty(&l));
    struct item items[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    for (int i = 0; i < 3; i++)
        list_append(&l, &items[i].link);
    int want = 1;
    LIST_EACH (at, &l)
        assert_int_equal(number_of(at), want++);
    assert_int_equal(want, 4);
    assert_int_equal(number_of(list_take_first(&l)), 1);
    assert_int_equal(number_of(list_take_first(&l)), 2);
    assert_int_equal(number_of(list_take_first(&l)), 3);
    assert_null(list_take_first(&l));
}

static void an_element_can_go_while_the_list_is_walked(void **state)
{
    (void)state;
    struct list l;
    list_init(&l);
    struct item items[4] = {{.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}};
    for (int i = 0; i < 4; i++)
        list_append(&l, &items[i].link);
    LIST_EACH (at, &l) {
        if (number_of(at) % 2 == 0)
            list_remove(at);
    }
    assert_int_equal(number_of(list_take_first(&l)), 1);
    assert_int_equal(number_of(list_take_first(&l)), 3);
    assert_true(list_empty(&l));
}

static void removing_twice_or_what_was_never_in_does_no_harm(void **state)
{
    (void)state;
    struct list l;
    list_init(&l);
    struct item in = {0};
    struct item out = {0};
    list_append(&l, &in.link);
    list_remove(&out.link);
    assert_false(list_empty(&l));
    list_remove(&in.link);
    list_remove(&in.link);
    assert_true(list_empty(&l));
    struct list never = {0};
    assert_true(list_empty(&never));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_come_in_the_order_they_were_appended),
        cmocka_unit_test(an_element_can_go_while_the_list_is_walked),
        cmocka_unit_test(removing_twice_or_what_was_never_in_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

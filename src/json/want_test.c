// Reading an object like its schema: defaults, limits, and what an operator is told.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json/json.h"

static struct json_doc doc;
static struct json_in in;
static struct why why;

static int load(void **state)
{
    (void)state;
    struct slice text = SLICE(
        "{\"id\":\"dev1\",\"none\":null,\"weight\":5,\"ratio\":0.5,\"on\":true,\"policy\":\"hashed\","
        "\"empty\":\"\","
        "\"twin\":{\"properties\":{\"desired\":{\"n\":\"x\"}}},\"hubs\":[{\"host\":\"h0\"},{\"host\":7}],"
        "\"names\":[\"a\",\"bcd\",3]}");
    assert_false(failed(json_read(text, JSON_LIMITS_DEFAULT, &doc, &why)));
    assert_false(failed(json_in_root(json_root(&doc), "the body", &in, &why)));
    return 0;
}

static int unload(void **state)
{
    (void)state;
    json_doc_release(&doc);
    return 0;
}

#define ASSERT_REFUSED(expression, sentence)                                                                 \
    do {                                                                                                     \
        assert_int_equal((expression).code, ERR_INVALID);                                                    \
        assert_string_equal(why.text, (sentence));                                                           \
    } while (0)

static void what_is_there_is_taken(void **state)
{
    (void)state;
    struct slice text;
    int64_t weight = 0;
    double ratio = 0;
    bool on = false;
    size_t choice = 9;
    static const char *const words[] = {"static", "hashed", NULL};
    assert_false(failed(json_want_string(&in, "id", JSON_REQUIRED, 4, &text, &why)));
    assert_true(slice_equal(text, SLICE("dev1")));
    assert_false(failed(json_want_int(&in, "weight", JSON_REQUIRED, 1, 5, &weight, &why)));
    assert_int_equal(weight, 5);
    assert_false(failed(json_want_real(&in, "ratio", JSON_REQUIRED, 0, 1, &ratio, &why)));
    assert_true(ratio == 0.5);
    assert_false(failed(json_want_real(&in, "weight", JSON_REQUIRED, 0, 9, &ratio, &why)));
    assert_true(ratio == 5);
    assert_false(failed(json_want_bool(&in, "on", JSON_REQUIRED, &on, &why)));
    assert_true(on);
    assert_false(failed(json_want_choice(&in, "policy", JSON_REQUIRED, words, &choice, &why)));
    assert_int_equal(choice, 1);
}

static void null_and_absent_leave_the_default(void **state)
{
    (void)state;
    struct slice text = SLICE("old");
    int64_t weight = 3;
    bool on = true;
    size_t choice = 2;
    static const char *const words[] = {"static", NULL};
    struct json_in child;
    const struct json *array = json_root(&doc);
    assert_false(failed(json_want_string(&in, "none", JSON_OPTIONAL, 4, &text, &why)));
    assert_true(slice_empty(text));
    assert_false(failed(json_want_int(&in, "none", JSON_OPTIONAL, 1, 5, &weight, &why)));
    assert_false(failed(json_want_bool(&in, "missing", JSON_OPTIONAL, &on, &why)));
    assert_false(failed(json_want_choice(&in, "none", JSON_OPTIONAL, words, &choice, &why)));
    assert_true(weight == 3 && on && choice == 2);
    assert_false(failed(json_want_object(&in, "none", JSON_OPTIONAL, &child, &why)));
    assert_false(failed(json_want_string(&child, "inside", JSON_OPTIONAL, 4, &text, &why)));
    assert_true(slice_empty(text));
    assert_false(failed(json_want_array(&in, "none", JSON_OPTIONAL, 1, &array, &why)));
    assert_null(array);
}

static void an_empty_string_is_not_an_absent_one(void **state)
{
    (void)state;
    struct slice text;
    static const char *const words[] = {"static", NULL};
    size_t choice = 0;
    assert_false(failed(json_want_string(&in, "empty", JSON_REQUIRED, 4, &text, &why)));
    assert_non_null(text.at);
    assert_false(failed(json_want_string(&in, "none", JSON_OPTIONAL, 4, &text, &why)));
    assert_null(text.at);
    ASSERT_REFUSED(json_want_choice(&in, "empty", JSON_OPTIONAL, words, &choice, &why),
                   "empty must be one of static");
}

static void refusals_say_what_was_expected(void **state)
{
    (void)state;
    struct slice text;
    int64_t weight = 0;
    double ratio = 0;
    bool on = false;
    size_t choice = 0;
    struct json_in child;
    const struct json *array;
    static const char *const words[] = {"static", "geoLatency", NULL};
    ASSERT_REFUSED(json_want_string(&in, "missing", JSON_REQUIRED, 4, &text, &why), "missing is missing");
    ASSERT_REFUSED(json_want_string(&in, "none", JSON_REQUIRED, 4, &text, &why), "none is missing");
    ASSERT_REFUSED(json_want_string(&in, "weight", JSON_OPTIONAL, 4, &text, &why), "weight must be a string");
    ASSERT_REFUSED(json_want_string(&in, "id", JSON_OPTIONAL, 3, &text, &why),
                   "id is 4 bytes long, at most 3 are taken");
    ASSERT_REFUSED(json_want_int(&in, "weight", JSON_OPTIONAL, 6, 9, &weight, &why),
                   "weight must be an integer from 6 to 9");
    ASSERT_REFUSED(json_want_int(&in, "weight", JSON_OPTIONAL, 1, 4, &weight, &why),
                   "weight must be an integer from 1 to 4");
    ASSERT_REFUSED(json_want_int(&in, "ratio", JSON_OPTIONAL, 0, 9, &weight, &why),
                   "ratio must be an integer from 0 to 9");
    ASSERT_REFUSED(json_want_real(&in, "ratio", JSON_OPTIONAL, 1, 2, &ratio, &why),
                   "ratio must be a number from 1 to 2");
    ASSERT_REFUSED(json_want_bool(&in, "id", JSON_OPTIONAL, &on, &why), "id must be true or false");
    ASSERT_REFUSED(json_want_choice(&in, "policy", JSON_OPTIONAL, words, &choice, &why),
                   "policy must be one of static, geoLatency");
    ASSERT_REFUSED(json_want_object(&in, "hubs", JSON_OPTIONAL, &child, &why), "hubs must be an object");
    ASSERT_REFUSED(json_want_array(&in, "twin", JSON_OPTIONAL, 9, &array, &why), "twin must be an array");
    ASSERT_REFUSED(json_want_array(&in, "hubs", JSON_OPTIONAL, 1, &array, &why),
                   "hubs has 2 elements, at most 1 are taken");
}

static void refusals_name_the_whole_path(void **state)
{
    (void)state;
    struct json_in twin;
    struct json_in properties;
    struct json_in desired;
    struct json_in hub;
    struct slice text;
    bool flag = false;
    assert_false(failed(json_want_object(&in, "twin", JSON_REQUIRED, &twin, &why)));
    assert_false(failed(json_want_object(&twin, "properties", JSON_REQUIRED, &properties, &why)));
    assert_false(failed(json_want_object(&properties, "desired", JSON_REQUIRED, &desired, &why)));
    ASSERT_REFUSED(json_want_bool(&desired, "n", JSON_REQUIRED, &flag, &why),
                   "twin.properties.desired.n must be true or false");
    assert_false(failed(json_want_element(&in, "hubs", 1, &hub, &why)));
    ASSERT_REFUSED(json_want_string(&hub, "host", JSON_REQUIRED, 9, &text, &why),
                   "hubs[1].host must be a string");
    ASSERT_REFUSED(json_refuse(&hub, "host", &why, "is %s", "unknown"), "hubs[1].host is unknown");
    static const char reason[] =
        "is refused: the certificate CN=Factory Root has no keyUsage, which a CA needs: issue it with "
        "keyCertSign (openssl req -x509 -addext keyUsage=keyCertSign,cRLSign)";
    (void)json_refuse(&hub, "host", &why, "%s", reason);
    assert_non_null(strstr(why.text, "cRLSign)")); // what to do stands at the end
}

static void elements_of_arrays_are_checked_like_members(void **state)
{
    (void)state;
    struct slice text;
    struct json_in child;
    assert_false(failed(json_want_string_at(&in, "names", 1, 3, &text, &why)));
    assert_true(slice_equal(text, SLICE("bcd")));
    ASSERT_REFUSED(json_want_string_at(&in, "names", 2, 3, &text, &why), "names[2] must be a string");
    ASSERT_REFUSED(json_want_string_at(&in, "names", 1, 2, &text, &why),
                   "names[1] is 3 bytes long, at most 2 are taken");
    ASSERT_REFUSED(json_want_string_at(&in, "names", 3, 2, &text, &why), "names[3] must be a string");
    ASSERT_REFUSED(json_want_element(&in, "names", 0, &child, &why), "names[0] must be an object");
}

static void a_body_that_is_no_object_is_refused(void **state)
{
    (void)state;
    struct json_in root;
    ASSERT_REFUSED(json_in_root(json_get(json_root(&doc), "hubs"), "the body", &root, &why),
                   "the body must be a JSON object");
    ASSERT_REFUSED(json_in_root(NULL, "the body", &root, &why), "the body must be a JSON object");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_there_is_taken),
        cmocka_unit_test(null_and_absent_leave_the_default),
        cmocka_unit_test(an_empty_string_is_not_an_absent_one),
        cmocka_unit_test(refusals_say_what_was_expected),
        cmocka_unit_test(refusals_name_the_whole_path),
        cmocka_unit_test(elements_of_arrays_are_checked_like_members),
        cmocka_unit_test(a_body_that_is_no_object_is_refused),
    };
    return cmocka_run_group_tests(tests, load, unload);
}

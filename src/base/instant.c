// Civil time from microseconds, without the C library's time zone machinery.
#include "base/instant.h"

struct civil {
    int64_t year;
    unsigned month, day, hour, minute, second, micro, weekday;
};

// Days to date and back in the proleptic Gregorian calendar; the era of 400 years has 146,097 days.
static struct civil civil_of(int64_t us)
{
    struct civil c = {0};
    int64_t seconds = us / 1000000 - (us % 1000000 < 0);
    c.micro = (unsigned)(us - seconds * 1000000);
    int64_t days = seconds / 86400 - (seconds % 86400 < 0);
    unsigned in_day = (unsigned)(seconds - days * 86400);
    c.hour = in_day / 3600;
    c.minute = in_day / 60 % 60;
    c.second = in_day % 60;
    c.weekday = (unsigned)(((days + 4) % 7 + 7) % 7);
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    unsigned doe = (unsigned)(z - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;
    c.day = doy - (153 * mp + 2) / 5 + 1;
    c.month = mp < 10 ? mp + 3 : mp - 9;
    c.year = (int64_t)yoe + era * 400 + (c.month <= 2);
    return c;
}

static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    unsigned yoe = (unsigned)(year - era * 400);
    unsigned doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + (int64_t)doe - 719468;
}

void instant_format(struct buf *out, int64_t us)
{
    struct civil c = civil_of(us);
    buf_printf(out, "%04lld-%02u-%02uT%02u:%02u:%02u.%06u0Z", (long long)c.year, c.month, c.day, c.hour,
               c.minute, c.second, c.micro);
}

void instant_format_ms(struct buf *out, int64_t us)
{
    struct civil c = civil_of(us);
    buf_printf(out, "%04lld-%02u-%02uT%02u:%02u:%02u.%03uZ", (long long)c.year, c.month, c.day, c.hour,
               c.minute, c.second, c.micro / 1000);
}

void instant_format_http(struct buf *out, int64_t us)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct civil c = civil_of(us);
    buf_printf(out, "%s, %02u %s %04lld %02u:%02u:%02u GMT", days[c.weekday], c.day, months[c.month - 1],
               (long long)c.year, c.hour, c.minute, c.second);
}

static bool digits(struct slice *s, size_t count, unsigned *value)
{
    uint64_t v = 0;
    if (s->len < count || !slice_to_u64(slice_to(*s, count), &v))
        return false;
    *s = slice_from(*s, count);
    *value = (unsigned)v;
    return true;
}

static bool literal(struct slice *s, char c)
{
    if (s->len == 0 || s->at[0] != (uint8_t)c)
        return false;
    *s = slice_from(*s, 1);
    return true;
}

bool instant_parse(struct slice s, int64_t *us)
{
    unsigned year, month, day, hour, minute, second, micro = 0;
    if (!digits(&s, 4, &year) || !literal(&s, '-') || !digits(&s, 2, &month) || !literal(&s, '-') ||
        !digits(&s, 2, &day) || !literal(&s, 'T') || !digits(&s, 2, &hour) || !literal(&s, ':') ||
        !digits(&s, 2, &minute) || !literal(&s, ':') || !digits(&s, 2, &second))
        return false;
    if (literal(&s, '.')) {
        unsigned scale = 100000;
        size_t count = 0;
        for (unsigned d; digits(&s, 1, &d); count++, scale /= 10)
            micro += d * scale;
        if (count == 0)
            return false;
    }
    if (!literal(&s, 'Z') || s.len > 0 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 ||
        minute > 59 || second > 60)
        return false;
    if (civil_of(days_of(year, month, day) * 86400000000).day != day)
        return false; // 31 November
    int64_t seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    *us = seconds * 1000000 + micro;
    return true;
}

#include "base/rfc3339.h"

#include <ctype.h>

/* Reads exactly `digits` digits and moves on; false if they are not there. */
static bool take_number(const char **at, int digits, int *out) {
    *out = 0;
    for (int i = 0; i < digits; i++, ++*at) {
        if (!isdigit((unsigned char)**at))
            return false;
        *out = *out * 10 + (**at - '0');
    }
    return true;
}

static bool take(const char **at, char expected) {
    return *(*at)++ == expected;
}

/* Days since 1970-01-01 in the Gregorian calendar; years are counted from March, so that the leap day is the
 * last of its year (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil). */
static int64_t days_since_epoch(int year, int month, int day) {
    year -= month <= 2;
    int era = year / 400;
    int year_of_era = year - era * 400;
    int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (int64_t)era * 146097 + day_of_era - 719468;
}

static int days_in_month(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && is_leap);
}

static bool take_date(const char **at, int64_t *days) {
    int year, month, day;
    if (!take_number(at, 4, &year) || !take(at, '-') || !take_number(at, 2, &month) || !take(at, '-') ||
        !take_number(at, 2, &day))
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    *days = days_since_epoch(year, month, day);
    return true;
}

static bool take_time(const char **at, int64_t *ms) {
    int hour, minute, second;
    if (!take_number(at, 2, &hour) || !take(at, ':') || !take_number(at, 2, &minute) || !take(at, ':') ||
        !take_number(at, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    *ms = ((hour * 60 + minute) * 60 + second) * INT64_C(1000);
    if (**at != '.')
        return true;
    ++*at;
    if (!isdigit((unsigned char)**at))
        return false;
    for (int scale = 100; isdigit((unsigned char)**at); ++*at, scale /= 10)
        *ms += (**at - '0') * scale;
    return true;
}

static bool take_zone(const char **at, int64_t *offset_ms) {
    char sign = *(*at)++;
    *offset_ms = 0;
    if (sign == 'Z' || sign == 'z')
        return true;
    int hours, minutes;
    if ((sign != '+' && sign != '-') || !take_number(at, 2, &hours) || !take(at, ':') ||
        !take_number(at, 2, &minutes))
        return false;
    *offset_ms = (hours * 60 + minutes) * INT64_C(60000) * (sign == '-' ? -1 : 1);
    return hours <= 23 && minutes <= 59;
}

bool rfc3339_parse(const char *text, int64_t *unix_ms) {
    int64_t days, in_day, offset;
    if (!take_date(&text, &days))
        return false;
    char separator = *text++;
    if (separator != 'T' && separator != 't' && separator != ' ')
        return false;
    if (!take_time(&text, &in_day) || !take_zone(&text, &offset) || *text != '\0')
        return false;
    *unix_ms = days * INT64_C(86400000) + in_day - offset;
    return true;
}

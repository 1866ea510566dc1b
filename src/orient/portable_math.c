#include "orient/portable_math.h"

#include <assert.h>
#include <math.h>

static const double LN_2 = 0x1.62e42fefa39efp-1;

/* 2^x = 2^n e^r with n the nearest integer, so |r| <= ln(2)/2; the Taylor series of e^r has fallen below one
 * unit in the last place after 14 terms. */
double portable_exp2(double x) {
    assert(x >= -1000 && x <= 1000);
    double n = floor(x + 0.5);
    double r = (x - n) * LN_2;
    double sum = 1;
    for (int k = 14; k >= 1; k--) {
        sum = 1 + sum * r / k;
    }
    return ldexp(sum, (int)n);
}

/* 1 + x = m 2^e with m in [sqrt(1/2), sqrt(2)); ln m = 2 atanh((m - 1) / (m + 1)), whose argument is at most
 * 0.172, so that each term of the series is 34 times smaller than the one before. A small x is m - 1 itself:
 * nothing of it is lost in 1 + x. */
double portable_log1p(double x) {
    assert(x >= 0 && isfinite(x));
    int e = 0;
    double t = x / (2 + x);
    if (x > 0x1.a827999fcef32p-2) { /* sqrt(2) - 1 */
        double m = frexp(1 + x, &e);
        if (m < 0x1.6a09e667f3bcdp-1) {
            m *= 2;
            e--;
        }
        t = (m - 1) / (m + 1);
    }
    double sum = 0;
    for (int k = 21; k >= 1; k -= 2) {
        sum = sum * t * t + 1.0 / k;
    }
    return e * LN_2 + 2 * t * sum;
}

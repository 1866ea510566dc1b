/* src/orient/portable_math.h - the transcendental functions that scores need, the same on every machine.
 *
 * C libraries differ in the last bit of exp2() and log1p(); a decision that is replayed elsewhere must not.
 * These use only operations that IEEE 754 rounds exactly. Accurate to a few units in the last place. Pure. */
#ifndef SENTINEL_ORIENT_PORTABLE_MATH_H
#define SENTINEL_ORIENT_PORTABLE_MATH_H

double portable_exp2(double x);  /* 2^x; x in [-1000, 1000] */
double portable_log1p(double x); /* ln(1 + x); x >= 0 and finite */

#endif

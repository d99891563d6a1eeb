/* log(1 + exp(w)) and its slope in double, without branches, so that loops become vector code.
 *
 * Only here is a * b + c rounded once where the machine can: nothing in these series is exact, and
 * they are most of the work. It may change the last bit of a double, which float does not show.
 */
#ifndef PADDLE_MARGIN_LOGISTIC_H
#define PADDLE_MARGIN_LOGISTIC_H

#include "kernel.h"

#ifdef __FMA__
#define MULTIPLY_ADD(a, b, c) __builtin_fma(a, b, c)
#else
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#endif

/* Adding it leaves an integer, rounded by the addition. */
#define ROUNDER 0x1.8p52

/* 2 ** k of an integer k that a normal double can hold. */
static inline double power_of_two(double k)
{
    double shifted = k + (0x1p52 + 1023), power;
    uint64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits <<= 52;
    memcpy(&power, &bits, sizeof power);
    return power;
}

/* exp(t) for t <= 0; NaN stays. Subnormal results are right, in two steps. */
static inline double exp_of_negative(double t)
{
    t = t < -746 ? -746 : t;
    double k = MULTIPLY_ADD(t, 0x1.71547652b82fep+0, ROUNDER) - ROUNDER;
    double r = MULTIPLY_ADD(k, -0x1.be8e7bcd5e4f2p-27, MULTIPLY_ADD(k, -0x1.62e42f8p-1, t));
    double p = 0x1.af2391d7f5e6cp-26;
    p = MULTIPLY_ADD(p, r, 0x1.288060f149570p-22);
    p = MULTIPLY_ADD(p, r, 0x1.71de17d5ef6f3p-19);
    p = MULTIPLY_ADD(p, r, 0x1.a019c98e708e7p-16);
    p = MULTIPLY_ADD(p, r, 0x1.a01a01a4b5f72p-13);
    p = MULTIPLY_ADD(p, r, 0x1.6c16c173948e7p-10);
    p = MULTIPLY_ADD(p, r, 0x1.1111111110e68p-7);
    p = MULTIPLY_ADD(p, r, 0x1.5555555554cb0p-5);
    p = MULTIPLY_ADD(p, r, 0x1.5555555555555p-3);
    p = 1 + MULTIPLY_ADD(r * r, MULTIPLY_ADD(r, p, 0.5), r);
    double half = MULTIPLY_ADD(k, 0.5, ROUNDER) - ROUNDER;
    return p * power_of_two(half) * power_of_two(k - half);
}

/* log(1 + e) for 0 <= e <= 1, and 1 / (1 + e); NaN stays. */
static inline double log_of_1_plus(double e, double *inverse)
{
    int upper = e > 0x1.a827999fcef32p-2; /* sqrt(2) - 1: from there on halved */
    double f = upper ? (e - 1) * 0.5 : e;
    /* Divisions are what takes the time: one serves for f / (2 + f) too. */
    double both = 1 / ((1 + e) * (2 + f));
    double s = f * (both * (1 + e)), z = s * s;
    double r = 0x1.2b62d7ad6afd1p-3;
    r = MULTIPLY_ADD(r, z, 0x1.39fd85b6dc092p-3);
    r = MULTIPLY_ADD(r, z, 0x1.7462bb40a0181p-3);
    r = MULTIPLY_ADD(r, z, 0x1.c71c62ce599c7p-3);
    r = MULTIPLY_ADD(r, z, 0x1.2492492e03734p-2);
    r = MULTIPLY_ADD(r, z, 0x1.999999999523ep-2);
    r = MULTIPLY_ADD(r, z, 0x1.5555555555558p-1);
    double square = 0.5 * f * f;
    double correction = MULTIPLY_ADD(-s, MULTIPLY_ADD(z, r, square), square);
    *inverse = both * (2 + f);
    return upper ? 0x1.62e42fefa39efp-1 + (f - correction) : f - correction;
}

/* log(1 + exp(w)), and the logistic function of w, its slope. */
static inline double softplus(double w, double *logistic)
{
    double inverse, e = exp_of_negative(-fabs(w)), log = log_of_1_plus(e, &inverse);
    *logistic = w < 0 ? e * inverse : w == w ? inverse : w;
    return (w > 0 ? w : 0) + log;
}

#endif

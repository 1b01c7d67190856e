/* The operations of models/chip/program.py's docstring, to the bit. The 64-bit products compile to one instruction each (SMMULR). */
#ifndef ARITHMETIC_H
#define ARITHMETIC_H

#include <stdint.h>

#define CURVE_POINTS 513
#define FEATURES_SIZE 256
#define SCALE_BITS 21

extern const int16_t sigmoid_table[CURVE_POINTS], tanh_table[CURVE_POINTS], features_table[FEATURES_SIZE];

/* (v m + 2^31) >> 32, for 0 <= m < 2^31 */
static inline int32_t scale(int32_t v, int32_t m)
{
    return (int32_t)(((int64_t)v * m + 0x80000000LL) >> 32);
}

/* t + ((k (s - t) + 2^14) >> 15), for 0 <= k < 2^15 and |s|, |t| < 2^29: the shifts move both factors to where SMMULR rounds the same bit */
static inline int32_t mix(int32_t k, int32_t s, int32_t t)
{
    return t + scale((s - t) * 2, k * 65536);
}

/* v limited to n bits with sign (SSAT) */
#define CLAMP(v, n) ((v) > (1 << ((n)-1)) - 1 ? (1 << ((n)-1)) - 1 : (v) < -(1 << ((n)-1)) ? -(1 << ((n)-1)) : (v))

/* The function of `table` at u (Q12), Q15: straight lines between points 1/32 apart */
static inline int32_t curve(const int16_t *table, int32_t u)
{
    int32_t w = CLAMP(u, 16) + 32768, f = w & 127;
    const int16_t *point = table + (w >> 7);
    return point[0] + (((point[1] - point[0]) * f + 64) >> 7);
}

#endif

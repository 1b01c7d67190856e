/* Adding synaptic rows: nine tenths of what a PE does, so written for the Cortex-M4's SIMD: one SXTB16 widens two weights, SMLABB and
 * SMLATB multiply either half and add. */
#ifndef SYNAPSES_H
#define SYNAPSES_H

#include "layout.h"

/* Two signed 16-bit halves from bytes 0 and 2 of `word`. */
static inline uint32_t even_weights(uint32_t word)
{
    uint32_t pair;
    __asm__("sxtb16 %0, %1" : "=r"(pair) : "r"(word));
    return pair;
}

/* Two signed 16-bit halves from bytes 1 and 3 of `word`. */
static inline uint32_t odd_weights(uint32_t word)
{
    uint32_t pair;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
    return pair;
}

/* sum + low half of `pair` times the low half of `value` */
static inline int32_t add_low(uint32_t pair, uint32_t value, int32_t sum)
{
    __asm__("smlabb %0, %1, %2, %0" : "+r"(sum) : "r"(pair), "r"(value));
    return sum;
}

/* sum + high half of `pair` times the low half of `value` */
static inline int32_t add_high(uint32_t pair, uint32_t value, int32_t sum)
{
    __asm__("smlatb %0, %1, %2, %0" : "+r"(sum) : "r"(pair), "r"(value));
    return sum;
}

/* Adds the row of the event's source, weighted with the event's value (its low half), in the projection that has the source; the number of
 * weights added, or UINT32_MAX where none of the `count` projections knows the source. */
uint32_t add_event(const struct projection *projections, uint32_t count, uint32_t event);

#endif

/* Adding synaptic rows: nine tenths of what a PE does, so written for the Cortex-M4's SIMD: one SXTB16 widens two weights, SMLABB and
 * SMLATB multiply either half and add. */
#ifndef SYNAPSES_H
#define SYNAPSES_H

#include "layout.h"

/* Adds four weights times the event's value to four sums; where the next four are. The sums are loaded and stored together, which takes 5
 * cycles instead of 8. */
static inline int32_t *add_four(int32_t *sums, uint32_t weights, uint32_t event)
{
    __asm__ volatile("ldmia %0, {r4-r7}\n\t"
                     "sxtb16 r8, %1\n\t"
                     "sxtb16 r9, %1, ror #8\n\t"
                     "smlabb r4, r8, %2, r4\n\t"
                     "smlabb r5, r9, %2, r5\n\t"
                     "smlatb r6, r8, %2, r6\n\t"
                     "smlatb r7, r9, %2, r7\n\t"
                     "stmia %0!, {r4-r7}"
                     : "+r"(sums)
                     : "r"(weights), "r"(event)
                     : "r4", "r5", "r6", "r7", "r8", "r9", "memory");
    return sums;
}

/* Adds two synapses, column | weight << 8 each, to the sums of their columns. */
static inline void add_pair(int32_t *sums, uint32_t synapses, uint32_t event)
{
    uint32_t weights, first = synapses & 0xff, second = synapses >> 16 & 0xff;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(weights) : "r"(synapses));
    __asm__("smlabb %0, %1, %2, %0" : "+r"(sums[first]) : "r"(weights), "r"(event));
    __asm__("smlatb %0, %1, %2, %0" : "+r"(sums[second]) : "r"(weights), "r"(event));
}

/* Adds the row of every event's source, weighted with the event's value (its low half), in that of the `known` projections that has the
 * source, and counts what it did in `counters`. */
void add_rows(const struct projection *projections, uint32_t known, const uint32_t *events, uint32_t count);

#endif

/* Adding synaptic rows: nine tenths of what a PE does, so written for the Cortex-M4's SIMD: one SXTB16 widens two weights, SMLABB and
 * SMLATB multiply either half and add. */
#ifndef SYNAPSES_H
#define SYNAPSES_H

#include "layout.h"

/* Adds the row of every event's source, weighted with the event's value (its low half), in that of the `known` projections that has the
 * source, and counts what it did in `counters`. Behind the `count` events of struct inbox there is room for those of a dense projection. */
void add_rows(const struct projection *projections, uint32_t known, uint32_t *events, uint32_t count);

#endif

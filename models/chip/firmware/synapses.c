#include "synapses.h"

#include "roles.h"

#define BLOCK 8 /* columns whose sums are kept in registers */

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

static inline void add_four(int32_t *sums, uint32_t weights, uint32_t event)
{
    uint32_t even = even_weights(weights), odd = odd_weights(weights);
    sums[0] = add_low(even, event, sums[0]);
    sums[1] = add_low(odd, event, sums[1]);
    sums[2] = add_high(even, event, sums[2]);
    sums[3] = add_high(odd, event, sums[3]);
}

/* The rows of `count` events (first word of the row in the upper half, value in the lower), `words` of each: a block of columns at a time,
 * so that a sum is loaded and stored once and not for every event. */
static void add_dense(const struct projection *projection, const uint32_t *events, uint32_t count, uint32_t words)
{
    const uint32_t *rows = projection->rows, *end = events + count;
    int32_t *sums = projection->sums;
    for (; words >= BLOCK / 4; words -= BLOCK / 4, rows += BLOCK / 4, sums += BLOCK) {
        int32_t block[BLOCK];
        for (uint32_t column = 0; column < BLOCK; column++)
            block[column] = sums[column];
        for (const uint32_t *event = events; event < end; event++) {
            const uint32_t *weights = rows + (*event >> 16);
            add_four(block, weights[0], *event);
            add_four(block + 4, weights[1], *event);
        }
        for (uint32_t column = 0; column < BLOCK; column++)
            sums[column] = block[column];
    }
    if (words)
        for (const uint32_t *event = events; event < end; event++)
            add_four(sums, rows[*event >> 16], *event);
}

static inline void add_pair(int32_t *sums, uint32_t synapses, uint32_t event)
{
    uint32_t weights = odd_weights(synapses), first = synapses & 0xff, second = synapses >> 16 & 0xff;
    sums[first] = add_low(weights, event, sums[first]);
    sums[second] = add_high(weights, event, sums[second]);
}

static inline uint32_t add_sparse(const struct projection *projection, uint32_t source, uint32_t event)
{
    const uint32_t *row = projection->rows + projection->starts[source], *end = projection->rows + projection->starts[source + 1];
    uint32_t synapses = 2 * (uint32_t)(end - row);
    int32_t *sums = projection->sums;
    for (; end - row >= 4; row += 4) {
        add_pair(sums, row[0], event);
        add_pair(sums, row[1], event);
        add_pair(sums, row[2], event);
        add_pair(sums, row[3], event);
    }
    for (; row < end; row++)
        add_pair(sums, *row, event);
    return synapses;
}

/* Adds the rows of those events that `projection` knows; how many they are. */
static uint32_t add_known(const struct projection *projection, uint32_t *events, uint32_t count)
{
    uint32_t words = projection->columns / 4, first = projection->first, sources = projection->count, known = 0, synapses = 0;
    uint32_t *kept = events + count;
    for (const uint32_t *event = events; event < events + count; event++) {
        uint32_t source = (*event >> 16) - first;
        if (source >= sources)
            continue;
        if (words)
            kept[known] = source * words << 16 | (*event & 0xffff);
        else
            synapses += add_sparse(projection, source, *event);
        known++;
    }
    if (words) {
        add_dense(projection, kept, known, words);
        synapses = known * projection->columns;
    }
    counters->synapses += synapses;
    return known;
}

void add_rows(const struct projection *projections, uint32_t known, uint32_t *events, uint32_t count)
{
    uint32_t strangers = count;
    for (; known; known--)
        strangers -= add_known(projections++, events, count);
    counters->strangers += strangers;
}

#include "synapses.h"

static uint32_t add_dense(const struct projection *projection, uint32_t source, uint32_t event)
{
    uint32_t words = projection->columns / 4;
    const uint32_t *row = projection->rows + source * words;
    int32_t *sums = projection->sums;
    for (uint32_t left = words; left; left--, sums += 4) {
        uint32_t weights = *row++, even = even_weights(weights), odd = odd_weights(weights);
        sums[0] = add_low(even, event, sums[0]);
        sums[1] = add_low(odd, event, sums[1]);
        sums[2] = add_high(even, event, sums[2]);
        sums[3] = add_high(odd, event, sums[3]);
    }
    return 4 * words;
}

static inline void add_pair(int32_t *sums, uint32_t word, uint32_t event)
{
    uint32_t weights = odd_weights(word), first = word & 0xff, second = word >> 16 & 0xff;
    sums[first] = add_low(weights, event, sums[first]);
    sums[second] = add_high(weights, event, sums[second]);
}

static uint32_t add_sparse(const struct projection *projection, uint32_t source, uint32_t event)
{
    const uint32_t *row = projection->rows + projection->starts[source];
    uint32_t words = projection->starts[source + 1] - projection->starts[source], left = words;
    int32_t *sums = projection->sums;
    for (; left >= 4; left -= 4, row += 4) {
        add_pair(sums, row[0], event);
        add_pair(sums, row[1], event);
        add_pair(sums, row[2], event);
        add_pair(sums, row[3], event);
    }
    for (; left; left--)
        add_pair(sums, *row++, event);
    return 2 * words;
}

uint32_t add_event(const struct projection *projections, uint32_t count, uint32_t event)
{
    uint32_t unit = event >> 16;
    for (; count; count--, projections++) {
        uint32_t source = unit - projections->first;
        if (source < projections->count)
            return projections->columns ? add_dense(projections, source, event) : add_sparse(projections, source, event);
    }
    return UINT32_MAX;
}

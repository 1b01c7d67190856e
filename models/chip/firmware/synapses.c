#include "synapses.h"

#include "roles.h"

static inline uint32_t add_dense(const struct projection *projection, uint32_t source, uint32_t event)
{
    uint32_t words = projection->columns / 4;
    const uint32_t *row = projection->rows + source * words;
    int32_t *sums = projection->sums;
    for (uint32_t left = words; left; left--)
        sums = add_four(sums, *row++, event);
    return 4 * words;
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

void add_rows(const struct projection *projections, uint32_t known, const uint32_t *events, uint32_t count)
{
    uint32_t synapses = 0, strangers = 0;
    for (const uint32_t *end = events + count; events < end; events++) {
        const struct projection *projection = projections;
        uint32_t left = known, source;
        while (left && (source = (*events >> 16) - projection->first) >= projection->count) {
            left--;
            projection++;
        }
        if (!left)
            strangers++;
        else if (projection->columns)
            synapses += add_dense(projection, source, *events);
        else
            synapses += add_sparse(projection, source, *events);
    }
    counters->synapses += synapses;
    counters->strangers += strangers;
}

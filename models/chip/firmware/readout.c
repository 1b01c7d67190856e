/* A slice of the read-out (models/chip/program.py, "The read-out"): classes or tokens, and the best of them. */
#include "arithmetic.h"
#include "roles.h"
#include "synapses.h"

struct candidate {
    int32_t target, logit;
};

/* The `best` targets with the largest logits, largest first, of equal ones the lower target first. */
static void rank(const int32_t *logits, struct candidate *best)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < parameters->units; i++) {
        if (found == parameters->best) {
            if (logits[i] <= best[found - 1].logit)
                continue;
        } else
            found++;
        uint32_t place = found - 1;
        for (; place && best[place - 1].logit < logits[i]; place--)
            best[place] = best[place - 1];
        best[place] = (struct candidate){(int32_t)(parameters->first + i), logits[i]};
    }
}

void readout_turn(void)
{
    uint32_t n = parameters->units;
    const int32_t *m = regions[REGION_UNITS], *b = m + n;
    int32_t *o = regions[REGION_STATE], *P = regions[REGION_SIGNALS], *p = P + n, *logits = p + n;
    uint32_t count, *events = receive(&count);
    counters->received += count;
    clear(P, n);
    add_rows(projections, parameters->projections, events, count);
    for (uint32_t i = 0; i < n; i++) {
        p[i] = scale(P[i], m[i]);
        o[i] = mix((int32_t)parameters->leak, o[i], p[i]);
        logits[i] = o[i] + b[i];
    }
    uint32_t width = n;
    const int32_t *result = logits;
    if (parameters->best) {
        rank(logits, regions[REGION_CANDIDATES]);
        result = regions[REGION_CANDIDATES];
        width = 2 * parameters->best;
    }
    int32_t *record = (int32_t *)regions[REGION_RECORD] + counters->steps % parameters->record * width;
    for (uint32_t i = 0; i < width; i++)
        record[i] = result[i];
}

/* A slice of the read-out (models/chip/program.py, "The read-out"): classes or tokens, and the best of them.
 *
 * The embedding of a language network is its read-out, so it is kept once: a token's row is its column of the dense rows here, and its scale
 * its multiplier 2^-21. A PE that holds tokens therefore has two turns a step: it answers a token with its row, and a few ticks later, when
 * the layers are done, it works out the logits. */
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

/* The row as graded events for layer 0. */
static void send_row(uint32_t token)
{
    const struct projection *rows = &projections[0];
    const int8_t *column = (const int8_t *)rows->rows + token;
    int32_t scale = ((const int32_t *)regions[REGION_UNITS])[token] >> SCALE_BITS;
    for (uint32_t index = 0; index < parameters->width; index++, column += rows->columns)
        if (*column)
            send(index, *column * scale);
    counters->synapses += parameters->width;
}

void token_turn(void)
{
    uint32_t count, *events = receive(&count), first = projections[parameters->projections].first;
    for (uint32_t index = 0; index < count; index++) {
        uint32_t token = (events[index] >> 16) - first;
        if (token < parameters->units) /* else of another PE: all of them hear every token */
            send_row(token);
    }
    counters->received += count;
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

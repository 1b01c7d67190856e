/* Embedding rows: a token arrives as an event, and its row leaves as graded events for layer 0. */
#include "roles.h"

/* REGION_ROWS: n rows of `width` int8, padded to words together; REGION_UNITS: the scale of every row. */
static void send_row(uint32_t event)
{
    uint32_t token = (event >> 16) - projections[0].first;
    if (token >= parameters->units)
        return; /* of another PE: all of them hear every token */
    const int8_t *row = (const int8_t *)regions[REGION_ROWS] + token * parameters->width;
    int32_t scale = ((const int32_t *)regions[REGION_UNITS])[token];
    for (uint32_t index = 0; index < parameters->width; index++)
        if (row[index])
            send(index, row[index] * scale);
    counters->synapses += parameters->width;
}

void embedding_turn(void)
{
    uint32_t count;
    const uint32_t *events = receive(&count);
    for (uint32_t index = 0; index < count; index++)
        send_row(events[index]);
    counters->received += count;
}

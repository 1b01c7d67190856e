/* The source: the network's input as events, from REGION_INPUT, step by step and round again. */
#include "arithmetic.h"
#include "platform.h"
#include "roles.h"

void source_turn(void)
{
    const uint32_t *input = regions[REGION_INPUT];
    uint32_t steps = input[0];
    if (!steps)
        return;
    const uint32_t *start = input + 1 + counters->steps % steps, *events = input + 2 + steps;
    for (uint32_t index = start[0]; index < start[1]; index++) {
        int32_t value = (int16_t)events[index];
        if (parameters->counts) /* a count has 16 bits without sign */
            value = features_table[(events[index] & 0xffff) < FEATURES_SIZE ? events[index] & 0xff : FEATURES_SIZE - 1];
        send(events[index] >> 16, value);
    }
}

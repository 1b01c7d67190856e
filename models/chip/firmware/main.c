/* The program of a PE: one image for all roles; the regions that the host sent say which one this PE has.
 *
 * Nothing runs but interrupts. Start (feed-through interrupt 0) sets the timer going. Reset (feed-through interrupt 1) forgets the state.
 * The timer gives ticks: on its turn, every `period` ticks from `phase` on, the PE takes the events received since its last turn as those
 * of its step, computes it, and sends (a read-out of tokens has a turn before, readout.c); layer l is one phase behind layer l - 1, and
 * what it sends itself it receives one turn later. The first turn after loading or a reset takes the last outputs from the state that the
 * host may have written, because nobody has sent them.
 * There is no other synchronisation on the chip, so a PE that is not done when the next tick is due has broken the contract: it counts and
 * logs that. */
#include "platform.h"
#include "roles.h"

const struct routing *routing;
const struct parameters *parameters;
const struct projection *projections;
struct counters *counters;
void *regions[REGIONS];

static const struct simulation *simulation;

static void (*const turns[])(void) = {source_turn, egru_turn, readout_turn};

void clear(int32_t *words, uint32_t count)
{
    while (count--)
        *words++ = 0;
}

uint32_t *receive(uint32_t *count)
{
    struct inbox *inbox = regions[REGION_RECEIVED];
    *count = platform_receive(inbox, parameters->receives);
    return inbox->events;
}

void send(uint32_t index, int32_t value)
{
    platform_send(routing, (routing->key + index) << 16 | (value & 0xffff));
    counters->sent++;
}

static bool find_regions(void)
{
    const struct specification *specification = (const struct specification *)SPECIFICATION_ADDRESS;
    if (specification->magic != SPECIFICATION_MAGIC || specification->version != SPECIFICATION_VERSION)
        return false;
    for (uint32_t index = 0; index < REGIONS; index++)
        regions[index] = (void *)specification->regions[index];
    routing = regions[REGION_ROUTING];
    simulation = regions[REGION_SIMULATION];
    parameters = regions[REGION_PARAMETERS];
    projections = regions[REGION_PROJECTIONS];
    counters = regions[REGION_COUNTERS];
    return true;
}

int main(void)
{
    platform_init();
    if (!find_regions()) {
        platform_log("there is no data specification of version ", SPECIFICATION_VERSION);
        return (int)0xdeadbeef;
    }
    ((struct inbox *)regions[REGION_RECEIVED])->count = 0;
    clear((int32_t *)counters, sizeof *counters / 4);
    if (simulation->role > ROLE_READOUT || !parameters->record || !simulation->period) {
        counters->failure = FAILURE_PARAMETERS;
        platform_log("the parameters make no sense for the role ", simulation->role);
        return (int)0xdeadbeef;
    }
    platform_wait(simulation->timer_period);
    return (int)0xcafebabe;
}

void on_start(void)
{
    platform_start();
}

void on_reset(void)
{
    platform_stop();
    uint32_t received;
    receive(&received);
    platform_rewind();
    clear((int32_t *)counters, sizeof *counters / 4);
    if (simulation->role == ROLE_EGRU)
        egru_forget();
    else if (simulation->role == ROLE_READOUT)
        clear(regions[REGION_STATE], parameters->units);
}

static bool is_due(uint32_t tick, uint32_t phase)
{
    return tick >= phase && (tick - phase) % simulation->period == 0;
}

void on_tick(void)
{
    uint32_t tick = platform_tick();
    if (tick >= simulation->ticks) {
        platform_stop();
        return;
    }
    if (is_due(tick, simulation->phase)) {
        turns[simulation->role]();
        uint32_t *done = regions[REGION_TIME_DONE];
        done[counters->steps++ % parameters->record] = platform_time_left();
    } else if (parameters->width && is_due(tick, TOKEN_PHASE))
        token_turn();
    else
        return;
    if (platform_is_late()) {
        counters->late++;
        counters->last_late = tick;
        platform_log("deadline missed in tick ", tick);
    }
}

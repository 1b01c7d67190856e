/* All that the firmware needs from the hardware: implemented for the emulated PE (platform_emulated.c) and, against the vendor's public
 * names, for SpiNNaker 2 (platform_spinnaker2.c). Nothing else in this folder touches a register. */
#ifndef PLATFORM_H
#define PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

struct inbox;
struct routing;

/* What the program does on an interrupt; called by the platform. */
void on_start(void);
void on_reset(void);
void on_tick(void);

/* Enables the FPU and the means of communication. */
void platform_init(void);
/* Sets the timer to `period` counts, enables the start and reset interrupts, and sleeps for ever. */
void platform_wait(uint32_t period);
/* Starts the timer; tick 0 is one period away. */
void platform_start(void);
/* Stops the timer. */
void platform_stop(void);
/* Tick that the present timer interrupt stands for, from 0 at `platform_start`. */
uint32_t platform_tick(void);
/* The next start begins with tick 0. */
void platform_rewind(void);
/* Counts left until the next tick. */
uint32_t platform_time_left(void);
/* True once the next tick is due although the present one is being handled: a missed deadline. */
bool platform_is_late(void);

/* Leaves the events received since the last call, at most `capacity`, in `inbox`, whose events are the program's until it sleeps; how many
 * they are. */
uint32_t platform_receive(struct inbox *inbox, uint32_t capacity);
/* Sends an event to all of `routing`'s targets. */
void platform_send(const struct routing *routing, uint32_t event);
/* Appends a sentence to the error log. */
void platform_log(const char *text, uint32_t number);

#endif

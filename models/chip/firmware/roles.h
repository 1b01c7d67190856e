/* What a PE can be. Each role does its turn: one step of its part of the network. */
#ifndef ROLES_H
#define ROLES_H

#include "layout.h"

/* The regions of this PE, found once by main.c. */
extern const struct routing *routing;
extern const struct parameters *parameters;
extern const struct projection *projections;
extern void *regions[REGIONS];
extern struct counters *counters;

void source_turn(void);  /* sends the events of the next step of REGION_INPUT */
void egru_turn(void);    /* adds the rows of the events received, updates the units, sends those that fired */
void readout_turn(void); /* adds the rows of the events received, updates the logits, finds the best */
void token_turn(void);   /* the other turn of a read-out of tokens: sends the embedding row of the token received, if it lives here */

/* Sets the state to that of a layer that has seen nothing. */
void egru_forget(void);

/* The events received since the last call, in a buffer that is the role's until the PE sleeps; `count` is how many they are. */
uint32_t *receive(uint32_t *count);
/* Sends unit `index` of this PE with `value`, which is not 0. */
void send(uint32_t index, int32_t value);
/* Fills `count` words with 0. */
void clear(int32_t *words, uint32_t count);

#endif

/* The memory of a processing element (PE) as host and firmware agree on it. models/chip/layout.py states the same numbers;
 * tests/models/chip/test_firmware.py compares the two files.
 *
 *   0x00000  ITCM 32 KiB     vector table, code, constants (gate tables): the image
 *   0x08000  DTCM, 4 KiB     variables of the firmware and, on a board, of the vendor's libraries
 *   0x09000                  error log: count of characters, then text
 *   0x09800                  data specification: magic, version, address of every region; then the regions, each 16-byte aligned
 *   0x1F000  4 KiB           stack, growing down from 0x20000
 *
 * Public programs for the chip leave 24 KiB for variables, of which theirs keep buffers; ours are regions, each as large as its PE needs it.
 * That the vendor's own variables fit 4 KiB is an assumption. A kit that needs more moves the two addresses, here and in layout.py.
 *
 * An event is one 32-bit word, because that is what a packet without payload can carry and what the vendor's receive callback hands
 * over: the unit in the upper 16 bits, which are the routing key, and its graded value as int16 in the lower 16.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#include <stdint.h>

#define ERROR_LOG_ADDRESS 0x09000
#define ERROR_LOG_BYTES 0x800
#define SPECIFICATION_ADDRESS 0x09800
#define SPECIFICATION_MAGIC 0xAD130AD6
#define SPECIFICATION_VERSION 0x00010000

enum region {
    REGION_ROUTING,     /* struct routing: where this PE's events go */
    REGION_SIMULATION,  /* struct simulation: clock, role and turn */
    REGION_PARAMETERS,  /* struct parameters */
    REGION_PROJECTIONS, /* struct projection [parameters.projections], and where width > 0 one of this PE's tokens, which have no rows */
    REGION_ROWS,        /* synaptic rows, their starts */
    REGION_UNITS,       /* constants of every unit or target, int32 */
    REGION_STATE,       /* egru: h int32 [n], y int16 of the whole layer; read-out: o int32 [n]. The host imports a state by writing it
                           before the first step, and exports it by reading h and this slice's part of y */
    REGION_SIGNALS,     /* egru: A Q a q [3n], z r g c [n]; read-out: P p logit [n]; int32, of the last step */
    REGION_CANDIDATES,  /* read-out: {target, logit} [best], best first */
    REGION_INPUT,       /* source: steps, start [steps + 1], event words */
    REGION_RECORD,      /* read-out: logits [n] or, where best > 0, candidates, of every step; a ring of parameters.record steps */
    REGION_TIME_DONE,   /* timer counts left after every step, a ring of parameters.record */
    REGION_COUNTERS,    /* struct counters */
    REGION_RECEIVED,    /* struct inbox: what came since the last turn */
    REGIONS
};

/* Phase in which a read-out of tokens answers one with its embedding row: the source sent it the tick before. */
#define TOKEN_PHASE 1

enum role { ROLE_SOURCE, ROLE_EGRU, ROLE_READOUT };

struct specification {
    uint32_t magic, version, regions[REGIONS];
};

struct routing {
    uint32_t key;     /* of this PE's first unit */
    uint32_t targets; /* words that follow: bytes quad x, quad y, PEs (bit 3 is PE 0), 0 */
    uint32_t target[];
};

struct simulation {
    uint32_t timer_period; /* clock counts a tick */
    uint32_t ticks;        /* how many to run */
    uint32_t role;
    uint32_t phase;  /* first tick with a step's work for this PE; a read-out answers a token's row before that */
    uint32_t period; /* ticks from one turn to the next */
};

struct parameters {
    uint32_t units;       /* n: units or targets of this PE */
    uint32_t first;       /* index of the first of them in the layer or the read-out */
    uint32_t projections; /* entries of REGION_PROJECTIONS with rows */
    uint32_t width;       /* read-out: numbers of a token's embedding row; 0: its targets are no tokens */
    uint32_t leak;        /* read-out: Q15 */
    uint32_t best;        /* read-out: candidates reported */
    uint32_t counts;      /* source: 1 if values are pixel counts to be taken through the table of features */
    uint32_t record;      /* steps that the rings hold, at least 1 */
    uint32_t receives;    /* events that can come in a turn: one from each of its sources */
};

/* The plan leaves room behind the parameters.receives events for as many as a projection with dense rows has sources (synapses.c). */
struct inbox {
    uint32_t count;
    uint32_t events[];
};

/* Synapses from one population of sources. Dense rows hold a weight for every column, padded to words. Sparse rows hold synapses of 16
 * bits, column | weight << 8, two a word; `starts` [count + 1] (uint16) are their first words. */
struct projection {
    uint32_t first;   /* key of the first source */
    uint32_t count;   /* sources */
    uint32_t columns; /* of a dense row, rounded up to a multiple of 4; 0: sparse */
    const uint16_t *starts;
    const uint32_t *rows;
    int32_t *sums; /* where the products are added */
};

struct counters {
    uint32_t steps;
    uint32_t received; /* events */
    uint32_t strangers; /* of them from a source this PE does not know: a routing fault */
    uint32_t sent;
    uint32_t synapses; /* weights added, padding included, or answered (readout.c) */
    uint32_t late;     /* deadlines missed */
    uint32_t last_late; /* tick of the last one */
    uint32_t failure;  /* 0, or why the firmware stopped */
};

enum failure { FAILURE_NONE, FAILURE_PARAMETERS };

#endif

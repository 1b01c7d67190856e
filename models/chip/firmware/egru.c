/* A slice of an EGRU layer (models/chip/program.py, "A layer"). */
#include "arithmetic.h"
#include "roles.h"
#include "synapses.h"

#define OWN_PROJECTION 1 /* projection 0 is of the layer below or the input */

/* Constants and signals of this slice's n units; vectors of 3n are in the order z, r, g. */
struct units {
    const int32_t *mx, *mh, *b, *d, *theta;
    int32_t *h;
    int16_t *y; /* of this slice */
    int32_t *A, *Q, *a, *q, *z, *r, *g, *c;
};

/* y of the whole layer, of which only this slice's part is kept up to date. */
static int16_t *layer_outputs(uint32_t n)
{
    return (int16_t *)((int32_t *)regions[REGION_STATE] + n);
}

static struct units units_of(uint32_t n)
{
    const int32_t *constants = regions[REGION_UNITS];
    int32_t *state = regions[REGION_STATE], *signals = regions[REGION_SIGNALS];
    return (struct units){
        .mx = constants, .mh = constants + 3 * n, .b = constants + 6 * n, .d = constants + 9 * n, .theta = constants + 12 * n,
        .h = state, .y = layer_outputs(n) + parameters->first,
        .A = signals, .Q = signals + 3 * n, .a = signals + 6 * n, .q = signals + 9 * n,
        .z = signals + 12 * n, .r = signals + 13 * n, .g = signals + 14 * n, .c = signals + 15 * n,
    };
}

static void update(const struct units *u, uint32_t j, uint32_t n)
{
    int32_t z = curve(sigmoid_table, u->a[j] + u->q[j]);
    int32_t r = curve(sigmoid_table, u->a[n + j] + u->q[n + j]);
    int32_t g = curve(tanh_table, u->a[2 * n + j] + ((r * CLAMP(u->q[2 * n + j], 17) + 16384) >> 15));
    int32_t c = mix(z, u->h[j], g * 256);
    u->z[j] = z;
    u->r[j] = r;
    u->g[j] = g;
    u->c[j] = c;
    if (c > u->theta[j]) {
        int32_t y = (c + 128) >> 8;
        u->y[j] = (int16_t)y;
        u->h[j] = c - u->theta[j];
        if (y)
            send(j, y);
    } else {
        u->y[j] = 0;
        u->h[j] = c;
    }
}

/* Appends the last step's outputs to the `count` events of the first step, because the state came from the host and nobody has sent them. */
static uint32_t resume(uint32_t n, uint32_t *events, uint32_t count)
{
    int16_t *y = layer_outputs(n);
    const struct projection *own = &projections[OWN_PROJECTION];
    for (uint32_t k = 0; k < own->count; k++)
        if (y[k]) {
            events[count++] = (own->first + k) << 16 | (uint16_t)y[k];
            y[k] = 0;
        }
    return count;
}

void egru_turn(void)
{
    uint32_t n = parameters->units, count, *events = receive(&count);
    struct units u = units_of(n);
    counters->received += count;
    if (!counters->steps)
        count = resume(n, events, count);
    clear(u.A, 6 * n);
    add_rows(projections, parameters->projections, events, count);
    for (uint32_t j = 0; j < 3 * n; j++) {
        u.a[j] = scale(u.A[j], u.mx[j]) + u.b[j];
        u.q[j] = scale(u.Q[j], u.mh[j]) + u.d[j];
    }
    for (uint32_t j = 0; j < n; j++)
        update(&u, j, n);
}

void egru_forget(void)
{
    uint32_t n = parameters->units;
    clear(regions[REGION_STATE], n + (projections[OWN_PROJECTION].count + 1) / 2);
}

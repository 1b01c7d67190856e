/* SpiNNaker 2, by the names of its vendor's library that public programs use (s2-lib, spike-comms-lib; see README, "On a board").
 * Never compiled here: the kit is not public as a whole. `make` builds this platform where S2_LIBS points to it and says so where not.
 *
 * Start-up code, vector table and register map come with the kit; its interrupt handlers call ours. An event goes to each target quad of
 * REGION_ROUTING in turn, sent over the network on chip without a router entry.
 *
 * Assumed of the linker script: the variables of the libraries and of this program end below ERROR_LOG_ADDRESS, and the stack is where
 * layout.h has it. The error log lies at its address and in no section, because public scripts have a section for it at 0xE000, where our
 * regions are. */
#include <comms.h>
#include <s2app.h>
#include <spike_comms_common.h>
#include <spinn2.h>
#include <synch_helper.h>

#include "spinn_log.h"

#include "layout.h"
#include "platform.h"

#define TIMER_START 0xE2 /* enabled, periodic, interrupt, 32 bits */
#define FEEDTHROUGH_BOTH 3
#define NEVER UINT32_MAX
#define SEND_READY 0x80000000
#define SEND_KEY_ONLY 0xE

static uint32_t tick = NEVER;

static void enable(IRQn_Type interrupt)
{
    NVIC_SetPriority(interrupt, (1UL << __NVIC_PRIO_BITS) - 2UL);
    NVIC_EnableIRQ(interrupt);
}

void Timer_Int1_Handler(void)
{
    timer[TIMER1_INT_CLR] = 0xFFFFFFFF;
    tick++;
    on_tick();
}

void FT_INT_0_Handler(void)
{
    NVIC_ClearPendingIRQ(FT_INT_0_IRQn);
    on_start();
}

void FT_INT_1_Handler(void)
{
    NVIC_ClearPendingIRQ(FT_INT_1_IRQn);
    on_reset();
}

void platform_init(void)
{
    SCB->CPACR |= 0xFUL << 20; /* the FPU, as in platform_emulated.c */
    __DSB();
    __ISB();
    comms_init();
    error_log_init((volatile uint32_t *)ERROR_LOG_ADDRESS, ERROR_LOG_BYTES - 4);
}

void platform_wait(uint32_t period)
{
    uint32_t id = getMyPEID();
    timer[TIMER1_CTL] = 0;
    timer[TIMER1_LOAD] = period;
    set_mask_feedthrough_irq(id >> 5 & 7, id >> 2 & 7, id & 3, FEEDTHROUGH_BOTH);
    enable(FT_INT_0_IRQn);
    enable(FT_INT_1_IRQn);
    for (;;)
        __WFI();
}

void platform_start(void)
{
    timer[TIMER1_CTL] = TIMER_START;
    enable(Timer_Int1_IRQn);
}

void platform_stop(void)
{
    timer[TIMER1_CTL] = 0;
}

uint32_t platform_tick(void)
{
    return tick;
}

void platform_rewind(void)
{
    tick = NEVER;
}

uint32_t platform_time_left(void)
{
    return timer[TIMER1_VALUE];
}

bool platform_is_late(void)
{
    return timer[TIMER1_INT_STATUS] != 0;
}

static struct inbox *filling;
static uint32_t room;

static void keep(uint32_t event)
{
    if (filling->count < room)
        filling->events[filling->count++] = event;
}

uint32_t platform_receive(struct inbox *inbox, uint32_t capacity)
{
    filling = inbox;
    room = capacity;
    inbox->count = 0;
    receive_spikes(keep);
    return inbox->count;
}

void platform_send(const struct routing *routing, uint32_t event)
{
    for (uint32_t index = 0; index < routing->targets; index++) {
        uint32_t target = routing->target[index], x = target & 0xff, y = target >> 8 & 0xff, pes = target >> 16 & 0xff;
        uint32_t control = 3u << 29 | COMMS_TCR_TYPE_SPINN | COMMS_TCR_SPINN_FROUTE_NONE;
        control |= x << COMMS_TCR_DEST_X_SHIFT & COMMS_TCR_DEST_X_MASK;
        control |= y << COMMS_TCR_DEST_Y_SHIFT & COMMS_TCR_DEST_Y_MASK;
        control |= pes << COMMS_TCR_DEST_P_SHIFT & COMMS_TCR_DEST_P_MASK;
        comms[COMMS_TCR_A] = control;
        comms[COMMS_TCTL] = SEND_KEY_ONLY;
        while (!(comms[COMMS_TCTL] & SEND_READY))
            ;
        comms[COMMS_TKR_A] = event;
    }
}

void platform_log(const char *text, uint32_t number)
{
    log_error("%s%u\n", text, (unsigned)number);
}

/* The emulated PE (models/chip/emulator.py): a Cortex-M4F, the vector table, and devices of which only what SpiNNaker 2 is publicly known to
 * have is used: a timer with the registers of ARM's SP804, packets of 32 bits gathered in memory while the program sleeps, and a
 * packet sender. The interrupts are delivered by the emulator through the vector table. */
#include "layout.h"
#include "platform.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))

#define CPACR REGISTER(0xE000ED88) /* ARMv7-M: coprocessor access control */
#define FPU_FULL_ACCESS (0xFu << 20)

#define TIMER_LOAD REGISTER(0xE1000000)
#define TIMER_VALUE REGISTER(0xE1000004)
#define TIMER_CONTROL REGISTER(0xE1000008)
#define TIMER_CLEAR REGISTER(0xE100000C)
#define TIMER_RAW_STATUS REGISTER(0xE1000010)
#define TIMER_START 0xE2 /* enabled, periodic, interrupt, 32 bits */

#define TICK REGISTER(0xE2000000) /* timer interrupts since the start, less one */
#define SEND_COUNT REGISTER(0xE2000004)
#define SEND_EVENTS ((volatile uint32_t *)0xE2000008)

int main(void);

extern uint32_t bss_start, bss_end, stack_top;

void reset_handler(void);
void reset_handler(void)
{
    for (volatile uint32_t *word = &bss_start; word < &bss_end; word++)
        *word = 0;
    main();
    for (;;)
        __asm__ volatile("wfi");
}

static void fault_handler(void)
{
    uint32_t exception;
    __asm__ volatile("mrs %0, ipsr" : "=r"(exception));
    platform_log("fault, exception ", exception);
    __asm__ volatile("bkpt 0");
    for (;;)
        ;
}

static void start_handler(void)
{
    on_start();
}

static void reset_state_handler(void)
{
    on_reset();
}

static void timer_handler(void)
{
    TIMER_CLEAR = 0xFFFFFFFF;
    on_tick();
}

/* Stack, the exceptions of ARMv7-M, and from 16 on the interrupts: feed-through 0, feed-through 1, timer. */
__attribute__((section(".vectors"), used)) static const void *const vectors[] = {
    &stack_top,    reset_handler, fault_handler, fault_handler, fault_handler, fault_handler, fault_handler, 0,
    0,             0,             0,             fault_handler, fault_handler, 0,             fault_handler, fault_handler,
    start_handler, reset_state_handler, timer_handler,
};

/* No floating point is computed (the arithmetic is of integers throughout), but the FPU is switched on before anything else, as silicon
 * requires of every program built for the hard-float ABI: a compiler may use its registers for copies. */
void platform_init(void)
{
    CPACR |= FPU_FULL_ACCESS;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    REGISTER(ERROR_LOG_ADDRESS) = 0;
    SEND_COUNT = 0;
}

void platform_wait(uint32_t period)
{
    TIMER_CONTROL = 0;
    TIMER_LOAD = period;
    for (;;)
        __asm__ volatile("wfi");
}

void platform_start(void)
{
    TIMER_CONTROL = TIMER_START;
}

void platform_stop(void)
{
    TIMER_CONTROL = 0;
}

uint32_t platform_tick(void)
{
    return TICK;
}

void platform_rewind(void)
{
    TICK = 0;
}

uint32_t platform_time_left(void)
{
    return TIMER_VALUE;
}

bool platform_is_late(void)
{
    return TIMER_RAW_STATUS != 0;
}

/* The emulator puts events into the region while the program sleeps, and stops where there are more than `capacity`. */
uint32_t platform_receive(struct inbox *inbox, uint32_t capacity)
{
    (void)capacity;
    uint32_t count = inbox->count;
    inbox->count = 0;
    return count;
}

/* One packet: the emulated router brings it to everybody whom the routing table names, so the list of targets is not needed. */
void platform_send(const struct routing *routing, uint32_t event)
{
    (void)routing;
    SEND_EVENTS[SEND_COUNT++] = event;
}

static void log_character(char character)
{
    uint32_t count = REGISTER(ERROR_LOG_ADDRESS);
    if (count < ERROR_LOG_BYTES - 4) {
        ((volatile char *)ERROR_LOG_ADDRESS)[4 + count] = character;
        REGISTER(ERROR_LOG_ADDRESS) = count + 1;
    }
}

void platform_log(const char *text, uint32_t number)
{
    char digits[10];
    uint32_t count = 0;
    while (*text)
        log_character(*text++);
    do
        digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    while (count)
        log_character(digits[--count]);
    log_character('\n');
}

/* The names of s2app.h and what it includes that public SpiNNaker 2 programs use; values are of no meaning. */
#pragma once
#include <stdint.h>
extern volatile uint32_t timer[], comms[];
enum { TIMER1_LOAD, TIMER1_VALUE, TIMER1_CTL, TIMER1_INT_CLR, TIMER1_INT_STATUS };
typedef enum { FT_INT_0_IRQn, FT_INT_1_IRQn, Timer_Int1_IRQn } IRQn_Type;
#define __NVIC_PRIO_BITS 3
void NVIC_SetPriority(IRQn_Type interrupt, uint32_t priority);
void NVIC_EnableIRQ(IRQn_Type interrupt);
void NVIC_ClearPendingIRQ(IRQn_Type interrupt);
uint32_t getMyPEID(void);
void set_mask_feedthrough_irq(uint32_t x, uint32_t y, uint32_t pe, uint32_t mask);
void __WFI(void);
void __DSB(void);
void __ISB(void);
typedef struct {
    volatile uint32_t CPACR;
} SCB_Type;
extern SCB_Type *SCB;

#pragma once
#include <stdint.h>
void comms_init(void);
void receive_spikes(void (*callback)(uint32_t key));

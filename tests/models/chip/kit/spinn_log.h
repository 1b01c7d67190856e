#pragma once
#include <stdint.h>
void error_log_init(volatile uint32_t *words, uint32_t bytes);
void log_error(const char *format, ...);

/*
 * core/confine - limits that a process sets to itself before it reads hostile bytes.
 *
 * For children that parse what came from outside: they are forked, confine themselves, and may
 * then crash, loop or swallow memory without harm to the parent.
 */
#ifndef CORE_CONFINE_H
#define CORE_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Dies with its parent, leaves no core file. */
void confine_orphan(void);
/* Address space: what is mapped now and `more` bytes besides (RLIMIT_AS). Allocations beyond fail.
 * Nothing under AddressSanitizer and ThreadSanitizer, which map terabytes. */
void confine_memory(uint64_t more);
/* Seconds of processor time, then SIGXCPU (RLIMIT_CPU). */
void confine_time(uint64_t seconds);
/* stdout and stderr, stdin too when `input`, become /dev/null: libraries complain there. */
void confine_quiet(bool input);

#endif

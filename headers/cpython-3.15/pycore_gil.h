/*
 * The GIL.
 * Facts: Include/internal/pycore_gil.h, v3.15.2.
 */
#ifndef PYFLAME_CPYTHON_3_15_PYCORE_GIL_H
#define PYFLAME_CPYTHON_3_15_PYCORE_GIL_H

#include "object.h"

/* A pthread_mutex_t, in words. glibc makes it longer on aarch64. */
#ifdef __aarch64__
#define MUTEX_WORDS 6
#else
#define MUTEX_WORDS 5
#endif

typedef struct _gil_runtime_state {
#ifdef Py_GIL_DISABLED
    /* 0: this interpreter runs without it, as it mostly does. */
    int enabled;
#endif
    /* In microseconds. */
    unsigned long interval;
    /* The thread state that holds the GIL or held it last. */
    PyThreadState *last_holder;
    /* 1: held, 0: free, -1: not initialised. */
    int locked;
    unsigned long switch_number;
    void *unread_cond[6];
    void *unread_mutex[MUTEX_WORDS];
    void *unread_switch_cond[6];
    void *unread_switch_mutex[MUTEX_WORDS];
} _gil_runtime_state;

#endif

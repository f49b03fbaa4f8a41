/*
 * The tagged pointers of an interpreter frame.
 * Facts: Include/internal/pycore_stackref.h and pycore_structs.h, v3.14.10.
 */
#ifndef PYFLAME_CPYTHON_3_14_PYCORE_STACKREF_H
#define PYFLAME_CPYTHON_3_14_PYCORE_STACKREF_H

#include "object.h"

/*
 * The bits of a stack reference that are no part of the pointer.
 * 1 marks a reference that is not counted, 3 an integer that is no pointer.
 */
enum {
    Py_TAG_REFCNT = 1,
    Py_INT_TAG = 3,
#ifdef Py_GIL_DISABLED
    Py_TAG_BITS = 1
#else
    Py_TAG_BITS = 3
#endif
};

typedef struct _PyStackRef {
    uintptr_t bits;
} _PyStackRef;

#endif

/*
 * The tagged pointers of an interpreter frame.
 * Facts: Include/internal/pycore_stackref.h and pycore_structs.h, v3.15.2.
 */
#ifndef PYFLAME_CPYTHON_3_15_PYCORE_STACKREF_H
#define PYFLAME_CPYTHON_3_15_PYCORE_STACKREF_H

#include "object.h"

/*
 * The bits of a stack reference that are no part of the pointer.
 * 1 marks a reference that is not counted, 3 an integer that is no pointer.
 */
enum {
    Py_TAG_REFCNT = 1,
    Py_INT_TAG = 3,
    Py_TAG_BITS = 3
};

typedef struct _PyStackRef {
    uintptr_t bits;
} _PyStackRef;

#endif

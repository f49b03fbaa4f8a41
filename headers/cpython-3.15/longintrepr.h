/*
 * int.
 * Facts: Include/cpython/longintrepr.h, v3.15.2.
 */
#ifndef PYFLAME_CPYTHON_3_15_LONGINTREPR_H
#define PYFLAME_CPYTHON_3_15_LONGINTREPR_H

#include "object.h"

typedef uint32_t digit;

typedef struct _PyLongValue {
    /* Bits 0 and 1: 0 positive, 1 zero, 2 negative; from bit 3 on the number of digits. */
    uintptr_t lv_tag;
    /* 30 bits each, the lowest first. */
    digit ob_digit[1];
} _PyLongValue;

typedef struct PyLongObject {
    PyObject ob_base;
    _PyLongValue long_value;
} PyLongObject;

#endif

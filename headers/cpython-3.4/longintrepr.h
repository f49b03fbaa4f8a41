/*
 * int.
 * Facts: Include/longintrepr.h, v3.4.10.
 */
#ifndef PYFLAME_CPYTHON_3_4_LONGINTREPR_H
#define PYFLAME_CPYTHON_3_4_LONGINTREPR_H

#include "object.h"

/* 15 bits in two bytes where Python was configured so. */
typedef unsigned int digit;

typedef struct PyLongObject {
    /* ob_size: the number of digits, negative for a negative number. */
    PyVarObject ob_base;
    /* The lowest first. */
    digit ob_digit[1];
} PyLongObject;

#endif

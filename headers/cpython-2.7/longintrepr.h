/*
 * long.
 * Facts: Include/longintrepr.h, v2.7.18.
 */
#ifndef PYFLAME_CPYTHON_2_7_LONGINTREPR_H
#define PYFLAME_CPYTHON_2_7_LONGINTREPR_H

#include "object.h"

/* 15 bits in two bytes where Python was configured so. */
typedef unsigned int digit;

typedef struct PyLongObject {
    OBJECT_HEAD
    Py_ssize_t ob_size;
    /* The lowest first. */
    digit ob_digit[1];
} PyLongObject;

#endif

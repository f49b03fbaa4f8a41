/*
 * A variable that functions share.
 * Facts: Include/cellobject.h, v3.7.16.
 */
#ifndef PYFLAME_CPYTHON_3_7_CELLOBJECT_H
#define PYFLAME_CPYTHON_3_7_CELLOBJECT_H

#include "object.h"

typedef struct PyCellObject {
    PyObject ob_base;
    /* Null: the variable has no value. */
    PyObject *ob_ref;
} PyCellObject;

#endif

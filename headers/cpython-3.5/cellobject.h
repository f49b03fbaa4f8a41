/*
 * A variable that functions share.
 * Facts: Include/cellobject.h, v3.5.10.
 */
#ifndef PYFLAME_CPYTHON_3_5_CELLOBJECT_H
#define PYFLAME_CPYTHON_3_5_CELLOBJECT_H

#include "object.h"

typedef struct PyCellObject {
    PyObject ob_base;
    /* Null: the variable has no value. */
    PyObject *ob_ref;
} PyCellObject;

#endif

/*
 * int.
 * Facts: Include/intobject.h, v2.7.18.
 */
#ifndef PYFLAME_CPYTHON_2_7_INTOBJECT_H
#define PYFLAME_CPYTHON_2_7_INTOBJECT_H

#include "object.h"

typedef struct PyIntObject {
    OBJECT_HEAD
    long ob_ival;
} PyIntObject;

#endif

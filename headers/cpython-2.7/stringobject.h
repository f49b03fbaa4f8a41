/*
 * str: bytes, used for names and file names.
 * Facts: Include/stringobject.h, v2.7.18.
 */
#ifndef PYFLAME_CPYTHON_2_7_STRINGOBJECT_H
#define PYFLAME_CPYTHON_2_7_STRINGOBJECT_H

#include "object.h"

typedef struct PyStringObject {
    OBJECT_HEAD
    Py_ssize_t ob_size;
    long ob_shash;
    int ob_sstate;
    /* ob_size bytes and a closing zero start here. */
    char ob_sval[1];
} PyStringObject;

#endif

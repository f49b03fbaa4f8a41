/*
 * bytes: line tables and the kinds of local variables.
 * Facts: Include/cpython/bytesobject.h, v3.14.10.
 */
#ifndef PYFLAME_CPYTHON_3_14_BYTESOBJECT_H
#define PYFLAME_CPYTHON_3_14_BYTESOBJECT_H

#include "object.h"

typedef struct PyBytesObject {
    PyVarObject ob_base;
    Py_hash_t ob_shash;
    /* ob_size bytes and a closing zero start here. */
    char ob_sval[1];
} PyBytesObject;

#endif

/*
 * bytes: line tables and, up to 3.10, bytecode.
 * Facts: Include/bytesobject.h, v3.6.15.
 */
#ifndef PYFLAME_CPYTHON_3_6_BYTESOBJECT_H
#define PYFLAME_CPYTHON_3_6_BYTESOBJECT_H

#include "object.h"

typedef struct PyBytesObject {
    PyVarObject ob_base;
    Py_hash_t ob_shash;
    /* ob_size bytes and a closing zero start here. */
    char ob_sval[1];
} PyBytesObject;

#endif

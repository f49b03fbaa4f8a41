/*
 * module, up to its dictionary.
 * Facts: Include/internal/pycore_moduleobject.h, v3.11.7.
 */
#ifndef PYFLAME_CPYTHON_3_11_PYCORE_MODULEOBJECT_H
#define PYFLAME_CPYTHON_3_11_PYCORE_MODULEOBJECT_H

#include "object.h"

/* Up to the last field needed. */
typedef struct PyModuleObject {
    PyObject ob_base;
    PyObject *md_dict;
} PyModuleObject;

#endif

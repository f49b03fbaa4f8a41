/*
 * All layouts of a free-threaded CPython 3.15.
 * Facts: as in the headers of 3.15, where CPython asks for Py_GIL_DISABLED too.
 */
#define Py_GIL_DISABLED 1
#include "../cpython-3.15/layout.h"

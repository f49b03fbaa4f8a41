/*
 * All layouts of a free-threaded CPython 3.13.
 * Facts: as in the headers of 3.13, where CPython asks for Py_GIL_DISABLED too.
 */
#define Py_GIL_DISABLED 1
#include "../cpython-3.13/layout.h"

/* All layouts of CPython 3.8. */
#include "object.h"
#include "bytesobject.h"
#include "unicodeobject.h"
#include "code.h"
#include "frameobject.h"
#include "pystate.h"
#include "pycore_gil.h"
#include "pycore_pystate.h"

/* All layouts of CPython 3.4. */
#include "object.h"
#include "bytesobject.h"
#include "unicodeobject.h"
#include "code.h"
#include "frameobject.h"
#include "pystate.h"

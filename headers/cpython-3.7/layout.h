/* All layouts of CPython 3.7. */
#include "object.h"
#include "bytesobject.h"
#include "unicodeobject.h"
#include "code.h"
#include "frameobject.h"
#include "pystate.h"
#include "internal/gil.h"
#include "internal/pystate.h"

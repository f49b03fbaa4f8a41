/* All layouts of CPython 2.7. */
#include "object.h"
#include "stringobject.h"
#include "code.h"
#include "frameobject.h"
#include "pystate.h"

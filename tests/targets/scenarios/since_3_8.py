"""Assignment expressions, positional-only arguments, code without a line table."""

import sys

from truth import checkpoint, scenario


@scenario("assignment-expressions")
def assignment_expressions():
    def positional(a, /, b, *, c):
        return checkpoint()

    if (x := checkpoint()) is None and [
        y := 1,
        x := checkpoint(),
    ]:
        positional(1, b=y, c=x)
    return f"{checkpoint()=}"


@scenario("no-line-table", warm=False)
def no_line_table():
    """Code whose line table is empty: every line is the first one, or none."""

    def f():

        return checkpoint()

    code = f.__code__
    table = "co_linetable" if hasattr(code, "co_linetable") else "co_lnotab"
    if sys.version_info < (3, 10):
        exec(code.replace(co_lnotab=b""), {"checkpoint": checkpoint})
    else:
        exec(code.replace(co_linetable=b""), {"checkpoint": checkpoint})

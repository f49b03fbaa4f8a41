"""Line numbers: statements over many lines, far jumps, jumps back.

The indentation and the line ends of this file are what it tests: leave them."""

import sys

from truth import checkpoint, scenario


def ignore(*args, **named):
    return named.get("value")


@scenario("statements-over-many-lines")
def statements_over_many_lines():
    ignore(
        1,
        len("a"),
        checkpoint(),
        key=
        checkpoint(
            2
        ),
    )
    x = [
        1,
        checkpoint(),
        [
            checkpoint(
            )
            for _ in (
                1,
            )
        ],
    ]
    x = {
        "a":
            checkpoint(),
        checkpoint():
            1,
    }
    x = (1 +
         len("abc")
         * (checkpoint()
            or 2)
         + 3)
    x = ("text"
         "and more %s"
         %
         checkpoint())
    return (
        x,
        checkpoint(),
    )


@scenario("lines-that-go-back")
def lines_that_go_back():
    checkpoint(
        ignore(
            1),
        ignore(
            2),
    )
    (ignore
     (value=ignore)
     (value=
      checkpoint)
     ())
    (checkpoint() if
     not ignore()
     else 1)
    assert (
        checkpoint() is None
    ), (
        "no"
    )
    while (
        checkpoint() or
        ignore(value=0)
    ):
        pass
    for _ in (
        checkpoint(),
        2,
    ):
        continue
    del (_
         )


@scenario("loops")
def loops():
    n = 2
    while n:
        n -= 1
        if n:
            checkpoint()
        else:
            checkpoint(); n = 0
    else:
        checkpoint()
    for i in range(3):
        if i == 1:
            continue
        checkpoint(); checkpoint()
        if i == 2: checkpoint(); break
    for i, x in enumerate(
            (y or i for i, y in ((1, checkpoint()),)
             if checkpoint() is None)):
        checkpoint()


@scenario("default-arguments")
def default_arguments():
    def decorate(*args):
        return lambda f: f

    @decorate(
        checkpoint(),
    )
    @decorate(1,
              checkpoint())
    def inner(
        a=1,
        b=checkpoint(),
        c=
        checkpoint(),
    ):
        pass

    @decorate(checkpoint())
    class Inner(
        checkpoint() or
        ignore(value=dict),
    ):
        x = (
            checkpoint()
        )


def compiled(name, source):
    """Runs `f` of a generated source."""
    space = {"checkpoint": checkpoint}
    exec(compile(source, name, "exec"), space)
    space["f"]()


GAPS = (1, 2, 15, 16, 31, 63, 64, 126, 127, 128, 129, 254, 255, 256, 257, 300, 510, 511, 1000, 70000)


@scenario("far-lines", warm=False)
def far_lines():
    for gap in GAPS:
        compiled("<gap of %d>" % gap, "def f():\n    x = 1" + "\n" * gap + "    checkpoint()\n")
    for gap in GAPS:
        source = "def f():\n    checkpoint(1," + "\n" * gap + "    len('a'),\n  checkpoint()\n)\n    checkpoint()\n"
        compiled("<gap of %d and back>" % gap, source)
    compiled("<late>", "\n" * 100000 + "def f():\n    checkpoint()\n")


@scenario("far-instructions", warm=False)
def far_instructions():
    """Lines of much code, lines after much code, jumps that need more than a byte."""
    for n in (20, 60, 130, 400, 20000):
        line = "    y = [" + "x, " * n + "]\n"
        compiled("<%d on a line>" % n, "def f(x=1):\n" + line + "    checkpoint()\n" + line * 2 + "    checkpoint()\n")
        call = "    checkpoint([" + "x, " * n + "])\n"
        compiled("<call with %d>" % n, "def f(x=1):\n" + call)
    for n in (300, 20000):
        source = "def f(x=1):\n    while x:\n" + "        y = x\n" * n + "        checkpoint()\n        x = 0\n    checkpoint()\n"
        compiled("<%d lines in a loop>" % n, source)
    names = "".join("    v%d = x\n" % i for i in range(700))
    compiled("<700 variables>", "def f(x=1):\n" + names + "    v699 = checkpoint()\n")


@scenario("columns", warm=False)
def columns():
    """Columns do not matter for lines, but share their table since 3.11."""
    for n in (1, 79, 80, 127, 128, 129, 255, 256, 300, 5000):
        pad = " " * n
        compiled("<column %d>" % n, "def f():\n    x = (%scheckpoint(),%s\n%scheckpoint())\n" % (pad, pad, pad))


@scenario("semicolons")
def semicolons():
    checkpoint(); checkpoint(); ignore(checkpoint()); return checkpoint()


@scenario("continued-lines")
def continued_lines():
    x = 1 + \
        len("a") + \
        (checkpoint() or 1) \
        + 1
    if x and \
            checkpoint() is None \
            and x:
        return \
            checkpoint()


@scenario("strings-over-many-lines")
def strings_over_many_lines():
    checkpoint("""
    one
    two
    """, checkpoint("""
    three"""), """
    """); checkpoint()


@scenario("optimised-away")
def optimised_away():
    if 0:
        ignore()
    elif checkpoint():
        pass
    while 1:
        checkpoint()
        if not (
            False or
            checkpoint()
        ):
            break
    if __debug__:
        checkpoint()
    not_taken = 1 if sys.maxsize < 0 else checkpoint()
    return not_taken

"""Plain calls, and calls that come from C code."""

import functools
import re
import sys

from truth import checkpoint, scenario


def recurse(depth):
    if depth > 1:
        return recurse(depth - 1)
    checkpoint()


@scenario("recursion-5")
def recursion_5():
    recurse(5)


@scenario("recursion-1000")
def recursion_1000():
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(3000)
    try:
        recurse(1000)
    finally:
        sys.setrecursionlimit(limit)


def even(n):
    return odd(n - 1) if n else checkpoint()


def odd(n):
    return even(n - 1)


@scenario("mutual-recursion")
def mutual_recursion():
    even(40)


@scenario("lambdas")
def lambdas():
    twice = lambda f: (f(), f())
    (lambda: (lambda: twice(lambda: checkpoint()))())()


def many(a, b=2, *rest, **named):
    return checkpoint()


@scenario("arguments")
def arguments():
    many(1)
    many(1, 2, 3, 4, five=5)
    many(*range(9), **{"ten": 10})
    functools.partial(many, 1, key=2)()


def wrapped(function):
    @functools.wraps(function)
    def wrapper(*args, **named):
        return function(*args, **named)

    return wrapper


@wrapped
@wrapped
def decorated(n):
    return checkpoint(n)


@scenario("decorated")
def call_decorated():
    decorated(1)


@scenario("decorating")
def decorating():
    def decorator(function):
        checkpoint()
        return function

    @decorator
    @decorator
    def inner():
        pass


@scenario("closures")
def closures():
    def outer(n):
        def middle():
            def inner():
                return checkpoint(n)

            return inner()

        return middle()

    outer(1)


@scenario("comprehensions")
def comprehensions():
    [checkpoint(x) for x in (1,)]
    {checkpoint(x) for x in (1,)}
    {x: checkpoint(x) for x in (1,)}
    list(checkpoint(x) for x in (1,))
    [[checkpoint(y) for y in (x,)] for x in (1,)]
    [x for x in (1,) if checkpoint(x) is None if [y for y in (1,)]]
    sum(sum(y or 0 for y in (checkpoint(x),)) for x in (1,))


class Compared(object):
    def __init__(self, value):
        self.value = value

    def __lt__(self, other):
        checkpoint()
        return self.value < other.value


@scenario("callbacks-from-c")
def callbacks_from_c():
    key = lambda x: checkpoint() or x
    sorted([1], key=key)
    [1].sort(key=key)
    min(1, 2, key=key)
    sorted([2, 1], key=functools.cmp_to_key(lambda a, b: checkpoint() or a - b))
    sorted([Compared(2), Compared(1)])
    list(map(key, [1]))
    list(filter(key, [1]))
    functools.reduce(lambda a, b: checkpoint() or a + b, [1, 2])
    re.sub("x", lambda match: checkpoint() or "y", "axa")
    next(iter(key, None), key(1)) if False else next(iter(lambda: key(2), None))
    "".join(checkpoint() or "x" for _ in (1,))


@scenario("callbacks-in-callbacks")
def callbacks_in_callbacks():
    def nest(depth):
        if depth:
            return sorted([depth], key=lambda x: list(map(nest, [x - 1])))
        return checkpoint()

    nest(6)


@scenario("exec-and-eval")
def exec_and_eval():
    space = {"checkpoint": checkpoint}
    eval("checkpoint()", space)
    exec("checkpoint()", space)
    exec(compile("def f():\n\n    return checkpoint()\n\n\nf()\n", "<string>", "exec"), space)
    exec(compile("eval('f()')", "<stdin>", "single"), space)
    eval(compile("[f() for x in (1, 2)]", "no such file.py", "eval"), space)

"""Exceptions in flight, and blocks that run whatever happens."""

from truth import checkpoint, scenario


def fail(depth):
    if depth:
        fail(depth - 1)
    raise ValueError("on purpose")


@scenario("in-except")
def in_except():
    try:
        fail(3)
    except ValueError as error:
        checkpoint(error)
        try:
            fail(1)
        except (KeyError, ValueError):
            checkpoint()


@scenario("in-finally")
def in_finally():
    def inner():
        try:
            fail(3)
        finally:
            checkpoint()

    try:
        inner()
    except ValueError:
        pass
    try:
        pass
    finally:
        checkpoint()


@scenario("returning-through-finally")
def returning_through_finally():
    def inner():
        for _ in (1, 2):
            try:
                try:
                    continue
                finally:
                    checkpoint()
            finally:
                checkpoint()
        try:
            return 1
        finally:
            checkpoint()

    inner()


@scenario("try-else")
def try_else():
    try:
        pass
    except ValueError:
        pass
    else:
        checkpoint()
    for _ in (1,):
        pass
    else:
        checkpoint()


class Manager(object):
    def __enter__(self):
        checkpoint()
        return self

    def __exit__(self, kind, error, trace):
        checkpoint()
        return True


@scenario("with")
def with_manager():
    with Manager():
        checkpoint()
    with Manager():
        fail(2)
    with Manager() as one, \
            Manager() as two:
        checkpoint(
            one,
            two,
        )


@scenario("returning-through-with")
def returning_through_with():
    def inner():
        with Manager():
            return checkpoint(
                1)

    inner()


class Picky(type):
    def __instancecheck__(cls, instance):
        checkpoint()
        return True

    def __subclasscheck__(cls, subclass):
        checkpoint()
        return True


@scenario("matching-an-exception")
def matching_an_exception():
    picky = Picky("picky", (Exception,), {})
    isinstance(1, picky)
    try:
        fail(0)
    except (KeyError if checkpoint() else ValueError):
        pass


class Failing(object):
    def __init__(self):
        checkpoint()
        raise ValueError("on purpose")


@scenario("raising-in-init")
def raising_in_init():
    try:
        Failing()
    except ValueError:
        checkpoint()

"""Coroutines."""

import sys
import types

from truth import checkpoint, scenario


def run(coroutine):
    """Drives a coroutine that waits for nothing but checkpoints."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration as stop:
        return stop.value


@types.coroutine
def suspend():
    checkpoint()
    yield
    checkpoint()


async def awaiting(depth):
    if depth:
        return await awaiting(depth - 1)
    checkpoint()
    await suspend()
    checkpoint()


@scenario("coroutines-in-coroutines")
def coroutines_in_coroutines():
    run(awaiting(0))
    run(awaiting(10))


def generator_of(coroutine):
    yield run(coroutine)


async def coroutine_of(generator):
    for value in generator:
        await awaiting(1)
        checkpoint(value)


@scenario("generators-in-coroutines")
def generators_in_coroutines():
    run(coroutine_of(generator_of(coroutine_of(generator_of(awaiting(2))))))


class Awaitable:
    def __await__(self):
        checkpoint()
        yield from suspend()
        yield
        return 1


class AsyncManager:
    async def __aenter__(self):
        await Awaitable()
        checkpoint()

    async def __aexit__(self, kind, error, trace):
        await suspend()
        checkpoint()


class AsyncNumbers:
    def __init__(self, n):
        self.n = n

    def __aiter__(self):
        return self

    if sys.version_info < (3, 5, 2):
        raise NotImplementedError("__aiter__ was a coroutine")

    async def __anext__(self):
        await suspend()
        checkpoint()
        self.n -= 1
        if self.n < 0:
            raise StopAsyncIteration
        return self.n


async def syntax():
    async with AsyncManager(), \
            AsyncManager():
        async for n in AsyncNumbers(1):
            checkpoint(n)
        else:
            checkpoint()
        (await Awaitable() +
         await Awaitable())
        checkpoint(
            await Awaitable(),
            1,
        )


@scenario("async-with-and-for")
def async_with_and_for():
    run(syntax())


@scenario("coroutine-throw-and-close")
def coroutine_throw_and_close():
    async def body():
        try:
            await suspend()
        except ValueError:
            checkpoint()
            await suspend()
        finally:
            checkpoint()

    async def outer():
        await body()

    coroutine = outer()
    coroutine.send(None)
    coroutine.throw(ValueError("on purpose"))
    coroutine.close()


@scenario("unpacking")
def unpacking():
    f = lambda *args, **named: checkpoint()
    f(*[1], *[2], **{"a": 1}, **{"b": 2})
    [*(checkpoint() for _ in (1,)), *()]
    {**{"a": checkpoint()}}

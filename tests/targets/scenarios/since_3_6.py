"""Async generators and comprehensions, formatted strings."""

from truth import checkpoint, scenario

from .since_3_5 import AsyncNumbers, Awaitable, run, suspend


async def async_numbers(n):
    try:
        for i in range(n):
            await suspend()
            checkpoint()
            yield i
    finally:
        checkpoint()


async def async_passed_on(depth):
    source = async_passed_on(depth - 1) if depth else async_numbers(2)
    async for i in source:
        checkpoint(i)
        yield i


async def consume(generator):
    async for i in generator:
        checkpoint(i)


@scenario("async-generators")
def async_generators():
    run(consume(async_numbers(1)))
    run(consume(async_passed_on(5)))


@scenario("async-generator-methods")
def async_generator_methods():
    async def stubborn():
        while True:
            try:
                received = yield checkpoint()
            except ValueError:
                await suspend()
            finally:
                checkpoint()

    async def body():
        generator = stubborn()
        await generator.__anext__()
        await generator.asend(
            1)
        await generator.athrow(ValueError("on purpose"))
        await generator.aclose()

    run(body())


@scenario("async-comprehensions")
def async_comprehensions():
    async def body():
        [checkpoint(x) async for x in AsyncNumbers(1)]
        {x: await Awaitable() for x in (1,)}
        {x async for x in async_numbers(1) if await Awaitable()}
        generator = (x async for x in AsyncNumbers(1))
        [x async for x in generator]

    run(body())


@scenario("formatted-strings")
def formatted_strings():
    f"{checkpoint()}"
    f"""
    {checkpoint()} {
        checkpoint()} {f'{checkpoint()!r:>{checkpoint() or 10}}'}
    """
    f"a" f"{checkpoint()}" \
        f"{checkpoint()}"


class Format:
    def __format__(self, spec):
        checkpoint()
        return spec


@scenario("class-hooks")
def class_hooks():
    class Named:
        def __set_name__(self, owner, name):
            checkpoint()

    class Base:
        def __init_subclass__(cls, **named):
            checkpoint()

    class Derived(Base, key=checkpoint()):
        field = Named()
        annotated: checkpoint() = checkpoint()

    f"{Format():x}"
    Derived()

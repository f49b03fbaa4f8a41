"""Generators, with the syntax that 2.7 has too."""

from truth import checkpoint, scenario


def numbers(n):
    for i in range(n):
        checkpoint()
        yield i


def passed_on(source, depth):
    if depth:
        source = passed_on(source, depth - 1)
    for i in source:
        yield i


@scenario("generators-in-generators")
def generators_in_generators():
    for _ in passed_on(numbers(2), 8):
        pass
    list(passed_on(numbers(1), 3))
    next(passed_on(numbers(1), 0))
    sum(x for x in (y for y in numbers(1)))
    dict.fromkeys(numbers(1))
    (lambda *args: args)(*numbers(1))


def echo():
    received = None
    while True:
        received = yield received
        checkpoint()


@scenario("generator-send")
def generator_send():
    generator = echo()
    next(generator)
    generator.send(1)


def stubborn():
    try:
        yield 1
    except ValueError:
        checkpoint()
        yield 2
    finally:
        checkpoint()


@scenario("generator-throw-and-close")
def generator_throw_and_close():
    generator = stubborn()
    next(generator)
    generator.throw(ValueError("on purpose"))
    generator.close()
    generator = stubborn()
    next(generator)
    generator.close()


@scenario("generator-deallocated")
def generator_deallocated():
    generator = stubborn()
    next(generator)
    del generator


@scenario("generator-resumed-elsewhere")
def generator_resumed_elsewhere():
    generator = echo()
    next(generator)

    def first():
        generator.send(1)

    def second(n):
        return second(n - 1) if n else generator.send(2)

    first()
    second(3)

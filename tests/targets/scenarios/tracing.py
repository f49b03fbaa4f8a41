"""Code under a trace or profile function, and stops within these functions."""

import sys

from truth import checkpoint, scenario


def subject(n):
    total = 0
    for i in range(n):
        total += (
            i +
            len("abc")
        )
    try:
        raise ValueError("on purpose")
    except ValueError:
        pass
    return total


def generator_subject():
    yield 1
    yield 2


def with_cells(a, b=2):
    return [a + b for _ in (lambda: a, lambda: b)]


def run_subjects():
    subject(2)
    list(generator_subject())
    with_cells(1)


@scenario("traced", warm=False)
def traced():
    def follow(frame, event, arg):
        return follow

    def called(n):
        if n:
            return called(n - 1)
        for _ in (1, 2):
            checkpoint(
                1,
                len("x"),
            )
        return [checkpoint() for _ in (1,)]

    sys.settrace(follow)
    try:
        called(3)
    finally:
        sys.settrace(None)


@scenario("profiled", warm=False)
def profiled():
    def called(n):
        return called(n - 1) if n else sorted([1], key=checkpoint)

    sys.setprofile(lambda frame, event, arg: None)
    try:
        called(3)
    finally:
        sys.setprofile(None)


def stop_on_events(install, subjects):
    """Runs the subjects under a function that stops at every event of theirs.

    At a `call` event the frame has executed nothing yet: f_lasti is -1 there
    in many versions."""

    def hook(frame, event, arg):
        if frame.f_code in subjects:
            checkpoint()
        return hook

    install(hook)
    try:
        run_subjects()
    finally:
        install(None)


@scenario("stopped-in-trace-function", warm=False)
def stopped_in_trace_function():
    codes = [f.__code__ for f in (subject, generator_subject, with_cells)]
    stop_on_events(sys.settrace, codes)


@scenario("stopped-in-profile-function", warm=False)
def stopped_in_profile_function():
    codes = [f.__code__ for f in (subject, generator_subject, with_cells)]
    stop_on_events(sys.setprofile, codes)


@scenario("trace-function-that-jumps", warm=False)
def trace_function_that_jumps():
    def jumped():
        a = 1
        b = 2
        c = 3
        return a, c

    first = jumped.__code__.co_firstlineno

    def hook(frame, event, arg):
        if frame.f_code is jumped.__code__:
            if event == "line" and frame.f_lineno == first + 2:
                frame.f_lineno = first + 3
            checkpoint()
        return hook

    sys.settrace(hook)
    try:
        jumped()
    finally:
        sys.settrace(None)


if sys.version_info >= (3, 7):

    @scenario("stopped-between-instructions", warm=False)
    def stopped_between_instructions():
        def enable(frame, event, arg):
            frame.f_trace_opcodes = True

        def hook(frame, event, arg):
            if frame.f_code is not with_cells.__code__:
                return None
            frame.f_trace_opcodes = True
            if event == "opcode":
                checkpoint()
            return hook

        # 3.12 looks at f_trace_opcodes only when a trace function is set.
        for function in enable, hook:
            sys.settrace(function)
            with_cells(1)
        sys.settrace(None)


@scenario("traced-while-running", warm=False)
def traced_while_running():
    """A frame that gets its trace function after it has begun."""

    def follow(frame, event, arg):
        return follow

    def inner():
        frame = sys._getframe()
        while frame is not None:
            frame.f_trace = follow
            frame = frame.f_back
        checkpoint(
            1)
        return (
            checkpoint())

    sys.settrace(follow)
    try:
        inner()
        checkpoint()
    finally:
        sys.settrace(None)
        frame = sys._getframe()
        while frame is not None:
            del frame.f_trace
            frame = frame.f_back

"""Type parameters, formatted strings over many lines, sys.monitoring."""

import sys

from truth import checkpoint, scenario

from . import tracing

TOOL = 3


@scenario("type-parameters")
def type_parameters():
    type Alias[T] = list[T] | checkpoint()

    def generic[T: (checkpoint(), int)](x: checkpoint() = checkpoint()):
        return checkpoint()

    class Generic[T: checkpoint()]:
        checkpoint()

    try:
        Alias.__value__
    except TypeError:
        pass
    generic.__type_params__[0].__constraints__
    Generic.__type_params__[0].__bound__
    generic(1)


@scenario("formatted-strings-over-many-lines")
def formatted_strings_over_many_lines():
    f"{
        checkpoint(
        )
    } {checkpoint()} { f"{
        checkpoint()}" }"


@scenario("monitored", warm=False)
def monitored():
    """Code under sys.monitoring, which is instrumented in place."""

    def called(n):
        return called(n - 1) if n else sorted([1], key=checkpoint)

    events = sys.monitoring.events
    sys.monitoring.use_tool_id(TOOL, "test")
    try:
        for event in events.LINE, events.INSTRUCTION, events.CALL, events.PY_START:
            sys.monitoring.register_callback(TOOL, event, lambda *args: None)
            sys.monitoring.set_events(TOOL, event)
            called(2)
            checkpoint(
                1,
                len("x"))
    finally:
        sys.monitoring.free_tool_id(TOOL)


@scenario("stopped-in-monitoring-callback", warm=False)
def stopped_in_monitoring_callback():
    codes = [f.__code__ for f in (tracing.subject, tracing.generator_subject, tracing.with_cells)]

    def callback(code, *rest):
        if code in codes:
            checkpoint()

    events = sys.monitoring.events
    sys.monitoring.use_tool_id(TOOL, "test")
    try:
        for name in "PY_START PY_RESUME PY_RETURN PY_YIELD CALL LINE INSTRUCTION JUMP RAISE EXCEPTION_HANDLED".split():
            event = getattr(events, name)
            sys.monitoring.register_callback(TOOL, event, callback)
            sys.monitoring.set_events(TOOL, event)
            tracing.run_subjects()
            sys.monitoring.set_events(TOOL, events.NO_EVENTS)
    finally:
        sys.monitoring.free_tool_id(TOOL)

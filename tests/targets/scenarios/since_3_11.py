"""Exception groups."""

from truth import checkpoint, scenario


@scenario("except-star")
def except_star():
    try:
        raise ExceptionGroup("on purpose", [ValueError(1), TypeError(2)])
    except* ValueError:
        checkpoint()
    except* (
        checkpoint() or
        TypeError
    ):
        checkpoint()
    finally:
        checkpoint()

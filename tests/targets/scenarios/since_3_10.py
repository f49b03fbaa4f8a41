"""Pattern matching, parenthesised managers, code without lines."""

from truth import checkpoint, scenario

from .exceptions import Manager


class Point:
    __match_args__ = ("x", "y")

    @property
    def x(self):
        return checkpoint()

    @property
    def y(self):
        return checkpoint()


@scenario("match")
def match_statement():
    match checkpoint(), Point():
        case (1, _):
            pass
        case (
            None,
            Point(
                x=1,
            )
        ):
            pass
        case _, Point(x, None) if (
            checkpoint() is None
        ):
            match checkpoint():
                case None:
                    checkpoint()


@scenario("parenthesised-with")
def parenthesised_with():
    with (
        Manager() as one,
        Manager(),
    ):
        checkpoint(one)

"""Annotations evaluated when they are asked for, template strings."""

import annotationlib

from truth import checkpoint, scenario


@scenario("lazy-annotations")
def lazy_annotations():
    def annotated(a: checkpoint(), b: (
        checkpoint()
    ) = checkpoint()) -> checkpoint():
        pass

    class Annotated:
        field: checkpoint()

    annotated.__annotations__
    Annotated.__annotations__
    annotationlib.get_annotations(annotated, format=annotationlib.Format.FORWARDREF)


@scenario("template-strings")
def template_strings():
    t"{checkpoint()} {
        checkpoint()
    }"

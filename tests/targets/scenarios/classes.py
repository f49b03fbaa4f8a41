"""Methods of every kind, class bodies and special methods."""

from truth import checkpoint, scenario


class Base(object):
    def method(self):
        return checkpoint()

    @classmethod
    def made_of_class(cls):
        return cls().method()

    @staticmethod
    def static():
        return Derived.made_of_class()

    @property
    def attribute(self):
        return self.static()


class Derived(Base):
    def method(self):
        return super(Derived, self).method()


@scenario("methods")
def methods():
    Derived().method()
    Base.method(Derived())
    Derived().attribute


class Special(object):
    def __new__(cls, *args):
        checkpoint()
        return super(Special, cls).__new__(cls)

    def __init__(self, *args):
        checkpoint()

    def __call__(self, *args):
        return checkpoint()

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return checkpoint()

    def __getitem__(self, key):
        return checkpoint()

    def __setitem__(self, key, value):
        checkpoint()

    def __add__(self, other):
        return checkpoint()

    def __eq__(self, other):
        checkpoint()
        return True

    def __hash__(self):
        checkpoint()
        return 1

    def __len__(self):
        checkpoint()
        return 1

    def __str__(self):
        checkpoint()
        return "special"

    def __iter__(self):
        checkpoint()
        return iter(())

    def __contains__(self, item):
        checkpoint()
        return True


@scenario("special-methods")
def special_methods():
    special = Special(1)
    special(1)
    special.attribute
    getattr(special, "other")
    special[0]
    special[0] = 1
    special[1:2]
    special + 1
    special == 1
    {special: 1}[special]
    len(special)
    bool(special) and not special
    str(special), "%s" % special
    list(special)
    for _ in special:
        pass
    1 in special


@scenario("class-bodies")
def class_bodies():
    class Outer(object):
        checkpoint()

        class Inner(object):
            x = [checkpoint() for _ in (1,)]
            checkpoint()

        def method(self):
            pass


class Meta(type):
    def __new__(mcs, name, bases, space):
        checkpoint()
        return type.__new__(mcs, name, bases, space)

    def __call__(cls):
        checkpoint()
        return type.__call__(cls)


@scenario("metaclasses")
def metaclasses():
    made = Meta("made", (object,), {"__init__": lambda self: checkpoint()})
    made()


class Descriptor(object):
    def __get__(self, instance, owner):
        return checkpoint()

    def __set__(self, instance, value):
        checkpoint()


class Described(object):
    field = Descriptor()


@scenario("descriptors")
def descriptors():
    described = Described()
    described.field
    described.field = 1
    Described.field

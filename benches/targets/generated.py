"""Sources that are written by rule, one name for each place in a stack.

The targets execute them; the benchmark calls the same functions to learn what
these programs can do. A name says where its function belongs, so that a stack made
of pieces of two moments shows.
"""

DIVES = 150  # depth of dives.py
TREE_DEPTH = 6  # of trees.py: 2 ** (TREE_DEPTH + 1) - 1 functions
GENERATORS = 12  # depth of each chain in generators.py

VARIABLES = []  # "v0 = ", "v1 = " ...
for number in range(60):
    VARIABLES.append("v%d = " % number)


def chain_source(levels):
    """level_000 calls level_001 and so on; the last calls work()."""
    lines = []
    for level in range(levels):
        callee = "level_%03d" % (level + 1) if level + 1 < levels else "work"
        lines += ["def level_%03d(n):" % level, "    return %s(n)" % callee, ""]
    return "\n".join(lines)


def dives_source():
    """dive_000 calls dive_001 and so on down to `stop`, where an even number
    raises Bottom and an odd one returns; dive number `catch` catches it. Every
    tenth has many local variables, so that frames differ in size."""
    lines = []
    for level in range(DIVES):
        count = 60 if level % 10 == 9 else 3 + level % 5
        lines += ["def dive_%03d(n, stop, catch):" % level]
        lines += ["    " + "".join(VARIABLES[:count]) + "n"]
        lines += ["    if n == stop:"]
        lines += ["        if n & 1:"]
        lines += ["            return v0"]
        lines += ["        raise Bottom(n)"]
        if level + 1 < DIVES:
            callee = "dive_%03d(n + 1, stop, catch)" % (level + 1)
            lines += ["    if n == catch:"]
            lines += ["        try:"]
            lines += ["            return %s" % callee]
            lines += ["        except Bottom:"]
            lines += ["            return n"]
            lines += ["    return %s" % callee]
        lines += [""]
    return "\n".join(lines)


def trees_source():
    """A tree of functions that live for a moment: t_ calls t_0 and t_1, each of
    them its own two, and so on. The innermost name tells the whole stack."""
    lines = []
    names = ["t_"]
    while names:
        name = names.pop(0)
        lines += ["def %s(n):" % name, "    n += 1"]
        if len(name) - 2 < TREE_DEPTH:
            names += [name + "0", name + "1"]
            lines += ["    if n & 3:", "        %s0(n)" % name, "    %s1(n)" % name]
        lines += ["    return n", ""]
    return "\n".join(lines)


def generators_source(delegate):
    """Two chains of generators. gen_00 takes from gen_01 in a loop and so on;
    from_00 does so by `yield from` where `delegate` says that it exists. When an
    outer one is closed at its yield, the inner one runs once more, called from
    there; with `yield from` all of the chain run, innermost first, called by whoever
    closes the outermost."""
    lines = []
    for number in range(GENERATORS):
        for kind in ("gen", "from"):
            inner = "%s_%02d" % (kind, number + 1)
            lines += ["def %s_%02d(n):" % (kind, number), "    try:"]
            if number + 1 == GENERATORS:
                lines += ["        while n > 0:", "            n -= 1", "            yield n"]
            elif kind == "from" and delegate:
                lines += ["        yield from %s(n)" % inner]
            else:
                lines += ["        for x in %s(n):" % inner, "            yield x  #> %s" % inner]
            lines += ["    finally:", "        n = 0", ""]
    return "\n".join(lines)


def fresh_file(serial):
    """The file name of the fresh program with that number."""
    return "fresh-%d" % serial


def fresh_source(serial):
    """A small program of its own for every number: names, depth, size and first
    lines all follow from it, so that no frame of one can pass for another's."""
    depth = 2 + serial % 4
    names = []
    for level in range(depth):
        names.append("f%s_%d_%d" % ("f" * (serial % 5), serial, level))
    lines = [""] * (serial % 37)
    for level in range(depth):
        lines += ["def %s(n):" % names[level], "    a = n"]
        if level + 1 < depth:
            lines += ["    return %s(a) + 1" % names[level + 1]]
        else:
            lines += ["    while a > 0:", "        a -= 1", "    return a"]
        lines += [""]
    lines += ["%s(%d)" % (names[0], 20 + serial % 100)]
    return "\n".join(lines) + "\n"

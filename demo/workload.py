"""A program to profile: it reads a web server's log and reports its slow requests.

    python3 demo/workload.py [SECONDS]

The log is made up as it is read. The work goes on, a batch at a time, for five
seconds or as many as are asked for. Nothing but the standard library is used.
"""
import random
import sys
import time
from collections import defaultdict
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

BATCH = 2000
PATHS = ["/", "/login", "/cart", "/cart/items", "/search", "/search/suggest", "/api/users", "/api/orders",
         "/api/orders/items", "/static/app.js"]
QUERY = 'status >= 400 or (time > 250 and (method = "POST" or page > 3)) or path = "/cart"'


def log_lines(count, seed):
    """What the web server would have written."""
    chance = random.Random(seed)
    for _ in range(count):
        clock = "%02d:%02d:%02d" % (chance.randrange(24), chance.randrange(60), chance.randrange(60))
        target = chance.choice(PATHS)
        if chance.random() < 0.5:
            target += "?q=%d&page=%d&sort=price" % (chance.randrange(1000), chance.randrange(9))
        yield '10.0.%d.%d [24/Mar/2025:%s] "%s %s HTTP/1.1" %d %.1f' % (
            chance.randrange(256), chance.randrange(256), clock, chance.choice(["GET", "GET", "GET", "POST"]), target,
            chance.choice([200, 200, 200, 200, 304, 404, 500]), chance.expovariate(1 / 120))


def parse(lines):
    """Log lines to records."""
    for line in lines:
        head, request, tail = line.split('"')
        address, stamp = head.split()
        method, target, _ = request.split()
        status, milliseconds = tail.split()
        url = urlsplit(target)
        page = parse_qs(url.query).get("page", ["0"])[0]
        yield {"address": address, "at": datetime.strptime(stamp, "[%d/%b/%Y:%H:%M:%S]"), "method": method,
               "path": url.path, "page": int(page), "status": int(status), "time": float(milliseconds)}


class Query:
    """A condition on records: `or`, `and`, comparisons and parentheses."""

    def __init__(self, text):
        self.words = text.replace("(", " ( ").replace(")", " ) ").split()
        self.tree = self.either()

    def either(self):
        tree = self.both()
        while self.words and self.words[0] == "or":
            self.words.pop(0)
            tree = ("or", tree, self.both())
        return tree

    def both(self):
        tree = self.comparison()
        while self.words and self.words[0] == "and":
            self.words.pop(0)
            tree = ("and", tree, self.comparison())
        return tree

    def comparison(self):
        name = self.words.pop(0)
        if name == "(":
            tree = self.either()
            self.words.pop(0)
            return tree
        operator, value = self.words.pop(0), self.words.pop(0)
        return (operator, name, value[1:-1] if value.startswith('"') else float(value))

    def matches(self, record):
        return evaluate(self.tree, record)


def evaluate(node, record):
    """The value of a query's (sub)tree for one record."""
    operator, left, right = node
    if operator == "or":
        return evaluate(left, record) or evaluate(right, record)
    if operator == "and":
        return evaluate(left, record) and evaluate(right, record)
    value = record[left]
    if operator == "=":
        return value == right
    return value > right if operator == ">" else value >= right


class Site:
    """One directory of the site: the times of its own requests, and what lies below."""

    def __init__(self):
        self.times = []
        self.below = defaultdict(Site)

    def add(self, parts, milliseconds):
        if parts:
            self.below[parts[0]].add(parts[1:], milliseconds)
        else:
            self.times.append(milliseconds)

    def all_times(self):
        yield from self.times
        for site in self.below.values():
            yield from site.all_times()


def aggregate(records, site):
    for record in records:
        site.add(record["path"].strip("/").split("/"), record["time"])


def percentile(values, share):
    return sorted(values)[int(share * (len(values) - 1))]


def render(name, site, depth=0):
    """The report, a line for each directory."""
    times = list(site.all_times())
    yield "%-28s %8d %8.1f %8.1f" % ("  " * depth + (name or "/"), len(times), percentile(times, 0.5),
                                     percentile(times, 0.99))
    for part in sorted(site.below):
        yield from render(part, site.below[part], depth + 1)


def main(seconds):
    query, site, report = Query(QUERY), Site(), []
    end, batches = time.monotonic() + seconds, 0
    while not report or time.monotonic() < end:
        batches += 1
        records = parse(log_lines(BATCH, seed=batches))
        aggregate((record for record in records if query.matches(record)), site)
        report = list(render("site", site))
    print("%d requests read. Of those that were slow or failed:" % (batches * BATCH))
    print("%-28s %8s %8s %8s" % ("directory", "requests", "p50 ms", "p99 ms"))
    print("\n".join(report))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0)

"""A program with threads to profile: it fetches orders, prices them, and stores receipts.

    python3 demo/orders.py [SECONDS]

One thread fetches batches, three price them, and one stores what comes out, compressed.
Fetching is sleep, as waiting for a server would be. Nothing but the standard library is
used.
"""
import json
import queue
import random
import sys
import threading
import time
import zlib

RATES = {"AT": 0.20, "BE": 0.21, "DE": 0.19, "FR": 0.20, "IT": 0.22}


def fetch(orders, end):
    """What a server would send: a batch every twenty-fifth of a second."""
    chance = random.Random(1)
    while time.monotonic() < end:
        time.sleep(0.04)
        orders.put(json.dumps([order(chance) for _ in range(1200)]))
    for _ in range(3):
        orders.put(None)


def order(chance):
    lines = [{"article": chance.randrange(5000), "count": chance.randrange(1, 9), "price": chance.random() * 90}
             for _ in range(chance.randrange(1, 6))]
    return {"country": chance.choice(sorted(RATES)), "lines": lines}


def price(orders, receipts):
    while True:
        batch = orders.get()
        if batch is None:
            receipts.put(None)
            return
        receipts.put([receipt(order) for order in json.loads(batch)])


def receipt(order):
    lines = ["%6d %3d %9.2f" % (line["article"], line["count"], discounted(line)) for line in order["lines"]]
    total = sum(discounted(line) for line in order["lines"]) * (1 + RATES[order["country"]])
    return "\n".join([*lines, "%20.2f" % total])


def discounted(line):
    price = line["price"] * line["count"]
    for limit in range(50, 500, 50):
        if price > limit:
            price *= 0.99
    return price


def store(receipts, stored):
    ended = 0
    while ended < 3:
        batch = receipts.get()
        if batch is None:
            ended += 1
        else:
            # Compressing releases the GIL.
            stored.append(len(zlib.compress("\n\n".join(batch * 2).encode(), 6)))


def main(seconds):
    orders, receipts, stored = queue.Queue(), queue.Queue(), []
    end = time.monotonic() + seconds
    threads = [threading.Thread(target=fetch, args=(orders, end), name="fetch")]
    threads += [threading.Thread(target=price, args=(orders, receipts), name="price-%d" % n) for n in (1, 2, 3)]
    threads.append(threading.Thread(target=store, args=(receipts, stored), name="store"))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("%d batches stored in %d bytes" % (len(stored), sum(stored)))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0)

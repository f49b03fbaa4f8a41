"""Trees of asyncio's tasks. For CPython 3.5 and later."""

import asyncio


async def grow(depth):
    """A task that waits for three, each of which waits for three."""
    if depth == 0:
        await asyncio.sleep(0)
        return 1
    return 1 + sum(await asyncio.gather(*[grow(depth - 1) for _ in range(3)]))


async def take(queue, count):
    return [await queue.get() for _ in range(count)]


async def pass_on():
    """A producer and two consumers, with a queue and a lock between them."""
    queue, lock = asyncio.Queue(5), asyncio.Lock()
    takers = [asyncio.ensure_future(take(queue, 100)) for _ in range(2)]
    for n in range(200):
        async with lock:
            await queue.put(n)
    await asyncio.gather(*takers)


def run(coroutine, *arguments):
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return lambda: loop.run_until_complete(coroutine(*arguments))


PROGRAMS = {"tree": lambda: run(grow, 6), "queue": lambda: run(pass_on)}

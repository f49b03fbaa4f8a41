"""Coroutines on the event loop of the standard library."""

import asyncio

from truth import checkpoint, scenario

from .since_3_5 import awaiting


@scenario("event-loop", warm=False)
def event_loop():
    async def task(n):
        await asyncio.sleep(0)
        checkpoint(n)
        return n

    async def main():
        await asyncio.wait([asyncio.ensure_future(task(n)) for n in (1, 2)])
        asyncio.get_event_loop().call_soon(checkpoint)
        await asyncio.sleep(0)
        return await task(3)

    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()

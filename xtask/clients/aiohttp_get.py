"""GET with aiohttp as it comes, which means with 5 minutes in all; any certificate will do."""
import asyncio
import sys

import aiohttp


async def main():
    async with aiohttp.ClientSession() as session:
        async with session.get(sys.argv[1], ssl=False) as response:
            await response.read()


asyncio.run(main())

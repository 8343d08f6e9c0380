"""Sends or processes with aiobotocore: python with_aiobotocore.py send|process URL COUNT SIZE CONCURRENCY."""

import asyncio
import sys

import uvloop
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session


async def main(how: str, url: str, count: int, size: int, concurrency: int) -> None:
    left = count
    entries = [{"Id": str(number), "MessageBody": "x" * size} for number in range(10)]

    async def send() -> None:
        nonlocal left
        while left > 0:
            left -= 10
            await sqs.send_message_batch(QueueUrl=url, Entries=entries)

    async def process() -> None:
        nonlocal left
        while left > 0:
            answer = await sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
            handles = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(answer.get("Messages", []))
            ]
            if handles:
                await sqs.delete_message_batch(QueueUrl=url, Entries=handles)
            left -= len(handles)

    config = AioConfig(max_pool_connections=concurrency)
    async with get_session().create_client("sqs", config=config) as sqs:
        await asyncio.gather(*(send() if how == "send" else process() for _ in range(concurrency)))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])))

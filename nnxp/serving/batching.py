"""Requests that come together are computed together, in one thread beside the one that speaks with clients."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from nnxp.serving.answering import Answer, Answering, Rows

WAIT = 0.002
"""Seconds that a batch waits for others, where the one before had several requests: who comes alone does not wait."""


class Waiting(NamedTuple):
    """A request that has no answer yet."""

    rows: Rows
    answer: "asyncio.Future[Answer]"


class Busy(Exception):
    """More requests wait than there may be."""


class Batches:
    """Collects requests while a batch is computed.

    Parameters
    ----------
    answering : Answering
    most : int
        How many rows are computed at once, where no request has more.
    room : int
        How many requests may wait: a client that has left is still answered.
    """

    def __init__(self, answering: Answering, most: int, room: int) -> None:
        self.answering, self.most, self.room = answering, most, room
        self._waiting = list[Waiting]()
        self._thread = ThreadPoolExecutor(1, "nnxp-serve")
        self._task: asyncio.Task[None] | None = None

    async def answer(self, rows: Rows) -> Answer:
        """A request's answer; raises what is wrong with its rows, or Busy."""
        if len(self._waiting) >= self.room:
            raise Busy
        one = Waiting(rows, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await one.answer

    async def _run(self) -> None:
        several = False
        while self._waiting:
            if several:
                await asyncio.sleep(WAIT)
            batch = self._taken()
            several = len(batch) > 1
            await self._compute(batch)
        self._task = None

    def _taken(self) -> list[Waiting]:
        """The first of those that wait, as many as are computed at once."""
        rows, count = len(self._waiting[0].rows), 1
        while count < len(self._waiting) and rows + len(self._waiting[count].rows) <= self.most:
            rows, count = rows + len(self._waiting[count].rows), count + 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch

    async def _compute(self, batch: list[Waiting]) -> None:
        loop = asyncio.get_running_loop()
        found: list[Answer | Exception]
        try:
            found = await loop.run_in_executor(self._thread, self.answering.answer, [one.rows for one in batch])
        except Exception as error:  # each of them is told that it has none
            found = [error] * len(batch)
        for one, answer in zip(batch, found, strict=True):
            if one.answer.done():  # its client has left
                continue
            if isinstance(answer, Exception):
                one.answer.set_exception(answer)
            else:
                one.answer.set_result(answer)

    def close(self) -> None:
        """Ends the thread, once it has computed what it was given."""
        self._thread.shutdown()

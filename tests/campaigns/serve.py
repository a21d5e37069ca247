"""`nnxp serve` under many clients, some of them bad, for a minute: on loopback alone, each client with one request at a
time.

`python -m tests.campaigns.serve --seconds 60` starts the command with a model of a table and 64 clients: of eight, six
send rows and compare each answer with what the model predicts for the row alone, one sends bodies that are refused, and
one sends slowly or leaves in the middle. It prints requests a second, the times that requests took, errors, and the
server's memory after the first seconds and at the end; it ends with 1 where an answer was wrong or the server was not
there any more.
"""

import argparse
import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

import nnxp
from nnxp.serving import Answering
from nnxp.tabular import Encoder
from nnxp.tabular.encoders.target import ClassTarget

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ("no", "perhaps", "yes")
BAD = (
    "",
    "{",
    "[" * 9000,
    '{"age": NaN}',
    '{"age": 1, "age": 2}',
    '[{"age": 3}]',
    "[]",
    "x" * 3000,
    '"' + "\\ud800" + '"',
)
ROWS: list[dict[str, Any]] = [
    {"age": 20 + i % 50, "town": ("Fez", "Rome", "Oslo", None, "Lima")[i % 5], "size": round(0.37 * i, 2)}
    for i in range(200)
]


def made(path: Path) -> Answering:
    """A model of a table, as a file."""
    encoder = Encoder().fit([row for row in ROWS if row["town"] != "Lima"])
    encoder.target = ClassTarget("answer", CLASSES)
    layers = [nnxp.Dense(len(encoder.feature_names_out), 128), "relu", nnxp.Dense(128, 3), "softmax"]
    model = nnxp.Sequential(layers, "categorical_crossentropy", seed=0, backend="numpy")
    model.classes, model.encoder = [*CLASSES], encoder.state()
    model.preprocessing = {"format": "table", "target": "answer"}
    model.save(path)
    return Answering(model, model.preprocessing)


class Clients:
    """What they ask, and what comes of it."""

    def __init__(self, port: int, end: float, expected: list[Any]) -> None:
        self.port, self.end, self.expected = port, end, expected
        self.counts, self.wrong, self.seconds = Counter[str](), list[str](), list[float]()

    async def good(self, chance: random.Random) -> None:
        """Rows, one to twenty, on a connection that stays open."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while time.monotonic() < self.end:
            places = [chance.randrange(len(ROWS)) for _ in range(chance.choice((1, 1, 1, 20)))]
            began = time.monotonic()
            status, answer = await ask(reader, writer, json.dumps([ROWS[k] for k in places]).encode())
            self.seconds.append(time.monotonic() - began)
            self.counts[f"good {status}"] += 1
            if status != 200 or answer["predictions"] != [self.expected[k] for k in places]:
                self.wrong.append(f"{status} {answer!r:.200} for rows {places}")
        writer.close()

    async def bad(self, chance: random.Random) -> None:
        """Bodies that are refused."""
        while time.monotonic() < self.end:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            status, answer = await ask(reader, writer, chance.choice(BAD).encode())
            self.counts[f"bad {status}"] += 1
            if status not in (400, 413) or "error" not in answer:
                self.wrong.append(f"{status} {answer!r:.200} for a bad body")
            writer.close()

    async def slow(self, chance: random.Random) -> None:
        """Half a request; the client leaves, or waits for the server's patience to end."""
        while time.monotonic() < self.end:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(chance.choice((b"", b"POST /pre", head(10**9 if chance.random() < 0.3 else 500) + b"[{")))
            await writer.drain()
            began = time.monotonic()
            try:
                answer = await asyncio.wait_for(reader.read(), chance.choice((0.01, 0.5, 15.0)))
            except TimeoutError:
                self.counts["slow, left"] += 1
            else:
                self.counts[f"slow {answer[9:12].decode()}"] += 1
                if answer[9:12] not in (b"408", b"413") or time.monotonic() - began > 12:
                    self.wrong.append(f"{answer[:60]!r} for a slow sender")
            writer.close()


def head(length: int) -> bytes:
    """The beginning of a request."""
    kind = "host: localhost\r\ncontent-type: application/json"
    return f"POST /predict HTTP/1.1\r\n{kind}\r\ncontent-length: {length}\r\n\r\n".encode()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> tuple[int, Any]:
    """The status of an answer, and what it says."""
    writer.write(head(len(body)) + body)
    lines = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = int(re.findall(r"content-length: (\d+)", lines)[0])
    return int(lines[9:12]), json.loads(await reader.readexactly(length))


def memory(pid: int) -> float:
    """Of a process, in MB."""
    return int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0]) / 1000


async def run(port: int, pid: int, seconds: float, clients: int, expected: list[Any]) -> Clients:
    """All clients, and the server's memory meanwhile."""
    everybody = Clients(port, time.monotonic() + seconds, expected)
    kinds = [*[everybody.good] * 6, everybody.bad, everybody.slow]
    tasks = [asyncio.create_task(kinds[i % 8](random.Random(i))) for i in range(clients)]
    await asyncio.sleep(min(5.0, seconds / 2))
    print(f"server's memory after {min(5.0, seconds / 2):g} s: {memory(pid):.1f} MB", flush=True)
    for found in await asyncio.gather(*tasks, return_exceptions=True):
        if found is not None:
            everybody.wrong.append(f"a client ended with {found!r}")
    return everybody


def main(argv: list[str] | None = None) -> int:
    """Runs the campaign, and gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--clients", type=int, default=64)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.safetensors")
        answering = made(path)
        found = answering.answer([[row] for row in ROWS])
        expected = [one.predictions[0] for one in found]  # type: ignore[union-attr]
        env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "nnxp", "serve", str(path), "--port", "0"]
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                port = int(re.findall(r"http://127\.0\.0\.1:(\d+)", server.stdout.readline())[0])
                everybody = asyncio.run(run(port, server.pid, args.seconds, args.clients, expected))
                end = memory(server.pid)
            finally:
                server.send_signal(signal.SIGTERM)
                code = server.wait(30)
    times = np.sort(everybody.seconds) * 1000
    good = everybody.counts["good 200"]
    print(f"server's memory at the end: {end:.1f} MB; ended by SIGTERM with {code}")
    print(f"{args.clients} clients, {args.seconds:g} s: {good / args.seconds:,.0f} answered requests a second")
    if len(times):
        median, late, most = np.quantile(times, (0.5, 0.99, 1.0))
        print(f"time of a request: median {median:.1f} ms, 99 of 100 within {late:.1f} ms, longest {most:.1f} ms")
    print(*(f"{what}: {count:,}" for what, count in sorted(everybody.counts.items())), sep="; ")
    print(f"wrong answers and failures: {len(everybody.wrong)}", *everybody.wrong[:10], sep="\n  ")
    return int(bool(everybody.wrong) or code != 143)


if __name__ == "__main__":
    sys.exit(main())

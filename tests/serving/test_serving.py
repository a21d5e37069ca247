"""A model over HTTP: a real server on loopback, asked well and badly."""

import ast
import csv
import http.client
import io
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest

import nnxp
from nnxp.cli import main
from nnxp.serving import Answering, Server
from nnxp.serving.limits import Limits
from nnxp.tabular import Encoder
from nnxp.tabular.encoders.target import ClassTarget, NumberTarget

JSON = {"content-type": "application/json"}
LIMITS = Limits(seconds=30.0, bytes=20_000, header_bytes=2000, rows=50, connections=16)
HOSTILE = '</textarea><script>alert("1")</script>&'
ROWS: list[dict[str, Any]] = [
    {"age": 20 + i % 50, "town": ("Fez", "Rome", HOSTILE, None)[i % 4], "member": ("yes", "no")[i % 3 == 0],
     HOSTILE: 0.5 * i}
    for i in range(80)
]  # fmt: skip


class Running:
    """A server in a thread."""

    def __init__(self, answering: Answering, limits: Limits = LIMITS, **options: Any) -> None:
        self.server = Server(answering, port=0, limits=limits, **options)
        self.port = int(self.server.url.rpartition(":")[2])
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            sent = body if body is None or isinstance(body, bytes | str) else json.dumps(body)
            connection.request(method, path, sent, {} if headers is None else headers)
            response = connection.getresponse()
            text = response.read().decode()
            assert response.getheader("content-security-policy", "").startswith("default-src 'none'")
            return response.status, json.loads(text) if response.getheader("content-type") == JSON[
                "content-type"
            ] else text
        finally:
            connection.close()

    def predict(self, body: Any, status: int = 200) -> Any:
        got, answer = self.ask("POST", "/predict", body, JSON)
        assert got == status, answer
        return answer if status == 200 else answer["error"]

    def socket(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def end(self) -> None:
        self.server.should_exit = True
        self.thread.join(20)
        assert not self.thread.is_alive()


def read_all(connection: socket.socket) -> bytes:
    found = b""
    while part := connection.recv(65536):
        found += part
    return found


def health(connection: socket.socket) -> bytes:
    """The answer, on a connection that stays open."""
    connection.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
    found = b""
    while not found.endswith(b"}") and (part := connection.recv(65536)):
        found += part
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of a table, of classes and of numbers, as files; what they predict is no matter here."""
    folder = tmp_path_factory.mktemp("models")
    ages, classes = np.array([row["age"] for row in ROWS], np.float64), tuple(sorted(("no", "yes", HOSTILE)))
    for name, target, loss in (
        ("answer", ClassTarget("answer", classes), "categorical_crossentropy"),
        ("age", NumberTarget.of("age", ages), "mean_squared_error"),
    ):
        encoder = Encoder(drop=["age"]).fit(ROWS)
        encoder.target = target
        layers = [nnxp.Dense(len(encoder.feature_names_out), len(target.classes or [0]))]
        model = nnxp.Sequential([*layers, *(["softmax"] if target.classes else [])], loss, seed=0, backend="numpy")
        model.classes, model.encoder = target.classes and [*target.classes], encoder.state()
        model.preprocessing = {"format": "table", "target": name}
        model.save(folder / f"{name}.safetensors")
    return folder


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def answering_of(path: Path) -> Answering:
    model = nnxp.load(path)
    return Answering(model, model.preprocessing)


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Running]:
    running = Running(answering_of(folder / "answer.safetensors"))
    yield running
    running.end()


def predicted(path: Path, rows: list[dict[str, Any]], tmp_path: Path, capsys: Any) -> list[dict[str, Any]]:
    """What `nnxp predict` writes, its numbers as numbers."""
    write(tmp_path / "rows.csv", rows)
    capsys.readouterr()
    assert main(["predict", str(path), str(tmp_path / "rows.csv")]) in (0, None)
    found = csv.DictReader(io.StringIO(capsys.readouterr().out))
    return [{name: cell if name == "class" else float(cell) for name, cell in row.items()} for row in found]


def test_rows_are_predicted_as_nnxp_predict_does(
    running: Running, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a table to the last bit, alone or among others, its columns in any order and its cells missing or unknown."""
    rows = [{**row, "town": "Lima" if i == 3 else row["town"]} for i, row in enumerate(ROWS[:20])]
    rows[5]["member"] = rows[6][HOSTILE] = None
    expected = predicted(folder / "answer.safetensors", rows, tmp_path, capsys)
    answer = running.predict([dict(reversed(row.items())) for row in rows])
    assert answer["predictions"] == expected
    assert answer["notes"] == ["town: 1 of 20 rows hold words not seen in training (Lima)"]
    for row, one in zip(rows, expected, strict=True):
        assert running.predict(row)["predictions"] == [one]
    regression = Running(answering_of(folder / "age.safetensors"))
    try:
        rows = [{name: cell for name, cell in row.items() if name != "age"} for row in ROWS[:7]]
        assert regression.predict(rows)["predictions"] == predicted(folder / "age.safetensors", rows, tmp_path, capsys)
    finally:
        regression.end()


def test_many_at_once_get_their_own_answers(running: Running) -> None:
    """Among requests that are refused, which take no other with them."""
    alone = [running.predict(row)["predictions"] for row in ROWS]

    def ask(i: int) -> Any:
        if i % 5 == 0:
            return running.predict([{"age": 1}], 400)
        return running.predict(ROWS[i])["predictions"]

    with ThreadPoolExecutor(4) as threads:
        for i, got in enumerate(threads.map(ask, range(80))):
            if i % 5 == 0:
                assert "the rows given lacks the columns" in got
            else:
                assert got == alone[i]


def test_columns_of_words_and_numbers_and_arrays_are_answered_too(tmp_path: Path) -> None:
    """Models that have no encoder: of a strict CSV file, and of arrays, by scikit-learn's interface or without."""
    X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    layers = [nnxp.Dense(3, 3), "softmax"]
    model = nnxp.Sequential(layers, "categorical_crossentropy", seed=0, backend="numpy")
    model.classes = ["a", "b", "c"]
    columns = [{"name": "size"}, {"name": "town", "categories": ["Fez", "Rome"]}]
    answer = {"target": "kind", "task": "classification", "classes": model.classes}
    for preprocessing, rows, wrong, said in (
        (
            {"format": "columns", "columns": columns, **answer},
            [{"size": x[0], "town": ("Fez", "Rome")[i % 2]} for i, x in enumerate(X.tolist())],
            [{"size": 1, "town": "Lima"}],
            "the rows given, row 1, column 'town': 'Lima' is not among the known ones: Fez, Rome.",
        ),
        (
            {"format": "array", "shape": [3], "dtype": "float64", **answer},
            [{"X": x} for x in X.tolist()],
            [{"X": [1, 2]}],
            "X has the shape (1, 2); the model was trained on (n, 3)",
        ),
    ):
        answering = Answering(model, preprocessing)
        table = nnxp.data.features(rows, preprocessing) if "columns" in preprocessing else X
        probabilities = model.predict(np.asarray(table, np.float32))
        found, refused = answering.answer([rows, wrong])
        assert str(refused) == said
        got = [[row[f"p({name})"] for name in "abc"] for row in found.predictions]  # type: ignore[union-attr]
        np.testing.assert_allclose(
            got, probabilities, rtol=8 * np.finfo(np.float32).eps
        )  # of products in another order
        (alone,) = answering.answer([rows[:1]])
        assert alone.predictions == found.predictions[:1]  # type: ignore[union-attr]
    for bad in ([1, 2, "3"], [1, 2, True], "1 2 3", [1], [1, 2, 10**400], [1e300, 1e300, 1e300]):
        (refused,) = answering.answer([[{"X": bad}]])
        assert isinstance(refused, ValueError)
    for columns_too in ([{"Y": [1, 2, 3]}], [{"X": [1, 2, 3], "Y": 1}], [{"X": [1, 2, 3]}, {"X": []}]):
        (refused,) = answering.answer([columns_too])
        assert isinstance(refused, ValueError)


def test_what_rows_have_is_told(running: Running) -> None:
    assert running.ask("GET", "/health") == (200, {"status": "ok"})
    status, shape = running.ask("GET", "/schema")
    assert status == 200 and shape["task"] == "classification"
    kinds = {one["name"]: one["kind"] for one in shape["inputs"]}
    assert kinds == {"town": "category", "member": "yes/no", HOSTILE: "number"}
    assert {*shape["inputs"][0]["words"]} == {"Fez", "Rome", HOSTILE}
    (found,) = running.predict(ROWS[0])["predictions"]
    assert [*found] == shape["outputs"] == ["class", *(f"p({name})" for name in sorted((HOSTILE, "no", "yes")))]


def test_bad_bodies_are_refused_in_a_sentence(running: Running) -> None:
    deep = "[" * 100_000
    cases: list[tuple[Any, int, str]] = [
        ("", 400, "cannot be read as JSON"),
        ("age=3", 400, "cannot be read as JSON"),
        (b"\xff\xfe{\x00", 400, "cannot be read as JSON in UTF-8"),
        ('{"age": NaN}', 400, "NaN is no JSON"),
        ('{"age": -Infinity}', 400, "-Infinity is no JSON"),
        ('{"age": 1e999}', 400, "is no finite number"),
        ('{"age": 1, "age": 2}', 400, "a key occurs twice"),
        (r'{"town": "\ud800"}', 400, "cannot be read as JSON"),
        ('{"age": ' + "9" * 5000 + "}", 400, "cannot be read as JSON"),
        (deep[:10_000], 400, "cannot be read as JSON"),
        (deep[:9000] + "]" * 9000, 400, "nested"),
        ('{"a": ' * 200 + "1" + "}" * 200, 400, "nested more than 64 deep"),
        (deep, 413, "expected at most 20,000"),
        ("[]", 400, "there are no rows"),
        ("3", 400, "row 1 is 3; expected an object of column name to value"),
        ("[null]", 400, "row 1 is None"),
        ([[1, 2]], 400, "row 1 is [1, 2]"),
        ({"town": {"a": 1}}, 400, "column 'town': got {'a': 1}, expected a number, a text"),
        ({"town": [[1]]}, 400, "expected a number, a text, true, false or null, of X a list of numbers"),
        ([{}], 400, "expected"),
        ([{"age": 1}, {"town": 1}], 400, "row 2 is the columns town; expected a dict of age"),
        ({"town": "Fez"}, 400, "lacks the columns"),
        ([ROWS[0]] * 51, 413, "got 51 rows, expected at most 50"),
        (json.dumps([ROWS[0]] * 50) + " " * 20_000, 413, "expected at most 20,000"),
    ]
    for body, status, said in cases:
        assert said in running.predict(body, status), body
    long = running.predict({**ROWS[0], "town": "x" * 5000})
    assert len(long["notes"][0]) < 6000
    assert len(running.predict({"x" * 5000: 1}, 400)) < 1100


def test_requests_that_are_none_of_ours_are_refused(running: Running) -> None:
    for method, path, headers, status, said in (
        ("GET", "/<b>", {}, 404, "GET /, /health and /schema"),
        ("GET", "/schema/", {"host": "evil.example"}, 404, "expected one of"),
        ("GET", "/nothing", {"host": "["}, 404, "expected one of"),
        ("GET", "/predict", {}, 405, "POST / and /predict"),
        ("DELETE", "/", {}, 405, "expected one of"),
        ("POST", "/predict", {"content-type": "text/plain"}, 415, "expected application/json"),
        ("POST", "/predict", {}, 415, "expected application/json"),
        ("GET", "/schema", {"host": "evil.example"}, 400, "got the host 'evil.example', expected one of 127.0.0.1"),
        ("GET", "/schema", {"host": "localhost.evil.example:80"}, 400, "got the host"),
        ("GET", "/schema", {"host": ""}, 400, "got the host ''"),
        ("POST", "/predict", {**JSON, "host": "evil.example"}, 400, "got the host"),
    ):
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
        connection.putrequest(method, path, skip_host="host" in headers)
        for name, value in {"content-length": "0", **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        text = response.read().decode()
        assert (response.status, response.getheader("content-type")) == (status, JSON["content-type"]), text
        assert said in json.loads(text)["error"]
        connection.close()
    for host in ("localhost", f"LOCALHOST:{running.port}", "[::1]:80"):
        assert running.ask("GET", "/health", headers={"host": host})[0] == 200


def test_bytes_are_counted_as_they_are_read(running: Running) -> None:
    """Whatever a request says of itself: a billion claimed is refused at once, a stream without a length when it is too
    long, headers too."""
    head = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    with running.socket() as connection:
        connection.sendall(head + b"content-length: 1000000000\r\n\r\n[")
        answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 413 ") and b"got 1,000,000,000 bytes" in answer
    with running.socket() as connection:
        connection.sendall(head + b"transfer-encoding: chunked\r\n\r\n")
        for _ in range(3):
            connection.sendall(b"2000\r\n" + b" " * 0x2000 + b"\r\n")
        assert read_all(connection).startswith(b"HTTP/1.1 413 ")
    with running.socket() as connection:
        connection.sendall(head + b"x: " + b"y" * 1990)
        assert read_all(connection).startswith(b"HTTP/1.1 400 ")
    with running.socket() as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01")
        assert read_all(connection).startswith(b"HTTP/1.1 400 ")
    with running.socket() as connection:  # what nobody reads of a request ends its connection, however it goes on
        connection.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000000\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"
        connection.settimeout(0.05)
        assert is_ended(connection)


def is_ended(connection: socket.socket) -> bool:
    """Whether a connection is closed, though bytes are sent for ten seconds."""
    for _ in range(200):
        try:
            connection.sendall(b" ")
            if not connection.recv(65536):
                return True
        except TimeoutError:
            continue
        except ConnectionError:
            return True
    return False


def test_slow_senders_are_ended(folder: Path) -> None:
    """By the time of the whole request, which no byte prolongs."""
    running = Running(answering_of(folder / "answer.safetensors"), Limits(seconds=1.0))
    try:
        slow_ones(running)
    finally:
        running.end()


def slow_ones(running: Running) -> None:
    head = (
        b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n"
    )
    for kept, slow in ((b"", b""), (head, b""), (head, b" " * 200)):  # 10 s, were the deadline that of a pause
        with running.socket() as connection:
            connection.sendall(kept)
            answer = b""
            connection.settimeout(0.05 if slow else 20)
            for byte in slow or b"\0":
                try:
                    connection.sendall(bytes([byte]) if slow else b"")
                    answer = connection.recv(65536)
                    break
                except TimeoutError:
                    continue
            assert answer.startswith(b"HTTP/1.1 408 ") and b"got no whole request within 1 s" in answer
    with running.socket() as connection:  # two requests one after the other have a time each
        for pause in (0.6, 0.6, 1.4):  # beyond the deadline there is no request
            time.sleep(pause)
            assert health(connection).startswith(b"HTTP/1.1 200 ")


def test_one_connection_too_many_is_told_to_come_again(running: Running) -> None:
    others = [running.socket() for _ in range(LIMITS.connections)]
    try:
        for other in others:
            assert health(other).startswith(b"HTTP/1.1 200 ")
        with running.socket() as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
            answer = read_all(connection)
            assert answer.startswith(b"HTTP/1.1 503 ") and b"got more than 16 connections at once" in answer
        assert health(others[0]).startswith(b"HTTP/1.1 200 ")
    finally:
        for other in others:
            other.close()


class Page(HTMLParser):
    """The elements of a page that people and browsers act on."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.words = list[str](), list[dict[str, str | None]](), ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.append({"tag": tag, **dict(attrs)})

    def handle_data(self, data: str) -> None:
        self.words += data


def test_a_row_can_be_tried_on_a_page(running: Running) -> None:
    """Names and words are text on it, whatever they hold; every field has a label, and nothing comes from elsewhere."""
    status, text = running.ask("GET", "/")
    page = Page(text)
    assert status == 200 and "script" not in page.tags and "alert" in page.words
    assert {one["for"] for one in page.attributes if one["tag"] == "label"} == {"f0", "f1", "f2"}
    assert {one["id"] for one in page.attributes if one["tag"] == "input"} == {"f0", "f1", "f2"}
    assert HOSTILE in [one["value"] for one in page.attributes if one["tag"] == "option"]
    assert not re.search(r"(src|@import|https?:|url\()", text)
    cells = {"0": HOSTILE, "1": "yes", "2": "1,5"}
    form = {"content-type": "application/x-www-form-urlencoded"}
    status, text = running.ask("POST", "/", urlencode(cells), form)
    page = Page(text)
    row = {"town": HOSTILE, "member": "yes", HOSTILE: "1,5"}
    (expected,) = running.predict(row)["predictions"]
    assert status == 200 and "script" not in page.tags and HOSTILE in [one.get("value") for one in page.attributes]
    assert f"{expected['p(yes)']:.1%}" in page.words and expected["class"] in page.words
    status, text = running.ask("POST", "/", urlencode({"0": "Lima"}), form)  # the rest is missing
    assert status == 200 and "words not seen in training (Lima)" in Page(text).words
    for body in ("9=1", "-1=1", "a=1", "0=1&1=1&2=1&3=1", "0=%ff", "ü=1".encode()):
        assert running.ask("POST", "/", body, form)[0] == 400
    assert running.ask("POST", "/", "0=1")[0] == 415


def test_a_mistake_of_ours_is_no_traceback(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answering = answering_of(folder / "answer.safetensors")
    monkeypatch.setattr(answering, "answer", lambda requests: 1 / 0)
    broken = Running(answering)
    try:
        status, answer = broken.ask("POST", "/predict", ROWS[0], JSON)
        assert (status, answer) == (500, {"error": "this is a mistake in nnxp"})
        assert broken.ask("GET", "/health")[0] == 200
    finally:
        broken.end()
    assert "division by zero" in caplog.text


def test_who_comes_when_too_many_wait_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where those who asked have left."""
    answering = answering_of(folder / "answer.safetensors")
    begun, go_on = threading.Event(), threading.Event()
    whole = answering.answer
    monkeypatch.setattr(answering, "answer", lambda requests: (begun.set(), go_on.wait(20), whole(requests))[2])
    running = Running(answering, LIMITS)
    try:
        body = json.dumps(ROWS[0]).encode()
        head = "POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        whole_request = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
        for number in range(1 + LIMITS.connections):
            with running.socket() as connection:
                connection.sendall(whole_request)
                while len(running.server.batches._waiting) < number:
                    time.sleep(0.001)
            assert begun.wait(20)
        assert "got more requests than can be answered" in running.predict(ROWS[0], 503)
        go_on.set()
        while running.server.batches._waiting:
            time.sleep(0.001)
        assert len(running.predict(ROWS[0])["predictions"]) == 1
    finally:
        go_on.set()
        running.end()


def test_of_many_classes_fewer_rows_are_taken() -> None:
    assert (Limits().of(5).rows, Limits().of(1000).rows, Limits().of(10**6).rows) == (1000, 100, 1)


def test_what_was_asked_is_answered_before_the_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering = answering_of(folder / "answer.safetensors")
    begun, go_on = threading.Event(), threading.Event()
    whole = answering.answer

    def slow(requests: Any) -> Any:
        begun.set()
        assert go_on.wait(20)
        return whole(requests)

    monkeypatch.setattr(answering, "answer", slow)
    running = Running(answering, Limits())
    with ThreadPoolExecutor(1) as threads:
        found = threads.submit(running.predict, ROWS[0])
        assert begun.wait(20)
        running.server.should_exit = True
        threading.Timer(0.2, go_on.set).start()
        assert len(found.result(20)["predictions"]) == 1
    running.end()
    with pytest.raises(ConnectionRefusedError):
        running.socket()


def test_the_command_says_where_it_answers(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(folder / "answer.safetensors")
    seen: list[Server] = []
    monkeypatch.setattr(Server, "run", lambda self: (seen.append(self), self.socket.close(), self.batches.close()))
    assert main(["serve", path, "--port", "0"]) in (0, None)
    said = capsys.readouterr().out
    assert f"answers at {seen[0].url} (POST /predict; a form at /)" in said and seen[0].url.startswith(
        "http://127.0.0.1:"
    )
    assert "whoever reaches" not in said and seen[0].socket.fileno() == -1
    assert main(["serve", path, "--port", "0", "--host", "0.0.0.0", "--allow-host", "Models.example"]) in (0, None)
    assert "whoever reaches this address can ask the model, and read words" in capsys.readouterr().out
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["serve", path, "--port", str(taken.getsockname()[1])]) == 2
    assert re.fullmatch(
        r"nnxp: error: cannot listen at 127.0.0.1, port \d+ \(.*\): try another --port.*\n", capsys.readouterr().err
    )
    for port in ("-1", "65536", "http"):
        assert main(["serve", path, f"--port={port}"]) == 2
        assert "expected a port from 0 to 65535" in capsys.readouterr().err
    for name in [name for name in sys.modules if name.startswith(("nnxp.serving", "nnxp.cli.serve"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve", path]) == 2
    assert 'serving needs Starlette and uvicorn: pip install "nnxp[serve]"' in capsys.readouterr().err


def test_no_model_of_nnxp_train_needs_scikit_learn_to_be_served() -> None:
    for path in Path(nnxp.serving.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not str(node.module).startswith(("sklearn", "nnxp.estimators")), path

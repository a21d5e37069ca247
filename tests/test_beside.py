"""Work beside other work, and where no thread can be started."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from nnxp import beside


def test_without_threads_it_is_done_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    with beside.workers(2) as pool:
        assert isinstance(pool, ThreadPoolExecutor) and [*pool.map(abs, [-1, 2])] == [1, 2]
    monkeypatch.setattr(threading.Thread, "start", refused)
    with beside.workers(2) as pool:
        assert isinstance(pool, beside.AtOnce) and [*pool.map(abs, [-1, 2])] == [1, 2]
        wrong = pool.submit(int, "one")  # which raises nothing yet: who asks is told
        assert pool.submit(threading.get_ident).result() == threading.get_ident()
        with pytest.raises(ValueError, match="invalid literal"):
            wrong.result()

"""Files that are written whole or not at all: their places, and what other processes leave. test_faults.py has what
goes wrong."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nnxp.files import wholefile
from nnxp.files.wholefile import flush_folder, remove_abandoned, temporary_folder, whole_file

ROOT = Path(__file__).resolve().parents[2]
HOLDS = """
import sys
from pathlib import Path
from nnxp.files.wholefile import temporary_folder, whole_file
with whole_file(Path("m"), "the model") as file, temporary_folder(Path("."), ".unfinished-") as folder:
    file.write(b"new")
    (folder / "x").touch()
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, content: bytes = b"mine") -> None:
    with whole_file(path, "the file") as file:
        file.write(content)


@pytest.mark.skipif(not hasattr(os, "fchmod"), reason="Windows has no such permissions")
def test_what_may_be_read_by_its_owner_only_stays_so(here: Path) -> None:
    write(Path("m"))
    for mode in (0o600, 0o640, 0o444):
        Path("m").chmod(mode)
        write(Path("m"), b"new")
        assert Path("m").read_bytes() == b"new" and Path("m").stat().st_mode & 0o777 == mode


def test_the_longest_names(here: Path) -> None:
    name = "ü" * 127  # 254 bytes of the 255 that a name may have
    write(Path(name))
    assert [path.name for path in here.iterdir()] == [name]


def test_a_link_to_itself(here: Path) -> None:
    Path("m").symlink_to("m")
    with pytest.raises(OSError, match="symbolic links"):
        write(Path("m"))


def test_a_file_is_there_when_the_block_ends_and_not_before(here: Path) -> None:
    with whole_file(Path("m"), "the file") as file:
        file.write(b"one")
        assert not Path("m").exists()
        (temporary,) = os.listdir()
        assert re.fullmatch(r"\.m\.[0-9a-f]{16}\.tmp", temporary)
    assert Path("m").read_bytes() == b"one" and os.listdir() == ["m"]
    with pytest.raises(OverflowError), whole_file(Path("m"), "the file") as file:
        file.write((2**64).to_bytes(8))  # raises
    assert Path("m").read_bytes() == b"one" and os.listdir() == ["m"]


def test_its_permissions_are_those_of_a_file_that_open_makes(here: Path) -> None:
    write(Path("m"))
    Path("plain").touch()
    assert os.stat("m").st_mode == os.stat("plain").st_mode


def test_a_link_stays_a_link_and_a_device_a_device(here: Path) -> None:
    Path("folder").mkdir()
    Path("link").symlink_to("folder/m")
    write(Path("link"))
    assert Path("link").is_symlink() and Path("folder/m").read_bytes() == b"mine"
    os.mkfifo("pipe")
    with pytest.raises(FileExistsError, match="a device or a pipe, expected a file"):
        write(Path("pipe"))
    with pytest.raises(IsADirectoryError, match="got the folder .* expected a file name such as"):
        write(Path("folder"))
    with pytest.raises(FileNotFoundError, match="there is no folder .*; create it first"):
        write(Path("other/m"))


def test_an_error_of_something_else_in_the_block_stays_what_it_is(here: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, whole_file(Path("m"), "the file"):
        Path("data.csv").read_bytes()
    assert caught.value.filename == "data.csv" and os.listdir() == []


def test_what_somebody_is_writing_is_not_abandoned_until_its_process_is_gone(here: Path) -> None:
    for name in (".m.0123456789abcdef.tmp", ".m.notes.tmp", ".n.0123456789abcdef.tmp"):
        Path(name).write_bytes(b"")  # the first is nobody's, the others are not of this file
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout and other.stdout.readline() == b"ready\n"
        (held,) = (name for name in os.listdir() if re.fullmatch(r"\.m\.[0-9a-f]{16}\.tmp", name))
        (folder,) = (name for name in os.listdir() if name.startswith(".unfinished-"))
        write(Path("m"))
        with temporary_folder(Path(), ".unfinished-"):
            assert Path(folder, "x").exists()
        assert {*os.listdir()} == {"m", held, folder, ".m.notes.tmp", ".n.0123456789abcdef.tmp"}
        other.kill()
    write(Path("m"))
    with temporary_folder(Path(), ".unfinished-"):
        assert not Path(folder).exists()
    assert {*os.listdir()} == {"m", ".m.notes.tmp", ".n.0123456789abcdef.tmp"}


def test_a_link_under_the_name_of_a_temporary_file_is_left_alone(here: Path) -> None:
    Path("precious").mkdir()
    Path(".m.0123456789abcdef.tmp").symlink_to("precious")
    write(Path("m"))
    remove_abandoned(Path(), r"\.m\..*")
    assert Path("precious").is_dir() and Path(".m.0123456789abcdef.tmp").is_symlink()


def test_a_file_that_was_taken_for_abandoned_is_made_again(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may look between the making and the lock."""
    fcntl = pytest.importorskip("fcntl", reason="there are no such locks on Windows")
    real, calls = fcntl.flock, []

    def late(handle: int, operation: int) -> None:
        if not calls:
            (temporary,) = os.listdir()
            os.unlink(temporary)
        calls.append(operation)
        real(handle, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    write(Path("m"))
    assert len(calls) == 2 and Path("m").read_bytes() == b"mine" and os.listdir() == ["m"]


def test_a_folder_that_cannot_be_flushed_by_its_nature_is_no_error(monkeypatch: pytest.MonkeyPatch, here: Path) -> None:
    def refuse(handle: int) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "fsync", refuse)
    flush_folder(here)
    with pytest.raises(OSError, match="the file could not be saved"):
        write(Path("m"))


def test_without_locks_nothing_of_others_is_removed(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has none."""
    monkeypatch.setattr(wholefile, "fcntl", None)
    Path(".m.0123456789abcdef.tmp").touch()
    Path(".unfinished-1").mkdir()
    write(Path("m"))
    with temporary_folder(Path(), ".unfinished-") as folder:
        assert folder.is_dir()
    assert {*os.listdir()} == {"m", ".m.0123456789abcdef.tmp", ".unfinished-1"} and Path("m").read_bytes() == b"mine"

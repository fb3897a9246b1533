"""Files are whole or as they were, and an error says which."""

import errno
import json
from pathlib import Path

import pytest

from nnunet_skipx.system.files import finite, last_lines, write_bytes, write_json, write_text


@pytest.mark.parametrize("write", [write_text, write_json])
def test_what_is_written_is_read_back_and_nothing_else_is_left(write: object, tmp_path: Path) -> None:
    path = tmp_path / "a"
    for content in ("first\n", "second, with – and µ\n"):
        write(path, content)  # type: ignore[operator]
        assert path.read_text(encoding="utf-8") == (content if write is write_text else json.dumps(content))
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file_and_is_named_with_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    real = Path.write_bytes

    def half(self: Path, data: bytes) -> int:
        real(self, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match=rf"No space left on device: '{path}'"):
        write_bytes(path, b"newer")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_has_no_nan() -> None:
    assert finite({"a": [float("nan"), (float("inf"), 1.0)], 2: None}) == {"a": [None, [None, 1.0]], "2": None}


def test_the_end_of_a_log_is_indented(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("".join(f"line {number}\n" for number in range(20)))
    assert last_lines(tmp_path / "log", 2) == "  line 18\n  line 19"

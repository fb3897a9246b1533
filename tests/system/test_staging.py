"""A folder to build in: one process at a time, nothing left in the end, whatever was left before."""

from pathlib import Path

import pytest
from filelock import FileLock

from nnunet_skipx.system.staging import alone, remove_abandoned, remove_drafts, staging_folder


def test_it_is_empty_at_the_beginning_and_gone_in_the_end(tmp_path: Path) -> None:
    left = tmp_path / ".staging" / "dataset" / "deep"
    left.mkdir(parents=True)
    (left / "half").write_text("of a killed process")
    with staging_folder(tmp_path / ".staging", "busy") as folder:
        assert not any(folder.iterdir())
        (folder / "new").write_text("whole")
        folder.rename(tmp_path / "published")
    assert [path.name for path in tmp_path.iterdir()] == ["published"]


def test_an_error_inside_leaves_nothing_and_is_not_taken_for_a_busy_folder(tmp_path: Path) -> None:
    with pytest.raises(KeyError), staging_folder(tmp_path / ".staging", "busy") as folder:
        (folder / "half").write_text("")
        raise KeyError
    assert not any(tmp_path.iterdir())


def test_what_another_process_is_at_is_neither_entered_nor_removed(tmp_path: Path) -> None:
    with staging_folder(tmp_path / ".staging", "the first") as folder:
        (folder / "half").write_text("")
        with pytest.raises(ValueError, match="busy: wait"), staging_folder(tmp_path / ".staging", "busy: wait"):
            pass
        with pytest.raises(ValueError, match="busy: wait"):
            remove_abandoned(tmp_path / ".staging", "busy: wait")
        assert (folder / "half").exists()


def test_what_was_abandoned_goes_and_where_nothing_was_nothing_comes(tmp_path: Path) -> None:
    remove_abandoned(tmp_path / ".staging", "busy")
    assert not any(tmp_path.iterdir())
    (tmp_path / ".staging" / "dataset").mkdir(parents=True)
    remove_abandoned(tmp_path / ".staging", "busy")
    assert not any(tmp_path.iterdir())


def test_a_lock_whose_file_is_gone_protects_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    acquire = FileLock.acquire

    def just_as_its_holder_removes_it(self: FileLock) -> None:
        acquire(self)
        (tmp_path / "lock").unlink()

    monkeypatch.setattr(FileLock, "acquire", just_as_its_holder_removes_it)
    with pytest.raises(ValueError, match="busy"), alone(tmp_path / "lock", "busy"):
        pass


def test_drafts_of_files_go_and_files_stay(tmp_path: Path) -> None:
    for name in (".plans.json.123.draft", "plans.json", "a.draft"):
        (tmp_path / name).write_text("")
    remove_drafts(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.draft", "plans.json"]

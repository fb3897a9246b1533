import hashlib
import io
import os
import socket
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from monai.apps.datasets import DecathlonDataset

from nnunet_skipx.datasets.download import fetch, fetch_msd_task
from nnunet_skipx.datasets.titles import MSD_TASKS, msd_task
from tests.datasets import almost_full_disk

TASK = "Task04_Hippocampus"
CONTENT = os.urandom(3_000_000)
ServeTask = Callable[[dict[str, bytes]], None]
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `files`; remembers what was asked for, and breaks off or ignores ranges when told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.ranges_asked: list[str | None] = []
        self.bytes_sent: list[int] = []
        self.break_off_after: int | None = None
        self.knows_ranges = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers["Range"]
        self.server.ranges_asked.append(asked)
        content = self.server.files.get(self.path)
        if content is None:
            return self.send_error(404)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.server.knows_ranges else 0
        if start >= len(content):
            return self.send_error(416)
        body = content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        sent = body[: self.server.break_off_after]
        self.wfile.write(sent)
        self.server.bytes_sent.append(len(sent))

    def log_message(self, *args: object) -> None:
        """Silence: pytest shows what failed."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    server.files["/file.bin"] = CONTENT
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def tar_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def serve_task(server: Server, monkeypatch: pytest.MonkeyPatch) -> ServeTask:
    def serve(files: dict[str, bytes]) -> None:
        archive = tar_of(files)
        offer(server, archive, monkeypatch)

    return serve


def offer(server: Server, archive: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve an archive as the task's, in the place of MSD's bucket."""
    server.files[f"/{TASK}.tar"] = archive
    monkeypatch.setitem(DecathlonDataset.resource, TASK, f"{server.url}/{TASK}.tar")
    monkeypatch.setitem(DecathlonDataset.md5, TASK, hashlib.md5(archive).hexdigest())


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestFetch:
    def test_a_download_arrives_whole_under_its_name_and_leaves_no_part(self, server: Server, tmp_path: Path) -> None:
        target = fetch(f"{server.url}/file.bin", tmp_path / "new" / "file.bin", MD5)
        assert target.read_bytes() == CONTENT
        assert names_in(target.parent) == ["file.bin"]

    def test_a_broken_connection_is_one_clear_sentence_and_the_next_call_asks_only_for_the_rest(
        self, server: Server, tmp_path: Path
    ) -> None:
        target, part = tmp_path / "file.bin", tmp_path / "file.bin.part"
        server.break_off_after = 1_000_000
        with pytest.raises(OSError, match=r"failed \(the connection broke off\): check the network.*by hand"):
            fetch(f"{server.url}/file.bin", target, MD5)
        assert not target.exists()
        have = part.stat().st_size
        assert 0 < have <= 1_000_000
        assert part.read_bytes() == CONTENT[:have]

        server.break_off_after = None
        fetch(f"{server.url}/file.bin", target, MD5)
        assert target.read_bytes() == CONTENT
        assert server.ranges_asked == [None, f"bytes={have}-"]
        assert server.bytes_sent[1] == len(CONTENT) - have

    def test_a_server_that_ignores_ranges_makes_the_download_start_over(self, server: Server, tmp_path: Path) -> None:
        (tmp_path / "file.bin.part").write_bytes(CONTENT[:500_000])
        server.knows_ranges = False
        assert fetch(f"{server.url}/file.bin", tmp_path / "file.bin", MD5).read_bytes() == CONTENT

    def test_a_complete_part_is_accepted_without_downloading_it_again(self, server: Server, tmp_path: Path) -> None:
        (tmp_path / "file.bin.part").write_bytes(CONTENT)
        assert fetch(f"{server.url}/file.bin", tmp_path / "file.bin", MD5).read_bytes() == CONTENT
        assert server.bytes_sent == []

    def test_a_part_of_another_file_is_removed_so_that_the_next_call_succeeds(
        self, server: Server, tmp_path: Path
    ) -> None:
        (tmp_path / "file.bin.part").write_bytes(b"x" * 500_000)
        with pytest.raises(ValueError, match="instead of"):
            fetch(f"{server.url}/file.bin", tmp_path / "file.bin", MD5)
        assert fetch(f"{server.url}/file.bin", tmp_path / "file.bin", MD5).read_bytes() == CONTENT

    def test_a_wrong_checksum_names_both_and_leaves_nothing(self, server: Server, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=f"checksum {MD5} instead of {'0' * 32}, so it was removed: run"):
            fetch(f"{server.url}/file.bin", tmp_path / "file.bin", "0" * 32)
        assert names_in(tmp_path) == []

    def test_a_missing_file_is_reported_with_the_answer_of_the_server(self, server: Server, tmp_path: Path) -> None:
        with pytest.raises(OSError, match=r"absent\.bin failed \(the server answered 404 Not Found\): check"):
            fetch(f"{server.url}/absent.bin", tmp_path / "absent.bin", MD5)
        assert names_in(tmp_path) == []

    def test_no_network_is_one_clear_sentence_without_internals(self, tmp_path: Path) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{unused.getsockname()[1]}/file.bin"
            with pytest.raises(OSError, match=r"failed \(no connection to the server, .*check the network") as caught:
                fetch(url, tmp_path / "file.bin", MD5)
        assert "object at" not in str(caught.value)

    def test_a_disk_that_fills_up_keeps_the_part_for_the_next_call(self, server: Server, tmp_path: Path) -> None:
        reason = r"cannot write .*file\.bin\.part \(File too large\): free some space"
        with almost_full_disk(), pytest.raises(OSError, match=reason):
            fetch(f"{server.url}/file.bin", tmp_path / "file.bin", MD5)
        assert names_in(tmp_path) == ["file.bin.part"]

    def test_a_verified_file_is_not_fetched_again(self, server: Server, tmp_path: Path) -> None:
        (tmp_path / "file.bin").write_bytes(CONTENT)
        fetch(f"{server.url}/file.bin", tmp_path / "file.bin", MD5)
        assert server.ranges_asked == []

    def test_a_damaged_file_is_fetched_again(self, server: Server, tmp_path: Path) -> None:
        (tmp_path / "file.bin").write_bytes(CONTENT[:-1])
        assert fetch(f"{server.url}/file.bin", tmp_path / "file.bin", MD5).read_bytes() == CONTENT


class TestFetchMSDTask:
    def test_a_task_is_unpacked_without_the_junk_of_archive_tools(
        self, server: Server, serve_task: ServeTask, tmp_path: Path
    ) -> None:
        serve_task({f"{TASK}/dataset.json": b"{}", f"{TASK}/._dataset.json": b"junk", f"._{TASK}": b"junk"})
        task = fetch_msd_task(TASK, tmp_path)
        assert task == tmp_path / TASK
        assert names_in(task) == ["dataset.json"]
        assert names_in(tmp_path) == [TASK, f"{TASK}.tar"]

    def test_a_second_call_needs_no_network(self, server: Server, serve_task: ServeTask, tmp_path: Path) -> None:
        serve_task({f"{TASK}/dataset.json": b"{}"})
        first = fetch_msd_task(TASK, tmp_path)
        asked = len(server.ranges_asked)
        assert fetch_msd_task(TASK, tmp_path) == first
        assert len(server.ranges_asked) == asked

    @pytest.mark.parametrize("evil", ["../evil", f"{TASK}/../../evil"])
    def test_an_archive_that_writes_elsewhere_is_refused_and_leaves_no_folder(
        self, server: Server, serve_task: ServeTask, tmp_path: Path, evil: str
    ) -> None:
        folder = tmp_path / "inner"
        serve_task({f"{TASK}/dataset.json": b"{}", evil: b"evil"})
        with pytest.raises(ValueError, match="cannot be unpacked safely"):
            fetch_msd_task(TASK, folder)
        assert names_in(folder) == [f"{TASK}.tar"]
        assert not list(tmp_path.rglob("evil"))

    def test_an_archive_cut_before_it_was_published_leaves_no_folder(
        self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        archive = tar_of({f"{TASK}/dataset.json": b"{}" * 5000})[:3000]
        offer(server, archive, monkeypatch)
        with pytest.raises(ValueError, match="cannot be unpacked"):
            fetch_msd_task(TASK, tmp_path)
        assert names_in(tmp_path) == [f"{TASK}.tar"]

    def test_an_archive_of_another_task_is_refused(self, server: Server, serve_task: ServeTask, tmp_path: Path) -> None:
        serve_task({"Task05_Prostate/dataset.json": b"{}"})
        with pytest.raises(ValueError, match=f"does not contain the folder {TASK}"):
            fetch_msd_task(TASK, tmp_path)

    @pytest.mark.parametrize("name", ["4", "04", "Task04", "Task04_Hippocampus"])
    def test_a_task_can_be_named_by_its_number(self, name: str) -> None:
        assert msd_task(name) == TASK

    @pytest.mark.parametrize("name", ["11", "Task0", "Hippocampus", "", None, "../Task04_Hippocampus"])
    def test_a_task_that_does_not_exist_is_refused_with_those_that_do(self, name: str | None) -> None:
        with pytest.raises(
            ValueError, match=r"no (MSD task|task was named).*: give one of Task01_BrainTumour, .*or its number"
        ):
            msd_task(name)

    def test_monai_knows_the_checksum_of_every_task(self) -> None:
        assert list(MSD_TASKS) == sorted(DecathlonDataset.resource) == sorted(DecathlonDataset.md5)
        assert DecathlonDataset.md5[TASK] == "9d24dba78a72977dbd1d2e110310f31b"

"""Downloads that resume, are verified, and appear under their final name only when whole."""

import hashlib
import os
import tarfile
from pathlib import Path

import requests
from tqdm import tqdm

from nnunet_skipx.system.staging import staging_folder

CHUNK_BYTES = 1 << 18
TIMEOUT_SECONDS = 30
PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 206, 416


def fetch(url: str, target: Path, md5: str) -> Path:
    """Download `url` to the file `target` with a progress bar and return it; a verified `target` is not fetched again.

    What arrived so far lies in `target`.part and is resumed from there. Raises ValueError when the finished download
    has another MD5 (the part is removed then), OSError when the network, the server or the disk fails.
    """
    if target.is_file() and md5_of(target) == md5:
        return target
    part = target.with_name(target.name + ".part")
    by_hand = f"or download {url} by hand and unpack it in {target.parent}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        stream_to(part, url)
    except requests.RequestException as error:
        raise OSError(
            f"downloading {url} failed ({reason_of(error)}): check the network and run the command again, which "
            f"resumes the download, {by_hand}"
        ) from error
    except OSError as error:
        raise OSError(
            f"cannot write {part} ({error.strerror or error}): free some space (or choose another folder) and run the "
            "command again, which resumes the download"
        ) from error
    found = md5_of(part)
    if found != md5:
        part.unlink()
        raise ValueError(
            f"{url} arrived with the MD5 checksum {found} instead of {md5}, so it was removed: run the command again, "
            f"{by_hand}"
        )
    os.replace(part, target)
    return target


def fetch_msd_task(name: str, folder: Path) -> Path:
    """Download and unpack an MSD task into `folder` and return `folder/name`; nothing is done when that exists.

    Address and checksum are those of MONAI's DecathlonDataset. Raises ValueError for an unusable archive, and what
    `fetch` raises.
    """
    from monai.apps.datasets import DecathlonDataset  # takes seconds

    task = folder / name
    if not task.is_dir():
        archive = fetch(DecathlonDataset.resource[name], folder / f"{name}.tar", DecathlonDataset.md5[name])
        unpack_folder(archive, task)
    return task


def stream_to(part: Path, url: str) -> None:
    """Append what is missing to `part`, or start over when the server does not know ranges."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}  # ranges count the bytes as sent, which must be those of the file
    if have:
        headers["Range"] = f"bytes={have}-"
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as response:
        if have and response.status_code == RANGE_NOT_SATISFIABLE:
            return  # nothing is missing; the checksum tells whether it is the right file
        response.raise_for_status()
        resumed = response.status_code == PARTIAL_CONTENT
        total = int(response.headers.get("Content-Length", 0)) + (have if resumed else 0)
        bar = tqdm(desc=part.stem, initial=have if resumed else 0, total=total or None, unit="B", unit_scale=True)
        with part.open("ab" if resumed else "wb") as file, bar:
            for chunk in response.iter_content(CHUNK_BYTES):
                file.write(chunk)
                bar.update(len(chunk))


def reason_of(error: requests.RequestException) -> str:
    """A few words instead of urllib3's nested representation."""
    if error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return f"no answer within {TIMEOUT_SECONDS} seconds"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, requests.ConnectionError):
        return f"no connection to the server, {type(error).__name__}"
    return str(error)


def md5_of(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def unpack_folder(archive: Path, target: Path) -> None:
    """Unpack the folder `target.name` of a tar archive to `target`, which appears only when it is whole."""
    try:
        busy = f"{archive} is being unpacked by another process: wait for it, or stop it"
        with staging_folder(target.parent / f".unpacking_{target.name}", busy) as staging:
            with tarfile.open(archive) as tar:
                members = [member for member in tar if not Path(member.name).name.startswith("._")]
                tar.extractall(staging, members, filter="data")
            if not (staging / target.name).is_dir():
                raise ValueError(f"{archive} does not contain the folder {target.name}: remove the archive and retry")
            os.rename(staging / target.name, target)
    except tarfile.TarError as error:
        raise ValueError(f"{archive} cannot be unpacked safely ({error}): remove it and try again") from error
    except OSError as error:
        raise OSError(
            f"cannot unpack {archive} ({error.strerror or error}): free some space (or choose another folder) and run "
            "the command again"
        ) from error

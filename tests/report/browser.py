"""Chromium, which lays a page out."""

import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium to lay out the page (Debian: apt-get install chromium)"
)
OPTIONS = (
    "headless",
    "no-sandbox",
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "hide-scrollbars",
    "allow-file-access-from-files",
)


def browse(path: Path, *options: str) -> str:
    """The page's document after headless Chromium has laid it out, and what it complained about."""
    command = [
        str(CHROMIUM),
        *(f"--{option}" for option in OPTIONS),
        f"--user-data-dir={path.parent / 'profile'}",
        *options,
        "--dump-dom",
        path.as_uri(),
    ]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return run.stdout + "".join(line for line in run.stderr.splitlines() if "CONSOLE" in line)


def measure(page: Path, width: int, script: str, *options: str) -> str:
    """What a script, given `page` (the document) and `frame`, says of `report.html` in a frame of that width."""
    beside = page.with_name("measure.html")
    beside.write_text(
        f"<iframe id=frame src={page.name} style='width:{width}px;height:800px;border:0'></iframe>"
        f"<script>onload=()=>{{const page=frame.contentDocument;document.title=(()=>{{{script}}})()}}</script>"
    )
    return browse(beside, *options).split("<title>")[1].split("</title>")[0]

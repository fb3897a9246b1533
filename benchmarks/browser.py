"""Pictures of pages by headless Chromium."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

COLOURS = 128
CHROMIUM = [
    f"--{option}"
    for option in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        "hide-scrollbars",
    )
]


def photograph(page: Path, picture: Path, window: tuple[int, int], colours: int = COLOURS) -> None:
    """The first screen of a page as a small PNG file."""
    with tempfile.TemporaryDirectory() as name:
        screen = Path(name) / "screen.png"
        browse(page, f"--screenshot={screen}", f"--window-size={window[0]},{window[1]}")
        shown = Image.open(screen).convert("RGB").quantize(colours, dither=Image.Dither.NONE)
        shown.save(picture, optimize=True)
    print(f"{picture}: {picture.stat().st_size / 1000:.0f} kB")


def browse(page: Path, *options: str) -> None:
    """Have headless Chromium do what the options say to a page."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise FileNotFoundError("no Chromium is installed (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory() as profile:
        command = [program, *CHROMIUM, f"--user-data-dir={profile}", *options, page.resolve().as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)

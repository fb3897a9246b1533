"""Where an installed package came from, in pip's words: pip notes it for what it did not find on an index."""

import json
import shlex
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from urllib.parse import urlsplit
from urllib.request import url2pathname

PACKAGE = "nnunet-skipx"
UNKNOWN = "/path/to/wheel-or-clone"  # for commands that are shown; where it was installed from a folder of wheels


def origin(installed: Distribution) -> str | None:
    """A path, `git+URL@COMMIT` or the address of a file; None where pip found it on an index or in a list of wheels."""
    noted = json.loads(installed.read_text("direct_url.json") or "{}")
    if not noted:
        return None
    address = str(noted["url"])
    if "vcs_info" in noted:
        return f"{noted['vcs_info']['vcs']}+{address}@{noted['vcs_info']['commit_id']}"
    return url2pathname(urlsplit(address).path) if address.startswith("file:") else address


def reinstall_command() -> str:
    """What repairs this installation."""
    command = "pip install --force-reinstall --no-deps"
    try:
        ours = distribution(PACKAGE)
    except PackageNotFoundError:  # a checkout on PYTHONPATH
        return f"{command} {UNKNOWN}"
    editable = '"editable": true' in (ours.read_text("direct_url.json") or "")
    return f"{command} {'-e ' * editable}{shlex.quote(origin(ours) or UNKNOWN)}"

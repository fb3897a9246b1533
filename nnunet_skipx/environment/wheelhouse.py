"""`skipx wheelhouse`: what a machine without internet has to be given, as a list for pip."""

import platform
import shlex
import sysconfig
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from nnunet_skipx.environment.origin import PACKAGE, origin
from nnunet_skipx.system.files import write_text
from nnunet_skipx.system.os_errors import require_writable

LIST = "wheelhouse.txt"


def write_wheelhouse(folder: Path, package: str = PACKAGE, source: str | None = None) -> str:
    """Write the list for an installed package into a folder, and say how to fill the folder and how to install from it.

    source: the package's own wheel, folder or address; where it was installed from, if None.

    Raises:
        RuntimeError: something it needs is not installed here.
        ValueError: nobody has noted where it came from.
    """
    require_writable(folder, "the list")
    source = source or origin(installed(package, "this command"))
    if source is None:
        raise ValueError(
            f"pip has not noted where {package} was installed from: add --package with its wheel or a clone of it"
        )
    needed = sorted(needed_by(Requirement(package)), key=lambda one: one.metadata["Name"].lower())
    where = shlex.quote(str(folder))
    fill = f"python -m pip wheel --no-deps --wheel-dir {where} -r {where}/{LIST} {shlex.quote(source)}"
    install = f"python -m pip install --no-index --find-links {shlex.quote(folder.resolve().name)} {package}"
    header = [
        f"# {package} {installed(package, '').version} for Python {python_version()} on {sysconfig.get_platform()}",
        f"# With internet:    {fill}",
        f"# Without internet: {install}",
    ]
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / LIST, "\n".join([*header, *map(pinned, needed)]) + "\n")
    return told(folder, needed, fill, install)


def told(folder: Path, needed: list[Distribution], fill: str, install: str) -> str:
    """The two commands, and what pip's usual index does not have."""
    lines = [f"wrote {folder / LIST}: {len(needed)} packages, as they are installed here"]
    special = [f"{one.metadata['Name']} {one.version}" for one in needed if Version(one.version).local]
    if special:
        lines.append(
            f"{', '.join(special)}: not on pip's usual index. Give the command below the same --extra-index-url "
            "that you installed with"
        )
    same = f"the same system and Python {python_version()}"
    lines += [
        "Download here",
        f"    {fill}",
        f"copy the folder, and beside it, in a new environment of {same}",
        f"    {install}",
    ]
    return "\n".join(lines)


def needed_by(requirement: Requirement) -> Iterator[Distribution]:
    """All that an installed package needs, with what that needs, each once, without the package itself."""
    waiting = [*parts(requirement)]
    known = set(waiting)
    told = {canonicalize_name(requirement.name)}
    while waiting:
        name, extra = waiting.pop()
        for one in map(Requirement, installed(name, requirement.name).requires or ()):
            if one.marker is not None and not one.marker.evaluate({"extra": extra}):
                continue
            found = installed(one.name, name)
            if (canonical := canonicalize_name(one.name)) not in told:
                told.add(canonical)
                yield found
            new = parts(one) - known
            known |= new
            waiting += new


def parts(requirement: Requirement) -> set[tuple[str, str]]:
    """What a requirement names: the package itself and its extras, each with requirements of its own."""
    return {(canonicalize_name(requirement.name), extra) for extra in ("", *requirement.extras)}


def installed(name: str, needing: str) -> Distribution:
    """A package of this environment; RuntimeError if it is not there, and who needs it."""
    try:
        return distribution(name)
    except PackageNotFoundError as error:
        raise RuntimeError(
            f"{name}, which {needing} needs, is not installed here: run `skipx wheelhouse` in an environment that works"
        ) from error


def pinned(found: Distribution) -> str:
    """A line for pip that means just this version."""
    name, came_from = found.metadata["Name"], origin(found)
    if came_from is None:
        return f"{name}=={found.version}"
    return f"{name} @ {Path(came_from).as_uri() if came_from.startswith('/') else came_from}"


def python_version() -> str:
    """Of this Python, as wheels have it: 3.11."""
    return ".".join(platform.python_version_tuple()[:2])

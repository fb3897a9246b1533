"""`skipx wheelhouse` lists all that is needed, and its two commands lead to an installation without internet."""

from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from nnunet_skipx.environment.wheelhouse import LIST, needed_by
from tests.packaging.conftest import Built, Environment

pytestmark = pytest.mark.slow
WRITE = "import sys, nnunet_skipx.environment.wheelhouse as w; from pathlib import Path; "


def project(folder: Path, name: str, *needs: str, version: str = "1.2") -> Path:
    """The source of a package with one module; extra `more` needs what stands behind `more:`."""
    more = [need.removeprefix("more:") for need in needs if need.startswith("more:")]
    always = [need for need in needs if not need.startswith("more:")]
    (folder / name).mkdir()
    (folder / name / f"{name}.py").write_text(f"VERSION = {version!r}\n")
    (folder / name / "setup.py").write_text(
        f"from setuptools import setup; setup(name={name!r}, version={version!r}, py_modules=[{name!r}], "
        f"install_requires={always}, extras_require={{'more': {more}}})"
    )
    return folder / name


@pytest.fixture
def tiny(tmp_path: Path, empty: Environment) -> Environment:
    """An environment with the package tiny_top, which needs one through another's extra, and none of Python 2."""
    leaf = project(tmp_path, "tiny_leaf")
    middle = project(tmp_path, "tiny_middle", "more:tiny_leaf")
    top = project(tmp_path, "tiny_top", "tiny-middle[more]>=1", 'tiny_gone; python_version < "3"')
    empty.pip("install", "--no-deps", "--no-index", "--no-build-isolation", leaf, middle, top)
    return empty


def test_the_printed_commands_download_and_install(built: Built, tiny: Environment, tmp_path: Path) -> None:
    folder = tmp_path / "my wheels"
    tiny.pip("install", "--no-deps", "--no-index", built.wheel)
    code = f"{WRITE} print(w.write_wheelhouse(Path(sys.argv[1]), 'tiny_top'))"
    told = tiny.run("python", "-c", code, folder).stdout
    assert "tiny_leaf @ file:///" in (folder / LIST).read_text() and "tiny_gone" not in (folder / LIST).read_text()
    fill, install = (line for line in told.splitlines() if "-m pip" in line)
    tiny.shell(f"{fill} --no-index --no-build-isolation")
    assert {wheel.name.partition("-")[0] for wheel in folder.glob("*.whl")} == {"tiny_leaf", "tiny_middle", "tiny_top"}
    offline = Environment.made(tmp_path / "offline")
    offline.shell(install, folder.parent)
    assert offline.run("python", "-c", "import tiny_top, tiny_leaf; print(tiny_leaf.VERSION)").stdout == "1.2\n"


def test_ours_pins_what_is_installed_and_takes_the_wheel_that_it_came_from(built: Built, empty: Environment) -> None:
    empty.pip("install", "--no-deps", "--no-index", built.wheel)
    told = empty.run("skipx", "wheelhouse", "wheels").stdout
    assert f"wheels/{LIST} {built.wheel}\n" in told
    lines = (empty.folder / "wheels" / LIST).read_text().splitlines()
    listed = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert listed == {name: metadata.version(name) for name in listed}
    assert {"torch", "nnunetv2", "batchgenerators", "monai"} <= listed.keys()
    needed = [Requirement(line) for name in ("nnunet-skipx", *listed) for line in metadata.requires(name) or ()]
    always = {canonicalize_name(one.name) for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})}
    assert always <= {canonicalize_name(name) for name in listed}


def test_what_is_missing_is_named_with_what_needs_it(tiny: Environment) -> None:
    tiny.pip("uninstall", "--yes", "tiny_leaf")
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(tiny.site_packages))
        with pytest.raises(RuntimeError, match=r"tiny.leaf, which tiny.middle needs, is not installed here"):
            list(needed_by(Requirement("tiny_top")))

"""What our trainers' files say of their trainers, read as text: to import one takes seconds."""

import ast
import functools
from pathlib import Path
from typing import Any, NamedTuple

import nnunet_skipx.trainers as trainers_package
from nnunet_skipx.nnunet.trainer_name import BASELINE, FLOPSTWIN, TWIN, WITHOUT
from nnunet_skipx.system.classes import classes_in
from nnunet_skipx.training.grammar import MASK, OF_MECHANISMS, OPTIONS, trainer_names

PACKAGE = Path(__file__).parents[1]
ARCHITECTURES = PACKAGE / "architectures"
HOMES_OF_NUMBERED = (PACKAGE / "universal", PACKAGE / "training" / "options")
USUAL = ("concatenation",)  # what nnU-Net's decoder does with a skip


class Call(NamedTuple):
    """`Twin(("a",), matches_operations=True)`: its arguments."""

    arguments: list[Any]
    keywords: dict[str, Any]


class Declaration(NamedTuple):
    """A trainer as its file declares it.

    description: the first line of its docstring. own_options: arguments of the network by option. numbered: options
    with a number, as `from{N}`. ingredients: what a twin without each has instead, in words. options: all that its name
    takes, with what they do. is_single: whether it trains a single data set.
    """

    name: str
    description: str
    own_options: dict[str, dict[str, Any]]
    numbered: tuple[str, ...]
    ingredients: dict[str, str]
    options: dict[str, str]
    always: tuple[str, ...]
    families: dict[str, tuple[str, ...]]
    is_single: bool = True


@functools.cache
def declared(name: str) -> Declaration:
    """What the file of a trainer of ours, or of nnU-Net's own, declares."""
    if name == BASELINE:
        general = {option: text for option, text in OPTIONS.items() if option not in OF_MECHANISMS}
        return Declaration(name, "nnU-Net's own U-Net: the baseline.", {}, (), {}, general, USUAL, {})
    module = _module(name)
    (body,) = [node for node in module.body if isinstance(node, ast.ClassDef) and node.name == name]
    names = {**_assigned(module), **_assigned(body)}
    values = {key: _value(node, names) for key, node in _assigned(body).items()}
    removals = {key: _named(call, "noun", "removal", "network") for key, call in values.get("ingredients", {}).items()}
    twin = _named(values["twin"], "removes", "network", "trainer") if "twin" in values else {}
    ingredients = {key: str(removal["removal"]) for key, removal in removals.items()}
    own, mixins = values.get("own_options", {}), values.get("own_mixins", {})
    words = {option: "the network with " + _keywords(kwargs) for option, kwargs in own.items()}
    words |= {option: _said_of(mixin) for option, mixin in mixins.items()}
    words |= {
        WITHOUT + key: f"twin: {text}" for key, text in ingredients.items() if _sets(removals[key]) != _sets(twin)
    }
    description = (ast.get_docstring(body) or "").partition("\n")[0]
    families = {key: removal.get("families", ()) for key, removal in removals.items()}
    always, options = values.get("families", USUAL), words | _general(values)
    is_single = "architecture" in values
    return Declaration(name, description, own, tuple(mixins), ingredients, options, always, families, is_single)


def single_trainers() -> list[str]:
    """nnU-Net's own trainer and those of the package that train one data set."""
    return [name for name in (BASELINE, *trainer_names()) if declared(name).is_single]


def _said_of(mixin: str) -> str:
    """What an option with a number does, as the first line of its class's docstring says."""
    (path,) = {found[mixin].file for home in HOMES_OF_NUMBERED if mixin in (found := classes_in(home))}
    classes = ast.parse(path.read_text(encoding="utf-8")).body
    (body,) = [node for node in classes if isinstance(node, ast.ClassDef) and node.name == mixin]
    return (ast.get_docstring(body) or "").partition(": ")[2].partition("\n")[0]


def _general(values: dict[str, Any]) -> dict[str, str]:
    """The general options that suit a trainer."""
    general = dict(OPTIONS)
    del general[MASK]  # its skips are its own
    network = classes_in(ARCHITECTURES).get(str(values.get("architecture")))
    if network is None:
        del general["warm"]  # a network per domain, where nnU-Net's loader looks for one
    if network is None or "SkipUNet" not in network.bases:
        del general["stage2"]  # there is no stock U-Net in it to freeze
    twin = values.get("twin")
    if twin is None:
        del general[TWIN]
    if twin is None or twin.keywords.get("matches_operations"):
        del general[FLOPSTWIN]
    return general


def _module(name: str) -> ast.Module:
    path = next(Path(folder) / f"{name}.py" for folder in trainers_package.__path__)
    return ast.parse(path.read_text(encoding="utf-8"))


def _assigned(body: ast.Module | ast.ClassDef) -> dict[str, ast.expr]:
    """What stands behind `name =` in a file or a class; of a file also what it imports from another trainer's."""
    found = {}
    for node in body.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            found[node.target.id] = node.value
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{trainers_package.__name__}."):
            found |= _assigned(_module(str(node.module).rpartition(".")[2]))
    return found


def _value(node: ast.expr, names: dict[str, ast.expr]) -> Any:
    """The value of an expression; what is neither known nor literal is its own text."""
    if isinstance(node, ast.Name) and node.id in names:
        return _value(names[node.id], names)
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {_value(key, names): _value(value, names) for key, value in pairs if key is not None}
    if isinstance(node, ast.Call):
        keywords = {keyword.arg: _value(keyword.value, names) for keyword in node.keywords if keyword.arg}
        return Call([_value(argument, names) for argument in node.args], keywords)
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def _named(call: Call, *names: str) -> dict[str, Any]:
    """The arguments of a call by their names; `names` are those of the ones that have a place."""
    return dict(zip(names, call.arguments, strict=False)) | call.keywords


def _sets(removal: dict[str, Any]) -> tuple[Any, Any] | None:
    """What a twin sets of the network and of the trainer; None for no twin, which is no ingredient's."""
    return (removal.get("network", {}), removal.get("trainer", {})) if removal else None


def _keywords(kwargs: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in kwargs.items())

"""What `skipx list` shows: every trainer with its options, what it does, and its size where asked for."""

from typing import Any

from nnunet_skipx.nnunet.trainer_name import BASELINE, WITHOUT
from nnunet_skipx.system.text_table import text_table
from nnunet_skipx.training.declared import declared
from nnunet_skipx.training.grammar import OPTIONS, trainer_names


def all_trainers() -> list[str]:
    """nnUNetTrainer, then the package's trainers."""
    return [BASELINE, *trainer_names()]


def catalogue(parameters: bool = False) -> dict[str, Any]:
    """The general options, and one entry per trainer, ready for JSON.

    parameters: also those of every network, on a reference plan that is told with them; that takes seconds.
    """
    entries = [_entry(name) for name in all_trainers()]
    if not parameters:
        return {"options": OPTIONS, "trainers": entries}
    from nnunet_skipx.training.reference import REFERENCE, count_parameters  # torch

    counted = [{**entry, "parameters": count_parameters(entry["name"])} for entry in entries]
    return {"reference_plan": REFERENCE, "options": OPTIONS, "trainers": counted}


def catalogue_text(content: dict[str, Any]) -> str:
    """A catalogue for the terminal."""
    rows = [
        {
            "trainer": entry["name"],
            **({"parameters": f"{entry['parameters'] / 1e6:.2f} M"} if "parameters" in entry else {}),
            "own options": ", ".join(f"_{option}" for option in entry["own_options"]) or "-",
            "what it does": entry["description"],
        }
        for entry in content["trainers"]
    ]
    own = [
        f"  {entry['name']}_{option}: {', '.join(f'{key}={value!r}' for key, value in kwargs.items())}"
        for entry in content["trainers"]
        for option, kwargs in entry["own_options"].items()
    ]
    twins = [
        f"  {entry['name']}_{WITHOUT}{name}: {removal}"
        for entry in content["trainers"]
        for name, removal in entry["ingredients"].items()
        if len(entry["ingredients"]) > 1
    ]
    general = [f"  _{option:<10} {text}" for option, text in content["options"].items()]
    return "\n".join(
        [
            *(reference_words(content["reference_plan"]) if "reference_plan" in content else []),
            text_table(rows),
            *(["", "Own options, as arguments of the network:", *own] if own else []),
            "",
            "Twins without one ingredient, at as many parameters; what is there instead:",
            *twins,
            "",
            "General options, appended to a trainer's name in any order, each at most once:",
            *general,
        ]
    )


def reference_words(plan: dict[str, Any]) -> list[str]:
    """What the parameters are counted on."""
    features = ", ".join(map(str, plan["features_per_stage"]))
    patch = "x".join(map(str, plan["patch_size"]))
    return [
        f"Parameters on nnU-Net's defaults for a 3D patch of {patch}: {plan['stages']} stages of {features} features,",
        f"kernels of 3, strides of 2, {plan['input_channels']} input channel, {plan['output_channels']} classes with "
        "the background.",
        "",
    ]


def _entry(name: str) -> dict[str, Any]:
    declaration = declared(name)
    return {
        "name": name,
        "description": declaration.description,
        "own_options": declaration.own_options,
        "ingredients": declaration.ingredients,
        "options": list(declaration.options),
    }

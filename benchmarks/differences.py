"""What our networks share with their sources' and what they do not, as two tables per architecture.

`python -m benchmarks.differences` prints the tables (`python -m benchmarks.differences XUNet` those of one network);
`--write` puts them into docs/architectures/ as well. What is identical is measured: the trainer's network against the
source's wiring written out, as `tests/wiring/` has it. What differs is read from our code where that knows it.
"""

import argparse
import io
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import torch
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from benchmarks.tables import replace_block
from nnunet_skipx.skips.dat_layer import DATOptions
from nnunet_skipx.skips.token_grid import COARSEST_STRIDE
from nnunet_skipx.training.variants import trainer_class
from tests.plan_shapes import dataset_json, plans
from tests.wiring import test_msaunet, test_u2net, test_udtransnet, test_utanet, test_xunet
from tests.wiring.wiring import Case, Subject

PAGES = Path(__file__).parents[1] / "docs" / "architectures"
FOLDERS = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
BASELINE = "the baseline's"
BY_STRIDE = "the baseline's stages pool by stride"
DEEP = "the baseline's deep supervision"
ANY_PLAN = "any plan"
UNPUBLISHED = "not published"


@dataclass(frozen=True)
class Built:
    """A trainer on a plan with nnU-Net's norm and activation, its network, and the plan's architecture arguments."""

    trainer: Any
    network: Any
    plan: Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """Something that differs: what, in the source, here (or what reads it from the code), and why."""

    what: str
    source: str
    here: str | Callable[[Built], str]
    why: str


@dataclass(frozen=True)
class Page:
    """An architecture: its wirings, what their parts are in words, and what differs."""

    subject: Subject
    parts: Mapping[str, str]
    rows: Sequence[Row]


def build(case: Case) -> Built:
    """The trainer of a case, which wants folders and, in them, data."""
    planned = plans(case.shape)
    with (
        TemporaryDirectory() as folder,
        patch.dict(os.environ, dict.fromkeys(FOLDERS, folder)),
        patch("nnunetv2.training.nnUNetTrainer.nnUNetTrainer.infer_dataset_class"),
        redirect_stdout(io.StringIO()),
    ):
        trainer = trainer_class(case.trainer)(planned, "test", 0, dataset_json(), torch.device("cpu"))
    trainer.network = case.build()
    return Built(trainer, trainer.network, planned["configurations"]["test"]["architecture"]["arch_kwargs"])


def optimiser(built: Built) -> str:
    """Optimiser and schedule of the trainer."""
    chosen, schedule = built.trainer.configure_optimizers()
    assert isinstance(schedule, PolyLRScheduler)
    values = chosen.param_groups[0]
    momentum = f"{'Nesterov ' * values['nesterov']}momentum {values['momentum']:g}"
    return (
        f"{type(chosen).__name__}, learning rate {values['lr']:g}, {momentum}, weight decay "
        f"{values['weight_decay']:g}; polynomial decay over {built.trainer.num_epochs} epochs"
    )


def loss(built: Built) -> str:
    """nnU-Net's loss, and what the trainer adds to it."""
    kind = type(nnUNetTrainer._build_loss(built.trainer).loss).__name__
    words = {"DC_and_CE_loss": "Dice + cross-entropy"}[kind]
    return f"{words}, with deep supervision" + ", plus the balance loss" * hasattr(built.trainer, "balance_weight")


def norm(built: Built) -> str:
    """The plans' norm."""
    return f"the plans': {built.plan['norm_op'].split('.')[-1][:-2]}"


def slope(built: Built) -> str:
    """The slope of the plans' activation below 0."""
    return f"{torch.nn.LeakyReLU(**built.plan['nonlin_kwargs']).negative_slope:g}"


def norm_and_activation(built: Built) -> str:
    """Those of the plans."""
    return f"{norm(built)}, {built.plan['nonlin'].split('.')[-1]} with slope {slope(built)}"


def training(optimiser_of_source: str, loss_of_source: str) -> list[Row]:
    """What every architecture has: nnU-Net's recipe for the source's."""
    return [
        Row("optimiser and schedule", optimiser_of_source, optimiser, BASELINE),
        Row("loss", loss_of_source, loss, BASELINE),
    ]


def plain_parts(encoder: str, decoder: str) -> list[Row]:
    """What nnU-Net's parts stand for in the sources that have a ResNet-34 as encoder."""
    return [
        Row("encoder", encoder, "nnU-Net's stages, plain or residual as the plans say, started as there", BASELINE),
        Row("decoder", decoder, "nnU-Net's stages; transposed convolutions alone, to the skip's channels", BASELINE),
        Row(
            "pooling",
            "max pooling ahead of the second stage, strided convolutions further down",
            "strided convolutions",
            BY_STRIDE,
        ),
        Row(
            "head",
            "1x1 convolution to 16 channels, norm, activation, 1x1 convolution; at full resolution",
            "1x1 convolution on every decoder stage",
            DEEP,
        ),
        ORDER,
        BATCH_NORM,
    ]


ORDER = Row(
    "order of the decoder's concatenation",
    "skip first",
    "enlarged map first",
    "the baseline's; the same network with the kernel's input channels in another order",
)
BATCH_NORM = Row("norm and activation", "batch norm, ReLU", norm_and_activation, BASELINE)
LOGITS = "the whole network: logits of every decoder stage"

UTANET = Page(
    test_utanet.SUBJECT,
    {
        "fused map": "fused map: all skips at the size of the second, concatenated, 1x1 convolution, norm, activation",
        "gates": "gates: probabilities, second softmax over the chosen experts, one decision per image and skip",
        "experts and mixtures": "experts and their mixtures",
        "balance loss": "balance loss",
        "skips": "dockers: what the decoder sees in place of the skips, with no path around it",
        "logits": LOGITS,
    },
    [
        *plain_parts(
            "3x3 convolution, then the stages of a ResNet-34 with ImageNet weights",
            "transposed convolution to half the channels with norm and activation, then one convolution",
        ),
        Row("skips, gates and dockers", "4", "one per skip of the plan", ANY_PLAN),
        Row(
            "what gates see with instance norm",
            "the mean of the fused map; it has batch norm",
            lambda b: (
                "the mean behind batch norm with running statistics over images, deviations from the mean over "
                f"images times {b.network.skips.level.amplified.gain:g} "
                "(`ImageLevel`); with batch norm as in the source"
            ),
            "instance norm leaves nearly the same means in every image",
        ),
        Row(
            "in training, an expert that no image of the batch chose",
            "runs on a random image and is added to what that one chose",
            "left out with instance norm; with batch norm as in the source",
            "it gives every expert a gradient, which all have where experts run once per image",
        ),
        Row(
            "training",
            "two stages: the U-Net, then TA-MoSC",
            "joint; `_stage2` is the source's second stage",
            "one training, as the baseline's",
        ),
        Row("weight of the balance loss", UNPUBLISHED, lambda b: f"{b.trainer.balance_weight:g}", "our choice"),
        *training(UNPUBLISHED, f"{UNPUBLISHED}, plus the balance loss"),
    ],
)

XUNET = Page(
    test_xunet.SUBJECT,
    {
        "concatenations": "first convolution of every decoder stage, over all encoder maps, the bottleneck's included",
        "channel attention": "channel attention (`_attn`)",
        "logits": LOGITS,
    },
    [
        Row(
            "encoder and decoder blocks",
            "two convolutions; widths 32, 32, 64, 128, 256, and 32 at the end",
            "nnU-Net's stages, as many and as wide as the plans say, started as there",
            BASELINE,
        ),
        Row("pooling", "max pooling", "strided convolutions", BY_STRIDE),
        Row(
            "transposed convolutions",
            "from f to f // 2 channels, at full resolution from f to f",
            "to the channels of the stage's own skip",
            BASELINE,
        ),
        Row("norm", "instance norm", norm, "the same, unless the plans have another"),
        Row("slope of the activation", "0.1", slope, BASELINE),
        Row("head", "at full resolution", "on every decoder stage", DEEP),
        Row("channel attention", "2D, for 16 channels or more", "2D and 3D, for any number of channels", ANY_PLAN),
        *training(UNPUBLISHED, UNPUBLISHED),
    ],
)

UDTRANSNET = Page(
    test_udtransnet.SUBJECT,
    {
        "patches": "patches and positions",
        "channel attention": "channel attention of every layer",
        "spatial attention": "spatial attention of every layer, heads merged (repaired; as published: `_published`)",
        "layers": "layers, feed-forward included",
        "tokens": "tokens that DAT puts out",
        "skips": "skips that DRA makes (by channel; spatial: `_dras`)",
        "logits": LOGITS,
    },
    [
        *plain_parts(
            "two 3x3 convolutions, then the stages of a ResNet-34",
            "transposed convolution to half the channels with norm and activation, then two convolutions",
        ),
        Row(
            "merge of the heads",
            "forgotten for all scales but the first",
            lambda b: f"{DATOptions().merge}; `_published` has the source's",
            "a mistake of the source",
        ),
        Row(
            "grid of tokens",
            "14 x 14, hard-coded in the decoder: images of 224 x 224",
            f"that of the plan's coarsest stage which is reduced by {COARSEST_STRIDE} at most, 2D and 3D; positions "
            "are interpolated for images of another size",
            ANY_PLAN,
        ),
        Row(
            "skips that take part",
            "4, at strides 1, 2, 4, 8",
            "all that are finer than the grid; the others are concatenated as in nnU-Net",
            ANY_PLAN,
        ),
        Row(
            "dropout",
            "0.1",
            lambda b: f"{DATOptions().dropout:g}, on the CPU rounded to a multiple of 1/65536 in the spatial attention",
            "speed",
        ),
        Row(
            "running variance of the batch norm behind DRA's tokens",
            "its unbiased estimate counts voxels",
            "counts tokens",
            "the enlarged map does not exist",
        ),
        *training("Adam, learning rate 0.001; cosine decay with restarts", "Dice + cross-entropy"),
    ],
)

MSAUNET = Page(
    test_msaunet.SUBJECT,
    {
        "re-injection": "first convolution of all stages but first and bottleneck, over own map, image, earlier maps",
        "attention": "spatial-channel attention (finest skip; every skip: `_alllevels`)",
        "logits": f"{LOGITS}, each from one convolution over its map and all coarser ones",
    },
    [
        Row(
            "encoder and decoder blocks",
            "two convolutions; the very first is 5x5, the bottleneck has a depthwise one",
            "nnU-Net's stages as the plans say, started as there: no 5x5, no depthwise convolution",
            BASELINE,
        ),
        Row(
            "pooling",
            "max pooling; the pooled maps are re-injected",
            "strided convolutions; what is re-injected is the stage's output, not pooled",
            BY_STRIDE,
        ),
        Row("residual encoders", "none", "the residual path sees the stage's own map only", ANY_PLAN),
        ORDER,
        BATCH_NORM,
        Row(
            "antialiasing of what is re-injected",
            "none when it was published; later versions of its library have it",
            lambda b: "antialiased" if b.network.skips.reinjection.antialias else "none; `_antialias` has it",
            "what the authors ran",
        ),
        Row(
            "attentions",
            "4 built, 1 used",
            lambda b: f"{len(b.network.skips.attentions)} built and used",
            "the others would never get a gradient",
        ),
        Row(
            "pooled maps of the attention with instance norm",
            "as they are; they have batch norm",
            lambda b: (
                "deviations from their mean over images times "
                f"{b.network.skips.attentions[0].amplified.gain:g}; with batch norm as in the source"
            ),
            "instance norm leaves nearly the same in every image",
        ),
        Row("spatial term", "2D: the product of two means", "in 3D that of three", "the source is 2D"),
        Row("head", "at full resolution; 4 levels hard-coded", "on every decoder stage; any number of levels", DEEP),
        *training(UNPUBLISHED, UNPUBLISHED),
    ],
)

U2NET = Page(
    test_u2net.SUBJECT,
    {
        "input": "input: convolution, norm, activation",
        "residual blocks": "residual blocks of separable units",
        "down steps": "down steps: separable units (here), full convolutions padded behind (source: `_source`)",
        "up steps": "up steps: nearest enlargement, separable unit",
        "decoder stages": "two separable units behind the concatenation",
        "logits": LOGITS,
    },
    [
        Row(
            "strided convolutions",
            "full, padded behind the axis only",
            lambda b: f"{type(b.network.encoder.downs[0]).__name__.lower()} units; `_source` has the source's",
            "the full ones hold 4.7 of the source's 5.9 million shared parameters",
        ),
        Row(
            "side outputs",
            "normed, activated, enlarged and added to the logits, at two decoder stages",
            "logits on every decoder stage",
            DEEP,
        ),
        Row(
            "encoder and decoder blocks",
            "one residual block per stage; kernels 3x3x3; widths 16, 32, ...; 5 poolings",
            "the source's, with number, kernels and widths of the plans",
            ANY_PLAN,
        ),
        Row("pooling", "strided convolutions of stride 2", "strided convolutions with the plans' strides", ANY_PLAN),
        Row(
            "norm and activation",
            "instance norm, leaky ReLU with slope 0.01",
            norm_and_activation,
            "the same, unless the plans have others",
        ),
        Row("data sets", "several at once, in turns", "one; several in a [universal run](../universal.md)", BASELINE),
        *training("Adam, learning rate 0.0003, weight decay 0.0005", "Lovász + focal"),
    ],
)

NETWORKS = {"UTANet": UTANET, "XUNet": XUNET, "UDTransNet": UDTRANSNET, "MSAUNet": MSAUNET, "U2Net": U2NET}


def measure(subject: Subject) -> dict[str, str]:
    """Per part, the largest difference from the source's wiring over all cases, and what these cover."""
    largest: dict[str, float] = {}
    kinds: dict[str, set[str]] = {}
    for case in subject.cases.values():
        ours, theirs = subject.both(case)
        for part, maps in ours.items():
            found = max(float((a - b).abs().max()) for a, b in zip(maps, theirs[part], strict=True))
            largest[part] = max(largest.get(part, 0.0), found)
            kinds.setdefault(part, set()).add(f"{len(case.shape.patch)}D")
    figures = {part: f"{value:.0e}" if value else "0" for part, value in largest.items()}
    return {part: f"{figure} (float64, {' and '.join(sorted(kinds[part]))})" for part, figure in figures.items()}


def tables(name: str) -> str:
    """Both tables of one network."""
    page = NETWORKS[name]
    measured = measure(page.subject)
    if unlike := measured.keys() ^ page.parts.keys():
        raise ValueError(f"{name}: parts that are only measured or only described: {', '.join(sorted(unlike))}")
    built = build(page.subject.cases["2d"])
    identical = [f"| {words} | {measured[part]} |" for part, words in page.parts.items()]
    different = [
        f"| {row.what} | {row.source} | {row.here if isinstance(row.here, str) else row.here(built)} | {row.why} |"
        for row in page.rows
    ]
    return "\n".join(
        [
            "| identical | how it was checked: largest difference from the source's wiring |",
            "|---|---|",
            *identical,
            "",
            "| different | source | here | why |",
            "|---|---|---|---|",
            *different,
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS), metavar="NETWORK", help=", ".join(NETWORKS))
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    for name in args.networks:
        print(name, content := tables(name), sep="\n")
        if args.write:
            replace_block(PAGES / f"{name.lower()}.md", "differences", content)


if __name__ == "__main__":
    main()

"""The same slices in all rows: reference, predictions, and where these are wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from nnunetv2.imageio.base_reader_writer import BaseReaderWriter
from nnunetv2.imageio.reader_writer_registry import determine_reader_writer_from_dataset_json

from nnunet_skipx.nnunet.evaluated import predictions
from nnunet_skipx.report.figures.panel import COLOURS, Panel, data_uri, new_figure
from nnunet_skipx.results.collect import label_names
from nnunet_skipx.statistics.text import number

UNREADABLE = (OSError, RuntimeError, ValueError, IndexError)  # what nnU-Net's readers raise
SMALL_INCHES, HEIGHT_INCHES = 2.1, 4.2
ERRORS = {"missed": COLOURS[5], "invented": COLOURS[4], "of another class": COLOURS[3]}


def slice_panels(
    case_means: pd.DataFrame,
    model_folders: Mapping[str, Path],
    images_folder: Path,
    labels_folder: Path,
    dataset_json: dict[str, Any],
) -> tuple[list[Panel], list[str]]:
    """The case of median and the one of lowest mean Dice over the rows: the reference, then every row's prediction.

    case_means: of `case_table`. Reads images, references and predictions. The second value has a remark for each
    picture that cannot be shown.
    """
    shown = case_means[[row for row in case_means.columns if row in model_folders]]
    ranked = shown.mean(axis=1).dropna().sort_values(kind="stable")
    panels: list[Panel] = []
    remarks: list[str] = []
    for name, position in {"Worst case": 0, "Median case": len(ranked) // 2}.items() if len(ranked) else ():
        fold, case = ranked.index[position]
        group, file = f"{name}, {case}", f"{case}{dataset_json['file_ending']}"
        files = {row: predictions(model_folders[row], fold) / file for row in shown.columns}
        try:
            read, unread = read_case(case, images_folder, labels_folder / file, files, dataset_json)
        except UNREADABLE as error:
            remarks.append(f"Not shown: {group} ({_last_line(error)}).")
            continue
        remarks += [f"Not shown: {group}, {row} ({why})." for row, why in unread.items()]
        panels.append(Panel("Reference", _reference(read), f"A slice of {case} with its reference", group, small=True))
        for row, found in read.predictions.items():
            title = f"{row}: Dice {number(shown.loc[(fold, case), row], '.3f')}"
            alt = f"The same slice with the prediction of {row}, and a map of where it is wrong"
            panels.append(Panel(title, _prediction(read, found), alt, group, small=True))
    return panels, remarks


@dataclass(frozen=True)
class CaseSlice:
    """A slice of a case: image, reference and predictions by row `(y, x)`, spacing (y, x) in mm; by label value names
    and colours.
    """

    image: np.ndarray
    reference: np.ndarray
    predictions: dict[str, np.ndarray]
    spacing: tuple[float, float]
    names: dict[int, str]
    colours: dict[int, str]


def read_case(
    case: str, images_folder: Path, reference: Path, predictions: Mapping[str, Path], dataset_json: dict[str, Any]
) -> tuple[CaseSlice, dict[str, str]]:
    """The slice with most voxels of the reference, or of the predictions where it has none; and why rows have none.

    Raises FileNotFoundError, or what nnU-Net's reader raises, for image and reference.
    """
    image_path = images_folder / f"{case}_0000{dataset_json['file_ending']}"
    _require(image_path)
    reader = determine_reader_writer_from_dataset_json(dataset_json, str(image_path), verbose=False)()
    images, properties = reader.read_images([str(image_path)])
    truth = _read_labels(reader, reference)
    found, unread = {}, {}
    for row, path in predictions.items():
        try:
            found[row] = _read_labels(reader, path, truth.shape)
        except UNREADABLE as error:
            unread[row] = _last_line(error)
    chosen = largest_slice(truth if truth.any() else np.stack([truth, *found.values()]).max(0))
    colours = _label_colours(dataset_json)
    names = {value: str(name) for value, name in label_names(dataset_json).items() if value in colours}
    cut = {row: label_map[chosen] for row, label_map in found.items()}
    return CaseSlice(images[0][chosen], truth[chosen], cut, tuple(properties["spacing"][-2:]), names, colours), unread


def _reference(read: CaseSlice) -> str:
    """The reference above, and beneath what the colours mean."""
    figure, (above, beneath) = new_figure(HEIGHT_INCHES, rows=2, width_inches=SMALL_INCHES)
    _draw(above, read, read.reference, read.colours)
    beneath.set_axis_off()
    classes = [Patch(color=read.colours[value], label=name) for value, name in read.names.items()]
    errors = [Patch(color=colour, label=name) for name, colour in ERRORS.items()]
    beneath.legend(handles=[*classes, *errors], loc="upper left", frameon=False, fontsize=9)
    return data_uri(figure, "png")


def _prediction(read: CaseSlice, found: np.ndarray) -> str:
    """A prediction above, and beneath where it differs from the reference."""
    figure, (above, beneath) = new_figure(HEIGHT_INCHES, rows=2, width_inches=SMALL_INCHES)
    _draw(above, read, found, read.colours)
    _draw(beneath, read, difference_map(read.reference, found), dict(enumerate(ERRORS.values(), start=1)), opacity=0.8)
    return data_uri(figure, "png")


def difference_map(reference: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """0 where the two agree; else the number of the kind in `ERRORS`: missed, invented, of another class.

    >>> difference_map(np.array([1, 0, 1, 2]), np.array([0, 2, 2, 2])).tolist()
    [1, 2, 3, 0]
    """
    differs = reference != prediction
    kind = np.where(prediction == 0, 1, np.where(reference == 0, 2, 3))
    return np.where(differs, kind, 0)


def _last_line(error: Exception) -> str:
    """What an error of a reader comes down to."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]


def _require(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing")


def _read_labels(reader: BaseReaderWriter, path: Path, shape: tuple[int, ...] | None = None) -> np.ndarray:
    _require(path)
    labels: np.ndarray = reader.read_seg(str(path))[0][0].astype(np.int64)
    if shape is not None and labels.shape != shape:
        raise ValueError(f"{path} has the shape {labels.shape}, its reference {shape}")
    return labels


def largest_slice(label_map: np.ndarray) -> int:
    """Index along the first axis of the slice of `(z, y, x)` with the most labelled voxels."""
    return int((label_map > 0).sum(axis=(1, 2)).argmax())


def _label_colours(dataset_json: dict[str, Any]) -> dict[int, str]:
    """A colour per foreground value; values that only regions mention have one too."""
    keys = [key if isinstance(key, tuple) else (key,) for key in label_names(dataset_json)]
    values = sorted({value for key in keys for value in key} - {0})
    return {value: COLOURS[row % len(COLOURS)] for row, value in enumerate(values)}


def _draw(
    axis: Axes, read: CaseSlice, label_map: np.ndarray, colours: Mapping[int, str], opacity: float = 0.35
) -> None:
    """The image in grey with filled, outlined labels `(y, x)`."""
    low, high = np.percentile(read.image, (1, 99))
    aspect = read.spacing[0] / read.spacing[1]
    axis.imshow(read.image, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), aspect=aspect)
    for value, colour in colours.items():
        mask = label_map == value
        if mask.any():
            axis.contourf(mask, levels=[0.5, 1.5], colors=[colour], alpha=opacity)
            axis.contour(mask, levels=[0.5], colors=[colour], linewidths=1.2)
    axis.set_axis_off()

"""Predicted slices beside the reference: the median and the worst case of each row."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from nnunetv2.imageio.base_reader_writer import BaseReaderWriter
from nnunetv2.imageio.reader_writer_registry import determine_reader_writer_from_dataset_json

from nnunet_skipx.report.figures.panel import COLOURS, Panel, data_uri, new_figure
from nnunet_skipx.results.collect import label_names
from nnunet_skipx.statistics.means import case_values


def slice_panels(
    table: pd.DataFrame,
    model_folders: Mapping[str, Path],
    images_folder: Path,
    labels_folder: Path,
    dataset_json: dict[str, Any],
) -> tuple[list[Panel], list[str]]:
    """Two panels per row, the case of median and of lowest mean Dice; and a remark for each that cannot be shown.

    Reads imagesTr and labelsTr of nnUNet_raw (or gt_segmentations) and the predictions in fold_X/validation.
    """
    panels, remarks = [], []
    for row, model_folder in model_folders.items():
        ranked = case_values(table, row).dropna().sort_values()
        for name, position in (("median", len(ranked) // 2), ("worst", 0)) if len(ranked) else ():
            fold, case = ranked.index[position]
            prediction = model_folder / f"fold_{fold}" / "validation" / f"{case}{dataset_json['file_ending']}"
            title = f"{row}: {name} case {case}, Dice {ranked.iloc[position]:.3f}"
            try:
                src = _case_figure(case, prediction, images_folder, labels_folder, dataset_json)
            except (OSError, RuntimeError, ValueError, IndexError) as error:
                remarks.append(f"Not shown: {title} ({str(error).strip().splitlines()[-1]}).")
            else:
                panels.append(Panel(title, src, f"Slice with the reference and the prediction side by side, {title}"))
    return panels, remarks


def _case_figure(
    case: str, prediction: Path, images_folder: Path, labels_folder: Path, dataset_json: dict[str, Any]
) -> str:
    image_path = images_folder / f"{case}_0000{dataset_json['file_ending']}"
    reference = labels_folder / f"{case}{dataset_json['file_ending']}"
    _require(image_path, reference, prediction)
    reader = determine_reader_writer_from_dataset_json(dataset_json, str(image_path), verbose=False)()
    images, properties = reader.read_images([str(image_path)])
    maps = [_read_labels(reader, path) for path in (reference, prediction)]
    chosen = largest_slice(maps[0] if maps[0].any() else maps[1])
    colours = _label_colours(dataset_json)
    figure, axes = new_figure(2.7, columns=2)
    for axis, title, label_map in zip(axes, ("reference", "prediction"), maps, strict=True):
        axis.set_title(title, fontsize=10)
        _draw(axis, images[0][chosen], label_map[chosen], colours, properties["spacing"][-2:])
    names = {value: name for value, name in label_names(dataset_json).items() if value in colours}
    figure.legend(
        handles=[Patch(color=colours[value], label=name) for value, name in names.items()],
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize=9,
    )
    return data_uri(figure, "png")


def _require(*paths: Path) -> None:
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing")


def _read_labels(reader: BaseReaderWriter, path: Path) -> np.ndarray:
    labels: np.ndarray = reader.read_seg(str(path))[0][0].astype(np.int64)
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
    axis: Axes, image: np.ndarray, label_map: np.ndarray, colours: Mapping[int, str], spacing: tuple[float, float]
) -> None:
    """Image `(y, x)` in grey with filled, outlined labels; spacing (y, x) in mm."""
    low, high = np.percentile(image, (1, 99))
    axis.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), aspect=spacing[0] / spacing[1])
    for value, colour in colours.items():
        mask = label_map == value
        if mask.any():
            axis.contourf(mask, levels=[0.5, 1.5], colors=[colour], alpha=0.35)
            axis.contour(mask, levels=[0.5], colors=[colour], linewidths=1.5)
    axis.set_axis_off()

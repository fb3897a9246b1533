"""Files with the same image, voxel by voxel, under two names: of several cases, or of one."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from nnunet_skipx.datasets.check.records import CaseRecord
from nnunet_skipx.datasets.check.words import Finding, problem, remark
from nnunet_skipx.datasets.recipe import Part, Splits

KIND = "Duplicates"
Place = tuple[Part, str]  # part and name of a case: a training and a test case may have one name


def duplicates(records: Sequence[CaseRecord], splits: Splits | None) -> Iterator[Finding]:
    """One finding for the cases that repeat each other, with every repeated file; constant images are told elsewhere.

    splits: None where nnU-Net will draw its own.
    """
    by_place = {(record.part, record.name): record for record in records}
    for places, files in repeated(records).items():
        group = [by_place[place] for place in places]
        told = "; ".join(" = ".join(same) for same in files)
        if len(group) == 1:
            text = f"case {group[0].name} has the same image, voxel by voxel, in several files ({told})"
            yield problem(KIND, f"{text}, expected a channel in each: restore the others", group[0].name)
            continue
        names = [record.name for record in group]
        grade, consequence = leak(group, splits)
        text = f"cases {', '.join(names)} have the same image, voxel by voxel ({told}), expected different ones"
        yield grade(KIND, f"{text}{consequence}: keep one of them", *names)


def repeated(records: Sequence[CaseRecord]) -> dict[tuple[Place, ...], list[list[str]]]:
    """The cases that share images -> the files with each of these images."""
    holders: dict[str, dict[tuple[Place, str], None]] = defaultdict(dict)
    for record in records:
        for channel in record.channels:
            if channel.digest and not channel.is_constant:
                holders[channel.digest][(record.part, record.name), channel.file] = None
    found: dict[tuple[Place, ...], list[list[str]]] = defaultdict(list)
    for same in holders.values():
        if len(same) > 1:
            found[tuple(dict.fromkeys(place for place, _ in same))].append([file for _, file in same])
    return found


def leak(group: Sequence[CaseRecord], splits: Splits | None) -> tuple[Callable[..., Finding], str]:
    """How bad it is that these are the same, and why."""
    if len({record.part for record in group}) > 1:
        return problem, "; what is in imagesTr is no test"
    if group[0].part == "Ts":
        return remark, ""
    if splits is None:
        return problem, "; the folds that nnU-Net draws may train on one and validate on another"
    names = {record.name for record in group}
    leaking = [i for i, fold in enumerate(splits) if names & {*fold["train"]} and names & {*fold["val"]}]
    if not leaking:
        return remark, ""
    return problem, f"; fold {', '.join(map(str, leaking))} trains on one and validates on another"

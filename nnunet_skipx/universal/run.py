"""A universal run on the disk: a data set of its own, whose `domains.json` says which data sets take part."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from nnunetv2.paths import nnUNet_preprocessed

from nnunet_skipx.nnunet.json_files import read_domains
from nnunet_skipx.nnunet.names import dataset_number
from nnunet_skipx.nnunet.planned import DOMAINS_FILE
from nnunet_skipx.universal.domains import PlannedDomain, read_domain
from nnunet_skipx.universal.sampling import Sampling
from nnunet_skipx.universal.shared_images import require_no_leak, splits_of


@dataclass(frozen=True)
class UniversalRun:
    """What was settled when the run was created.

    dataset: the run's own, `Dataset500_Universal`. fingerprints: by domain and configuration, of what was prepared.
    shared_images: groups of (data set, case) that hold the same image.
    """

    dataset: str
    plans: str
    sampling: Sampling
    feature_scale: float
    fingerprints: dict[str, dict[str, dict[str, str]]]
    shared_images: Sequence[Sequence[tuple[str, str]]] = ()

    @property
    def number(self) -> int:
        """The run's data set id."""
        return dataset_number(self.dataset)

    def to_json(self) -> dict[str, Any]:
        """The content of `domains.json`."""
        return asdict(self)

    def domains(self, configuration: str) -> list[PlannedDomain]:
        """The domains as they lie in nnUNet_preprocessed, in the order in which they were named.

        Raises:
            FileNotFoundError, ValueError: a domain is not there any more, or was changed since; says what changed.
        """
        domains = []
        for name, prints in self.fingerprints.items():
            domain = read_domain(name, self.plans, configuration)
            now = domain.fingerprint()
            if changed := [part for part, value in prints[configuration].items() if now[part] != value]:
                raise ValueError(
                    f"{' and '.join(changed)} of {name} ({domain.folder}) changed since {self.dataset} was created "
                    "with it, so its training would not be the same any more: bring the old state back, or create "
                    "another run under a new id with `skipx universal create`"
                )
            domains.append(domain)
        return domains

    def require_no_leak(self, domains: Sequence[PlannedDomain], fold: int | None = None) -> None:
        """ValueError where a domain validates an image that another trains on; in this fold, or in any."""
        splits = {domain.dataset: splits_of(domain.dataset, domain.cases) for domain in domains}
        require_no_leak(self.shared_images, splits, splits.keys(), fold)


def read_run(dataset: str) -> UniversalRun:
    """The universal run with this full name.

    Raises:
        ValueError: the data set is no universal run, or its file is damaged.
    """
    path = Path(str(nnUNet_preprocessed)) / dataset / DOMAINS_FILE
    if not path.is_file():
        raise ValueError(
            f"{dataset} is an ordinary data set, and a universal trainer needs several: put them together with "
            "`skipx universal create -d 4 5 --id 500`, then train data set 500"
        )
    content = read_domains(path)
    return UniversalRun(**{field.name: content[field.name] for field in fields(UniversalRun) if field.name in content})


def key(dataset: str) -> str:
    """What a domain is called in a checkpoint: its full name, without dots, which torch's modules do not take.

    >>> key("Dataset1235_Liver"), key("Dataset004_v1.2")
    ('Dataset1235_Liver', 'Dataset004_v1%2E2')
    """
    return dataset.replace("%", "%25").replace(".", "%2E")

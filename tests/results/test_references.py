"""What is cited for a trainer: on the pages, in BibTeX, and where CITATION.cff is read."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from nnunet_skipx.cli.main import main
from nnunet_skipx.nnunet.trainer_name import BASELINE
from nnunet_skipx.results.references import BY_OPTION, BY_TRAINER
from nnunet_skipx.training.variants import trainer_names

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "architectures"
ALL = {reference.key: reference for reference in (*BY_TRAINER.values(), *BY_OPTION.values())}
DOI = re.compile(r"10\.\d{4,}/\S+")
ARXIV = re.compile(r"\d{4}\.\d{4,5}")


def cited(*trainers: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The keys of the entries that `skipx cite` prints."""
    assert main(["cite", *trainers]) == 0
    return re.findall(r"^@\w+{(\S+),$", capsys.readouterr().out, re.M)


def test_what_is_cited_is_a_trainer_and_every_published_network_is() -> None:
    assert BY_TRAINER.keys() <= {BASELINE, *trainer_names()}
    pages = {page.stem for page in PAGES.glob("*.md")}
    assert pages == {name.removeprefix(BASELINE).lower() for name in BY_TRAINER} - {"", "u2netuniversal"}


@pytest.mark.parametrize("reference", ALL.values(), ids=ALL)
def test_a_reference_says_who_what_and_where(reference: object) -> None:
    assert all(re.fullmatch(r"[^,]+, [^,]+", author) for author in reference.authors) and reference.authors
    assert reference.title and reference.venue and reference.identifier
    assert DOI.fullmatch(reference.doi) or not reference.doi
    assert ARXIV.fullmatch(reference.arxiv) or not reference.arxiv
    assert reference.year or reference.note
    entry = reference.bibtex
    assert entry.count("{") == entry.count("}") and f"author        = {{{' and '.join(reference.authors)}}}" in entry


@pytest.mark.parametrize("trainer", BY_TRAINER)
def test_the_networks_page_cites_the_same(trainer: str) -> None:
    page = PAGES / f"{trainer.removeprefix(BASELINE).lower()}.md"
    if page.is_file():
        words = " ".join(page.read_text().partition("## Citation\n")[2].split())
        assert words.startswith(f"{BY_TRAINER[trainer]} ") and f"`skipx cite {trainer}`" in words


def test_options_add_what_they_are_of_and_nothing_is_said_twice(capsys: pytest.CaptureFixture[str]) -> None:
    keys = cited("nnUNetTrainerUTANet_gpuaug_elastic", "nnUNetTrainerU2Net_series_adamw", BASELINE, capsys=capsys)
    networks = ["luo2025utanet", "isensee2021nnunet", "cicek20163dunet", "huang2019u2net"]
    assert keys == [*networks, "rebuffi2017adapters", "loshchilov2019adamw"]
    assert cited(f"{BASELINE}_250epochs_bf16", capsys=capsys) == ["isensee2021nnunet"]


def test_a_trainer_of_ones_own_is_cited_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    head = "from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer\n\n\nclass {}(nnUNetTrainer):\n    "
    for name, body in {"nnUNetTrainerMine": 'citation = "Me. My paper."', "nnUNetTrainerMute": "pass"}.items():
        (tmp_path / f"{name}.py").write_text(head.format(name) + body + "\n")
    monkeypatch.setenv("nnUNet_extTrainer", str(tmp_path))
    assert main(["cite", "nnUNetTrainerMine", "nnUNetTrainerMute"]) == 0
    told = capsys.readouterr().out
    assert "note          = {Me. My paper.}" in told and "% nnUNetTrainerMute names no reference" in told
    assert told.count("@") == 2


@pytest.mark.parametrize(
    ("trainer", "words"), [("nnUNetTrainerUTNet", "did you mean nnUNetTrainerUTANet?"), (f"{BASELINE}_twn", "_twn")]
)
def test_a_trainer_that_is_not_there_is_named(trainer: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cite", trainer]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("words", [["list", "--sources"], ["cite", "nnUNetTrainerUDTransNet_adamw"]])
def test_what_was_published_is_told_without_an_import_of_torch(words: list[str]) -> None:
    code = f"import sys; from nnunet_skipx.cli.main import main; main({words}); assert 'torch' not in sys.modules"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert re.search(r"^nnUNetTrainerUDTransNet +2024 +arXiv:2312.15182 +Narrowing|eprint +. {2312.15182}", told, re.M)


def test_the_citation_file_is_one() -> None:
    content = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert content["cff-version"] == "1.2.0" and content["type"] in ("software", "dataset")
    assert {"cff-version", "message", "title", "authors"} <= content.keys()  # what its schema requires
    known = {"abstract", "cff-version", "doi", "keywords", "license", "message", "references", "title", "type", "url"}
    assert content.keys() <= known | {"authors", "repository-code", "date-released", "version"}
    assert all(author.keys() & {"name", "family-names"} for author in content["authors"])
    assert content["license"] == "Apache-2.0" and "skipx cite" in content["message"]

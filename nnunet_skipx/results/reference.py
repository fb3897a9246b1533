"""A publication, as a list of references has it and as BibTeX."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """Where a method was published.

    key, kind: of BibTeX. authors: as `Last, First`. venue: journal, proceedings, or what else it is. series: of
    proceedings, whose volume it is then. url: where there is neither DOI nor arXiv number. note: for BibTeX.
    """

    key: str
    kind: str
    authors: tuple[str, ...]
    title: str
    venue: str
    year: int | None = None
    series: str = ""
    volume: str = ""
    pages: str = ""
    doi: str = ""
    arxiv: str = ""
    url: str = ""
    note: str = ""

    @property
    def identifier(self) -> str:
        """DOI, else number on arXiv, else address."""
        return f"doi:{self.doi}" if self.doi else f"arXiv:{self.arxiv}" if self.arxiv else self.url

    def __str__(self) -> str:
        names = ", ".join(map(short_name, self.authors))
        volume = f", {self.series} {self.volume}" if self.series else f" {self.volume}" if self.volume else ""
        pages = f", {self.pages}" if self.pages else ""
        year = f" ({self.year})" if self.year else ""
        return f"{names}. {self.title}. {self.venue}{volume}{year}{pages}. {self.identifier}"

    @property
    def bibtex(self) -> str:
        """The entry for a bibliography; its title keeps its capitals."""
        venue = {"article": "journal", "inproceedings": "booktitle"}.get(self.kind, "howpublished")
        fields = {
            "author": " and ".join(self.authors),
            "title": f"{{{self.title}}}",
            venue: self.venue,
            "series": self.series,
            "volume": self.volume,
            "pages": self.pages.replace("-", "--"),
            "year": str(self.year or ""),
            "doi": self.doi,
            "eprint": self.arxiv,
            "archiveprefix": "arXiv" if self.arxiv else "",
            "url": self.url,
            "note": self.note,
        }
        lines = [f"  {name:13} = {{{text}}}" for name, text in fields.items() if text]
        return ",\n".join([f"@{self.kind}{{{self.key}", *lines]) + "\n}"


def short_name(author: str) -> str:
    """An author in a list of references.

    >>> short_name("Maier-Hein, Klaus H."), short_name("Rebuffi, Sylvestre-Alvise")
    ('Maier-Hein KH', 'Rebuffi SA')
    """
    last, _, first = author.partition(", ")
    initials = "".join(part[0] for part in re.split(r"[ -]", first) if part)
    return f"{last} {initials}"

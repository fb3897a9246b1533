"""The page of a report as a test reads it."""

from html.parser import HTMLParser
from pathlib import Path
from xml.etree.ElementTree import Element

from nnunet_skipx.report.comparison import Comparison
from nnunet_skipx.report.page import report_parts, write_report

VOID = {"meta", "img", "br", "hr", "input", "link", "rect", "line", "circle"}


class Page(HTMLParser):
    """The elements of a page, its text, and every address that it refers to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.root = Element("page")
        self.open = [self.root]
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "srcset", "data") and value]
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop().tag == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        self.text += data
        element = self.open[-1]
        if len(element):
            element[-1].tail = (element[-1].tail or "") + data
        else:
            element.text = (element.text or "") + data


def text_of(element: Element) -> str:
    """All that stands in an element."""
    return " ".join("".join(element.itertext()).split())


def with_class(element: Element, name: str) -> list[Element]:
    """The elements of a class within another."""
    return [found for found in element.iter() if name in found.get("class", "").split()]


def write(comparison: Comparison, folder: Path) -> str:
    """The page as text."""
    return write_report("Made-up study", report_parts([comparison]), folder).read_text(encoding="utf-8")

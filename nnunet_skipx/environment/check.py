"""A line of the doctor's report."""

from dataclasses import dataclass

OK, WARN, FAIL = "OK", "WARN", "FAIL"


@dataclass(frozen=True)
class Check:
    """One line of the doctor's report; `cure` is the one command or change that turns it into OK."""

    name: str
    status: str
    text: str
    cure: str = ""

"""What to type next, at the end of what a command prints."""

import shlex
from collections.abc import Sequence

BEGIN = "Go on with"
DATASET = "DATASET"  # an id or a name that only the user knows


def go_on(*commands: Sequence[object]) -> str:
    """Command lines in their words, ready to be pasted.

    >>> print(go_on(["skipx", "report", "-d", 4, "-o", "my report"]))
    Go on with
        skipx report -d 4 -o 'my report'
    """
    return "\n".join([BEGIN, *(f"    {shlex.join(map(str, words))}" for words in commands)])

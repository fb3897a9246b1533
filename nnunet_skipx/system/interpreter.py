"""Child interpreters that import nothing from the folder that a user happens to be in: a torch.py there would run."""

import sys

SAFE_PATH = "PYTHONSAFEPATH"  # as -P, for interpreters that others start: multiprocessing's workers, from Python 3.11
KNOWS_SAFE_PATH = sys.version_info >= (3, 11)

# What -P does for `-m MODULE` and `-c CODE`, where Python does not know it: "" is the current folder.
WITHOUT_FOLDER = """
import sys
sys.path[:] = [folder for folder in sys.path if folder]
import runpy
words = sys.argv[1:]
while (what := words.pop(0)) == "-u":
    pass
sys.argv[:] = words
if what == "-m":
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
else:
    code, sys.argv[0] = sys.argv[0], "-c"
    exec(code, {"__name__": "__main__"})
"""


def python(*arguments: str) -> list[str]:
    """The command line of this Python with `-m MODULE ...` or `-c CODE ...`, PYTHONPATH as the user has set it."""
    safely = ["-P"] if KNOWS_SAFE_PATH else ["-c", WITHOUT_FOLDER]
    return [sys.executable, *safely, *arguments]

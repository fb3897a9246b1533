"""The made-up study, for the tests of this folder."""

from tests.made_up_study import study  # noqa: F401

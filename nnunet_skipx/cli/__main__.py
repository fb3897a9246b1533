"""`python -m nnunet_skipx.cli` is `skipx`."""

import sys

from nnunet_skipx.cli.main import main

sys.exit(main())

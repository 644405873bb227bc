"""`python -m proxy.cli`: the same as the command `sealwire`."""

import sys

from proxy.cli import main

sys.exit(main())

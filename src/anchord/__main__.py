"""`python -m anchord` is the command `anchord`."""

import sys

from anchord.cli.main import main

sys.exit(main())

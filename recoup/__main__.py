"""``python -m recoup`` is the same as ``recoup``."""

import sys

from recoup.cli import main

sys.exit(main())

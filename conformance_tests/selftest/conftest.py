"""Makes the toys beside this file importable, also for the child processes of the suite."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

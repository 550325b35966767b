"""Tools of the project: the local stack, its reference data, the demonstration and operator commands.

They run from a checkout, where the shared package is a folder that nobody has installed.
"""

import sys
from pathlib import Path

SHARED_PACKAGE = Path(__file__).resolve().parent.parent / "layers" / "oms" / "python"

if str(SHARED_PACKAGE) not in sys.path:
    sys.path.insert(0, str(SHARED_PACKAGE))

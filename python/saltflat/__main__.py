"""``python -m saltflat``: the command ``saltflat``."""

import os
import subprocess
import sys

from .binary import find_binary
from .errors import BinaryNotFoundError

if __name__ == "__main__":
    try:
        command = [os.fspath(find_binary()), *sys.argv[1:]]
    except BinaryNotFoundError as error:
        sys.exit(str(error))
    if sys.platform == "win32":
        sys.exit(subprocess.run(command).returncode)
    os.execv(command[0], command)

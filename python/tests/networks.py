"""The networks of `scripts/reference/exported_networks.py`, which is no module of a package."""

import importlib.util
from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / "scripts/reference/exported_networks.py"
spec = importlib.util.spec_from_file_location("exported_networks", FILE)
networks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(networks)

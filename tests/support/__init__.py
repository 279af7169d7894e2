"""What tests share: real parts that they start, and where those are kept."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache"

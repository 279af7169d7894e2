"""``python -m jupytercloud_hub`` is the command ``jupytercloud``."""

from .cli.main import main

main(prog_name="jupytercloud")

#!/usr/bin/env python3
"""Stands for docker-stacks' start-notebook.py: JupyterLab, or the hub's single-user server where a hub started it."""

import os
import sys

hub = "JUPYTERHUB_API_TOKEN" in os.environ
lab = ["jupyter", "lab", "--ip=0.0.0.0", f"--port={os.environ['JUPYTER_PORT']}"]
command = ["jupyterhub-singleuser"] if hub else lab
os.execvp(command[0], command + sys.argv[1:])

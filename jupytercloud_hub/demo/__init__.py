"""The whole federation on one machine: what `jupytercloud demo` starts. Made-up people, loopback only,
never production."""

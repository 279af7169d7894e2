"""What ``jupytercloud check`` looks at: a module for each area. They only read, and change nothing."""

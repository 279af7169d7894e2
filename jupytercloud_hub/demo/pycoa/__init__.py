"""What the PyCoA profile opens: a first notebook in French, and made-up data on which it runs with no
network."""

"""Databases of released versions, with a row in each table, as ``make.py`` wrote them: never changed afterwards."""

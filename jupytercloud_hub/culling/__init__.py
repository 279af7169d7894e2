"""Stopping servers that nobody uses, after a warning: rules (pure), store, passes over the hub, pages."""

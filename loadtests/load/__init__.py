"""Measure servers under load: server processes, load generators that need little CPU, and windows of measurement."""

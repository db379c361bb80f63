"""Benchmarks: one file a subject. ``python -m benchmarks SUBJECT --json OUT`` runs one and writes its figures."""

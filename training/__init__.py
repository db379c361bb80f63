"""Training of the embedded model ``starter``: ``python -m training FOLDER --out FOLDER --minutes 60``."""

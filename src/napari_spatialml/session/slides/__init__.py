"""Slides of any size, segmented tile by tile: read, kept on the disk, joined, shown while they run."""

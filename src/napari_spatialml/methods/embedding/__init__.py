"""The methods of the kind embedding: one file each."""

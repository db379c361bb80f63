"""The methods of the kind segmentation: one file each."""

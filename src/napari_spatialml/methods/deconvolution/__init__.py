"""The methods of the kind deconvolution: one file each."""

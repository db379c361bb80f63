"""The methods of the kind domains: one file each."""

"""The methods of the kind registration: one file each."""

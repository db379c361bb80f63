"""Files in: a path becomes a SpatialData document in µm, whatever wrote it.

One file a format. Heavy libraries are imported when a file is read, not when this package is.
"""

from .format import Format
from .opening import formats, open_files, recognise
from .reference import ReferenceFile, read_reference
from .units import Units

__all__ = ["Format", "ReferenceFile", "Units", "formats", "open_files", "read_reference", "recognise"]

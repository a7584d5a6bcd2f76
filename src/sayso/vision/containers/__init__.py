"""What picture files say before their pixels: format, size, EXIF, ICC profile, and the essence.

The essence of a file is the file without its metadata. Decoders get no more than that: Pillow
reads EXIF, Photoshop, text and multi-picture segments eagerly, and a crafted one makes it
allocate far more than the file has bytes. Where a container says one size and the coded pixels
another, the larger one counts. Nothing here allocates more than the file's own size.
"""

from sayso.vision.containers.sniffing import raw_name, sniff

__all__ = ["raw_name", "sniff"]

"""
One file, any container: the Python loader of .zapp archives. Standard library only.

    import zapp
    application = zapp.load("shop-1.2.0.zapp", mount="/shop")        # any WSGI server
    application = zapp.load_asgi("shop-1.2.0.zapp", mount="/shop")   # any ASGI server
"""

from .archive import Archive, open_archive
from .entry import Entry
from .errors import Finding, ZappError
from .limits import Limits
from .load import load, load_asgi
from .validate import validate_archive
from .wsgi import Application

__all__ = [
    "Application",
    "Archive",
    "Entry",
    "Finding",
    "Limits",
    "ZappError",
    "load",
    "load_asgi",
    "open_archive",
    "validate_archive",
]
__version__ = "0.1.0"

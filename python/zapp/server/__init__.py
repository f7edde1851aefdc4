"""An HTTP/1.1 server for WSGI: what stands behind ``python -m zapp serve`` and ``python -m zapp worker``."""

"""
Servers of others that run a worker process: uvicorn, hypercorn, gunicorn, from the archive's ZAPP-INF/lib or from the
machine. Each of them is used through its public interface, and imported only where it is wanted.
"""

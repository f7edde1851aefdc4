"""
Runs the archive that this file lies in: ``pack`` copies it into archives as ``__main__.py``.

    python shop.zapp [--port 8000 --mount /shop …]      serves it, as python -m zapp serve does
    python shop.zapp run migrate                        any other command of python -m zapp, on this archive

Where GATEWAY_INTERFACE is set, the archive is a CGI script: one request on stdin, its answer on stdout (RFC 3875).
"""

import importlib.machinery
import importlib.util
import os
import sys


def main() -> int:
    if sys.version_info < (3, 9):
        sys.exit("Zapp's loader needs Python 3.9 or newer, got %s" % sys.version.split()[0])
    archive = os.path.dirname(os.path.abspath(__file__))
    # Of the archive only the loader is imported from here: the app's code runs from its run tree, and none of its
    # modules may stand in front of the standard library's while the loader itself is imported.
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or os.curdir) != archive]
    spec = importlib.machinery.PathFinder.find_spec("zapp", [os.path.join(archive, "ZAPP-INF", "lib")])
    if spec is not None and spec.loader is not None:
        if sys.version_info < (3, 10):  # zipimporter has no exec_module there
            spec.loader.load_module("zapp")
        else:
            module = sys.modules["zapp"] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
    try:
        from zapp.self_run import run_archive
    except ImportError as error:
        sys.exit("%s holds no loader that can be imported (%s): pip install zapp, or pack it again" % (archive, error))
    return run_archive(archive, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Tuple

from ..request_path import is_below, judge_request_path

#: A name is compared without port and without the dot that ends a complete name.
_PORT_OR_DOT = re.compile(r"\.?(?::[0-9]*)?\Z")


@dataclass(frozen=True)
class Territory:
    """
    Which requests are this app's own. On a connection that was handed over the next one may be for another app: then
    the connection goes back to who has handed it over.
    """

    mount: str = ""
    #: Mounts of other apps below it.
    below: Tuple[str, ...] = ()
    #: The only names, in lower case and without port, that it answers for.
    hosts: Optional[Tuple[str, ...]] = None
    #: Names that it does not answer for.
    not_hosts: Tuple[str, ...] = ()

    @staticmethod
    def of(message: Mapping[str, Any]) -> "Territory":
        hosts = message.get("hosts")
        return Territory(
            message["mount"],
            tuple(message.get("below") or ()),
            None if hosts is None else tuple(hosts),
            tuple(message.get("notHosts") or ()),
        )

    def has(self, method: str, target: str, host: Optional[str]) -> bool:
        """What cannot be judged is: it is refused wherever it goes."""
        if not self.mount and not self.below and self.hosts is None and not self.not_hosts:
            return True
        path = judge_request_path(method, target, host, "")
        if isinstance(path, int):
            return True
        decoded = path.decoded or "/"
        if not is_below(decoded, self.mount) or any(is_below(decoded, other) for other in self.below):
            return False
        name = None if host is None else _PORT_OR_DOT.sub("", host.lower(), count=1)
        if self.hosts is not None:
            return name in self.hosts
        return name not in self.not_hosts

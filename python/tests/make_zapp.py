"""Makes archives for tests, by the rules of FORMAT.md, with the standard library's zipfile."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import Any, Mapping, Union

Content = Union[str, bytes]


def make_zapp(manifest: Mapping[str, Any], files: Mapping[str, Content]) -> bytes:
    """:param files: content by name; a file whose content begins with ``#!`` has mode 0755"""
    defaults = {"zapp": 1, "name": "hello", "version": "1.0.0"}
    texts: dict[str, Content] = {
        "mimetype": "application/vnd.zapp+zip",
        "zapp.json": json.dumps({**defaults, **manifest}, ensure_ascii=False),
        **dict(sorted(files.items(), key=lambda item: item[0].encode())),
    }
    contents = {name: text if isinstance(text, bytes) else text.encode() for name, text in texts.items()}
    rows = [
        f'{{"path":"{name}","size":{len(data)},"sha256":"{hashlib.sha256(data).hexdigest()}","mode":"{_mode(data)}"}}'
        for name, data in contents.items()
    ]
    contents["ZAPP-INF/contents.json"] = ('{"v":1,"entries":[\n' + ",\n".join(rows) + "\n]}\n").encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in contents.items():
            info = zipfile.ZipInfo(name)
            info.create_system = 3
            info.external_attr = (0o100000 | int(_mode(data), 8)) << 16
            info.compress_type = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return out.getvalue()


def _mode(data: bytes) -> str:
    return "0755" if data.startswith(b"#!") else "0644"

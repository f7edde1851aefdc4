"""The one environment of this process, and what apps in it want it to say. FORMAT.md §Needs."""

from __future__ import annotations

import os
import threading
from typing import Callable, Mapping, Optional

from .errors import Finding, finding, raise_errors
from .manifest import Manifest
from .values import misfit

#: By name; None: the app declares the variable and has no value for it.
Variables = Mapping[str, Optional[str]]


class _Claim:
    def __init__(self, value: Optional[str], before: Optional[str]):
        self.value = value
        self.before = before
        self.holders = 1


_claims: dict[str, _Claim] = {}
_lock = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


def ambient(name: str) -> Optional[str]:
    """The value that the process was given from outside, not one that an app loaded before it has set."""
    claim = _claims.get(name)
    return claim.before if claim else os.environ.get(name)


def resolve_config(manifest: Manifest, given: Mapping[str, str]) -> tuple[Variables, list[Finding]]:
    """Each declared variable: given by the caller, else by the environment, else the manifest's default."""
    values: dict[str, Optional[str]] = {}
    findings = []
    for name, declared in manifest.config.items():
        value = given.get(name)
        if value is None:
            value = ambient(name)
        if value is None:
            value = declared.default
        values[name] = value
        if value is not None:
            expected = misfit(declared.type, value, declared.values)
            if expected is None and declared.type == "file" and not os.access(value, os.R_OK):
                expected = "a file that can be read"
            if expected is not None:
                got = "a secret" if declared.secret else value
                findings.append(finding("CONFIG_INVALID", name=name, expected=expected, got=got))
        elif declared.required:
            about = f" ({declared.description})" if declared.description else ""
            findings.append(finding("NEED_CONFIG", name=name, about=about))
    findings += [finding("CONFIG_UNKNOWN", name=name, hint="") for name in given if name not in manifest.config]
    return values, findings


def claim_environment(wanted: list[Variables]) -> Callable[[], None]:
    """
    Sets variables for as long as an app needs them. When the last that holds one lets go, what was there before is
    back.

    :returns: lets go; idempotent
    :raises ZappError: CONFIG_CONFLICT
    """
    with _lock:
        values: dict[str, Optional[str]] = {}
        findings = []
        for variables in wanted:
            for name, value in variables.items():
                if values.setdefault(name, value) != value or _conflicts(name, value):
                    findings.append(finding("CONFIG_CONFLICT", name=name))
        raise_errors(findings)
        for name, value in values.items():
            _take(name, value)
    held = [True]

    def release() -> None:
        with _lock:
            for name in values if held[0] else ():
                _let_go(name)
            held[0] = False

    return release


def _conflicts(name: str, value: Optional[str]) -> bool:
    claim = _claims.get(name)
    if claim:
        return claim.value != value
    return value is not None and os.environ.get(name, value) != value


def _take(name: str, value: Optional[str]) -> None:
    claim = _claims.get(name)
    if claim:
        claim.holders += 1
        return
    _claims[name] = _Claim(value, os.environ.get(name))
    if value is not None:
        os.environ[name] = value


def _let_go(name: str) -> None:
    claim = _claims[name]
    claim.holders -= 1
    if claim.holders > 0:
        return
    del _claims[name]
    if claim.before is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = claim.before

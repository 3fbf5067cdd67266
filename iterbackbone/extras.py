"""What an extra of setup.py brings, asked for before it is used."""

from __future__ import annotations

from importlib.util import find_spec


def need(extra: str, *packages: str) -> None:
    """Raise ModuleNotFoundError, with the command that helps, where one of ``packages`` is missing."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        command = f"pip install 'iterbackbone[{extra}]'"
        raise ModuleNotFoundError(f'no {", ".join(missing)} here: {command}', name=missing[0])

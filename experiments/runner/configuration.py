"""Configurations: overrides from the command line, their plain form on disk, their differences."""

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ml_collections

from experiments.runner.errors import UserError, near_matches

SIZES = ("desk", "full")

_TRUE = {"true", "1", "yes", "on"}
_FALSE = {"false", "0", "no", "off"}


def split_overrides(arguments: Sequence[str]) -> tuple[list[str], dict[str, str | None]]:
    """Takes `--config.key=value` and `--config.key value` out of a command line.

    Args:
      arguments: The command line, without the program's name.

    Returns:
      The other arguments, and the overrides: key to text, None where no value was given (which
      switches a boolean on).
    """
    others: list[str] = []
    overrides: dict[str, str | None] = {}
    pending = None
    for position, argument in enumerate(arguments):
        if argument == "--":
            others.extend(arguments[position:])
            break
        name = argument.removeprefix("-").removeprefix("-")
        if argument.startswith("-") and name.startswith("config."):
            key, equals, text = name.removeprefix("config.").partition("=")
            overrides[key] = text if equals else None
            pending = None if equals else key
        elif pending is not None and not argument.startswith("--"):
            overrides[pending], pending = argument, None
        else:
            others.append(argument)
            pending = None
    return others, overrides


def build_config(
    get_config: Callable[[str], ml_collections.ConfigDict],
    size: str,
    overrides: Mapping[str, str | None],
) -> ml_collections.ConfigDict:
    """Returns the configuration of `size` with the overrides applied.

    Raises:
      UserError: The size or a key is unknown, or a value is not of its key's type.
    """
    if size not in SIZES:
        raise UserError(f"unknown size '{size}'{near_matches(size, SIZES)}")
    config = ml_collections.ConfigDict(get_config(size))
    known = flatten(config)
    for key, text in overrides.items():
        if key not in known:
            matches = near_matches(key, known, prefix="--config.")
            raise UserError(f"unknown configuration key --config.{key}{matches}")
        *parents, last = key.split(".")
        section = config
        for parent in parents:
            section = section[parent]
        with section.ignore_type():
            section[last] = _parse_value(key, known[key], text)
    return config


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns {"a.b": value} for the leaves of a nested configuration."""
    leaves: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping | ml_collections.ConfigDict):
            leaves.update(flatten(value, f"{prefix}{key}."))
        else:
            leaves[f"{prefix}{key}"] = value
    return leaves


def to_plain(config: Mapping[str, Any], prefix: str = "config") -> dict[str, Any]:
    """Returns the configuration as nested dicts and lists of what JSON can hold.

    Raises:
      TypeError: A value is of another kind; it could not be compared when the run is resumed.
    """

    def convert(value, name):
        if isinstance(value, Mapping | ml_collections.ConfigDict):
            return to_plain(value, name)
        if isinstance(value, list | tuple):
            return [convert(item, f"{name}[{i}]") for i, item in enumerate(value)]
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise TypeError(
            f"{name} is {type(value).__name__}; a configuration holds numbers, strings, booleans, "
            "None, and lists, tuples and sections of these"
        )

    return {key: convert(value, f"{prefix}.{key}") for key, value in config.items()}


def differences(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Names the leaves in which two plain configurations differ, with both values."""
    missing = object()
    there, here = flatten(stored), flatten(wanted)
    lines = []
    for key in sorted(there.keys() | here.keys()):
        old, new = there.get(key, missing), here.get(key, missing)
        if old != new or isinstance(old, bool) != isinstance(new, bool):
            old_text = "not set" if old is missing else repr(old)
            new_text = "not set" if new is missing else repr(new)
            lines.append(f"{key} is {old_text} there and {new_text} here")
    return lines


def _parse_value(key: str, default: Any, text: str | None) -> Any:
    """Reads `text` as a value of the type that `default` has."""
    if text is None:
        if isinstance(default, bool):
            return True
        raise UserError(f"--config.{key} needs a value, such as --config.{key}={default}")
    try:
        return _convert(default, text)
    except (ValueError, SyntaxError):
        kind = type(default).__name__
        raise UserError(
            f"--config.{key}: '{text}' is not a value of type {kind} (default: {default})"
        ) from None


def _convert(default: Any, text: str) -> Any:
    if isinstance(default, bool):
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        raise ValueError(text)
    if isinstance(default, int):
        try:
            return int(text)
        except ValueError:
            number = float(text)  # 1e4 is a common way to write a count
            if not number.is_integer():
                raise
            return int(number)
    if isinstance(default, float):
        return float(text)
    if isinstance(default, str):
        return text
    if isinstance(default, list | tuple):
        inner = text.strip().removeprefix("(").removesuffix(")")
        inner = inner.removeprefix("[").removesuffix("]")
        words = [word.strip().strip("'\"") for word in inner.split(",") if word.strip()]
        items = [_convert(default[0], word) if default else _literal(word) for word in words]
        return type(default)(items)
    return _literal(text)


def _literal(text: str) -> Any:
    """Reads a Python literal; anything else is a string."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text

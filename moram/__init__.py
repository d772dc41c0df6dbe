"""Explain CNNs that predict numbers: RAM, Grad-RAM and MoRAM."""

__version__ = "0.1.0"

_HOMES = {"explain": "explanation", "show": "explanation", "load_pretrained": "model"}
__all__ = ["explain", "load_pretrained", "show"]


def __getattr__(name: str):
    "The front door's names, imported when they are first used: `import moram` alone imports nothing else."
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

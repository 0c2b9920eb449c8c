"""safetensors, and PyTorch's own files, which it writes in C++ (and reads through Python's `open`)."""

from __future__ import annotations

from types import ModuleType

from wherefrom.capture.native.points import listen_to_functions, reads, writes


def patch(module: ModuleType) -> None:
    if module.__name__ == "torch":
        listen_to_functions(module, [("save", writes("torch.save", 1, "f"))])
        return
    points = [
        ("safe_open", reads("safetensors.safe_open", 0, "filename")),
        ("_safe_open_handle", reads("safetensors.safe_open", 0, "filename")),
        ("serialize_file", writes("safetensors.serialize_file", 1, "filename")),
    ]
    listen_to_functions(module, points)

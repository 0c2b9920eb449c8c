"""pyarrow: Parquet, data sets, CSV, JSON, Feather, ORC, IPC files, memory maps.

Not seen: a `pyarrow.fs` file system that a program uses directly; its methods, in C, can't be replaced.
"""

from __future__ import annotations

from types import ModuleType

from wherefrom.capture.native.points import (
    listen,
    listen_to_class,
    listen_to_functions,
    opens,
    reads,
    writes,
)

_OS_FILE = {"r": "read", "rb": "read", "w": "write", "wb": "write"}
_MEMORY_MAP = {
    "r": "read",
    "rb": "read",
    "w": "update",
    "wb": "update",
    "r+": "update",
    "r+b": "update",
    "rb+": "update",
}


def patch(module: ModuleType) -> None:
    name = module.__name__
    if name == "pyarrow":
        points = [
            ("memory_map", opens("pyarrow.memory_map", 0, "path", 1, _MEMORY_MAP, default="r")),
            ("create_memory_map", writes("pyarrow.create_memory_map", 0, "path")),
            ("input_stream", reads("pyarrow.input_stream", 0, "source")),
            ("output_stream", writes("pyarrow.output_stream", 0, "source")),
        ]
        listen_to_functions(module, points)
        # 1 and 2: `self` comes first, as the class is made by its __new__.
        listen_to_class(module, "OSFile", opens("pyarrow.OSFile", 1, "path", 2, _OS_FILE, default="r"))
    elif name == "pyarrow.parquet.core":
        for kind in ("ParquetFile", "ParquetDataset"):
            argument = "source" if kind == "ParquetFile" else "path_or_paths"
            listen(getattr(module, kind), f"pyarrow.parquet.{kind}", "__init__", reads("pyarrow.parquet", 1, argument))
        listen(module.ParquetWriter, "pyarrow.parquet.ParquetWriter", "__init__", writes("pyarrow.parquet", 1, "where"))
        functions = ("read_metadata", "read_schema")
        listen_to_functions(module, [(function, reads("pyarrow.parquet", 0, "where")) for function in functions])
    elif name == "pyarrow.dataset":
        points = [
            ("dataset", reads("pyarrow.dataset", 0, "source")),
            ("parquet_dataset", reads("pyarrow.dataset", 0, "metadata_path")),
            ("write_dataset", writes("pyarrow.dataset", 1, "base_dir", is_folder=True)),
        ]
        listen_to_functions(module, points)
    elif name == "pyarrow.ipc":
        for kind in ("RecordBatchFileReader", "RecordBatchStreamReader"):
            listen(getattr(module, kind), f"pyarrow.ipc.{kind}", "__init__", reads("pyarrow.ipc", 1, "source"))
        for kind in ("RecordBatchFileWriter", "RecordBatchStreamWriter"):
            listen(getattr(module, kind), f"pyarrow.ipc.{kind}", "__init__", writes("pyarrow.ipc", 1, "sink"))
    elif name == "pyarrow.orc":
        listen(module.ORCFile, "pyarrow.orc.ORCFile", "__init__", reads("pyarrow.orc", 1, "source"))
        listen(module.ORCWriter, "pyarrow.orc.ORCWriter", "__init__", writes("pyarrow.orc", 1, "where"))
        listen_to_functions(module, [("read_table", reads("pyarrow.orc", 0, "source"))])
    elif name == "pyarrow.feather":
        points = [
            ("read_table", reads("pyarrow.feather", 0, "source")),
            ("read_feather", reads("pyarrow.feather", 0, "source")),
            ("write_feather", writes("pyarrow.feather", 1, "dest")),
        ]
        listen_to_functions(module, points)
    elif name == "pyarrow.csv":
        points = [(function, reads("pyarrow.csv", 0, "input_file")) for function in ("read_csv", "open_csv")]
        listen_to_functions(module, [*points, ("write_csv", writes("pyarrow.csv", 1, "output_file"))])
        listen_to_class(module, "CSVWriter", writes("pyarrow.csv", 1, "sink"))
    elif name == "pyarrow.json":
        points = [(function, reads("pyarrow.json", 0, "input_file")) for function in ("read_json", "open_json")]
        listen_to_functions(module, points)

"""The one module that speaks ONNX Runtime, and that keeps it from speaking to anybody else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from engine.errors import ModelError

# Since 1.29 ONNX Runtime sends usage data to its maker, and leaves a device id in HOME, unless this stands in the
# environment before it is loaded: its own switch comes too late. Who sets the variable to another value keeps it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime


def open_session(path: Path, *, threads: int, providers: tuple[str, ...]) -> Any:
    """An ONNX Runtime session. Raises ModelError."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Waiting threads sleep: on a server the other core has its own request to work on.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=list(providers))
    except Exception as error:  # ONNX Runtime's errors share no parent but Exception
        raise ModelError(f"{path} cannot be run: {error}") from error

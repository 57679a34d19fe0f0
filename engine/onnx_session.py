"""The one module that speaks ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime

from engine.errors import ModelError


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

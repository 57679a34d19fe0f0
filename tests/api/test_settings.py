"""Settings: where they come from, which wins, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.dialects.kivicube.codes import MEANINGS
from api.dialects.kivicube.contract import METHODS
from api.edge.door import Door
from api.edge.metrics import DoorNumbers, Metrics
from api.errors import SettingError
from api.settings import PREFIX, Settings, load_settings
from tests.support.paths import ROOT


class TestSources:
    def test_who_wins(self, tmp_path: Path) -> None:
        """Argument over variable over file over default."""
        file = tmp_path / "obverse.toml"
        file.write_text('page_size = 7\nport = 1\nhost = "::1"\ncors_origins = ["https://a.example"]\n')
        environment = {"OBVERSE_PORT": "2", "OBVERSE_HOST": "0.0.0.0", "PATH": "/bin", "OBVERSE_DATA": "x"}
        chosen = load_settings(file, environment=environment, host="127.0.0.2", log_level=None)
        assert (chosen.page_size, chosen.port, chosen.host) == (7, 2, "127.0.0.2")
        assert chosen.cors_origins == ("https://a.example",)
        assert chosen.max_image_bytes == Settings.model_fields["max_image_bytes"].default

    def test_lists_in_variables(self) -> None:
        chosen = load_settings(environment={"OBVERSE_CORS_ORIGINS": "https://a.example, https://b.example"})
        assert chosen.cors_origins == ("https://a.example", "https://b.example")


class TestRefusals:
    def test_unknown_in_file(self, tmp_path: Path) -> None:
        file = tmp_path / "obverse.toml"
        file.write_text("max_image_byte = 5\n")
        with pytest.raises(SettingError, match="the nearest is max_image_bytes"):
            load_settings(file, environment={})

    def test_unknown_variable(self) -> None:
        with pytest.raises(SettingError, match="the nearest is OBVERSE_TIME_ZONE"):
            load_settings(environment={"OBVERSE_TIMEZONE": "UTC"})

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("PORT", "many"),
            ("PORT", "-1"),
            ("TIME_ZONE", "Mars/Base"),
            ("PAGE_SIZE", "0"),
            ("PUBLIC_GETIMAGE", "perhaps"),
            ("DEFAULT_THRESHOLD", "-1"),
            ("DEFAULT_THRESHOLD", "100.5"),
            ("SECOND_LOOK", "perhaps"),
            ("KEEP_PICTURES", "2"),
            ("THREADS", "0"),
            ("THREADS", "1.5"),
            ("PATH_PREFIX", "obverse"),
            ("PATH_PREFIX", "/obverse/"),
            ("PATH_PREFIX", "/a//b"),
            ("PATH_PREFIX", "/%2f"),
            ("MAX_CONNECTIONS", "0"),
            ("BODY_STALL_SECONDS", "0"),
        ],
    )
    def test_values(self, name: str, value: str) -> None:
        with pytest.raises(SettingError, match=name.lower()):
            load_settings(environment={PREFIX + name: value})

    def test_formats(self) -> None:
        """By their names, however written, each once; what is none of them is named."""
        chosen = load_settings(environment={"OBVERSE_FORMATS": "webp, jpeg,WEBP"})
        assert chosen.formats == ("WebP", "JPEG")
        for value in ("jpg2000", ""):
            with pytest.raises(SettingError, match="formats"):
                load_settings(environment={"OBVERSE_FORMATS": value})

    def test_broken_file(self, tmp_path: Path) -> None:
        file = tmp_path / "obverse.toml"
        file.write_text("= 5")
        with pytest.raises(SettingError, match="cannot be read"):
            load_settings(file, environment={})


class TestDocumentation:
    def test_every_setting_is_documented(self) -> None:
        text = (ROOT / "docs" / "operations.md").read_text("utf-8")
        for name, field in Settings.model_fields.items():
            assert f"`{name}`" in text, name
            assert field.description

    def test_every_method_field_and_code_is_documented(self) -> None:
        text = (ROOT / "docs" / "api.md").read_text("utf-8")
        for method in METHODS:
            assert f"## {method.name}" in text
            assert all(f"`{field.name}`" in text for field in method.fields)
        assert all(f"`{code}`" in text for code in MEANINGS)

    def test_every_metric_is_documented(self) -> None:
        metrics = Metrics()
        metrics.registry.register(DoorNumbers(Door(Settings())))
        text = (ROOT / "docs" / "operations.md").read_text("utf-8")
        for family in metrics.registry.collect():
            if family.name.startswith("obverse_"):
                assert f"`{family.name}" in text, family.name

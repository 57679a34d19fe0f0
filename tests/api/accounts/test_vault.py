"""The key that seals the apps' secrets."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from api.accounts.vault import Vault
from engine.errors import DamagedData


class TestVault:
    def test_key_file(self, tmp_path: Path) -> None:
        """Made once, for its owner alone; what it sealed another does not open."""
        sealed = Vault(tmp_path).seal("sécret")
        assert (tmp_path / "secrets.key").stat().st_mode & 0o777 == 0o600
        assert [path.name for path in tmp_path.iterdir()] == ["secrets.key"]
        assert Vault(tmp_path).open(sealed) == "sécret"
        assert "sécret" not in sealed
        (tmp_path / "other").mkdir()
        assert Vault(tmp_path / "other").open(sealed) is None
        assert Vault(tmp_path).open("nonsense") is None

    def test_a_broken_key_file(self, tmp_path: Path) -> None:
        (tmp_path / "secrets.key").write_text("no key")
        with pytest.raises(DamagedData, match="restore"):
            Vault(tmp_path)

    def test_made_by_many_at_once(self, tmp_path: Path) -> None:
        """All use the first."""
        vaults: list[Vault] = []
        threads = [threading.Thread(target=lambda: vaults.append(Vault(tmp_path))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sealed = vaults[0].seal("x")
        assert [vault.open(sealed) for vault in vaults] == ["x"] * 8

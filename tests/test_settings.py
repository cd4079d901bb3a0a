"""Where settings come from, which wins, and what a wrong one says."""

import os
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field, SecretStr

from recoup.domain.errors import ConfigurationError
from recoup.settings import Section, load


class ShopSettings(Section):
    """A section as an integration has one."""

    section_name: ClassVar[str] = "shop"
    base_url: str = "https://shop.example"
    token: SecretStr | None = None
    people: dict[str, list[str]] = Field(default_factory=dict)


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("RECOUP_")]:
        monkeypatch.delenv(name)


def test_defaults_listen_on_loopback_and_keep_everything_in_one_folder() -> None:
    settings = load()
    assert settings.host == "127.0.0.1"
    assert settings.store_url == "sqlite:///.recoup/recoup.db"
    assert settings.detect.tick_s == 60


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "recoup.toml"
    config.write_text('port = 1\ncurrency = "SEK"\n[detect]\ntick_s = 30\n')
    assert load(config).port == 1
    monkeypatch.setenv("RECOUP_PORT", "2")
    monkeypatch.setenv("RECOUP_DETECT__GRACE_S", "5")
    settings = load(config)
    assert (settings.port, settings.currency) == (2, "SEK")
    assert (settings.detect.tick_s, settings.detect.grace_s) == (30, 5)
    assert load(config, port=3).port == 3


def test_an_integration_has_its_own_section(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "recoup.toml"
    config.write_text('[shop]\nbase_url = "http://a"\n[shop.people]\nU1 = ["approver"]\n')
    monkeypatch.setenv("RECOUP_SHOP_TOKEN", "s3cret")
    section = load(config).section(ShopSettings)
    assert section.base_url == "http://a"
    assert section.people == {"U1": ["approver"]}
    assert section.token is not None
    assert section.token.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(section)


def test_keys_are_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOUP_API_KEYS", "one, two")
    assert [key.get_secret_value() for key in load().api_keys] == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("port = 'x'", "port"),
        ("port = ", "not valid TOML"),
        ("speed = 3", "unknown setting 'speed'"),
        ("[detect]\ntikc_s = 3", "detect.tikc_s"),
    ],
)
def test_a_wrong_setting_says_which(tmp_path: Path, text: str, said: str) -> None:
    config = tmp_path / "recoup.toml"
    config.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        load(config)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        load(tmp_path / "none.toml")


def test_relative_paths_of_a_file_are_relative_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop").mkdir()
    file = tmp_path / "shop" / "recoup.toml"
    file.write_text('data_dir = "data"\n[response]\nplaybook_dir = "../playbooks"\n')
    settings = load(file)
    assert settings.data_dir == tmp_path / "shop" / "data"
    assert settings.response.playbook_dir == tmp_path / "shop" / ".." / "playbooks"
    monkeypatch.setenv("RECOUP_DATA_DIR", "elsewhere")
    assert load(file).data_dir == Path("elsewhere")

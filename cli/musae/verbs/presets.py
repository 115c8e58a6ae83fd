"""``musae presets``."""

from __future__ import annotations

import click

from musae.options import Console, console_options, examples

_EPILOG = examples(
    "musae presets                      the list",
    "musae presets mel-2bar             all settings of one",
    "musae presets mel-2bar > my.yaml   a file to change and train with",
)


@click.command(epilog=_EPILOG)
@click.argument("name", required=False, metavar="[NAME|FILE.yaml]")
@console_options
def presets(name: str | None, console: Console) -> None:
    """List the presets, or print the complete settings of one as YAML."""
    from musicvae_lite.config import load_config, preset_names

    if name is None:
        table = {preset: load_config(preset).description for preset in preset_names()}
        width = max(map(len, table), default=0)
        console.answer("\n".join(f"{preset:{width}}  {text}" for preset, text in table.items()))
        console.document(
            {"presets": [{"name": preset, "description": text} for preset, text in table.items()]}
        )
        return
    settings = load_config(name).model_dump(mode="json")
    if not console.json:
        import yaml

        text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True, width=120)
        console.answer(text.rstrip("\n"))
    console.document({"preset": name, "settings": settings})

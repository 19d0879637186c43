"""docs/commands.md has the help that the tool prints, of every command."""

import re

from commands_page import BLOCK, PAGE, help_of, page_with_help


def test_the_page_is_up_to_date(tool):
    text = PAGE.read_text()
    assert page_with_help(tool.program, text) == text, (
        f"run: python test/python/commands_page.py {tool.program}"
    )


def test_the_page_has_every_command(tool):
    listed = re.findall(r"^  (\w+) ", help_of(tool.program, "").split("Subcommands:")[1].split("\n\n")[0], re.M)
    assert len(listed) >= 4
    shown = [command.strip() for command, _ in BLOCK.findall(PAGE.read_text())]
    assert shown == ["", *listed]

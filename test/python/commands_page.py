"""Writes the help of every command into docs/commands.md:

    python test/python/commands_page.py build/bin/tessera
"""

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs/commands.md"
BLOCK = re.compile(r"```text\n\$ tessera ([^\n]*)--help\n(.*?)```", re.DOTALL)


def help_of(program, command):
    done = subprocess.run(
        [program, *command.split(), "--help"], stdout=subprocess.PIPE, text=True, check=True
    )
    lines = [line.rstrip() for line in done.stdout.strip("\n").splitlines()]
    return "\n".join(lines) + "\n"


def page_with_help(program, text):
    """The page with each block as the program prints it now."""
    return BLOCK.sub(
        lambda block: f"```text\n$ tessera {block[1]}--help\n{help_of(program, block[1])}```", text
    )


if __name__ == "__main__":
    PAGE.write_text(page_with_help(sys.argv[1], PAGE.read_text()))

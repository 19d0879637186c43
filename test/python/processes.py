"""Programs that the tests start."""

import subprocess


def run(*command, **options):
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout

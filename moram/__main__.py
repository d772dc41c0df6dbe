"""`python -m moram` is the `moram` command; so is `accelerate launch -m moram`."""

from moram.cli import app

if __name__ == "__main__":
    app(prog_name="moram")

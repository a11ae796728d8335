"""The command line without the installed script: `python -m mlmw`."""

from mlmw.cli import main

if __name__ == "__main__":
    main()

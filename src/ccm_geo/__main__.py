"""Run the command line as ``python -m ccm_geo``."""

from .cli import main

if __name__ == "__main__":
    main()

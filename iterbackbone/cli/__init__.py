"""The command line: ``iterbackbone COMMAND`` or ``python -m iterbackbone COMMAND``."""

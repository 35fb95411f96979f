"""Real servers under load and in trouble: a table of what they must withstand.

`make chaos` runs all of it, `tests/system/test_chaos.py` a short version. docs/reliability.md has
the last full table.
"""

"""What an environment lacks, what in it does not go together, and the command that mends it.

Only the standard library is imported here: what is examined runs in a process of its own, so that
an extension that crashes is reported, not suffered.
"""

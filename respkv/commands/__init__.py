"""The commands that C does not run itself: one table, one module a family.

Pure: clock, randomness, worker threads and clients are handed in by the context. Replies are values that
reply.py encodes.
"""

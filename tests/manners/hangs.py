"""Waits as soon as it is imported."""

import time

time.sleep(600)

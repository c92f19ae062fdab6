"""Processes that run the frameworks: frames and requests, and how to start, supervise and end them."""

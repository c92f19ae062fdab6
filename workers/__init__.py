"""How frameworks are asked: processes, frames, requests, and what it takes to start, supervise and end them."""

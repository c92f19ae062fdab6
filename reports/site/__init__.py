"""The site: a run and a benchmark as pages that need nothing but themselves."""

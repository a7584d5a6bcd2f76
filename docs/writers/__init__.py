"""What writes the pages of ``docs/reference``, one module for each page."""

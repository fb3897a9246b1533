"""The sections of the page, a file each or a few that belong together; `order` says in which order they stand."""

"""The comparison as a page: tables, sentences and figures of results and their statistics."""

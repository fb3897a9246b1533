"""Bad inputs of every kind to every command, a table a kind: each ends in a sentence that names what is wrong."""

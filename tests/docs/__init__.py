"""The pages are true: their command lines, their links, the site that is made of them."""

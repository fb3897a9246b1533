"""`skipx data check`: one case after another is read to numbers, and pure functions find what is wrong with them."""

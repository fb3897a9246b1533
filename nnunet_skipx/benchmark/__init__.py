"""Results folders -> tidy table -> statistics -> figures -> report; reads any nnU-Net results."""

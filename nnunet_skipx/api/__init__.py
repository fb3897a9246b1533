"""What `import nnunet_skipx` offers to Python: networks, comparisons and costs, outside of nnU-Net's commands."""

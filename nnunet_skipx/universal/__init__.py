"""3D U2-Net over several data sets: domains that share pointwise weights and keep a plan of their own."""

"""Floor 1: attention and loss kernels. Empty until the kernels are built. Not the package of that name on the index."""

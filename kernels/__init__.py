"""Floor 1: attention and loss kernels. Not the package of that name on the index."""

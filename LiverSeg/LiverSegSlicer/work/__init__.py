"""Long work: the child process, runs and other work in turns, files handed over, PyTorch."""

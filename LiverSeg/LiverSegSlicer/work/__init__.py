"""Long work: the child process, runs and their jobs, files handed over, work in turns, PyTorch."""
